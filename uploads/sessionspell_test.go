package uploads_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// A spell is a time in which all calls to the store fail, from the call with this number on.
type spell struct {
	from, calls int
	executed    bool // the calls were executed, and their responses are lost

	mu   sync.Mutex
	seen int
}

func (s *spell) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		s.mu.Lock()
		s.seen++
		fails := s.from > 0 && s.seen >= s.from && s.seen < s.from+s.calls
		s.mu.Unlock()
		if !fails {
			return next(ctx)
		}
		if s.executed {
			if err := next(ctx); err != nil {
				return err
			}
		}
		return &storage.Error{Code: storage.Unavailable, Unknown: s.executed}
	})
}

// begin lets the calls fail from the one with this number on; 0: none. It returns how many there were since it was
// called last.
func (s *spell) begin(start int) (seen int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen = s.seen
	s.seen = 0
	s.from = start
	return seen
}

// If a call cannot write to the store that it has ended, later calls in the same process nevertheless do not wait
// for its claim.
func TestStoreFailureKeepsNobodyWaiting(t *testing.T) {
	for _, j := range append(judgedJourneys(), journeys...) {
		for _, executed := range []bool{false, true} {
			for _, calls := range []int{1, 5, 20} {
				t.Run(fmt.Sprintf("%s, %d calls, executed: %v", j.name, calls, executed), func(t *testing.T) {
					for i, reached := 1, true; reached; i++ {
						require.Less(t, i, 60)
						synctest.Test(t, func(t *testing.T) {
							d := &spell{calls: calls, executed: executed}
							c := j.config
							c.Stored = func(context.Context, *uploads.File) error { return nil }
							s := newSiteOnPipes(t, engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), c)
							value := j.setUp(s)
							d.begin(i)
							j.act(s, value)
							reached = d.begin(0) >= i
							start := time.Now()

							j.resume(s, value)
							require.Zero(t, time.Since(start), "it failed from call %d on", i)
						})
					}
				})
			}
		}
	}
}

// If a read from the store fails while a file is copied or joined, the error is StoreFailed and does not blame the
// sender.
func TestStoreReadFailureIsStoreFailed(t *testing.T) {
	accepts := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	tests := []struct {
		name    string
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error
		make    func(t *testing.T, s *sessionSite) string
	}{
		{"pieces", nil, func(t *testing.T, s *sessionSite) string {
			_, err := s.handler.PutPiece(t.Context(), piece(2, 1, "text"))
			require.NoError(t, err)
			_, err = s.handler.PutPiece(t.Context(), piece(2, 2, "text"))
			w := httptest.NewRecorder()
			s.handler.Fail(w, httptest.NewRequest("POST", "/", nil), err)
			return (&answer{w.Result(), w.Body.Bytes()}).refusal(t)
		}},
		{"an inspected file by tus", accepts, func(t *testing.T, s *sessionSite) string {
			return s.tus("PATCH", s.create("Upload-Length", "4"), []byte("text"), "Upload-Offset", "0").refusal(t)
		}},
		{"an inspected file of a form", accepts, func(t *testing.T, s *sessionSite) string {
			body, contentType := newForm(t, formFile{"file", "a", "", "text"})
			return s.do(alice, "POST", "/", body, headers{"Content-Type": contentType}).refusal(t)
		}},
		{"pieces of tus", nil, func(t *testing.T, s *sessionSite) string {
			location := s.create("Upload-Length", "4", "Upload-Concat", "partial")
			s.patch(location, 0, []byte("text"), 4)
			return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location).refusal(t)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := faults.WithLimits(faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose})
			broken := faults.New(faults.Cut(faults.Get, 2))
			b := memstore.New(driver.WithLayer(limits), driver.WithLayer(broken.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			s := newSessionSite(t, b, uploads.Config{Inspect: tt.inspect, Key: "{user}/{random}", States: uploads.BucketStates(memstore.New())})
			require.Equal(t, "503 store_failed file", tt.make(t, s))
		})
	}
}
