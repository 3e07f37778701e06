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

// servingMcp runs mcp over HTTP on a loopback address until the test ends. It returns its URL, and what it has
// printed to standard error.
func (s *shell) servingMcp(args ...string) (address string, log *lockedBuffer) {
	s.t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	out, printed := io.Pipe()
	log = &lockedBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"mcp", "--listen", "127.0.0.1:0"}, args...), s.around(nil, printed, log))
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	s.t.Cleanup(func() {
		interrupt()
		require.Zero(s.t, <-ended, log.String())
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

func httpAgent(t *testing.T, address, token string) *mcp.ClientSession {
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

func TestMcpOverHTTP(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = memory(t)
	s.put("box:a.txt", "text")
	address, log := s.servingMcp("--allow=list,read,write", "box:")
	_, token, ok := strings.Cut(log.String(), "export OMNIBUCKET_MCP_TOKEN=")
	require.True(t, ok)
	client := httpAgent(t, address, strings.TrimSpace(token))
	require.Equal(t, []string{"list", "read", "write"}, offered(t, client))
	require.Equal(t, "text", called(t, client, "read", arguments{"key": "a.txt"})["text"])
	called(t, client, "write", arguments{"key": "b.txt", "text": "new"})
	require.Contains(t, refused(t, client, "write", arguments{"key": "b.txt", "text": "new"}), "precondition failed")
	require.Equal(t, []string{"a.txt", "b.txt"}, listed(t, client, nil))
}

func TestMcpOverHTTPRefuses(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"], s.env["OMNIBUCKET_MCP_TOKEN"] = memory(t), tokenOfTest
	address, log := s.servingMcp("--domain=files.test", "box:")
	require.NotContains(t, log.String(), tokenOfTest)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for _, row := range []struct {
		name   string
		change func(r *http.Request)
		body   string
		want   int
	}{
		{"nothing that is right", func(*http.Request) {}, list, http.StatusOK},
		{
			"no request without a token", func(r *http.Request) { r.Header.Del("Authorization") }, list,
			http.StatusUnauthorized,
		},
		{
			"another token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokenOfTest+"4") }, list,
			http.StatusUnauthorized,
		},
		{
			"the token as a password", func(r *http.Request) { r.SetBasicAuth("x", tokenOfTest) }, list,
			http.StatusUnauthorized,
		},
		{
			"the token in the address",
			func(r *http.Request) {
				r.Header.Del("Authorization")
				r.URL.RawQuery = "token=" + tokenOfTest
			}, list,
			http.StatusUnauthorized,
		},
		{"no known name", func(r *http.Request) {
			r.Host = "files.test:80"
		}, list, http.StatusOK},
		{
			"the name of another site", func(r *http.Request) {
				r.Host = "evil.example"
			}, list,
			http.StatusMisdirectedRequest,
		},
		{
			"a page of another site", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, list,
			http.StatusForbidden,
		},
		{"a page of a file", func(r *http.Request) { r.Header.Set("Origin", "null") }, list, http.StatusForbidden},
		{
			"a cross-site request", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, list,
			http.StatusForbidden,
		},
		{
			"a large body", func(*http.Request) {},
			`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 3<<20) + `"}`, http.StatusRequestEntityTooLarge,
		},
		{"a batch", func(*http.Request) {}, " \r\n[" + list + "]", http.StatusBadRequest},
		{"no JSON", func(*http.Request) {}, "hello", http.StatusBadRequest},
		{"GET", func(r *http.Request) {
			r.Method = http.MethodGet
		}, "", http.StatusMethodNotAllowed},
		{"DELETE", func(r *http.Request) {
			r.Method = http.MethodDelete
		}, "", http.StatusMethodNotAllowed},
		{
			"another type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, list,
			http.StatusUnsupportedMediaType,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := request(t, http.MethodPost, address, row.body)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set("Authorization", "Bearer "+tokenOfTest)
			row.change(r)
			status, body := ask(t, r)
			require.Equal(t, row.want, status, body)
			require.NotContains(t, body, tokenOfTest)
		})
	}
	s.env["OMNIBUCKET_MCP_TOKEN"] = "short"
	_, stderr := s.exits(2, "mcp", "--listen", "127.0.0.1:0", "box:")
	require.Contains(t, stderr, "OMNIBUCKET_MCP_TOKEN must have at least 16")
	require.NotContains(t, stderr, "short")
}

func TestMcpSaysThatATokenTravelsWithoutTLS(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"], s.env["OMNIBUCKET_MCP_TOKEN"] = memory(t), tokenOfTest
	const want = "The token travels without TLS"
	_, log := s.servingMcp("box:")
	require.NotContains(t, log.String(), want)
	_, log = s.servingMcp("--listen=0.0.0.0:0", "box:") // the last value counts
	require.Contains(t, log.String(), want)
}
