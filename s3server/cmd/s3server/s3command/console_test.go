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

// Unless the user sets an address for the console, it runs only with generated credentials and on loopback.
func TestConsoleIsForDevelopmentOnly(t *testing.T) {
	tests := []struct {
		name    string
		listen  string
		console string   // the flag for the console's address
		lookup  []string // the environment
		want    string   // the console's address
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
			name:    "address of the flag",
			listen:  ":9000",
			console: ":9001",
			lookup:  []string{"AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "s"},
			want:    ":9001",
		},
		{name: "turned off", listen: "127.0.0.1:9000", console: "off", want: ""},
		{
			name:   "address of the variable of MinIO",
			listen: ":9000",
			lookup: []string{"MINIO_CONSOLE_ADDRESS", ":9002"},
			want:   ":9002",
		},
		{
			name:    "turned off by the variable of MinIO",
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

			require.NoError(t, c.readSettings())

			require.Equal(t, tt.want, c.consoleAddress())
		})
	}
}

// The console shows the requests of the server to callers with the credentials, and stops with the server.
func TestConsoleEndsWithServer(t *testing.T) {
	server := startServer(t, environment(), "--create", "photos")
	exported := server.export()
	putObject(t, newClient(t), "photos", "a", "hello")

	// The console is at the printed URL, and needs the credentials.
	line := consoleLine.FindStringSubmatch(server.stderr.String())
	require.NotNil(t, line, server.stderr.String())
	url := line[1]
	status, _ := sendUnsigned(t, http.MethodGet, url)
	require.Equal(t, http.StatusUnauthorized, status)

	// The console shows the request of the client.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/x/requests", nil)
	require.NoError(t, err)

	// The access key is the name of the user.
	req.SetBasicAuth(exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"])
	req.Header.Set("X-Console", "1")
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(text), `"operation":"PutObject"`)
	require.NotContains(t, string(text), exported["AWS_SECRET_ACCESS_KEY"])

	// The console stops with the server.
	server.stop()
	_, err = c.Do(req)
	require.Error(t, err)
}

// Serve refuses an address of the console that other machines can reach if the only certificate is that of --tls.
func TestConsoleForOthersHasCertificate(t *testing.T) {
	f := parseFlags(t, "--tls", "--console-address", ":9001")

	err := f.Serve(t.Context(), Environment{Err: io.Discard, Lookup: environment()}, nil)

	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "--console-address")
}

// Only addresses of this machine are loopback addresses.
func TestConsoleLoopback(t *testing.T) {
	require.False(t, isLoopback(":9001"))
	require.True(t, isLoopback("[::1]:9001"))
	require.True(t, strings.HasPrefix(DefaultListen, "127.0.0.1:"))
}
