package transfer_test

import (
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

// An outage is a bucket that does not respond for a while.
type outage struct {
	storage.Core
	writesArrive bool // whether uploads are stored all the same
	start        time.Time
	end          time.Time
	atEnd        func() // is called at its end, unless it is nil
}

// lasts reports whether the outage still lasts. The first call after the end of the outage calls the function o.atEnd.
func (o *outage) lasts() bool {
	now := time.Now()
	if o.atEnd != nil && !now.Before(o.end) {
		o.atEnd()
		o.atEnd = nil
	}
	return !now.Before(o.start) && now.Before(o.end)
}

// Upload stores an object. During the outage, it reports that the outcome is unknown.
func (o *outage) Upload(
	ctx context.Context, key string, body io.Reader, opts *storage.UploadOptions,
) (*storage.Attrs, error) {
	if !o.lasts() {
		return o.Core.Upload(ctx, key, body, opts)
	}
	if o.writesArrive {
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

// Every holds a lease, which is an object in a bucket, while its job runs. If the bucket does not
// respond for a time shorter than the lease, the job continues. After a longer outage, or if
// another process took the lease, Every cancels the job.
func TestEveryLeaseSurvivesAnOutage(t *testing.T) {
	const (
		beforeOutage = 14 * time.Second // from the start of the job
		jobTime      = 5 * time.Minute  // unless it is canceled
		leaseTime    = time.Minute
	)
	tests := []struct {
		name              string
		outage            time.Duration
		writesArrive      bool // whether writes are stored during the outage, although their responses are lost
		takenAfterwards   bool // whether another process takes the lease when the outage ends
		wantJobToContinue bool
	}{
		{name: "short, and writes do not arrive", outage: 3 * time.Second, wantJobToContinue: true},
		{name: "short, and writes arrive", outage: 3 * time.Second, writesArrive: true, wantJobToContinue: true},
		{name: "two renewals long", outage: 20 * time.Second, writesArrive: true, wantJobToContinue: true},
		{name: "longer than the lease", outage: leaseTime + 5*time.Second},
		{name: "another process takes the lease", outage: 3 * time.Second, takenAfterwards: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				start := time.Now().Add(beforeOutage)
				o := &outage{writesArrive: tt.writesArrive, start: start, end: start.Add(tt.outage)}
				if tt.takenAfterwards {
					o.atEnd = func() {
						put(t, store, leaseKey, `{"holder":"another","until":"2999-01-01T00:00:00Z"}`)
					}
				}
				b := wrapped.Bucket(t, store, func(c storage.Core) storage.Core {
					o.Core = c
					return o
				})

				// The first run of the job ends Every.
				ctx, endEvery := context.WithCancel(t.Context())
				defer endEvery()
				job := func(jobCtx context.Context) error {
					defer endEvery()
					select {
					case <-jobCtx.Done():
						require.ErrorIs(t, context.Cause(jobCtx), storage.Changed)
					case <-time.After(jobTime):
					}
					return nil
				}
				var runs []transfer.Run
				recordRuns := transfer.WithRuns(func(r transfer.Run) {
					runs = append(runs, r)
				})
				_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0), recordRuns)

				require.Len(t, runs, 1)
				if !tt.wantJobToContinue {
					require.ErrorIs(t, runs[0].Err, storage.Changed)
					require.LessOrEqual(t, runs[0].Duration, leaseTime)
					return
				}
				require.NoError(t, runs[0].Err)
				require.Equal(t, jobTime, runs[0].Duration)
				require.NotContains(t, contents(t, b)[leaseKey], "holder", "the lease is released")
			})
		})
	}
}

// Every keeps its lease until its job has returned, because a canceled job may still clean up. Until then, the job of
// another process does not start.
func TestEveryRenewsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cleanUpTime = 10 * time.Minute // longer than a lease that nobody renews
		opts := []transfer.EveryOption{transfer.WithLease(memstore.New(), leaseKey), transfer.WithJitter(0)}

		// The first job runs for a second. Then it is canceled, and cleans up.
		firstCtx, cancelFirst := context.WithCancel(t.Context())
		var firstEnd time.Time
		firstJob := func(context.Context) error {
			time.Sleep(time.Second)
			cancelFirst()
			time.Sleep(cleanUpTime)
			firstEnd = time.Now()
			return nil
		}
		var processes sync.WaitGroup
		processes.Go(func() {
			_ = transfer.Every(firstCtx, time.Second, firstJob, opts...)
		})
		time.Sleep(500 * time.Millisecond) // the first process has the lease now

		// Another process waits for the lease. When it begins to wait, the first job still runs.
		secondCtx, cancelSecond := context.WithTimeout(t.Context(), time.Hour)
		defer cancelSecond()
		var secondStart time.Time
		secondJob := func(context.Context) error {
			secondStart = time.Now()
			cancelSecond()
			return nil
		}
		processes.Go(func() {
			_ = transfer.Every(secondCtx, time.Second, secondJob, opts...)
		})
		processes.Wait()

		require.NotZero(t, firstEnd)
		require.NotZero(t, secondStart)
		require.False(t, secondStart.Before(firstEnd), "the second job starts during the clean-up of the first one")
	})
}

// A host with a wrong clock may have written the lease of a job. This neither stops the job on
// other hosts, nor starts it too early. The leases in this test have the format of an earlier
// release, which contains the times of hosts.
func TestEveryIgnoresClocksOfHosts(t *testing.T) {
	const (
		interval  = time.Hour
		leaseTime = time.Minute // after which a holder that does not renew its lease has lost it
	)
	tests := []struct {
		name      string
		lease     func(now time.Time) string // fields of the lease
		wantDelay time.Duration              // after which the job runs
	}{
		{
			name:      "the last run began in the future",
			lease:     func(now time.Time) string { return stamp("began", now.AddDate(4, 0, 0)) },
			wantDelay: interval,
		},
		{
			name:      "the last run began half an interval ago",
			lease:     func(now time.Time) string { return stamp("began", now.Add(-interval/2)) },
			wantDelay: interval / 2,
		},
		{
			name:      "the last run began years ago",
			lease:     func(now time.Time) string { return stamp("began", now.AddDate(-4, 0, 0)) },
			wantDelay: 0,
		},
		{
			name: "another host holds the lease for years",
			lease: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.AddDate(4, 0, 0))
			},
			wantDelay: leaseTime,
		},
		{
			name: "another host holds the lease until years ago",
			lease: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.AddDate(-4, 0, 0))
			},
			wantDelay: leaseTime,
		},
		{
			name: "another host holds the lease, and began in the future",
			lease: func(now time.Time) string {
				return `"holder":"another",` + stamp("until", now.Add(time.Minute)) + `,` +
					stamp("began", now.AddDate(4, 0, 0))
			},
			wantDelay: leaseTime,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memstore.New()
				start := time.Now()
				put(t, b, leaseKey, `{"nonce":"a",`+tt.lease(start)+`}`)

				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
				defer cancel()
				delay := time.Duration(-1) // if the job does not run
				job := func(context.Context) error {
					delay = time.Since(start)
					cancel()
					return nil
				}
				_ = transfer.Every(ctx, interval, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
				require.Equal(t, tt.wantDelay, delay)
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
