package hostile

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A server is a proxy that passes requests to Store.Server. Once begin is called, it breaks
// responses.
type server struct {
	*httptest.Server
	backend  http.Handler
	maxBytes atomic.Int64 // number of bytes of the longest broken response so far

	mu          sync.Mutex
	fault       *fault // nil if no response is broken
	first       int
	variant     int
	broken      int
	hasMore     bool   // true if the fault has a further variant
	otherWriter func() // another writer's call, made once, before the first broken response to a write
	requests    []string
	hidden      []string // secrets of the requests whose responses were broken
	open        []net.Conn
}

// newServer starts a proxy of backend, which breaks no response until begin is called.
func newServer(t *testing.T, backend http.Handler, tls bool) *server {
	t.Helper()
	s := &server{backend: backend}
	s.Server = httptest.NewUnstartedServer(s)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// begin makes the server break responses, from that to request number first on.
func (s *server) begin(f *fault, first, variant int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	s.first = first
	s.variant = variant
	s.requests = nil
	s.hidden = nil
	s.broken = 0
	s.hasMore = false
}

// end makes the server pass on all responses again, and closes the open connections. It returns how
// many responses it broke, and whether the fault has a further variant.
func (s *server) end() (broken int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
	for _, c := range s.open {
		_ = c.Close()
	}
	s.open = nil
	return s.broken, s.hasMore
}

// lines returns the method and the path of each request since begin.
func (s *server) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// secrets returns the secrets of the requests whose responses were broken.
func (s *server) secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hidden)
}

// ServeHTTP passes the request to the backend, and returns its response or breaks it. It writes a
// broken response to the connection itself, because net/http would not send an invalid one.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.breakNext(r)
	if x == nil {
		s.backend.ServeHTTP(w, r)
		return
	}

	x.quoted = quote(r)

	// The backend gets the request only if the fault follows the effect of the request.
	if x.fault.blocksRequest {
		_, _ = io.Copy(io.Discard, r.Body)
	} else {
		x.resp = record(s.backend, w, r)
	}

	// Another writer makes its call before the client gets its response.
	if x.otherWriter != nil {
		x.otherWriter()
	}

	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		// The client has closed the connection.
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * maxTime))

	// The method end can close the connection while respond runs.
	s.mu.Lock()
	s.open = append(s.open, conn)
	s.mu.Unlock()

	x.conn = conn
	x.fault.respond(x)

	// If unread bytes were left, closing the connection would reset it, and the client might lose
	// the response.
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

// breakNext records a request, and returns an exchange if its response is to be broken, or else
// nil. The first exchange of a write also gets the call of the other writer.
func (s *server) breakNext(r *http.Request) *exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)

	// Earlier requests get their true response, and so do later ones if the fault breaks only one.
	number := len(s.requests)
	if s.fault == nil || number < s.first {
		return nil
	}
	if s.fault.breaksOnce && number > s.first {
		return nil
	}

	s.broken++
	s.hidden = append(s.hidden, secretsOf(r)...)
	x := &exchange{
		server:  s,
		fault:   s.fault,
		request: r,
		variant: s.variant,
		number:  s.broken,
	}

	// The other writer makes its call only once.
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		x.otherWriter = s.otherWriter
		s.otherWriter = nil
	}
	return x
}

// quote returns a text with the method, the address and the headers of a request, as a gateway shows them
// in an error page.
func quote(r *http.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s; ", r.Method, r.RequestURI)
	for name, values := range r.Header {
		for _, value := range values {
			fmt.Fprintf(&b, "%s: %s; ", name, value)
		}
	}
	return b.String()
}

// An exchange is one request and its broken response.
type exchange struct {
	server      *server
	fault       *fault
	otherWriter func() // call of another writer before the response, or nil
	request     *http.Request
	variant     int
	number      int       // number of this broken response in the try; the first is 1
	resp        *recorded // response of server.backend, or nil if the request was not passed on
	quoted      string
	conn        net.Conn
	bytesSent   int64 // number of bytes sent so far
}

// write sends bytes, and reports whether the client still accepts them. It also updates the server's
// largest number of bytes that one response has sent.
func (x *exchange) write(p []byte) bool {
	n, err := x.conn.Write(p)
	x.bytesSent += int64(n)
	for {
		// Responses are sent concurrently, so another one may change the maximum in between.
		maximum := x.server.maxBytes.Load()
		if x.bytesSent <= maximum || x.server.maxBytes.CompareAndSwap(maximum, x.bytesSent) {
			return err == nil
		}
	}
}

// print formats a text and sends it. It reports whether the client still accepts bytes.
func (x *exchange) print(format string, args ...any) bool {
	return x.write(fmt.Appendf(nil, format, args...))
}

// setHasMore records that the fault has a further variant.
func (x *exchange) setHasMore() {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	x.server.hasMore = true
}

// respond sends a complete response. To HEAD, it sends the length of the body but no body.
func (x *exchange) respond(status int, contentType, body string) {
	x.beginBody(fmt.Sprintf(
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		status, http.StatusText(status), contentType, len(body),
	), body)
}

// The type recorded holds a whole response of Store.Server.
type recorded struct {
	writer http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

// record passes a request to backend, and returns the recorded response. Nothing is sent to the client yet.
func record(backend http.Handler, w http.ResponseWriter, r *http.Request) *recorded {
	rec := &recorded{writer: w, header: http.Header{}}
	backend.ServeHTTP(rec, r)

	// The backend may have left a part of the body unread, which the client must be able to send.
	_, _ = io.Copy(io.Discard, r.Body)

	// Add what net/http would add to the response.
	rec.WriteHeader(http.StatusOK) // if the handler has set no status
	if rec.hasBody(r) {
		rec.header.Set("Content-Length", fmt.Sprint(rec.body.Len()))
	}
	if rec.header.Get("Date") == "" {
		rec.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	rec.header.Set("Connection", "close") // each broken response has a connection of its own
	return rec
}

// hasBody reports whether the response to req has a body.
func (r *recorded) hasBody(req *http.Request) bool {
	return req.Method != http.MethodHead && r.status != http.StatusNoContent && r.status != http.StatusNotModified
}

func (r *recorded) Header() http.Header { return r.header }

// WriteHeader records the first final status. It ignores informational ones, such as 100.
func (r *recorded) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

func (r *recorded) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// Flush does nothing, because the response is sent only when it is complete.
func (r *recorded) Flush() {}

// Unwrap returns the underlying writer, which http.ResponseController needs.
func (r *recorded) Unwrap() http.ResponseWriter { return r.writer }

// head returns the status line and the headers, without the empty line after them.
func (r *recorded) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	_ = r.header.Write(&b)
	return b.String()
}

// raw returns the recorded response to req, as the server sends it.
func (r *recorded) raw(req *http.Request) []byte {
	raw := []byte(r.head() + "\r\n")
	if r.hasBody(req) {
		raw = append(raw, r.body.Bytes()...)
	}
	return raw
}
