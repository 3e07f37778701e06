package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// serveMCP runs mcp over HTTP on a loopback address until the test ends. It returns the URL, and
// the log that mcp prints to standard error.
func (s *shell) serveMCP(args ...string) (address string, log *lockedBuffer) {
	s.t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	stdout, printed := io.Pipe()
	log = &lockedBuffer{}
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, append([]string{"mcp", "--listen", "127.0.0.1:0"}, args...), s.environment(nil, printed, log))
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	s.t.Cleanup(func() {
		interrupt()
		require.Zero(s.t, <-exit, log.String())
	})
	require.NoError(s.t, err, log.String())
	return strings.TrimSpace(line), log
}

const tokenOfTest = "token-of-a-test-0123"

// A bearer sends the token with each request.
type bearer struct {
	token string
	next  *http.Transport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// connectHTTPAgent returns a client that sends this token to the server at an address.
func connectHTTPAgent(t *testing.T, address, token string) *mcp.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{
			Endpoint:   address,
			HTTPClient: &http.Client{Transport: bearer{token, transport}},
		}, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = client.Close()
		transport.CloseIdleConnections()
	})
	return client
}

// mcp --listen prints a token, and serves agents that have it over HTTP.
func TestMcpOverHTTP(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:a.txt", "text")
	address, log := s.serveMCP("--allow=list,read,write", "box:")
	_, token, ok := strings.Cut(log.String(), "export OMNIBUCKET_MCP_TOKEN=")
	require.True(t, ok)

	// With the token, an agent has the permitted tools.
	client := connectHTTPAgent(t, address, strings.TrimSpace(token))
	require.Equal(t, []string{"list", "read", "write"}, offeredTools(t, client))
	require.Equal(t, "text", callTool(t, client, "read", arguments{"key": "a.txt"})["text"])

	// The agent writes a new object, but cannot replace it, because mcp runs without --overwrite.
	newObject := arguments{"key": "b.txt", "text": "new"}
	callTool(t, client, "write", newObject)
	require.Contains(t, callRefusedTool(t, client, "write", newObject), "precondition failed")
	require.Equal(t, []string{"a.txt", "b.txt"}, listKeys(t, client, nil))
}

// The server of mcp refuses requests without its token, requests to other host names, requests from pages of other
// sites, and requests in other forms.
func TestMcpOverHTTPRefuses(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.env["OMNIBUCKET_MCP_TOKEN"] = tokenOfTest

	address, log := s.serveMCP("--domain=files.test", "box:")
	require.NotContains(t, log.String(), tokenOfTest)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	tests := []struct {
		name   string
		change func(r *http.Request) // changes a valid request
		body   string
		want   int // status
	}{
		{name: "a valid request", change: func(*http.Request) {}, body: list, want: http.StatusOK},
		{
			name: "a request without a token",
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
			},
			body: list,
			want: http.StatusUnauthorized,
		},
		{
			name: "another token",
			change: func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+tokenOfTest+"4")
			},
			body: list,
			want: http.StatusUnauthorized,
		},
		{
			name: "the token as a password",
			change: func(r *http.Request) {
				r.SetBasicAuth("x", tokenOfTest)
			},
			body: list,
			want: http.StatusUnauthorized,
		},
		{
			name: "the token in the address",
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
				r.URL.RawQuery = "token=" + tokenOfTest
			},
			body: list,
			want: http.StatusUnauthorized,
		},
		{
			name: "the name of --domain",
			change: func(r *http.Request) {
				r.Host = "files.test:80"
			},
			body: list,
			want: http.StatusOK,
		},
		{
			name: "the name of another site",
			change: func(r *http.Request) {
				r.Host = "evil.example"
			},
			body: list,
			want: http.StatusMisdirectedRequest,
		},
		{
			name: "a page of another site",
			change: func(r *http.Request) {
				r.Header.Set("Origin", "https://evil.example")
			},
			body: list,
			want: http.StatusForbidden,
		},
		{
			name: "a page of a file",
			change: func(r *http.Request) {
				r.Header.Set("Origin", "null")
			},
			body: list,
			want: http.StatusForbidden,
		},
		{
			name: "a cross-site request",
			change: func(r *http.Request) {
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			},
			body: list,
			want: http.StatusForbidden,
		},
		{
			name:   "a large body",
			change: func(*http.Request) {},
			body:   `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 3<<20) + `"}`,
			want:   http.StatusRequestEntityTooLarge,
		},
		{
			name:   "a batch",
			change: func(*http.Request) {},
			body:   " \r\n[" + list + "]",
			want:   http.StatusBadRequest,
		},
		{name: "no JSON", change: func(*http.Request) {}, body: "hello", want: http.StatusBadRequest},
		{
			name: "GET",
			change: func(r *http.Request) {
				r.Method = http.MethodGet
			},
			want: http.StatusMethodNotAllowed,
		},
		{
			name: "DELETE",
			change: func(r *http.Request) {
				r.Method = http.MethodDelete
			},
			want: http.StatusMethodNotAllowed,
		},
		{
			name: "another type",
			change: func(r *http.Request) {
				r.Header.Set("Content-Type", "text/plain")
			},
			body: list,
			want: http.StatusUnsupportedMediaType,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, http.MethodPost, address, tt.body)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set("Authorization", "Bearer "+tokenOfTest)
			tt.change(r)

			status, body := ask(t, r)
			require.Equal(t, tt.want, status, body)
			require.NotContains(t, body, tokenOfTest)
		})
	}

	// A token that can be guessed is refused, and not printed.
	s.env["OMNIBUCKET_MCP_TOKEN"] = "short"
	_, stderr := s.requireExit(exitUsage, "mcp", "--listen", "127.0.0.1:0", "box:")
	require.Contains(t, stderr, "OMNIBUCKET_MCP_TOKEN must have at least 16")
	require.NotContains(t, stderr, "short")
}

// If other machines can connect, mcp --listen warns that the token travels without TLS.
func TestMcpSaysThatATokenTravelsWithoutTLS(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.env["OMNIBUCKET_MCP_TOKEN"] = tokenOfTest
	const warning = "The token travels without TLS"

	_, log := s.serveMCP("box:")
	require.NotContains(t, log.String(), warning)

	// This flag --listen replaces the one that serveMCP sets.
	_, log = s.serveMCP("--listen=0.0.0.0:0", "box:")
	require.Contains(t, log.String(), warning)
}
