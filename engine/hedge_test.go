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
	usual   = 10 * time.Millisecond // of a response; each one is some microseconds slower than others
	stalled = time.Minute
	learned = 20 // requests that are only measured
)

// A slowStore is a store on synctest's clock. Some of its responses come late.
type slowStore struct {
	late func(n int) time.Duration // how late the response to the n-th request is, from 0
	fail func(n int) error         // what it is; nil: the object

	mu       sync.Mutex
	calls    []string
	bodies   int // open now
	canceled int
}

func (s *slowStore) open(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b := memstore.New(append([]storage.OpenOption{storage.WithHedgedReads(), driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &slowDriver{remote{d}, s}
	})}, opts...)...)
	_, err := b.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)
	return b
}

// answer waits for the time of the next response.
func (s *slowStore) answer(ctx context.Context, call string) error {
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, call)
	s.mu.Unlock()
	spread := time.Duration(n*7919%997) * time.Microsecond
	timer := time.NewTimer(usual + spread + s.late(n))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		s.mu.Lock()
		s.canceled++
		s.mu.Unlock()
		return ctx.Err()
	}
	if s.fail != nil {
		return s.fail(n)
	}
	return nil
}

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

// only returns a function by which the n-th response is that late.
func only(n int, late time.Duration) func(int) time.Duration {
	return func(i int) time.Duration {
		if i == n {
			return late
		}
		return 0
	}
}

// reads are the calls that are hedged.
var reads = map[string]func(ctx context.Context, b storage.Bucket) error{
	"Download": func(ctx context.Context, b storage.Bucket) error {
		content, _, err := storage.ReadAll(ctx, b, "k")
		if err == nil && string(content) != "content" {
			return io.ErrUnexpectedEOF
		}
		return err
	},
	"Attrs": func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Attrs(ctx, "k")
		return err
	},
	"Exists": func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Exists(ctx, "k")
		return err
	},
}

// learnLatency makes the reads after which the bucket hedges.
func learnLatency(t *testing.T, b storage.Bucket, readKey func(context.Context, storage.Bucket) error) {
	t.Helper()
	for range learned {
		require.NoError(t, readKey(t.Context(), b))
	}
}

// If a response stalls, a read with hedging gets that of its second request.
func TestHedgeOfStalledResponse(t *testing.T) {
	for name, readKey := range reads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{late: only(learned, stalled)}
				b := store.open(t)
				learnLatency(t, b, readKey)
				start := time.Now()

				require.NoError(t, readKey(t.Context(), b))
				require.Less(t, time.Since(start), 4*usual)
				require.Len(t, store.calls, learned+2)
				require.Equal(t, 1, store.canceled, "the request that stalled")
				require.Zero(t, store.bodies)
			})
		})
	}
}

// If one response in fifty stalls, hedging makes the slowest reads fast, with at most 5 percent more requests.
func TestHedgesShortenTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 5000
		store := &slowStore{late: func(n int) time.Duration {
			if n%50 == 49 {
				return time.Second
			}
			return 0
		}}
		b := store.open(t)
		var took []time.Duration
		for range count {
			start := time.Now()
			require.NoError(t, reads["Download"](t.Context(), b))
			took = append(took, time.Since(start))
		}

		slices.Sort(took)
		require.Less(t, took[count*99/100], 4*usual, "the 99th percentile")
		require.Less(t, took[count*999/1000], 4*usual, "the 99.9th percentile")
		require.LessOrEqual(t, len(store.calls), count+count/20)
		require.Zero(t, store.bodies)
	})
}

// No hedge is sent without WithHedgedReads, before enough responses were measured, to a store on this machine, or
// while the store throttles.
func TestHedgeNotSent(t *testing.T) {
	for _, row := range []struct {
		name    string
		learned int
		opts    []storage.OpenOption
	}{
		{"before there are enough samples", learned - 1, nil},
		{"on this machine", learned, []storage.OpenOption{driver.WithLayer(func(d driver.Driver) driver.Driver { return here{d} })}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{late: only(row.learned, time.Second)}
				b := store.open(t, row.opts...)
				for range row.learned + 1 {
					require.NoError(t, reads["Attrs"](t.Context(), b))
				}
				require.Len(t, store.calls, row.learned+1)
				require.Zero(t, store.canceled)
			})
		})
	}
	t.Run("without the option", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &slowStore{late: only(learned, time.Second)}
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return &slowDriver{remote{d}, store}
			}))
			for range learned + 1 {
				_, err := b.Exists(t.Context(), "k")
				require.NoError(t, err)
			}
			require.Len(t, store.calls, learned+1)
		})
	})
	for name, row := range map[string]struct {
		opts  []storage.OpenOption
		calls int // of the read that is throttled
	}{
		"while the store throttles":                   {nil, 2},
		"while the store throttles, with one attempt": {[]storage.OpenOption{storage.WithRetry(storage.RetryPolicy{Attempts: 1})}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{
					late: only(learned+row.calls, time.Second),
					fail: func(n int) error {
						if n == learned {
							return storage.RateLimited
						}
						return nil
					},
				}
				b := store.open(t, row.opts...)
				learnLatency(t, b, reads["Download"])

				err := reads["Download"](t.Context(), b)
				require.Equal(t, row.calls == 1, err != nil, "else it is repeated")
				start := time.Now()
				require.NoError(t, reads["Download"](t.Context(), b))
				require.Len(t, store.calls, learned+row.calls+1)

				if row.calls > 1 {
					return
				}
				require.Less(t, time.Since(start), 2*time.Second, "nothing is held back")

				time.Sleep(20 * time.Second) // it no longer throttles
				require.NoError(t, reads["Download"](t.Context(), b))
				store.late = only(learned+row.calls+2, stalled)
				require.NoError(t, reads["Download"](t.Context(), b))
				require.Len(t, store.calls, learned+row.calls+4, "the last one is hedged")
			})
		})
	}
}

// here is a store on this machine.
type here struct{ driver.Driver }

func (d here) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = true
	return desc
}

// Each read earns a twentieth of a hedge. If a slow read has none left, it waits until other reads have earned
// one.
func TestHedgesAreEarned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{late: func(n int) time.Duration {
			if n == learned || n == learned+2 { // n == learned+1 is the hedge
				return stalled
			}
			return 0
		}}
		b := store.open(t)
		learnLatency(t, b, reads["Attrs"])
		require.NoError(t, reads["Attrs"](t.Context(), b))
		var group sync.WaitGroup
		group.Go(func() {
			start := time.Now()
			require.NoError(t, reads["Attrs"](t.Context(), b))
			require.Greater(t, time.Since(start), 10*usual, "it has to wait")
			require.Less(t, time.Since(start), stalled, "others earn its hedge")
		})
		synctest.Wait()
		for range 2 * learned {
			require.NoError(t, reads["Attrs"](t.Context(), b))
		}
		group.Wait()
		require.LessOrEqual(t, len(store.calls), 3*learned+2+3)
	})
}

// If a read and its hedge race, the first success or permanent error decides. After a temporary error of one, the
// read waits for the other.
func TestHedgeResponseOfRace(t *testing.T) {
	const first, second = learned, learned + 1
	tests := []struct {
		name      string
		late      map[int]time.Duration
		fail      map[int]error
		want      error
		calls     int
		took      time.Duration // at most
		cancelled int
	}{
		{
			name:      "the first request, after its hedge has begun",
			late:      map[int]time.Duration{first: 2 * usual, second: stalled},
			want:      nil,
			calls:     2,
			took:      4 * usual,
			cancelled: 1,
		},
		{
			name:      "an error of the object",
			late:      map[int]time.Duration{first: stalled},
			fail:      map[int]error{second: storage.ObjectNotFound},
			want:      storage.ObjectNotFound,
			calls:     2,
			took:      4 * usual,
			cancelled: 1,
		},
		{
			name:  "an error that passes does not decide",
			late:  map[int]time.Duration{first: 5 * usual},
			fail:  map[int]error{second: storage.Unavailable},
			want:  nil,
			calls: 2,
			took:  7 * usual,
		},
		{
			name:  "the hedge, if the first request fails",
			late:  map[int]time.Duration{first: 2 * usual, second: 5 * usual},
			fail:  map[int]error{first: storage.Unavailable},
			want:  nil,
			calls: 2,
			took:  9 * usual,
		},
		{
			name:  "both fail",
			late:  map[int]time.Duration{first: 2 * usual},
			fail:  map[int]error{first: storage.Unavailable, second: storage.Unavailable},
			want:  nil,
			calls: 3,
			took:  20 * usual,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{
					late: func(n int) time.Duration { return tt.late[n] },
					fail: func(n int) error { return tt.fail[n] },
				}
				b := store.open(t)
				learnLatency(t, b, reads["Download"])
				start := time.Now()

				err := reads["Download"](t.Context(), b)
				require.LessOrEqual(t, time.Since(start), tt.took)
				require.ErrorIs(t, err, tt.want)
				require.Len(t, store.calls, learned+tt.calls)
				require.Equal(t, tt.cancelled, store.canceled)
				require.Zero(t, store.bodies)
			})
		})
	}
}

// If ctx ends, the read and its hedge both end.
func TestHedgeEndsWithContext(t *testing.T) {
	for name, readKey := range reads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{late: func(n int) time.Duration {
					if n >= learned {
						return stalled
					}
					return 0
				}}
				b := store.open(t)
				learnLatency(t, b, readKey)
				ctx, cancel := context.WithTimeout(t.Context(), 5*usual)
				defer cancel()
				start := time.Now()

				require.ErrorIs(t, readKey(ctx, b), storage.DeadlineExceeded)
				require.Equal(t, 5*usual, time.Since(start))
				require.Equal(t, 2, store.canceled)
			})
		})
	}
}

// If a hedge wins, its request lives until the reader is closed, and no longer.
func TestHedgeBodyIsReadToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{late: only(learned, stalled)}
		b := store.open(t)
		learnLatency(t, b, reads["Download"])

		r, err := b.Download(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, 1, store.bodies)

		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "content", string(content))

		require.NoError(t, r.Close())
		require.Zero(t, store.bodies)
	})
}

// A panic of the driver in a read or in its hedge reaches the caller.
func TestHedgePanicReachesCaller(t *testing.T) {
	tests := map[string]struct{ panics, late int }{
		"in the hedge":         {learned + 1, learned},
		"in the first request": {learned, -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{
					late: only(tt.late, stalled),
					fail: func(n int) error {
						if n == tt.panics {
							panic("boom")
						}
						return nil
					},
				}
				b := store.open(t)
				learnLatency(t, b, reads["Attrs"])
				require.PanicsWithValue(t, "boom", func() {
					_ = reads["Attrs"](t.Context(), b)
				})
			})
		})
	}
}

// Requests counts the hedge as well, so that a hook sees how many requests a read has sent.
func TestHedgeCountsAsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{late: only(learned, stalled)}
		var requests int
		b := store.open(t, storage.WithHook(func(ctx context.Context, _ storage.Operation) (context.Context, func(storage.Outcome), error) {
			return ctx, func(o storage.Outcome) {
				requests = o.Requests
			}, nil
		}))
		learnLatency(t, b, reads["Attrs"])
		require.Equal(t, 1, requests)
		require.NoError(t, reads["Attrs"](t.Context(), b))
		require.Equal(t, 2, requests)
	})
}

// While a read waits for a hedge to be earned, it wakes up seldom, even if most responses take no time.
func TestHedgeWaitSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &instantStore{}
		b := memstore.New(storage.WithHedgedReads(), driver.WithLayer(func(d driver.Driver) driver.Driver {
			store.remote = remote{d}
			return store
		}))
		_, err := b.Upload(t.Context(), "k", strings.NewReader("content"))
		require.NoError(t, err)
		learnLatency(t, b, reads["Attrs"])
		store.late = stalled
		require.NoError(t, reads["Attrs"](t.Context(), b),
			"its hedge is late, too; a busy wait would not end")
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
