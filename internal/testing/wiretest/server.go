// Package wiretest is what the tests of drivers share that speak HTTP: a server
// of canned replies, a proxy that cuts connections, clients that know nothing of
// the driver, and streams that are made as they are read. Tests alone import it.
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

// A Reply is a response.
type Reply struct {
	Status int // 0: 200
	Header map[string]string
	Body   string
	Cut    bool // closes the connection instead
}

// A Request is one as it came.
type Request struct {
	Method, Path, RawQuery string // the path as it was escaped
	Header                 http.Header
	Body                   string
}

// Line is the request's first, without the protocol: "GET /photos/a?versionId=1".
func (r Request) Line() string {
	if r.RawQuery == "" {
		return r.Call()
	}
	return r.Call() + "?" + r.RawQuery
}

// Call is Line without the query.
func (r Request) Call() string { return r.Method + " " + r.Path }

// Query is the request's.
func (r Request) Query() url.Values {
	query, _ := url.ParseQuery(r.RawQuery) // what cannot be read is missing, and found to be
	return query
}

// A Server remembers what it was asked, and replies what it is told to, in
// order, whatever it is asked; the last answer holds for all that follow. Without
// any it replies 200.
type Server struct {
	*httptest.Server
	Root   string              // what paths begin with, and is not remembered
	Before func(*http.Request) // runs before the answer; nil: nothing does

	mu       sync.Mutex
	requests []Request
	replies  []Reply
}

// NewServer starts a server, which t stops.
func NewServer(t testing.TB, replies ...Reply) *Server {
	return start(t, httptest.NewServer, replies)
}

// NewTLSServer is NewServer with TLS; the server's own Client trusts it.
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

// Response replaces the replies that are left.
func (s *Server) Respond(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a := s.next(Request{r.Method, strings.TrimPrefix(r.URL.EscapedPath(), s.Root), r.URL.RawQuery, r.Header.Clone(), string(body)})
	if s.Before != nil {
		s.Before(r)
	}
	if a.Cut {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, value := range a.Header {
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

// Requests are those so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Lines are the first ones of the requests so far.
func (s *Server) Lines() []string {
	var lines []string
	for _, r := range s.Requests() {
		lines = append(lines, r.Line())
	}
	return lines
}

// Calls are Lines without the queries.
func (s *Server) Calls() []string {
	var calls []string
	for _, r := range s.Requests() {
		calls = append(calls, r.Call())
	}
	return calls
}

// Last is the only request, or the last of several.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	all := s.Requests()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}
