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

// A standIn responds as Azure would, and records the requests.
type standIn struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // "GET /photos?restype=container", in order
	bodies  map[string]string
	headers map[string]http.Header
	answers map[string]reply // by request; 200 for others
}

type reply struct {
	status int
	code   string // x-ms-error-code
	body   string
	header map[string]string
}

func newStandIn(t *testing.T, answers map[string]reply) *standIn {
	t.Helper()
	s := &standIn{answers: answers, bodies: map[string]string{}, headers: map[string]http.Header{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		what := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/"+testAccount) + "?" + r.URL.RawQuery
		s.mu.Lock()
		s.asked = append(s.asked, what)
		s.bodies[what] = string(body)
		s.headers[what] = r.Header
		answer, ok := s.answers[what]
		s.mu.Unlock()
		if !ok {
			answer = reply{status: http.StatusNotFound, code: "ResourceNotFound"}
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

func (s *standIn) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *standIn) body(what string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[what]
}

func (s *standIn) header(what string) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.headers[what]
}
