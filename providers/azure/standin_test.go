package azure

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A routedServer stands in for Azure. It has one response for each method, path and query, and records the
// requests.
type routedServer struct {
	*httptest.Server
	mu       sync.Mutex
	received []string // "GET /photos?restype=container", in order
	bodies   map[string]string
	headers  map[string]http.Header
	answers  map[string]routedReply // by request; 404 for others
}

// A routedReply is a response of a routedServer.
type routedReply struct {
	status int
	code   string // x-ms-error-code
	body   string
	header map[string]string
}

// newRoutedServer starts a routedServer. It responds with 404 to requests that are not in answers.
func newRoutedServer(t *testing.T, answers map[string]routedReply) *routedServer {
	t.Helper()
	s := &routedServer{answers: answers, bodies: map[string]string{}, headers: map[string]http.Header{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/"+testAccount) + "?" + r.URL.RawQuery
		s.mu.Lock()
		s.received = append(s.received, request)
		s.bodies[request] = string(body)
		s.headers[request] = r.Header
		answer, ok := s.answers[request]
		s.mu.Unlock()
		if !ok {
			answer = routedReply{status: http.StatusNotFound, code: "ResourceNotFound"}
		}
		w.Header().Set(requestIDHeader, "R1")
		w.Header().Set("ETag", etag)
		for name, value := range answer.header {
			w.Header().Set(name, value)
		}
		if answer.code != "" {
			w.Header().Set("X-Ms-Error-Code", answer.code)
		}
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	}))
	t.Cleanup(s.Close)
	return s
}

// requests returns the received requests in order.
func (s *routedServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// body returns the body of the latest request of this kind.
func (s *routedServer) body(request string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[request]
}

// header returns the header of the latest request of this kind.
func (s *routedServer) header(request string) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.headers[request]
}
