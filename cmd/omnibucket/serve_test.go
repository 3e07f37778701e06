package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// ask sends a request on a new connection.
func ask(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(b)
}

// request returns a request with this body.
func request(t *testing.T, method, address, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	return r
}

// get sends a GET on a new connection.
func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	return ask(t, request(t, http.MethodGet, address, ""))
}

// serve runs serve until the test ends, and returns the printed address.
func (s *shell) serve(args ...string) string {
	s.t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	stdout, printed := io.Pipe()
	var errs bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), s.environment(nil, printed, &errs))
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	s.t.Cleanup(func() {
		interrupt()
		require.Zero(s.t, <-exit, errs.String())
	})
	require.NoError(s.t, err)
	return strings.TrimSpace(line)
}

// serve --json prints its URL as JSON.
func TestServeURLAsJSON(t *testing.T) {
	s := newShell(t)
	s.env["AWS_ACCESS_KEY_ID"] = "key"
	s.env["AWS_SECRET_ACCESS_KEY"] = "secret-of-a-test"
	for _, args := range [][]string{{newDirectoryAddress(t)}, {"--s3"}} {
		var line program.ServingLine
		require.NoError(t, json.Unmarshal([]byte(s.serve(append(args, "--json")...)), &line))
		require.Equal(t, "serving", line.Event)
		status, _ := get(t, line.URL)
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status)
	}
}

// serve serves the objects of a bucket as files. It neither lists nor stores anything.
func TestServe(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	for _, key := range []string{"a b?.txt", "public/index.html", "public/x/y"} {
		s.put(bucket+"#"+url.PathEscape(key), key)
	}

	// The path of a URL is the key of an object.
	base := s.serve(bucket)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/$`, base)
	status, body := get(t, base+"a%20b%3F.txt")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "a b?.txt", body)

	// The path of a folder returns its index.html.
	status, body = get(t, base+"public/")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "public/index.html", body)

	// A folder without index.html is not listed, and nothing is stored.
	status, _ = get(t, base)
	require.Equal(t, http.StatusNotFound, status, "nothing is listed")
	status, _ = ask(t, request(t, http.MethodPut, base+"new", "x"))
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

// serve --listing of a folder lists its subfolders, and serves nothing outside of it.
func TestServeListingOfAFolder(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	for _, key := range []string{"outside.txt", "public/x/y"} {
		s.put(bucket+"#"+key, key)
	}

	base := s.serve("--listing", bucket+"#public")
	_, body := get(t, base+"x/")
	require.Contains(t, body, `href="y"`)
	status, _ := get(t, base+"outside.txt")
	require.Equal(t, http.StatusNotFound, status)
}

// serve answers only requests for names of this machine. Otherwise a web page could read files by
// DNS rebinding.
func TestServeChecksHost(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#a", "secret")
	tests := []struct {
		name string
		args []string
		host string
		want int
	}{
		{name: "an address", host: "127.0.0.1:8080", want: http.StatusOK},
		{name: "an address of IPv6", host: "[::1]:8080", want: http.StatusOK},
		{name: "localhost", host: "LocalHost:8080", want: http.StatusOK},
		{name: "a subdomain of localhost", host: "files.localhost", want: http.StatusOK},
		{name: "the name of another site", host: "evil.example:8080", want: http.StatusMisdirectedRequest},
		{
			name: "a name that begins as an address",
			host: "127.0.0.1.evil.example",
			want: http.StatusMisdirectedRequest,
		},
		{
			name: "a name that ends as a known one",
			host: "evil-localhost",
			want: http.StatusMisdirectedRequest,
		},
		{
			name: "a name of --domain",
			args: []string{"--domain", "files.test"},
			host: "Files.test:8080",
			want: http.StatusOK,
		},
		{
			name: "another name than that of --domain",
			args: []string{"--domain", "files.test"},
			host: "evil.files.test",
			want: http.StatusMisdirectedRequest,
		},
		{
			name: "any name, if other machines can connect",
			args: []string{"--listen", "0.0.0.0:0"},
			host: "files.example",
			want: http.StatusOK,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := s.serve(append(tt.args, bucket)...)
			req := request(t, http.MethodGet, base+"a", "")
			req.Host = tt.host
			status, body := ask(t, req)
			require.Equal(t, tt.want, status, body)
		})
	}
}

// serve accepts the URLs that sign prints for the served bucket. They begin with the path in
// signing_base_url.
func TestServeAcceptsSignedURLs(t *testing.T) {
	memory := newMemoryAddress(t)
	directory := newDirectoryAddress(t)
	tests := []struct {
		name   string
		bucket string
		object func(parameter string) string // the address of the object "a b" with this parameter
	}{
		{
			name:   "memory",
			bucket: memory + "/",
			object: func(parameter string) string { return memory + "/a b?" + parameter },
		},
		{
			name:   "directory",
			bucket: directory + "#",
			object: func(parameter string) string { return directory + "?" + parameter + "#a b" },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			base := s.serve(tt.bucket) // it ends in a slash
			object := tt.object("signing_base_url=" + base + ".signed")

			// sign --upload prints a command for curl, and sign a URL.
			status, body := sendSignedCurl(t, s.run("sign", "--upload", object), "uploaded")
			require.Equal(t, http.StatusOK, status, body)
			status, body = get(t, strings.TrimSpace(s.run("sign", object)))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "uploaded", body)

			// Without a signature, the object is served only at its ordinary path, and not at the
			// signed one.
			status, _ = get(t, base+".signed/a%20b")
			require.Equal(t, http.StatusForbidden, status, "without a signature")
			status, body = get(t, base+"a%20b")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "uploaded", body)
		})
	}
}

// If the served address has a signing_base_url, serve accepts signed URLs below the path of that
// URL.
func TestSigningBaseURLSetsThePathOfSignedURLs(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "a")
	parameters := "?signing_base_url=https://files.example.com/private/x"
	base := s.serve(bucket + parameters)

	signedURL, err := url.Parse(strings.TrimSpace(s.run("sign", bucket+"/a"+parameters)))
	require.NoError(t, err)
	status, body := get(t, strings.TrimSuffix(base, "/")+signedURL.RequestURI())
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "a", body)
}

// serve fails if its location does not exist, or if its port is taken.
func TestServeFails(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.requireExit(exitNotFound, "serve", "--listen", "127.0.0.1:0", newDirectoryAddress(t)+"/none")
	s.requireExit(exitNotFound, "serve", "photos")

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()

	_, stderr := s.requireExit(exitFailure, "serve", "--listen", listener.Addr().String(), bucket)
	require.Contains(t, stderr, "address already in use")
}
