package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An outage is a bucket whose responses are lost for a while.
type outage struct {
	storage.Core
	written bool // whether uploads are stored all the same
	began   time.Time
	ends    time.Time
	then    func() // at its end
}

// lasts reports whether the outage still lasts. The first call after the end of the outage calls the function o.then.
func (o *outage) lasts() bool {
	now := time.Now()
	if o.then != nil && !now.Before(o.ends) {
		o.then()
		o.then = nil
	}
	return !now.Before(o.began) && now.Before(o.ends)
}

// Upload stores an object. During the outage, it reports that the outcome is unknown.
func (o *outage) Upload(
	ctx context.Context, key string, body io.Reader, opts *storage.UploadOptions,
) (*storage.Attrs, error) {
	if !o.lasts() {
		return o.Core.Upload(ctx, key, body, opts)
	}
	if o.written {
		_, _ = o.Core.Upload(ctx, key, body, opts)
	}
	return nil, &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("connection reset")}
}

// Download fails during the outage.
func (o *outage) Download(ctx context.Context, key string, opts *storage.DownloadOptions) (*storage.Reader, error) {
	if o.lasts() {
		return nil, &storage.Error{Code: storage.Unavailable, Err: errors.New("connection refused")}
	}
	return o.Core.Download(ctx, key, opts)
}

// If the bucket does not respond for less time than the lease lasts, the job continues. After a longer outage, or if
// another process took the lease, the function Every ends the job with Changed.
func TestEveryLeaseSurvivesAnOutage(t *testing.T) {
	tests := []struct {
		name    string
		seconds int
		written bool
		taken   bool // by another process, at the end of it
		kept    bool
	}{
		{name: "short, and the write did not arrive", seconds: 3, kept: true},
		{name: "short, and the write arrived", seconds: 3, written: true, kept: true},
		{name: "two renewals long", seconds: 20, written: true, kept: true},
		{name: "as long as the lease", seconds: 65},
		{name: "and another process has the lease after it", seconds: 3, taken: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				store := memstore.New()
				o := &outage{written: tt.written, began: time.Now().Add(14 * time.Second)}
				o.ends = o.began.Add(time.Duration(tt.seconds) * time.Second)
				if tt.taken {
					o.then = func() {
						_, err := store.Upload(ctx, leaseKey,
							bytes.NewReader([]byte(`{"holder":"another","until":"2999-01-01T00:00:00Z"}`)))
						require.NoError(t, err)
					}
				}
				b := wrapped.Bucket(t, store, func(c storage.Core) storage.Core {
					o.Core = c
					return o
				})

				var runs []transfer.Run
				_ = transfer.Every(ctx, time.Hour, func(running context.Context) error {
					defer cancel()
					select {
					case <-running.Done():
						require.ErrorIs(t, context.Cause(running), storage.Changed)
						return nil
					case <-time.After(5 * time.Minute):
						return nil
					}
				}, transfer.WithLease(b, leaseKey), transfer.WithJitter(0), transfer.WithRuns(func(r transfer.Run) {
					runs = append(runs, r)
				}))
				require.Len(t, runs, 1)

				if tt.kept {
					require.NoError(t, runs[0].Err)
					require.Equal(t, 5*time.Minute, runs[0].Duration)
					require.NotContains(t, contents(t, b)[leaseKey], "holder", "it is released")
				} else {
					require.ErrorIs(t, runs[0].Err, storage.Changed)
					require.LessOrEqual(t, runs[0].Duration, time.Minute)
				}
			})
		})
	}
}

// The function Every renews its lease until the job has returned, because a canceled job may still clean up.
func TestEveryRenewsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cleanUpTime = 10 * time.Minute
		b := memstore.New()
		start := time.Now()

		firstCtx, cancelFirst := context.WithCancel(t.Context())
		secondCtx, cancelSecond := context.WithTimeout(t.Context(), time.Hour)
		defer cancelSecond()
		var firstEnd, secondStart time.Duration // since start

		firstJob := func(context.Context) error {
			time.Sleep(time.Second)
			cancelFirst()
			time.Sleep(cleanUpTime)
			firstEnd = time.Since(start)
			return nil
		}
		secondJob := func(context.Context) error {
			secondStart = time.Since(start)
			cancelSecond()
			return nil
		}

		opts := []transfer.EveryOption{transfer.WithLease(b, leaseKey), transfer.WithJitter(0)}
		var processes sync.WaitGroup
		processes.Go(func() {
			_ = transfer.Every(firstCtx, time.Second, firstJob, opts...)
		})
		time.Sleep(500 * time.Millisecond) // the first process has the lease now
		processes.Go(func() {
			_ = transfer.Every(secondCtx, time.Second, secondJob, opts...)
		})
		processes.Wait()

		require.NotZero(t, secondStart)
		require.GreaterOrEqual(t, secondStart, firstEnd, "runs do not overlap")
	})
}

// A host whose clock is wrong neither stops the job on other hosts nor starts it too early. The leases of this
// test have the format of an earlier release, with times of the hosts.
func TestEveryIgnoresClocksOfHosts(t *testing.T) {
	const interval = time.Hour
	tests := []struct {
		name   string
		record func(now time.Time) string
		runs   time.Duration // after which the job runs
	}{
		{
			name: "started in years",
			record: func(now time.Time) string {
				return stamp("began", now.AddDate(4, 0, 0))
			},
			runs: interval,
		},
		{
			name: "started half an hour ago",
			record: func(now time.Time) string {
				return stamp("began", now.Add(-interval/2))
			},
			runs: interval / 2,
		},
		{
			name:   "started years ago",
			record: func(now time.Time) string { return stamp("began", now.AddDate(-4, 0, 0)) },
			runs:   0,
		},
		{
			name: "held for years",
			record: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.AddDate(4, 0, 0))
			},
			runs: time.Minute,
		},
		{
			name: "held until years ago",
			record: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.AddDate(-4, 0, 0))
			},
			runs: time.Minute,
		},
		{
			name: "held, and started in years",
			record: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.Add(time.Minute)) + `,` + stamp("began",
					now.AddDate(4, 0, 0))
			},
			runs: time.Minute,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
				defer cancel()
				b := memstore.New()
				start := time.Now()
				_, err := b.Upload(ctx, leaseKey, file(`{"nonce":"a",`+tt.record(start)+`}`))
				require.NoError(t, err)

				var delay time.Duration
				_ = transfer.Every(ctx, interval, func(context.Context) error {
					delay = time.Since(start)
					cancel()
					return nil
				}, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
				require.Equal(t, tt.runs, delay)
			})
		})
	}
}

// The function Every keeps its interval with a bucket that returns no modification times.
func TestEveryOnAStoreWithoutTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		b := newBucketWithClock(func() time.Time { return time.Time{} })
		runs := 0
		job := func(context.Context) error {
			runs++
			return nil
		}

		_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
		require.Equal(t, 3, runs, "at 0, 60 and 120 minutes")
	})
}

func stamp(field string, t time.Time) string {
	return `"` + field + `":"` + t.Format(time.RFC3339Nano) + `"`
}

// Every does not use an object that contains no lease, and does not change it.
func TestEveryRefusesAnObjectWithoutALease(t *testing.T) {
	for _, text := range []string{`{"database":"x"}`, `{}`, `null`, `[]`, `text`, ``} {
		t.Run(text, func(t *testing.T) {
			b := memstore.New()
			put(t, b, leaseKey, text)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			job := func(context.Context) error {
				cancel()
				return nil
			}

			err := transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, text, contents(t, b)[leaseKey])
		})
	}
}
