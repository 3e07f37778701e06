package serve_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// start makes the site listen on a port. Each request passes through before first.
func (s *site) start(hook func(w http.ResponseWriter)) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hook(w)
		s.handler.ServeHTTP(w, r)
	}))
	s.Cleanup(server.Close)
	return server
}

func patient(http.ResponseWriter) {}

// impatient does not wait for the part of a body that has not arrived with the
// header, like http.Server after its ReadTimeout.
func impatient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// raw sends bytes verbatim, and reads one response. Unless hold is true, it first tells the server that no more bytes
// will follow.
func raw(t *testing.T, server *httptest.Server, request string, hold bool) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	if !hold {
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
	}

	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// line returns a signed request up to the headers that a row adds.
func line(t *testing.T, u *storage.SignedURL) string {
	t.Helper()
	address, err := url.Parse(u.URL)
	require.NoError(t, err)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", u.Method, address.RequestURI(), address.Host)
	for name, values := range u.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", name, values[0])
	}
	return b.String()
}

// A malformed or truncated request stores nothing.
func TestHandlerBrokenRequestsStoreNothing(t *testing.T) {
	s := newSite(t)
	server := s.start(patient)
	strict := s.start(impatient)
	upload := line(t, s.upload("a", storage.WithSize(4)))
	free := line(t, s.upload("a"))

	tests := []struct {
		name    string
		request string
		hold    bool
		status  int
	}{
		{name: "a negative length", request: upload + "Content-Length: -4\r\n\r\n1234", status: 400},
		{
			name:    "a length that is none",
			request: upload + "Content-Length: four\r\n\r\n1234",
			status:  400,
		},
		{
			name:    "two lengths",
			request: upload + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345",
			status:  400,
		},
		{name: "no length", request: upload + "\r\n1234", hold: true, status: 400},
		{
			name:    "a length that is too large",
			request: upload + "Content-Length: 5\r\n\r\n12345",
			hold:    true,
			status:  413,
		},
		{
			name:    "a length that is not reached",
			request: upload + "Content-Length: 4\r\n\r\n12",
			status:  400,
		},
		{name: "a slow body", request: upload + "Content-Length: 4\r\n\r\n12", hold: true, status: 408},
		{
			name:    "a slow body of any length",
			request: free + "Content-Length: 9\r\n\r\n12",
			hold:    true,
			status:  408,
		},
		{
			name:    "chunks",
			request: free + "Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n",
			hold:    true,
			status:  411,
		},
		{
			name:    "chunks past the bound",
			request: upload + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n3\r\n456\r\n0\r\n\r\n",
			hold:    true,
			status:  411,
		},
		{
			name:    "endless chunks",
			request: upload + "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n",
			hold:    true,
			status:  411,
		},
		{
			name:    "chunks that end early",
			request: upload + "Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n",
			hold:    true,
			status:  411,
		},
		{
			name:    "chunks that break off",
			request: upload + "Transfer-Encoding: chunked\r\n\r\n4\r\n12",
			status:  411,
		},
		{
			name:    "chunks that are none",
			request: upload + "Transfer-Encoding: chunked\r\n\r\nzz\r\n12\r\n",
			status:  411,
		},
		{
			name:    "a chunk of a negative length",
			request: upload + "Transfer-Encoding: chunked\r\n\r\n-4\r\n1234\r\n0\r\n\r\n",
			status:  411,
		},
		{
			name:    "an expectation that is refused",
			request: upload + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
			hold:    true,
			status:  413,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := server
			if tt.status == http.StatusRequestTimeout {
				target = strict
			}
			answer := raw(t, target, tt.request, tt.hold)
			require.Equal(t, tt.status, answer.StatusCode)
			s.empty()
		})
	}

	answer := raw(t, server, upload+"Content-Length: 4\r\n\r\n1234", true)
	require.Equal(t, 200, answer.StatusCode, "the request itself is good")
}

// A client that sends more than a connection's buffers hold gets the response of a refusal, as on S3, not a
// connection reset.
func TestHandlerRefusedClientReadsResponse(t *testing.T) {
	const size = 12 << 20
	s := newSite(t)
	server := s.start(patient)
	tests := []struct{ name, head string }{
		{name: "longer than was signed", head: line(t, s.upload("a", storage.WithSize(4)))},
		{name: "not signed", head: "PUT /files/a HTTP/1.1\r\nHost: x\r\n"},
		{name: "a form", head: "POST /files/ HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Repeat("x", size)
			answer := raw(t, server, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", tt.head, size, body), true)
			require.GreaterOrEqual(t, answer.StatusCode, 400)
			s.empty()
		})
	}
}

// If a form stops at any byte, the response says that it is slow or cut off, not that it is malformed.
func TestFormThatStopsIsNotMalformed(t *testing.T) {
	s := newSite(t)
	patientServer := s.start(patient)
	impatientServer := s.start(impatient)
	f := s.form("a", 0, 100)
	contentType, body := encode(t, fieldsOf(f, "the content"))
	head := fmt.Sprintf("POST /files/ HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		contentType, len(body))

	tests := []struct{ name, upTo string }{
		{name: "before the first boundary"},
		{name: "in the first boundary", upTo: "--"},
		{name: "in a line of a part's head", upTo: "Content-Disposition: form-d"},
		{name: "after a part's head", upTo: "\r\n\r\n"},
		{name: "in the file", upTo: "the cont"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			end := strings.Index(string(body), tt.upTo) + len(tt.upTo)
			require.GreaterOrEqual(t, end, len(tt.upTo))
			beginning := head + string(body[:end])
			requireRefusal := func(response *http.Response, status int, code string) {
				t.Helper()
				document, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.Equal(t, status, response.StatusCode)
				require.Contains(t, string(document), "<Code>"+code+"</Code>")
				s.empty()
			}

			slow := raw(t, impatientServer, beginning, true)
			requireRefusal(slow, 408, "RequestTimeout")
			cutOff := raw(t, patientServer, beginning, false)
			requireRefusal(cutOff, 400, "IncompleteBody")
		})
	}
}

// If a client disconnects, nothing is stored.
func TestHandlerClientGoesAway(t *testing.T) {
	s := newSite(t)
	server := s.start(patient)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, line(t, s.upload("a"))+"Content-Length: 1000\r\n\r\nx")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	server.Close() // waits for the request
	s.empty()
}

var hostileKeys = []string{
	"a b", "a+b", "a%20b", "a%2Fb", "100%", "a?b=c", "a#b", "a&b=c;d", `a"b'c`, "<a>", "a:b|c*d", "~a(b)!$,@[c]{d}^`", "\u00e9\U0001F600",
	"http:/example", ".hidden/...c", " a/ b", "files/a", "ob-signature", "con/aux.txt", strings.Repeat("k", 1024), strings.Repeat("abcdefg/", 127) + "abcdefgh",
}

// Each key with hostile characters names its own object, even if it looks like an escaped form of another key.
func TestHandlerHostileKeys(t *testing.T) {
	s := newSite(t)
	server := s.start(patient)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	do := func(u *storage.SignedURL, body string) (status int, text string) {
		u.URL = strings.Replace(u.URL, "http://files.example.com", server.URL, 1)
		r, err := u.Request(t.Context(), strings.NewReader(body))
		require.NoError(t, err)
		response, err := client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(data)
	}

	for _, key := range hostileKeys {
		status, text := do(s.upload(key), key)
		require.Equal(t, 200, status, "%q: %s", key, text)
		s.requireContent(key, key)
		status, text = do(s.download(key), "")
		require.Equal(t, 200, status, "%q", key)
		require.Equal(t, key, text)

		// A path that is escaped twice must not lead to the object.
		escapedTwice := s.download(key)
		address, query, _ := strings.Cut(escapedTwice.URL, "?")
		path := strings.ReplaceAll(strings.TrimPrefix(address, siteBase+"/"), "%", "%25")
		escapedTwice.URL = siteBase + "/" + path + "?" + query
		status, _ = do(escapedTwice, "")
		if strings.Contains(address, "%") {
			require.Equal(t, 403, status, "%q, escaped twice", key)
		}
	}
}
