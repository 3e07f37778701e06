// Package documented tests a driver with the transient answers that its provider documents. A
// stand-in receives the requests for a server. For each bucket and each kind of request, it sends
// each answer once, in place of the server's response.
package documented

import (
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// An Answer is one response that a provider documents, for a failure that does not last: the same
// request succeeds later.
type Answer struct {
	Kinds  []string // kinds of requests that get this answer; nil means all
	Except []string // kinds of requests that do not get this answer
	Status int
	Header map[string]string
	Body   func(request []byte) string // returns the body; if nil, the answer has none
	Done   bool                        // true if the request takes effect before the answer is sent

	// NoEffect is true if the answer proves that the request had no effect, so that the library
	// need not reconcile it.
	NoEffect bool

	Name   string
	Source string // URL of a page, or an issue of a repository on GitHub
}

// matchesKind reports whether requests of a kind get the answer. The kind of a request with a condition
// ends with " if", and also matches the answers for the kind without that.
func (a *Answer) matchesKind(kind string) bool {
	kind = strings.TrimSuffix(kind, ofParts)
	if a.Kinds != nil && !containsKind(a.Kinds, kind) {
		return false
	}
	return !containsKind(a.Except, kind)
}

// containsKind reports whether kinds has a kind, or the same kind without a condition.
func containsKind(kinds []string, kind string) bool {
	return slices.Contains(kinds, kind) || slices.Contains(kinds, strings.TrimSuffix(kind, " if"))
}

// ofParts is the suffix of a kind of request that concerns a part of an open upload. matchesKind ignores
// the suffix, so such a request gets the same answers as other requests.
const ofParts = " of parts"

// throttles reports whether the answer asks the client to send fewer requests.
func (a *Answer) throttles() bool {
	return a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests
}

// A Server replaces one provider in tests. It sends an Answer to some requests, and passes all
// other requests on to the handler given to New.
type Server struct {
	// PerRequest is how often the Server may send an Answer to the same request for a bucket. After
	// that, the Server passes the request on. The default is 2. A higher number could use up the
	// five attempts of the engine, because each attempt may make several requests.
	PerRequest int

	// Omits maps the name of a test case to a function. The function returns true for an Answer
	// that the Server must not send in this test case. Cases that are not in Omits use the
	// exceptions of this package.
	Omits map[string]func(method string, a *Answer) bool

	next    http.Handler
	kind    func(*http.Request) (bucket, kind string)
	answers []Answer
	seed    string

	mu        sync.Mutex
	buckets   map[string]*bucket
	giveCount map[pair]int // how often each answer was sent; 0 for one that should be sent but was not yet
}

type pair struct{ kind, answer string }

type bucket struct {
	test string
	// omits returns true for an Answer that must not be sent. If omits is nil, all answers may be
	// sent.
	omits func(method string, a *Answer) bool
	// limit is the largest number of answers that the same request gets, however often it is
	// repeated.
	limit     int
	remaining map[string][]*Answer // answers that were not sent yet, by kind
	sendCount map[string]int       // number of answers that were sent, by request
	history   []string
}

// New returns a Server that sends the answers to some requests, and passes all others on to next. kind
// returns the bucket and the kind of a request, or the kind "" for one that is always passed on. The
// environment variable OMNIBUCKET_DOCUMENTED_SEED sets the order of the answers.
func New(next http.Handler, kind func(*http.Request) (bucket, kind string), answers []Answer) *Server {
	seed := os.Getenv("OMNIBUCKET_DOCUMENTED_SEED")
	if seed == "" {
		seed = "1"
	}
	return &Server{
		PerRequest: 2, // answers to the same request
		next:       next,
		kind:       kind,
		answers:    answers,
		seed:       seed,
		buckets:    map[string]*bucket{},
		giveCount:  map[pair]int{},
	}
}

// Add registers a bucket, whose requests get answers until the test ends. Their order depends on the
// seed and on the name of the test, which logs the seed and the answers if it fails.
func (s *Server) Add(t *testing.T, name string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name] = s.newBucket(t, s.PerRequest)
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.buckets, name)
	})
}

// For returns a handler for a test that creates buckets itself. It sends each answer once for each kind
// of request, and not for each bucket. PerRequest does not apply, so the test must permit many
// attempts: the same request may get all answers, one after the other.
func (s *Server) For(t *testing.T) http.Handler {
	t.Helper()
	b := s.newBucket(t, len(s.answers))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, kind := s.kind(r)
		s.serve(w, r, b, kind)
	})
}

// newBucket returns the state of a bucket for a test, in which the same request gets at most limit
// answers. If the test fails, it logs the answers that were sent.
func (s *Server) newBucket(t *testing.T, limit int) *bucket {
	t.Helper()
	b := &bucket{
		test:      t.Name(),
		omits:     s.omitsFor(t.Name()),
		limit:     limit,
		remaining: map[string][]*Answer{},
		sendCount: map[string]int{},
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.Failed() {
			t.Logf("OMNIBUCKET_DOCUMENTED_SEED=%s, answers: %q", s.seed, b.history)
		}
	})
	return b
}

// RequireAllGiven fails the test if a kind of request never got one of its answers, or if a kind in
// Answer.Kinds never occurred. Kinds in rare, of which the tests make only a few requests, may lack
// answers.
func (s *Server) RequireAllGiven(t *testing.T, rare ...string) {
	t.Helper()
	// In the pattern of go test -run, a slash separates a test from its cases.
	onlySomeCasesRun := strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	if onlySomeCasesRun {
		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.answers {
		answer := &s.answers[i]
		require.NotEmpty(t, answer.Source, answer.Name)
		// Some of the kinds may never have occurred.
		for _, kind := range answer.Kinds {
			s.expect(kind, answer)
		}
	}
	for given, count := range s.giveCount {
		if count == 0 && !slices.Contains(rare, given.kind) {
			t.Errorf("no request of the kind %q got %q", given.kind, given.answer)
		}
	}
}

// expect makes RequireAllGiven require that requests of a kind got the answer. The caller must hold s.mu.
func (s *Server) expect(kind string, answer *Answer) {
	p := pair{kind, answer.Name}
	if _, exists := s.giveCount[p]; !exists {
		s.giveCount[p] = 0
	}
}

// ServeHTTP sends an answer to a request for a registered bucket, or passes the request on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, kind := s.kind(r)
	s.mu.Lock()
	b := s.buckets[name]
	s.mu.Unlock()
	s.serve(w, r, b, kind)
}

// serve sends the next answer of the bucket to a request, or passes the request on if there is none. b
// is nil for a bucket that was not registered.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, b *bucket, kind string) {
	answer := s.takeAnswer(r, b, kind) // nil if the request must be passed on
	if answer == nil {
		s.next.ServeHTTP(w, r)
		return
	}
	if answer.Done {
		// The request has its effect, but the client gets the answer.
		s.next.ServeHTTP(httptest.NewRecorder(), r)
	}
	answer.send(w, r)
}

// send reads the rest of the request, and sends the answer.
func (a *Answer) send(w http.ResponseWriter, r *http.Request) {
	// The answer depends at most on the first MiB. Errors are those of a client that has gone.
	const maxBody = 1 << 20
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	// Read the rest, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, r.Body)

	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	if a.Body != nil {
		_, _ = io.WriteString(w, a.Body(body))
	}
}

// volatileParams lists query parameters that may change when a request is repeated. takeAnswer
// ignores these parameters when it compares requests:
//   - blockid and upload_id: an upload that starts over has new ids.
//   - fields: Google's SDK lists the wanted attributes in any order.
//   - generation: a repeated read of a public object may name a newer generation.
var volatileParams = []string{"blockid", "upload_id", "fields", "generation"}

// takeAnswer removes and returns the next answer for a request, or returns nil if the request must be
// passed on.
func (s *Server) takeAnswer(r *http.Request, b *bucket, kind string) *Answer {
	if b == nil || kind == "" {
		return nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	answers, isStarted := b.remaining[kind]
	if !isStarted {
		answers = s.shuffledAnswers(r.Method, b, kind)
		b.remaining[kind] = answers
	}
	if len(answers) == 0 {
		return nil
	}

	request := requestText(r)
	if b.sendCount[request] == b.limit {
		// The request got its answers, however often it is repeated.
		return nil
	}

	next := answers[0]
	b.remaining[kind] = answers[1:]
	b.sendCount[request]++
	b.history = append(b.history, fmt.Sprintf("%s: %s", request, next.Name))
	s.giveCount[pair{kind, next.Name}]++
	return next
}

// requestText returns a text that is the same for a request and its repetitions, which differ only in the
// volatile parameters.
func requestText(r *http.Request) string {
	query := r.URL.Query()
	for _, name := range volatileParams {
		query.Del(name)
	}
	return r.Method + " " + r.Host + r.URL.Path + "?" + query.Encode() + " " + r.Header.Get("Range")
}

// shuffledAnswers returns the answers for a kind of request in an order that depends on the seed and on
// the test.
func (s *Server) shuffledAnswers(method string, b *bucket, kind string) []*Answer {
	var answers []*Answer
	for i := range s.answers {
		answer := &s.answers[i]
		if !answer.matchesKind(kind) {
			continue
		}
		if b.omits != nil && b.omits(method, answer) {
			continue
		}
		answers = append(answers, answer)
		s.expect(kind, answer)
	}

	// The hash of the seed, the test and the kind determines the order.
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strconv.Quote(s.seed) + strconv.Quote(b.test) + kind)) // never fails
	random := rand.New(rand.NewPCG(hash.Sum64(), 0))
	random.Shuffle(len(answers), func(i, j int) {
		answers[i], answers[j] = answers[j], answers[i]
	})
	return answers
}
