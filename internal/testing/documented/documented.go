// Package documented gives a driver the transient answers that its provider documents: each one
// once for each kind of request and bucket, before the request reaches the server behind.
package documented

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// An Answer is one response that a provider documents and that passes.
type Answer struct {
	Kinds  []string // of request; nil means all
	Except []string // kinds that do not get it
	Status int
	Header map[string]string
	Body   func(request []byte) string // nil means none
	Done   bool                        // the request has its effect before the answer
	Name   string
	Source string // a page, or an issue of a repository at GitHub
}

func (a *Answer) isFor(kind string) bool {
	return (a.Kinds == nil || slices.Contains(a.Kinds, kind)) && !slices.Contains(a.Except, kind)
}

// perRequest bounds how often one request is answered here. The core makes five attempts, and
// some cases add faults of their own.
const perRequest = 2

// A Server is the stand-in for one provider.
type Server struct {
	next    http.Handler
	kind    func(*http.Request) (bucket, kind string)
	answers []Answer
	seed    string

	mu      sync.Mutex
	buckets map[string]*bucket
	given   map[string]bool // names of answers that were given to any request
}

type bucket struct {
	name    string
	left    map[string][]*Answer // by kind
	made    map[string]int       // by request
	history []string
}

// New returns a stand-in before next. kind returns the bucket and the kind of a request, or "" for
// a request that is always passed on. OMNIBUCKET_DOCUMENTED_SEED sets the order of the answers.
func New(next http.Handler, kind func(*http.Request) (bucket, kind string), answers []Answer) *Server {
	seed := os.Getenv("OMNIBUCKET_DOCUMENTED_SEED")
	if seed == "" {
		seed = "1"
	}
	return &Server{next: next, kind: kind, answers: answers, seed: seed, buckets: map[string]*bucket{}, given: map[string]bool{}}
}

// Add lets the requests of a bucket get answers. The order depends on the seed and on the test's
// name. If the test fails, it prints the seed and what was answered.
func (s *Server) Add(t *testing.T, name string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &bucket{name: t.Name(), left: map[string][]*Answer{}, made: map[string]int{}}
	s.buckets[name] = b
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.buckets, name)
		if t.Failed() {
			t.Logf("OMNIBUCKET_DOCUMENTED_SEED=%s, answers: %q", s.seed, b.history)
		}
	})
}

// RequireAllGiven fails the test if the suite made no request that gets one of the answers.
func (s *Server) RequireAllGiven(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.answers {
		require.NotEmpty(t, a.Source, a.Name)
		require.True(t, s.given[a.Name], "no request got %q", a.Name)
	}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.take(r)
	if a == nil {
		s.next.ServeHTTP(w, r)
		return
	}
	var request []byte
	if a.Done {
		s.next.ServeHTTP(httptest.NewRecorder(), r)
	} else {
		request, _ = io.ReadAll(io.LimitReader(r.Body, 1<<20))
		_, _ = io.Copy(io.Discard, r.Body)
	}
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	if a.Body != nil {
		_, _ = io.WriteString(w, a.Body(request))
	}
}

// ids has what a driver draws anew for a repeated request.
var ids = regexp.MustCompile(`blockid=[^&]*`)

// take returns the answer to a request, or nil if it is passed on.
func (s *Server) take(r *http.Request) *Answer {
	name, kind := s.kind(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil || kind == "" {
		return nil
	}
	left, seen := b.left[kind]
	if !seen {
		left = s.shuffled(b.name, kind)
		b.left[kind] = left
	}
	request := r.Method + " " + ids.ReplaceAllString(r.URL.String(), "") + " " + r.Header.Get("Range")
	if len(left) == 0 || b.made[request] == perRequest {
		return nil
	}
	b.made[request]++
	b.left[kind] = left[1:]
	b.history = append(b.history, fmt.Sprintf("%s: %s", request, left[0].Name))
	s.given[left[0].Name] = true
	return left[0]
}

// shuffled returns the answers for a kind of request.
func (s *Server) shuffled(test, kind string) []*Answer {
	var all []*Answer
	for i := range s.answers {
		if a := &s.answers[i]; a.isFor(kind) {
			all = append(all, a)
		}
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strconv.Quote(s.seed) + strconv.Quote(test) + kind))
	random := rand.New(rand.NewPCG(hash.Sum64(), 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
