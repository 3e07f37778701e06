// Package wiretest has helpers for tests of drivers that use HTTP. It has a server of canned
// replies, a proxy that cuts connections, and clients that do not use the driver. It also has
// bodies that are generated while they are read.
package wiretest

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Reply is a canned response, which a [Server] sends whatever the request is.
type Reply struct {
	Status int // 0 means 200
	Header map[string]string
	Body   string
	Cut    bool // true to close the connection in place of a response
}

// A Request is a request that the [Server] has received.
type Request struct {
	Method, Path, RawQuery string // the path is as the client has escaped it
	Header                 http.Header
	Body                   string
}

// Line returns the method, path and query, such as "GET /photos/a?versionId=1".
func (r Request) Line() string {
	if r.RawQuery == "" {
		return r.Call()
	}
	return r.Call() + "?" + r.RawQuery
}

// Call returns the method and path, such as "GET /photos/a".
func (r Request) Call() string { return r.Method + " " + r.Path }

// Query returns the parsed query parameters.
func (r Request) Query() url.Values {
	query, _ := url.ParseQuery(r.RawQuery) // leaves out malformed parameters
	return query
}

// A Server records requests, and sends its canned replies in order. After the last reply, it
// repeats that reply. If it has no replies, it sends 200.
type Server struct {
	*httptest.Server
	Root   string              // prefix of all paths, which Request.Path leaves out
	Before func(*http.Request) // called before each reply; may be nil
	// Answer returns the reply to a request. If it is not nil, it is used in place of the canned
	// replies.
	Answer func(Request) Reply
	Header map[string]string // added to each reply that does not set these headers itself

	mu       sync.Mutex
	requests []Request
	replies  []Reply
}

// NewServer starts a Server, which stops when the test ends.
func NewServer(t testing.TB, replies ...Reply) *Server {
	return start(t, httptest.NewServer, replies)
}

// NewTLSServer is like [NewServer], but with TLS. Only the client that Client returns trusts its
// certificate.
func NewTLSServer(t testing.TB, replies ...Reply) *Server {
	return start(t, httptest.NewTLSServer, replies)
}

// start starts a Server with serve, until the test ends.
func start(t testing.TB, serve func(http.Handler) *httptest.Server, replies []Reply) *Server {
	t.Helper()
	s := &Server{replies: replies}
	s.Server = serve(s)
	t.Cleanup(s.Close)
	return s
}

// Respond replaces the replies that were not sent yet.
func (s *Server) Respond(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

// ServeHTTP records a request. It sends the reply of the function Answer if there is one, and otherwise the
// next reply of the test.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// ReadAll fails if the client cuts its request, which is recorded anyway.
	body, _ := io.ReadAll(r.Body)
	req := Request{
		Method:   r.Method,
		Path:     strings.TrimPrefix(r.URL.EscapedPath(), s.Root),
		RawQuery: r.URL.RawQuery,
		Header:   r.Header.Clone(),
		Body:     string(body),
	}

	reply := s.next(req)
	if s.Before != nil {
		s.Before(r)
	}
	if s.Answer != nil {
		reply = s.Answer(req)
	}

	if reply.Cut {
		// Close the connection without a response. Hijack fails if the client has closed it.
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	}

	for name, value := range s.Header {
		w.Header().Set(name, value)
	}
	for name, value := range reply.Header {
		if value == "" {
			// The reply leaves out this header of the server.
			w.Header().Del(name)
			continue
		}
		w.Header().Set(name, value)
	}
	w.WriteHeader(cmp.Or(reply.Status, http.StatusOK))
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, reply.Body)
	}
}

// next records a request, and returns its canned reply. The last reply is repeated.
func (s *Server) next(r Request) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if len(s.replies) == 0 {
		return Reply{}
	}
	reply := s.replies[0]
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	return reply
}

// Requests returns all requests that the Server has received.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Lines returns [Request.Line] of each request.
func (s *Server) Lines() []string {
	var lines []string
	for _, r := range s.Requests() {
		lines = append(lines, r.Line())
	}
	return lines
}

// Calls returns [Request.Call] of each request.
func (s *Server) Calls() []string {
	var calls []string
	for _, r := range s.Requests() {
		calls = append(calls, r.Call())
	}
	return calls
}

// Last returns the latest request, and fails the test if there is none.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	requests := s.Requests()
	require.NotEmpty(t, requests)
	return requests[len(requests)-1]
}
