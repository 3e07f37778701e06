package s3command

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var consoleLine = regexp.MustCompile(`# The console is at (\S+)/ with`)

// If no address is set for the console, it runs only with generated credentials and on loopback.
func TestConsoleIsForDevelopmentOnly(t *testing.T) {
	tests := []struct {
		name, listen, console string
		lookup                []string
		want                  string
	}{
		{name: "generated credentials on loopback", listen: "127.0.0.1:9000", want: "127.0.0.1:0"},
		{name: "generated credentials on localhost", listen: "localhost:9000", want: "127.0.0.1:0"},
		{name: "every interface", listen: ":9000", want: ""},
		{
			name:   "credentials of the environment",
			listen: "127.0.0.1:9000",
			lookup: []string{"AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s"},
			want:   "",
		},
		{
			name:    "an address",
			listen:  ":9000",
			console: ":9001",
			lookup:  []string{"AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s"},
			want:    ":9001",
		},
		{name: "off", listen: "127.0.0.1:9000", console: "off", want: ""},
		{
			name:   "MinIO's address",
			listen: ":9000",
			lookup: []string{"MINIO_CONSOLE_ADDRESS", ":9002"},
			want:   ":9002",
		},
		{
			name:    "MinIO's off",
			listen:  ":9000",
			console: ":9001",
			lookup:  []string{"MINIO_BROWSER", "off"},
			want:    "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &command{
				flags: &Flags{Listen: tt.listen, console: tt.console},
				env:   Environment{Lookup: environment(tt.lookup...)},
			}
			require.NoError(t, c.read())
			require.Equal(t, tt.want, c.consoleAddress())
		})
	}
}

// The console shows the requests of the server, and stops with it.
func TestConsoleEndsWithServer(t *testing.T) {
	server := start(t, environment(), "--create", "photos")
	exported := server.export()
	put(t, client(t), "photos", "a", "hello")

	// The console is at the printed URL, and needs the credentials.
	line := consoleLine.FindStringSubmatch(server.errs.String())
	require.NotNil(t, line, server.errs.String())
	url := line[1]
	status, _ := ask(t, http.MethodGet, url)
	require.Equal(t, http.StatusUnauthorized, status)

	// It has the request of the client.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/x/requests", nil)
	require.NoError(t, err)
	r.SetBasicAuth(exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"])
	r.Header.Set("X-Console", "1")
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := c.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Contains(t, string(text), `"operation":"PutObject"`)
	require.NotContains(t, string(text), exported["AWS_SECRET_ACCESS_KEY"])

	server.stop()
	_, err = c.Do(r)
	require.Error(t, err)
}

// With --tls, the console has no certificate of the user, so Serve refuses an address of the console that other
// machines can reach.
func TestConsoleForOthersHasCertificate(t *testing.T) {
	f := parse(t, "--tls", "--console-address", ":9001")
	err := f.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, nil)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "--console-address")

	require.False(t, isLoopback(":9001"))
	require.True(t, isLoopback("[::1]:9001"))
	require.True(t, strings.HasPrefix(DefaultListen, "127.0.0.1:"))
}
