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

// start makes the site listen on a port. For each request, the server first calls the function
// "before" with the ResponseWriter.
func (s *site) start(before func(w http.ResponseWriter)) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(w)
		s.handler.ServeHTTP(w, r)
	}))
	s.Cleanup(server.Close)
	return server
}

func withoutDeadline(http.ResponseWriter) {}

// withReadDeadline sets a deadline that has passed, as after the ReadTimeout of an http.Server.
// Then a read of the body fails, unless the bytes arrived with the header.
func withReadDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// These are values for the parameter hold of sendRaw. They keep the client's side of the connection
// open after the request, or close it.
const (
	keepOpen   = true
	closeWrite = false
)

// sendRaw sends the bytes of a request verbatim and returns the response. Unless hold is true, the server sees the end
// of the connection after these bytes.
func sendRaw(t *testing.T, server *httptest.Server, request string, hold bool) *http.Response {
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

// requestHead returns the request line and the signed headers of a request.
func requestHead(t *testing.T, u *storage.SignedURL) string {
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
	server := s.start(withoutDeadline)
	deadlineServer := s.start(withReadDeadline)
	upload := requestHead(t, s.signUpload("a", storage.WithSize(4)))
	uploadOfAnySize := requestHead(t, s.signUpload("a"))

	tests := []struct {
		name       string
		request    string
		hold       bool // whether the client keeps the connection open after the request
		wantStatus int
	}{
		{name: "negative length", request: upload + "Content-Length: -4\r\n\r\n1234", wantStatus: 400},
		{
			name:       "length that is not a number",
			request:    upload + "Content-Length: four\r\n\r\n1234",
			wantStatus: 400,
		},
		{
			name:       "two lengths",
			request:    upload + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345",
			wantStatus: 400,
		},
		{name: "no length", request: upload + "\r\n1234", hold: keepOpen, wantStatus: 400},
		{
			name:       "length above the signed size",
			request:    upload + "Content-Length: 5\r\n\r\n12345",
			hold:       keepOpen,
			wantStatus: 413,
		},
		{
			name:       "body shorter than its length",
			request:    upload + "Content-Length: 4\r\n\r\n12",
			wantStatus: 400,
		},
		{name: "slow body", request: upload + "Content-Length: 4\r\n\r\n12", hold: keepOpen, wantStatus: 408},
		{
			name:       "slow body without a signed size",
			request:    uploadOfAnySize + "Content-Length: 9\r\n\r\n12",
			hold:       keepOpen,
			wantStatus: 408,
		},
		{
			name:       "chunks",
			request:    uploadOfAnySize + "Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n",
			hold:       keepOpen,
			wantStatus: 411,
		},
		{
			name:       "chunks longer than the signed size",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n3\r\n456\r\n0\r\n\r\n",
			hold:       keepOpen,
			wantStatus: 411,
		},
		{
			name:       "endless chunks",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n",
			hold:       keepOpen,
			wantStatus: 411,
		},
		{
			name:       "chunks shorter than the signed size",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n",
			hold:       keepOpen,
			wantStatus: 411,
		},
		{
			name:       "chunks that break off",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\n4\r\n12",
			wantStatus: 411,
		},
		{
			name:       "malformed chunk",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\nzz\r\n12\r\n",
			wantStatus: 411,
		},
		{
			name:       "chunk of a negative length",
			request:    upload + "Transfer-Encoding: chunked\r\n\r\n-4\r\n1234\r\n0\r\n\r\n",
			wantStatus: 411,
		},
		{
			name:       "refused Expect: 100-continue",
			request:    upload + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
			hold:       keepOpen,
			wantStatus: 413,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Only a server with a deadline ends the wait for a slow body.
			target := server
			if tt.wantStatus == http.StatusRequestTimeout {
				target = deadlineServer
			}
			response := sendRaw(t, target, tt.request, tt.hold)
			require.Equal(t, tt.wantStatus, response.StatusCode)
			s.requireNothingStored()
		})
	}

	complete := sendRaw(t, server, upload+"Content-Length: 4\r\n\r\n1234", keepOpen)
	require.Equal(t, 200, complete.StatusCode)
}

// A client whose large upload is refused can read the response, as on S3. The server does not reset
// the connection.
func TestHandlerRefusedClientReadsResponse(t *testing.T) {
	const size = 12 << 20
	s := newSite(t)
	server := s.start(withoutDeadline)
	tests := []struct{ name, head string }{
		{name: "longer than was signed", head: requestHead(t, s.signUpload("a", storage.WithSize(4)))},
		{name: "not signed", head: "PUT /files/a HTTP/1.1\r\nHost: x\r\n"},
		{name: "a form", head: "POST /files/ HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The client sends the whole body before it reads the response.
			body := strings.Repeat("x", size)
			request := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", tt.head, size, body)
			response := sendRaw(t, server, request, keepOpen)
			require.GreaterOrEqual(t, response.StatusCode, 400)
			s.requireNothingStored()
		})
	}
}

// The body of a form may stop at any byte. Then the response says that the form is late or
// incomplete, and never that it is malformed.
func TestFormThatStopsIsNotMalformed(t *testing.T) {
	s := newSite(t)
	server := s.start(withoutDeadline)
	deadlineServer := s.start(withReadDeadline)
	f := s.signForm("a", 0, 100)
	contentType, body := encodeForm(t, fieldsOf(f, "the content"))
	head := fmt.Sprintf("POST /files/ HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		contentType, len(body))

	// Each form ends after the first occurrence of lastSent.
	tests := []struct{ name, lastSent string }{
		{name: "before the first boundary"},
		{name: "in the first boundary", lastSent: "--"},
		{name: "in a line of a part's head", lastSent: "Content-Disposition: form-d"},
		{name: "after a part's head", lastSent: "\r\n\r\n"},
		{name: "in the file", lastSent: "the cont"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _, found := strings.Cut(string(body), tt.lastSent)
			require.True(t, found)
			beginning := head + before + tt.lastSent

			requireRefusal := func(response *http.Response, status int, code string) {
				t.Helper()
				document, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.Equal(t, status, response.StatusCode)
				require.Contains(t, string(document), "<Code>"+code+"</Code>")
				s.requireNothingStored()
			}

			// If a client stays silent, its form is late. If a client closes the connection, its
			// form is incomplete.
			slow := sendRaw(t, deadlineServer, beginning, keepOpen)
			requireRefusal(slow, 408, "RequestTimeout")
			cutOff := sendRaw(t, server, beginning, closeWrite)
			requireRefusal(cutOff, 400, "IncompleteBody")
		})
	}
}

// If a client disconnects in the middle of an upload, nothing is stored.
func TestHandlerClientGoesAway(t *testing.T) {
	s := newSite(t)
	server := s.start(withoutDeadline)

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, requestHead(t, s.signUpload("a"))+"Content-Length: 1000\r\n\r\nx")
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	// Close waits for the request.
	server.Close()
	s.requireNothingStored()
}

var hostileKeys = []string{
	"a b", "a+b", "a%20b", "a%2Fb", "100%", "a?b=c", "a#b", "a&b=c;d", `a"b'c`, "<a>", "a:b|c*d", "~a(b)!$,@[c]{d}^`", "\u00e9\U0001F600",
	"http:/example", ".hidden/...c", " a/ b", "files/a", "ob-signature", "con/aux.txt", strings.Repeat("k", 1024), strings.Repeat("abcdefg/", 127) + "abcdefgh",
}

// Each key with hostile characters names its own object, even if it looks like an escaped form of another key.
func TestHandlerHostileKeys(t *testing.T) {
	s := newSite(t)
	server := s.start(withoutDeadline)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	// send sends the signed request to the test server instead of the host in the URL.
	send := func(u *storage.SignedURL, body string) (status int, text string) {
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
		// Write an object with one signed URL, and read it with another one.
		status, text := send(s.signUpload(key), key)
		require.Equal(t, 200, status, "%q: %s", key, text)
		s.requireContent(key, key)

		status, text = send(s.signDownload(key), "")
		require.Equal(t, 200, status, "%q", key)
		require.Equal(t, key, text)

		// A path that is escaped twice names another key, for which the signature is not valid.
		escapedTwice := s.signDownload(key)
		address, query, _ := strings.Cut(escapedTwice.URL, "?")
		path := strings.ReplaceAll(strings.TrimPrefix(address, siteBase+"/"), "%", "%25")
		escapedTwice.URL = siteBase + "/" + path + "?" + query
		status, _ = send(escapedTwice, "")
		if strings.Contains(address, "%") {
			require.Equal(t, 403, status, "%q, escaped twice", key)
		}
	}
}
