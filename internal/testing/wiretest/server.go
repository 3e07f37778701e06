// Package wiretest helps to test drivers that use HTTP. It has a server of canned
// replies, a proxy that cuts connections, clients that do not use the driver, and
// bodies that are generated while they are read.
package wiretest

import (
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

// A Reply is a canned response.
type Reply struct {
	Status int // 0 means 200
	Header map[string]string
	Body   string
	Cut    bool // closes the connection instead
}

// A Request is a request as the server received it.
type Request struct {
	Method, Path, RawQuery string // the path is escaped as in the request
	Header                 http.Header
	Body                   string
}

// Line returns the request line without the protocol: "GET /photos/a?versionId=1".
func (r Request) Line() string {
	if r.RawQuery == "" {
		return r.Call()
	}
	return r.Call() + "?" + r.RawQuery
}

// Call returns the request line without query and protocol.
func (r Request) Call() string { return r.Method + " " + r.Path }

// Query returns the parsed query.
func (r Request) Query() url.Values {
	query, _ := url.ParseQuery(r.RawQuery) // a malformed parameter is missing, and the test fails for it
	return query
}

// A Server records requests and sends canned replies in order, whatever it is asked.
// The last reply repeats. Without replies it returns 200.
type Server struct {
	*httptest.Server
	Root   string              // prefix of all paths, which is not recorded
	Before func(*http.Request) // runs before the reply; may be nil
	// Answer returns the reply to each request, in place of the canned ones; may be nil.
	Answer func(Request) Reply
	Header map[string]string // of every reply that has no other value for it

	mu       sync.Mutex
	requests []Request
	replies  []Reply
}

// NewServer starts a server. t stops it.
func NewServer(t testing.TB, replies ...Reply) *Server {
	return start(t, httptest.NewServer, replies)
}

// NewTLSServer is [NewServer] with TLS. The server's own Client trusts it.
func NewTLSServer(t testing.TB, replies ...Reply) *Server {
	return start(t, httptest.NewTLSServer, replies)
}

func start(t testing.TB, serve func(http.Handler) *httptest.Server, replies []Reply) *Server {
	t.Helper()
	s := &Server{replies: replies}
	s.Server = serve(s)
	t.Cleanup(s.Close)
	return s
}

// Respond replaces the remaining replies.
func (s *Server) Respond(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	asked := Request{
		r.Method, strings.TrimPrefix(r.URL.EscapedPath(), s.Root), r.URL.RawQuery, r.Header.Clone(), string(body),
	}
	a := s.next(asked)
	if s.Before != nil {
		s.Before(r)
	}
	if s.Answer != nil {
		a = s.Answer(asked)
	}
	if a.Cut {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, value := range s.Header {
		w.Header().Set(name, value)
	}
	for name, value := range a.Header {
		if value == "" { // sent without it
			w.Header().Del(name)
			continue
		}
		w.Header().Set(name, value)
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	w.WriteHeader(a.Status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, a.Body)
	}
}

func (s *Server) next(r Request) (a Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if len(s.replies) > 0 {
		a = s.replies[0]
	}
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	return a
}

// Requests returns the requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Lines returns the request lines so far.
func (s *Server) Lines() []string {
	var lines []string
	for _, r := range s.Requests() {
		lines = append(lines, r.Line())
	}
	return lines
}

// Calls returns the request lines so far, without queries.
func (s *Server) Calls() []string {
	var calls []string
	for _, r := range s.Requests() {
		calls = append(calls, r.Call())
	}
	return calls
}

// Last returns the last request.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	all := s.Requests()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}
