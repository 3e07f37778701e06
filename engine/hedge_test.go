package engine_test

import (
	"context"
	"io"
	"slices"
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

const (
	// usualLatency is the time of a response. slowStore adds less than a millisecond to it.
	usualLatency = 10 * time.Millisecond

	// stallTime is added to a response that stalls.
	stallTime = time.Minute

	// learningReads is the number of reads that a bucket only measures before it hedges.
	learningReads = 20
)

// A slowStore is a store on synctest's clock. Some of its responses come late, or fail. Its requests have numbers, from
// 0 on.
type slowStore struct {
	delays map[int]time.Duration // additional delay of a response, by the number of its request
	errs   map[int]error         // error of a response, by the number of its request
	panics map[int]bool          // the numbers of the requests whose response panics

	mu       sync.Mutex
	calls    []string // the names of the driver calls, in order
	bodies   int      // bodies that are open
	canceled int      // calls that ended with their context
}

// open returns a bucket with hedged reads that has the object "k".
func (s *slowStore) open(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	slow := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &slowDriver{remote{d}, s}
	})
	all := append([]storage.OpenOption{storage.WithHedgedReads(), slow}, opts...)
	bucket := memstore.New(all...)
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)
	return bucket
}

// answer waits for the time of the next response, and returns the error of that response.
func (s *slowStore) answer(ctx context.Context, call string) error {
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, call)
	s.mu.Unlock()

	// The primes spread the latencies evenly over a millisecond, and in each run the same way.
	const step, period = 7919, 997
	spread := time.Duration(n*step%period) * time.Microsecond
	timer := time.NewTimer(usualLatency + spread + s.delays[n])
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-ctx.Done():
		s.mu.Lock()
		s.canceled++
		s.mu.Unlock()
		return ctx.Err()
	}

	if s.panics[n] {
		panic("boom")
	}
	return s.errs[n]
}

// A slowDriver is the driver of a slowStore. Only its reads are slow.
type slowDriver struct {
	remote
	store *slowStore
}

func (d *slowDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if err := d.store.answer(ctx, "Get"); err != nil {
		return nil, nil, err
	}
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	d.store.mu.Lock()
	d.store.bodies++
	d.store.mu.Unlock()
	return attrs, &countedBody{body, d.store}, nil
}

func (d *slowDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	if err := d.store.answer(ctx, "Head"); err != nil {
		return nil, err
	}
	return d.Driver.Head(ctx, r)
}

// A countedBody is subtracted from the open bodies of its store when it is closed.
type countedBody struct {
	io.ReadCloser
	store *slowStore
}

func (b *countedBody) Close() error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.bodies--
	return b.ReadCloser.Close()
}

// reads are the calls that are hedged.
var reads = map[string]func(ctx context.Context, bucket storage.Bucket) error{
	"Download": func(ctx context.Context, bucket storage.Bucket) error {
		content, _, err := storage.ReadAll(ctx, bucket, "k")
		if err != nil {
			return err
		}
		if string(content) != "content" {
			return io.ErrUnexpectedEOF
		}
		return nil
	},
	"Attrs": func(ctx context.Context, bucket storage.Bucket) error {
		_, err := bucket.Attrs(ctx, "k")
		return err
	},
	"Exists": func(ctx context.Context, bucket storage.Bucket) error {
		_, err := bucket.Exists(ctx, "k")
		return err
	},
}

// learnLatency makes the reads after which the bucket hedges.
func learnLatency(t *testing.T, bucket storage.Bucket, readKey func(context.Context, storage.Bucket) error) {
	t.Helper()
	for range learningReads {
		require.NoError(t, readKey(t.Context(), bucket))
	}
}

// If the response to a read stalls, the engine sends a second request, the hedge, and returns the hedge's response. The
// first request is canceled.
func TestHedgeOfStalledResponse(t *testing.T) {
	for name, readKey := range reads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Requests are numbered from 0. These are the numbers of the first two requests
				// after the learning reads.
				const stalled, hedge = learningReads, learningReads + 1
				store := &slowStore{delays: map[int]time.Duration{stalled: stallTime}}
				bucket := store.open(t)
				learnLatency(t, bucket, readKey)

				start := time.Now()
				require.NoError(t, readKey(t.Context(), bucket))
				require.Less(t, time.Since(start), 4*usualLatency, "the wait for the hedge, and its latency")
				require.Len(t, store.calls, hedge+1)
				require.Equal(t, 1, store.canceled, "the request that stalled")
				require.Zero(t, store.bodies)
			})
		})
	}
}

// If one response in fifty stalls, hedging (a second request for a read that takes long) makes the slowest reads fast,
// with at most 5 percent more requests.
func TestHedgesShortenTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 5000 // reads
		const maxHedges = count / 20
		const stallInterval = 50 // requests

		// One response in fifty comes a second late.
		delays := map[int]time.Duration{}
		for number := stallInterval - 1; number < count+maxHedges; number += stallInterval {
			delays[number] = time.Second
		}
		store := &slowStore{delays: delays}
		bucket := store.open(t)

		// Measure each read.
		var durations []time.Duration
		for range count {
			start := time.Now()
			require.NoError(t, reads["Download"](t.Context(), bucket))
			durations = append(durations, time.Since(start))
		}

		// Without hedges, one read in fifty would take a second.
		slices.Sort(durations)
		percentile99 := durations[count*99/100]
		percentile999 := durations[count*999/1000]
		require.Less(t, percentile99, 4*usualLatency)
		require.Less(t, percentile999, 4*usualLatency)

		// The hedges are at most 5 percent more requests, and leave no body open.
		require.LessOrEqual(t, len(store.calls), count+maxHedges)
		require.Zero(t, store.bodies, "open bodies")
	})
}

// A bucket sends no hedge before it has measured enough responses.
func TestHedgeNotSentBeforeEnoughSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The last read that the bucket only measures is slow.
		const lastLearning = learningReads - 1 // requests are counted from 0
		store := &slowStore{delays: map[int]time.Duration{lastLearning: time.Second}}
		bucket := store.open(t)

		learnLatency(t, bucket, reads["Attrs"])
		require.Len(t, store.calls, learningReads)
		require.Zero(t, store.canceled)
	})
}

// A bucket whose store is on this machine sends no hedge.
func TestHedgeNotSentToLocalStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slowRead = learningReads // the first after the learning reads, which count from 0
		store := &slowStore{delays: map[int]time.Duration{slowRead: time.Second}}
		bucket := store.open(t, driver.WithLayer(func(d driver.Driver) driver.Driver {
			return localStore{d}
		}))
		learnLatency(t, bucket, reads["Attrs"])

		// The slow read has one request and no hedge.
		require.NoError(t, reads["Attrs"](t.Context(), bucket))
		require.Len(t, store.calls, learningReads+1)
		require.Zero(t, store.canceled)
	})
}

// A bucket sends no hedge without WithHedgedReads.
func TestHedgeNotSentWithoutOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// With the option, the last read would have a hedge, because it is slow.
		const reads = learningReads + 1
		const lastRead = reads - 1 // requests are counted from 0
		store := &slowStore{delays: map[int]time.Duration{lastRead: time.Second}}
		bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
			return &slowDriver{remote{d}, store}
		}))
		for range reads {
			_, err := bucket.Exists(t.Context(), "k")
			require.NoError(t, err)
		}
		require.Len(t, store.calls, reads)
	})
}

// A hedge is a second request for a slow read. A bucket sends no hedge soon after the store has throttled a read.
func TestHedgeNotSentWhileThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bucket measures some reads before it hedges. Their requests have the numbers from 0 on, and later requests
		// have the following ones.
		const (
			refused  = learningReads + iota
			repeated // the repetition of the refused request
			slow
		)
		store := &slowStore{
			delays: map[int]time.Duration{slow: time.Second},
			errs:   map[int]error{refused: storage.RateLimited},
		}
		bucket := store.open(t)
		learnLatency(t, bucket, reads["Download"])

		// The store throttles the first request of this read, which is repeated.
		require.NoError(t, reads["Download"](t.Context(), bucket))
		require.Len(t, store.calls, repeated+1)

		// The second read is slow, and has no hedge.
		require.NoError(t, reads["Download"](t.Context(), bucket))
		require.Len(t, store.calls, slow+1)
	})
}

// If RetryPolicy.Attempts is 1, a throttled read fails. After that, the bucket sends no hedge, which is a second
// request for a slow read, until the throttling seems to be over.
func TestHedgeNotSentWhileThrottledWithOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bucket measures some reads before it hedges. Their requests have the numbers from 0 on, and later requests
		// have the following ones.
		const (
			refused = learningReads + iota
			slow
			fast
			stalled
			hedge // of the read that stalled
		)
		store := &slowStore{
			delays: map[int]time.Duration{slow: time.Second, stalled: stallTime},
			errs:   map[int]error{refused: storage.RateLimited},
		}
		bucket := store.open(t, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		learnLatency(t, bucket, reads["Download"])

		// The store throttles a read, which fails.
		require.ErrorIs(t, reads["Download"](t.Context(), bucket), storage.RateLimited)

		// The next read is slow, and waits for its only request.
		start := time.Now()
		require.NoError(t, reads["Download"](t.Context(), bucket))
		require.Len(t, store.calls, slow+1)
		require.Less(t, time.Since(start), 2*time.Second)

		// 20 seconds later, the store counts as one that does not throttle. After a fast read, a read that stalls has
		// a hedge.
		time.Sleep(20 * time.Second)
		require.NoError(t, reads["Download"](t.Context(), bucket))
		require.Len(t, store.calls, fast+1)
		require.NoError(t, reads["Download"](t.Context(), bucket))
		require.Len(t, store.calls, hedge+1)
	})
}

// A localStore is a store on this machine.
type localStore struct{ driver.Driver }

func (d localStore) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = true
	return desc
}

// A hedge is a second request for a slow read. Each read earns a twentieth of a hedge. If none is left, a slow read
// waits until other reads have earned one.
func TestHedgesAreEarned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Two reads stall. The numbers of their requests follow those of the learning reads, which count from 0.
		const firstStall, firstHedge, secondStall = learningReads, learningReads + 1, learningReads + 2
		store := &slowStore{delays: map[int]time.Duration{firstStall: stallTime, secondStall: stallTime}}
		bucket := store.open(t)

		// The 20 learning reads earn one hedge, and the first slow read uses it.
		const readsPerHedge = 20
		learnLatency(t, bucket, reads["Attrs"])
		require.NoError(t, reads["Attrs"](t.Context(), bucket))
		require.Len(t, store.calls, firstHedge+1)

		// The second slow read has no hedge left. It waits longer than for a hedge, but not until the end of the stall.
		var slowReadErr error
		var slowReadTime time.Duration
		var slowRead sync.WaitGroup
		slowRead.Go(func() {
			start := time.Now()
			slowReadErr = reads["Attrs"](t.Context(), bucket)
			slowReadTime = time.Since(start)
		})
		synctest.Wait()

		// Meanwhile, further reads earn a second hedge.
		const furtherReads = 2 * readsPerHedge
		for range furtherReads {
			require.NoError(t, reads["Attrs"](t.Context(), bucket))
		}
		slowRead.Wait()
		require.NoError(t, slowReadErr)
		require.Greater(t, slowReadTime, 10*usualLatency)
		require.Less(t, slowReadTime, stallTime)

		// No more hedges were sent than all reads have earned.
		const allReads = learningReads + furtherReads + 2
		const earnedHedges = allReads / readsPerHedge
		require.LessOrEqual(t, len(store.calls), allReads+earnedHedges)
	})
}

// A hedge is a second request for a slow read. If a request and its hedge race, the first success or permanent error
// decides. After a temporary error of one, the read waits for the other.
func TestHedgeResponseOfRace(t *testing.T) {
	// The bucket measures some reads before it hedges. Their requests have the numbers from 0 on, and the next two
	// requests are those of the race.
	const first, hedge = learningReads, learningReads + 1
	tests := []struct {
		name         string
		delays       map[int]time.Duration // by the number of the request
		errs         map[int]error         // by the number of the request
		wantErr      error
		wantCalls    int           // requests after the learning reads
		wantMax      time.Duration // of the read
		wantCanceled int           // requests that are canceled
	}{
		{
			name:         "first request succeeds before its hedge",
			delays:       map[int]time.Duration{first: 2 * usualLatency, hedge: stallTime},
			wantErr:      nil,
			wantCalls:    2,
			wantMax:      4 * usualLatency,
			wantCanceled: 1,
		},
		{
			name:         "hedge fails with a permanent error",
			delays:       map[int]time.Duration{first: stallTime},
			errs:         map[int]error{hedge: storage.ObjectNotFound},
			wantErr:      storage.ObjectNotFound,
			wantCalls:    2,
			wantMax:      4 * usualLatency,
			wantCanceled: 1,
		},
		{
			name:         "hedge fails with a temporary error",
			delays:       map[int]time.Duration{first: 5 * usualLatency},
			errs:         map[int]error{hedge: storage.Unavailable},
			wantErr:      nil,
			wantCalls:    2,
			wantMax:      7 * usualLatency,
			wantCanceled: 0,
		},
		{
			name:         "first request fails with a temporary error",
			delays:       map[int]time.Duration{first: 2 * usualLatency, hedge: 5 * usualLatency},
			errs:         map[int]error{first: storage.Unavailable},
			wantErr:      nil,
			wantCalls:    2,
			wantMax:      9 * usualLatency,
			wantCanceled: 0,
		},
		{
			name:         "both fail, so the read is repeated",
			delays:       map[int]time.Duration{first: 2 * usualLatency},
			errs:         map[int]error{first: storage.Unavailable, hedge: storage.Unavailable},
			wantErr:      nil,
			wantCalls:    3,
			wantMax:      20 * usualLatency,
			wantCanceled: 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{delays: tt.delays, errs: tt.errs}
				bucket := store.open(t)
				learnLatency(t, bucket, reads["Download"])

				start := time.Now()
				err := reads["Download"](t.Context(), bucket)
				require.LessOrEqual(t, time.Since(start), tt.wantMax)
				require.ErrorIs(t, err, tt.wantErr)
				require.Len(t, store.calls, learningReads+tt.wantCalls)
				require.Equal(t, tt.wantCanceled, store.canceled)
				require.Zero(t, store.bodies)
			})
		})
	}
}

// A read and its hedge both end when ctx ends.
func TestHedgeEndsWithContext(t *testing.T) {
	const timeout = 5 * usualLatency
	for name, readKey := range reads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The responses to the learning reads are fast. The responses to the next request
				// and to its hedge stall.
				const request, hedge = learningReads, learningReads + 1
				store := &slowStore{delays: map[int]time.Duration{request: stallTime, hedge: stallTime}}
				bucket := store.open(t)
				learnLatency(t, bucket, readKey)

				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				start := time.Now()
				require.ErrorIs(t, readKey(ctx, bucket), storage.DeadlineExceeded)
				require.Equal(t, timeout, time.Since(start))
				require.Equal(t, 2, store.canceled, "the request and its hedge")
			})
		})
	}
}

// A hedge is a second request for a read that is slow. If it responds first, its body stays open until the reader is
// closed.
func TestHedgeBodyIsReadToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stalled = learningReads // the first request after the learning reads, which count from 0
		store := &slowStore{delays: map[int]time.Duration{stalled: stallTime}}
		bucket := store.open(t)
		learnLatency(t, bucket, reads["Download"])

		// The first request of this Download stalls, so the open body is that of its hedge.
		reader, err := bucket.Download(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, 1, store.bodies, "open bodies")
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, "content", string(content))

		require.NoError(t, reader.Close())
		require.Zero(t, store.bodies, "open bodies")
	})
}

// A panic of the driver reaches the caller, whether the read or its hedge has panicked.
func TestHedgePanicReachesCaller(t *testing.T) {
	// The requests count from 0. So the first request after the learning reads has the number learningReads.
	const request, hedge = learningReads, learningReads + 1
	tests := []struct {
		name  string
		store *slowStore
	}{
		{
			name: "in the hedge",
			store: &slowStore{
				delays: map[int]time.Duration{request: stallTime},
				panics: map[int]bool{hedge: true},
			},
		},
		{name: "in the first request", store: &slowStore{panics: map[int]bool{request: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := tt.store.open(t)
				learnLatency(t, bucket, reads["Attrs"])

				require.PanicsWithValue(t, "boom", func() {
					_ = reads["Attrs"](t.Context(), bucket)
				})
			})
		})
	}
}

// A hedge is a second request for a slow read. Outcome.Requests counts it, too, so that a hook sees how many requests a
// read has sent.
func TestHedgeCountsAsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stalled = learningReads // the first request after the learning reads, which count from 0
		store := &slowStore{delays: map[int]time.Duration{stalled: stallTime}}
		var requests int // of the last call
		hook := func(ctx context.Context, _ storage.Operation) (context.Context, func(storage.Outcome), error) {
			return ctx, func(o storage.Outcome) { requests = o.Requests }, nil
		}
		bucket := store.open(t, storage.WithHook(hook))

		// The last of the learning reads has one request.
		learnLatency(t, bucket, reads["Attrs"])
		require.Equal(t, 1, requests)

		// The next read has a request that stalls, and a hedge.
		require.NoError(t, reads["Attrs"](t.Context(), bucket))
		require.Equal(t, 2, requests)
	})
}

// A read that waits for a hedge sleeps, even if the usual latency, and so the wait, is zero. If it polled instead,
// synctest's clock would stand still and the test would never end.
func TestHedgeWaitSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &instantStore{}
		bucket := memstore.New(storage.WithHedgedReads(),
			driver.WithLayer(func(d driver.Driver) driver.Driver {
				store.remote = remote{d}
				return store
			}))
		_, err := bucket.Upload(t.Context(), "k", strings.NewReader("content"))
		require.NoError(t, err)

		// The bucket learns that responses take no time.
		learnLatency(t, bucket, reads["Attrs"])

		// Then the store stalls.
		store.late = stallTime
		require.NoError(t, reads["Attrs"](t.Context(), bucket))
	})
}

// An instantStore responds to Head at once, or late.
type instantStore struct {
	remote
	late time.Duration
}

func (s *instantStore) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	select {
	case <-time.After(s.late):
		return s.Driver.Head(ctx, r)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
