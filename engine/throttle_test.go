package engine_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// A limit says whether a store serves a request now.
type limit interface{ serves(now time.Time) bool }

// windows is a store that serves so many requests in each second.
type windows struct {
	most, n int
	since   time.Time
}

func (w *windows) serves(now time.Time) bool {
	if now.Sub(w.since) >= time.Second {
		w.since = now
		w.n = 0
	}
	w.n++
	return w.n <= w.most
}

// tokens is a store that serves so many requests a second, a few at once.
type tokens struct {
	rate, burst, left float64
	last              time.Time
}

func (s *tokens) serves(now time.Time) bool {
	if s.last.IsZero() {
		s.left = s.burst
	} else {
		s.left = min(s.burst, s.left+now.Sub(s.last).Seconds()*s.rate)
	}
	s.last = now
	if s.left < 1 {
		return false
	}
	s.left--
	return true
}

// always serves everything, or nothing.
type always bool

func (a always) serves(time.Time) bool { return bool(a) }

// first refuses so many requests, and serves all others.
type first struct{ refuses int }

func (f *first) serves(time.Time) bool {
	f.refuses--
	return f.refuses < 0
}

// throttled is a store on synctest's clock that refuses calls over its limit.
type throttled struct {
	only  string        // the call that is throttled; "": all
	after time.Duration // RetryAfter

	mu      sync.Mutex
	limit   limit
	calls   []time.Time
	refused int
}

func (s *throttled) open(opts ...storage.OpenOption) storage.Bucket {
	return memstore.New(append(opts, driver.WithLayer(s.layer))...)
}

const answerTime = 20 * time.Millisecond

func (s *throttled) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(remote{d}, func(ctx context.Context, call string, next func(context.Context) error) error {
		if s.only != "" && s.only != call {
			return next(ctx)
		}
		s.mu.Lock()
		s.calls = append(s.calls, time.Now())
		serves := s.limit.serves(time.Now())
		if !serves {
			s.refused++
		}
		s.mu.Unlock()
		time.Sleep(answerTime)
		if !serves {
			return &storage.Error{
				Code:       storage.RateLimited,
				Retryable:  true,
				RetryAfter: s.after,
				Status:     http.StatusServiceUnavailable,
			}
		}
		return next(ctx)
	})
}

func (s *throttled) becomes(l limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = l
}

// remote is a store that is not on this machine.
type remote struct{ driver.Driver }

func (d remote) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	return desc
}

// If a store throttles, all calls still succeed in reasonable time.
func TestThrottleLosesNothing(t *testing.T) {
	tests := []struct {
		name    string
		limit   limit
		workers int
		longest time.Duration
	}{
		{
			name:    "a smooth limit, few workers",
			limit:   &tokens{rate: 150, burst: 15},
			workers: 12,
			longest: 12 * time.Second,
		},
		{
			name:    "a smooth limit, many workers",
			limit:   &tokens{rate: 150, burst: 15},
			workers: 256,
			longest: 20 * time.Second,
		},
		{
			name:    "a limit for each second, few workers",
			limit:   &windows{most: 150},
			workers: 12,
			longest: 12 * time.Second,
		},
		{
			name:    "a limit for each second, many workers",
			limit:   &windows{most: 150},
			workers: 256,
			longest: 20 * time.Second,
		},
		{
			name:    "a very low limit",
			limit:   &tokens{rate: 10, burst: 3},
			workers: 64,
			longest: 130 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttled{limit: tt.limit}
				b := store.open()
				start := time.Now()
				next := make(chan int)
				var group sync.WaitGroup
				for range tt.workers {
					group.Go(func() {
						for i := range next {
							_, err := b.Upload(t.Context(), strconv.Itoa(i), strings.NewReader("x"))
							require.NoError(t, err)
						}
					})
				}
				for i := range 1000 {
					next <- i
				}
				close(next)

				group.Wait()
				require.Less(t, time.Since(start), tt.longest)
				require.Less(t, store.refused, 1000, "the bucket as a whole slows down")
			})
		})
	}
}

// If a store refuses every request, a call fails with RateLimited within 75 seconds, or as early as its
// RetryPolicy says.
func TestThrottleRetriesEnd(t *testing.T) {
	tests := []struct {
		name     string
		policy   storage.RetryPolicy
		fewest   int // calls
		most     int
		atLeast  time.Duration
		atMost   time.Duration
		firstGap time.Duration // at most, between the first two calls
	}{
		{
			name:     "by default",
			policy:   storage.RetryPolicy{},
			fewest:   8,
			most:     12,
			atLeast:  10 * time.Second,
			atMost:   75 * time.Second,
			firstGap: time.Second,
		},
		{
			name:     "with fewer attempts",
			policy:   storage.RetryPolicy{Attempts: 3},
			fewest:   3,
			most:     3,
			atMost:   5 * time.Second,
			firstGap: time.Second,
		},
		{name: "with one attempt", policy: storage.RetryPolicy{Attempts: 1}, fewest: 1, most: 1},
		{
			name:     "with a shorter wait in all",
			policy:   storage.RetryPolicy{Attempts: 1000, MaxWait: 10 * time.Second},
			fewest:   2,
			most:     1000,
			atLeast:  10 * time.Second,
			atMost:   25 * time.Second,
			firstGap: time.Second,
		},
		{
			name:     "with a shorter longest wait",
			policy:   storage.RetryPolicy{MaxDelay: time.Millisecond},
			fewest:   12,
			most:     12,
			atMost:   time.Second,
			firstGap: time.Millisecond,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttled{limit: always(false)}
				start := time.Now()

				_, err := store.open(storage.WithRetry(tt.policy)).Attrs(t.Context(), "k")
				require.ErrorIs(t, err, storage.RateLimited)
				require.GreaterOrEqual(t, len(store.calls), tt.fewest)
				require.LessOrEqual(t, len(store.calls), tt.most)

				took := time.Since(start) - time.Duration(len(store.calls))*answerTime
				require.GreaterOrEqual(t, took, tt.atLeast)
				require.LessOrEqual(t, took, tt.atMost)

				if len(store.calls) > 1 {
					require.LessOrEqual(t, store.calls[1].Sub(store.calls[0])-answerTime, tt.firstGap)
				}
			})
		})
	}
}

// If the store sends Retry-After, the engine waits that long, but at most RetryPolicy.MaxDelay.
func TestThrottleRetryAfter(t *testing.T) {
	tests := []struct {
		name        string
		after, want time.Duration
	}{
		{"longer than we would", 7 * time.Second, 7 * time.Second},
		{"longer than MaxDelay", time.Hour, 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttled{limit: &windows{most: 0}, after: tt.after}
				time.AfterFunc(time.Second, func() {
					store.becomes(always(true))
				})
				_, err := store.open().Exists(t.Context(), "k")
				require.NoError(t, err)
				require.Equal(t, tt.want, store.calls[1].Sub(store.calls[0])-answerTime)
			})
		})
	}
}

// A call that waits for a throttling store ends with its context.
func TestThrottleWaitEndsWithContext(t *testing.T) {
	tests := []struct {
		name string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		is   error
	}{
		{"a deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 30*time.Second)
		}, context.DeadlineExceeded},
		{"canceled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(30*time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttled{limit: always(false), after: 15 * time.Second}
				b := store.open()
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				start := time.Now()

				var group sync.WaitGroup
				for range 100 { // at one request a second most wait for their first
					group.Go(func() {
						_, err := b.Attrs(ctx, "k")
						require.ErrorIs(t, err, tt.is)
						require.ErrorIs(t, err, storage.RateLimited, "the store's own error is said")
						require.LessOrEqual(t, time.Since(start), 30*time.Second+answerTime)
					})
				}
				group.Wait()
			})
		})
	}
}

// Some time after the last throttled response, the engine no longer delays requests.
func TestThrottleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &throttled{limit: always(false)}
		b := store.open()
		const calls = 100
		all := func() time.Duration {
			start := time.Now()
			var group sync.WaitGroup
			for range calls {
				group.Go(func() {
					_, _ = b.Exists(t.Context(), "k")
				})
			}
			group.Wait()
			return time.Since(start)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := b.Exists(ctx, "k")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) { // the deadline may end the request before the store's answer
			require.ErrorIs(t, err, storage.RateLimited)
		}

		store.becomes(always(true))
		require.Greater(t, all(), time.Second, "others are held back too")
		time.Sleep(time.Minute)
		require.Equal(t, answerTime, all())
	})
}

// Retries of throttled requests do not reduce the retry budget.
func TestThrottleSpendsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &throttled{limit: always(false)}
		var failure error
		b := store.open(driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
				if err := failure; err != nil {
					failure = nil
					return err
				}
				return next(ctx)
			})
		}))

		for range 50 {
			_, err := b.Attrs(t.Context(), "k")
			require.ErrorIs(t, err, storage.RateLimited)
		}

		store.becomes(always(true))
		failure = storage.Unavailable
		_, err := b.Exists(t.Context(), "k")
		require.NoError(t, err, "a retry is still made")
	})
}

// Update waits for a store that throttles, unless RetryPolicy permits only one attempt.
func TestUpdateWhileThrottled(t *testing.T) {
	increment := func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, 'x'), nil }
	tests := []struct {
		name   string
		limit  limit
		policy storage.RetryPolicy
	}{
		{"one write a second", &windows{most: 1}, storage.RetryPolicy{}},
		{"longer than the retries of one write", &first{refuses: 3}, storage.RetryPolicy{Attempts: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := (&throttled{limit: tt.limit, only: "Put"}).open(storage.WithRetry(tt.policy))
				var group sync.WaitGroup
				for range 2 {
					group.Go(func() {
						for range 4 {
							_, err := storage.Update(t.Context(), b, "k", increment)
							require.NoError(t, err)
						}
					})
				}
				group.Wait()

				content, _, err := storage.ReadAll(t.Context(), b, "k")
				require.NoError(t, err)
				require.Equal(t, "xxxxxxxx", string(content))
			})
		})
	}
	t.Run("not with one attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := (&throttled{limit: &first{refuses: 1}, only: "Put"}).open(storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			_, err := storage.Update(t.Context(), b, "k", increment)
			require.ErrorIs(t, err, storage.RateLimited)
		})
	})
}

// RemoveAll waits for a store that throttles.
func TestRemoveAllWhileThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := (&throttled{limit: &first{refuses: 6}}).open()
		n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "b", "c"}))
		require.NoError(t, err)
		require.Equal(t, 3, n)
	})
}
