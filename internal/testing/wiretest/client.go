package wiretest

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A Response is the response to a request that a test has sent itself, and not the driver.
type Response struct {
	Status int
	Body   string
	Header http.Header // only set by NetHTTP
}

// Clients maps names to HTTP clients that do not use the driver. Each client sends a signed request
// without changes, except that curl adds its own Content-Type to an upload.
var Clients = map[string]func(t testing.TB, signedURL *storage.SignedURL, body string) Response{
	"net/http": NetHTTP,
	"curl":     Curl,
}

// NetHTTP makes the request with net/http.
func NetHTTP(t testing.TB, signedURL *storage.SignedURL, body string) Response {
	t.Helper()
	req, err := signedURL.Request(t.Context(), strings.NewReader(body))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return Response{Status: resp.StatusCode, Body: string(text), Header: resp.Header}
}

// Curl makes the request with the program curl. If curl is missing, the test is skipped or fails.
func Curl(t testing.TB, signedURL *storage.SignedURL, body string) Response {
	t.Helper()
	args := []string{
		"--silent", "--globoff", "--path-as-is", "--request", signedURL.Method, "--write-out", "%{http_code}",
	}
	for name, values := range signedURL.Header {
		for _, value := range values {
			args = append(args, "--header", name+": "+value)
		}
	}

	command := exec.CommandContext(t.Context(), testserver.Program(t, "curl"), append(args, signedURL.URL)...)
	if signedURL.Method == http.MethodPut {
		command.Args = append(command.Args, "--data-binary", "@-")
		command.Stdin = strings.NewReader(body)
	}
	var buf bytes.Buffer
	command.Stdout = &buf
	require.NoError(t, command.Run())

	// The status follows the body, as three digits.
	text := buf.String()
	end := len(text) - len("200")
	status, err := strconv.Atoi(text[end:])
	require.NoError(t, err)
	return Response{Status: status, Body: text[:end]}
}
