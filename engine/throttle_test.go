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

// A limit decides whether a store serves the request that comes now.
type limit interface{ serves(now time.Time) bool }

// windowLimit serves up to a number of requests in each second.
type windowLimit struct {
	perSecond int
	count     int       // requests since the window began
	began     time.Time // of the window
}

func (l *windowLimit) serves(now time.Time) bool {
	if now.Sub(l.began) >= time.Second {
		l.began = now
		l.count = 0
	}
	l.count++
	return l.count <= l.perSecond
}

// bucketLimit is a token bucket: it gains rate tokens a second, up to burst, and each request takes one.
type bucketLimit struct {
	rate, burst float64
	tokens      float64
	updated     time.Time
}

func (l *bucketLimit) serves(now time.Time) bool {
	if l.updated.IsZero() {
		l.tokens = l.burst
	} else {
		l.tokens = min(l.burst, l.tokens+now.Sub(l.updated).Seconds()*l.rate)
	}
	l.updated = now

	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// A constantLimit serves each request, or none.
type constantLimit bool

const (
	serveAll  constantLimit = true
	refuseAll constantLimit = false
)

func (l constantLimit) serves(time.Time) bool { return bool(l) }

// refuseFirst refuses a number of requests, and serves all later ones.
type refuseFirst struct{ remaining int }

func (l *refuseFirst) serves(time.Time) bool {
	l.remaining--
	return l.remaining < 0
}

// answerTime is how long a throttledStore takes for a response.
const answerTime = 20 * time.Millisecond

// A throttledStore is a store on synctest's clock that refuses the calls over its limit.
type throttledStore struct {
	only       string        // the driver call that is throttled; "" for all
	retryAfter time.Duration // of the errors

	mu      sync.Mutex
	limit   limit
	calls   []time.Time // the time of each call that the limit has seen
	refused int
}

func (s *throttledStore) open(opts ...storage.OpenOption) storage.Bucket {
	return memstore.New(append(opts, driver.WithLayer(s.throttle))...)
}

// throttle is a driver.Layer that lets the limit decide about each call.
func (s *throttledStore) throttle(d driver.Driver) driver.Driver {
	return driver.Intercept(remote{d}, func(ctx context.Context, call string, next func(context.Context) error) error {
		if s.only != "" && s.only != call {
			return next(ctx)
		}
		served := s.admit()
		time.Sleep(answerTime)
		if served {
			return next(ctx)
		}
		return &storage.Error{
			Code:       storage.RateLimited,
			Retryable:  true,
			RetryAfter: s.retryAfter,
			Status:     http.StatusServiceUnavailable,
		}
	})
}

// admit records a call and reports whether the store serves it.
func (s *throttledStore) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, time.Now())
	if s.limit.serves(time.Now()) {
		return true
	}
	s.refused++
	return false
}

func (s *throttledStore) setLimit(l limit) {
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

// If a store throttles, all uploads still succeed in reasonable time, and the store refuses fewer requests than there
// are uploads.
func TestThrottleLosesNothing(t *testing.T) {
	tests := []struct {
		name    string
		limit   limit
		workers int
		wantMax time.Duration // for all uploads
	}{
		{
			name:    "a smooth limit, few workers",
			limit:   &bucketLimit{rate: 150, burst: 15},
			workers: 12,
			wantMax: 12 * time.Second,
		},
		{
			name:    "a smooth limit, many workers",
			limit:   &bucketLimit{rate: 150, burst: 15},
			workers: 256,
			wantMax: 20 * time.Second,
		},
		{
			name:    "a limit for each second, few workers",
			limit:   &windowLimit{perSecond: 150},
			workers: 12,
			wantMax: 12 * time.Second,
		},
		{
			name:    "a limit for each second, many workers",
			limit:   &windowLimit{perSecond: 150},
			workers: 256,
			wantMax: 20 * time.Second,
		},
		{
			name:    "a very low limit",
			limit:   &bucketLimit{rate: 10, burst: 3},
			workers: 64,
			wantMax: 130 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttledStore{limit: tt.limit}
				bucket := store.open()
				start := time.Now()

				// The workers upload objects with the numbers that they receive.
				const uploads = 1000
				errs := make([]error, uploads)
				numbers := make(chan int)
				var workers sync.WaitGroup
				for range tt.workers {
					workers.Go(func() {
						for i := range numbers {
							_, errs[i] = bucket.Upload(t.Context(), strconv.Itoa(i), strings.NewReader("x"))
						}
					})
				}
				for i := range uploads {
					numbers <- i
				}
				close(numbers)
				workers.Wait()

				for i, err := range errs {
					require.NoError(t, err, "upload %d", i)
				}
				require.Less(t, time.Since(start), tt.wantMax)
				require.Less(t, store.refused, uploads, "the bucket as a whole slows down")
			})
		})
	}
}

// If a store refuses every request, a call fails with RateLimited within 75 seconds, or as early as its
// RetryPolicy says.
func TestThrottleRetriesEnd(t *testing.T) {
	tests := []struct {
		name              string
		policy            storage.RetryPolicy
		wantLeastRequests int
		wantMostRequests  int
		wantLeastWait     time.Duration // of all pauses between requests
		wantMostWait      time.Duration
		wantMostFirstWait time.Duration // between the first two requests
	}{
		{
			name:              "by default",
			policy:            storage.RetryPolicy{},
			wantLeastRequests: 8,
			wantMostRequests:  12,
			wantLeastWait:     10 * time.Second,
			wantMostWait:      75 * time.Second,
			wantMostFirstWait: time.Second,
		},
		{
			name:              "with fewer attempts",
			policy:            storage.RetryPolicy{Attempts: 3},
			wantLeastRequests: 3,
			wantMostRequests:  3,
			wantMostWait:      5 * time.Second,
			wantMostFirstWait: time.Second,
		},
		{
			name:              "with one attempt",
			policy:            storage.RetryPolicy{Attempts: 1},
			wantLeastRequests: 1,
			wantMostRequests:  1,
		},
		{
			name:              "with a short time for all waits",
			policy:            storage.RetryPolicy{Attempts: 1000, MaxWait: 10 * time.Second},
			wantLeastRequests: 2,
			wantMostRequests:  1000,
			wantLeastWait:     10 * time.Second,
			wantMostWait:      25 * time.Second,
			wantMostFirstWait: time.Second,
		},
		{
			name:              "with a short time for each wait",
			policy:            storage.RetryPolicy{MaxDelay: time.Millisecond},
			wantLeastRequests: 12,
			wantMostRequests:  12,
			wantMostWait:      time.Second,
			wantMostFirstWait: time.Millisecond,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &throttledStore{limit: refuseAll}
				bucket := store.open(storage.WithRetry(tt.policy))
				start := time.Now()

				_, err := bucket.Attrs(t.Context(), "k")
				require.ErrorIs(t, err, storage.RateLimited)
				require.GreaterOrEqual(t, len(store.calls), tt.wantLeastRequests)
				require.LessOrEqual(t, len(store.calls), tt.wantMostRequests)

				// The rest of the time was spent in pauses between the requests.
				waited := time.Since(start) - time.Duration(len(store.calls))*answerTime
				require.GreaterOrEqual(t, waited, tt.wantLeastWait)
				require.LessOrEqual(t, waited, tt.wantMostWait)

				if len(store.calls) > 1 {
					firstGap := store.calls[1].Sub(store.calls[0]) - answerTime
					require.LessOrEqual(t, firstGap, tt.wantMostFirstWait)
				}
			})
		})
	}
}

// The engine waits as long as the store's Retry-After says, but at most RetryPolicy.MaxDelay, which is 20 seconds.
func TestThrottleRetryAfter(t *testing.T) {
	tests := []struct {
		name       string
		retryAfter time.Duration
		wantPause  time.Duration
	}{
		{name: "longer than the engine's own wait", retryAfter: 7 * time.Second, wantPause: 7 * time.Second},
		{name: "longer than MaxDelay", retryAfter: time.Hour, wantPause: 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The store refuses the first request, and serves the second one.
				store := &throttledStore{limit: refuseAll, retryAfter: tt.retryAfter}
				time.AfterFunc(time.Second, func() { store.setLimit(serveAll) })

				_, err := store.open().Exists(t.Context(), "k")
				require.NoError(t, err)

				// The refusal comes answerTime after its request.
				refusedAt := store.calls[0].Add(answerTime)
				retriedAt := store.calls[1]
				require.Equal(t, tt.wantPause, retriedAt.Sub(refusedAt))
			})
		})
	}
}

// A call that waits for a throttling store ends with its context. Its error is that of the context, and also that of
// the store.
func TestThrottleWaitEndsWithContext(t *testing.T) {
	const lifetime = 30 * time.Second // of the contexts

	t.Run("a deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), lifetime)
			defer cancel()
			start := time.Now()
			errs := callRefusingStore(ctx)
			require.LessOrEqual(t, time.Since(start), lifetime+answerTime)
			for _, err := range errs {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, storage.RateLimited)
			}
		})
	})

	t.Run("canceled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(lifetime, cancel)
			start := time.Now()
			errs := callRefusingStore(ctx)
			require.LessOrEqual(t, time.Since(start), lifetime+answerTime)
			for _, err := range errs {
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, storage.RateLimited)
			}
		})
	})
}

// callRefusingStore makes 100 calls at the same time to a store that refuses every request. It returns the error of
// each call.
func callRefusingStore(ctx context.Context) []error {
	store := &throttledStore{limit: refuseAll, retryAfter: 15 * time.Second}
	bucket := store.open()

	// At one request a second, most of the calls wait for their first request.
	errs := make([]error, 100)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() {
			_, errs[i] = bucket.Attrs(ctx, "k")
		})
	}
	calls.Wait()
	return errs
}

// After the store has throttled a call, the engine delays all requests for some time, and then no longer.
func TestThrottleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &throttledStore{limit: refuseAll}
		bucket := store.open()

		// The store throttles a call for five seconds. The deadline of the call's context may end a request before the
		// response.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := bucket.Exists(ctx, "k")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			require.ErrorIs(t, err, storage.RateLimited)
		}

		// The store does not throttle any more, but the engine still delays the calls.
		store.setLimit(serveAll)
		require.Greater(t, timeOf100Calls(t, bucket), time.Second)

		// A minute later, all calls are made at once.
		time.Sleep(time.Minute)
		require.Equal(t, answerTime, timeOf100Calls(t, bucket))
	})
}

// timeOf100Calls makes 100 calls of Exists at the same time, and returns how long they take.
func timeOf100Calls(t *testing.T, bucket storage.Bucket) time.Duration {
	t.Helper()
	start := time.Now()
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() { _, _ = bucket.Exists(t.Context(), "k") })
	}
	calls.Wait()
	return time.Since(start)
}

// Retries of throttled requests cost nothing of the retry budget, so that other failures are still retried.
func TestThrottleSpendsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The store refuses every request, until setLimit is called.
		store := &throttledStore{limit: refuseAll}

		// If nextErr is set, the next request fails with it.
		var nextErr error
		bucket := store.open(driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
				if err := nextErr; err != nil {
					nextErr = nil
					return err
				}
				return next(ctx)
			})
		}))

		// Many calls, each with its retries, fail because the store throttles.
		const throttledCalls = 50
		for range throttledCalls {
			_, err := bucket.Attrs(t.Context(), "k")
			require.ErrorIs(t, err, storage.RateLimited)
		}

		// There is budget left for a call whose first request fails for another reason.
		store.setLimit(serveAll)
		nextErr = storage.Unavailable
		_, err := bucket.Exists(t.Context(), "k")
		require.NoError(t, err)
	})
}

// appendX is a change for storage.Update that appends an "x".
func appendX(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, 'x'), nil }

// Update waits for a store that throttles, and no change of several writers is lost.
func TestUpdateWhileThrottled(t *testing.T) {
	tests := []struct {
		name   string
		limit  limit
		policy storage.RetryPolicy
	}{
		{name: "one write a second", limit: &windowLimit{perSecond: 1}},
		{
			name:   "more refusals than the retries of one write",
			limit:  &refuseFirst{remaining: 3},
			policy: storage.RetryPolicy{Attempts: 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Only the writes are throttled.
				store := &throttledStore{limit: tt.limit, only: "Put"}
				bucket := store.open(storage.WithRetry(tt.policy))

				const (
					writers = 2
					updates = 4 // of each writer
				)
				var group sync.WaitGroup
				errs := make(chan error, writers*updates)
				for range writers {
					group.Go(func() {
						for range updates {
							_, err := storage.Update(t.Context(), bucket, "k", appendX)
							errs <- err
						}
					})
				}
				group.Wait()
				close(errs)
				for err := range errs {
					require.NoError(t, err)
				}

				// Each change has appended an "x".
				content, _, err := storage.ReadAll(t.Context(), bucket, "k")
				require.NoError(t, err)
				require.Equal(t, strings.Repeat("x", writers*updates), string(content))
			})
		})
	}
}

// Update does not wait for a store that throttles if RetryPolicy permits only one attempt.
func TestUpdateWhileThrottledWithOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &throttledStore{limit: &refuseFirst{remaining: 1}, only: "Put"}
		bucket := store.open(storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		_, err := storage.Update(t.Context(), bucket, "k", appendX)
		require.ErrorIs(t, err, storage.RateLimited)
	})
}

// RemoveAll waits for a store that throttles, and then removes all objects.
func TestRemoveAllWhileThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &throttledStore{limit: &refuseFirst{remaining: 6}}
		removed, err := storage.RemoveAll(t.Context(), store.open(), slices.Values([]string{"a", "b", "c"}))
		require.NoError(t, err)
		require.Equal(t, 3, removed)
	})
}
