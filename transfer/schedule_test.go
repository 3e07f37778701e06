package transfer_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

const leaseKey = "jobs/clean-up.lease"

// These tests run in a bubble of synctest. There, time passes only when all goroutines wait.

// Without jitter, Every runs the job immediately and then at each interval. A run that takes longer
// than the interval delays the next one.
func TestEveryWithoutJitterRunsImmediatelyAndThenAtEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, longRun = 10 * time.Minute, 15 * time.Minute
		errJob := errors.New("does not end Every")
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()

		start := time.Now()
		var starts []time.Duration // since start
		job := func(context.Context) error {
			starts = append(starts, time.Since(start))
			if len(starts) == 2 {
				time.Sleep(longRun)
			}
			return errJob
		}

		var runs []transfer.Run
		collectRuns := transfer.WithRuns(func(r transfer.Run) {
			runs = append(runs, r)
		})

		err := transfer.Every(ctx, interval, job, transfer.WithJitter(0), collectRuns)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err))

		m := time.Minute
		// The second run takes 15 minutes, so the third one begins 25 minutes after the first one.
		require.Equal(t, []time.Duration{0, 10 * m, 25 * m, 35 * m, 45 * m, 55 * m}, starts)
		require.Len(t, runs, 6)
		require.Equal(t, longRun, runs[1].Duration)
		require.EqualError(t, runs[0].Err, errJob.Error())
	})
}

// By default, jitter delays each run by up to a tenth of the interval.
func TestWithJitterDelaysRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, maxJitter = time.Hour, 6 * time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 100*interval)
		defer cancel()

		var starts []time.Time
		_ = transfer.Every(ctx, interval, func(context.Context) error {
			starts = append(starts, time.Now())
			return nil
		})
		require.GreaterOrEqual(t, len(starts), 90, "100 intervals, less the jitter")

		different := map[time.Duration]bool{}
		for i := range len(starts) - 1 {
			pause := starts[i+1].Sub(starts[i])
			require.GreaterOrEqual(t, pause, interval)
			require.Less(t, pause, interval+maxJitter)
			different[pause] = true
		}
		require.Greater(t, len(different), 80, "most delays differ")
	})
}

// WithJitter also delays the first run, so that programs that are deployed together do not all start at once.
func TestWithJitterDelaysTheFirstRun(t *testing.T) {
	const programs, maxJitter = 20, time.Minute
	synctest.Test(t, func(t *testing.T) {
		delays := map[time.Duration]bool{}
		for range programs {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			job := func(context.Context) error {
				delays[time.Since(start)] = true
				cancel()
				return nil
			}
			_ = transfer.Every(ctx, time.Hour, job, transfer.WithJitter(maxJitter))
			require.Less(t, time.Since(start), maxJitter)
		}
		require.Greater(t, len(delays), programs/2, "most delays differ")
	})
}

// With WithLease, only one process at a time runs the job. In this test, goroutines stand for
// processes, because a lease depends only on the bucket.
func TestEveryRunsInOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hours, duration = 10, 20 * time.Minute // a run takes much longer than a lease
		b := memstore.New()
		ctx, cancel := context.WithTimeout(t.Context(), hours*time.Hour)
		defer cancel()

		var running, runs atomic.Int64
		job := func(context.Context) error {
			if running.Add(1) != 1 {
				t.Error("two processes run the job at the same time")
			}
			defer running.Add(-1)
			runs.Add(1)
			time.Sleep(duration)
			return nil
		}

		var processes sync.WaitGroup
		for range 5 {
			processes.Go(func() {
				_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey))
			})
		}
		processes.Wait()

		require.LessOrEqual(t, runs.Load(), int64(hours), "at most one run an hour in all processes together")
		require.GreaterOrEqual(t, runs.Load(), int64(hours-2), "jitter delays runs by up to a tenth of the interval")
	})
}

// If the process ends and another one starts, the function Every still waits until the interval is over.
func TestEveryIntervalSurvivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, processLife = 2 * time.Hour, 90 * time.Minute
		b := memstore.New()
		start := time.Now()
		var runs []time.Duration // since start
		job := func(context.Context) error {
			runs = append(runs, time.Since(start))
			return nil
		}

		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), processLife)
			_ = transfer.Every(ctx, interval, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
			cancel()
		}
		require.Equal(t, []time.Duration{0, interval, 2 * interval}, runs)
	})
}

// If a process dies without releasing its lease, another process takes over. To imitate the death,
// the bucket refuses the writes of the first process from then on.
func TestEveryLeaseOfADeadProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.NewDriver(memstore.Config{})
		injector := faults.New()

		deadBucket := engine.New(memory, driver.WithLayer(injector.Layer()))
		aliveBucket := engine.New(memory)

		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var lostAfter, takenAfter time.Duration // since start

		deadJob := func(runCtx context.Context) error {
			// The lease cannot be renewed from now on.
			injector.Set(faults.Fail(faults.Put).WithError(storage.Unavailable))
			<-runCtx.Done()
			lostAfter = time.Since(start)
			if cause := context.Cause(runCtx); !errors.Is(cause, storage.Changed) {
				t.Error("the job is not told that the lease was lost: ", cause)
			}
			return runCtx.Err()
		}
		aliveJob := func(context.Context) error {
			takenAfter = time.Since(start)
			cancel()
			return nil
		}

		var processes sync.WaitGroup
		processes.Go(func() {
			_ = transfer.Every(ctx, 24*time.Hour, deadJob,
				transfer.WithLease(deadBucket, leaseKey), transfer.WithJitter(0))
		})
		time.Sleep(time.Second) // until the first process holds the lease
		processes.Go(func() {
			_ = transfer.Every(ctx, 24*time.Hour, aliveJob,
				transfer.WithLease(aliveBucket, leaseKey), transfer.WithJitter(0))
		})
		processes.Wait()

		require.NotZero(t, lostAfter)
		require.Less(t, lostAfter, takenAfter, "one process stops before the other starts")
		require.LessOrEqual(t, takenAfter, 3*time.Minute)
	})
}

// Every releases its lease when ctx is done.
func TestEveryReleasesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		ctx, cancel := context.WithCancel(t.Context())
		job := func(runCtx context.Context) error {
			cancel()
			<-runCtx.Done()
			return runCtx.Err()
		}

		err := transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
		require.ErrorIs(t, err, context.Canceled)
		require.NotContains(t, contents(t, b)[leaseKey], "holder", "the lease is still held")
	})
}

// If the bucket of the lease has no conditional writes, the function Every fails with Unsupported
// before it runs the job.
func TestEveryBucketWithoutConditions(t *testing.T) {
	for name, features := range map[string]storage.Features{
		"without conditional creation": storage.ConditionalCreate,
		"without conditional updates":  storage.ConditionalUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return without{Driver: d, features: features}
			}))
			job := func(context.Context) error {
				t.Error("the job ran")
				return nil
			}

			err := transfer.Every(t.Context(), time.Hour, job, transfer.WithLease(b, leaseKey))
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// A without driver lacks some features of the driver in it.
type without struct {
	driver.Driver
	features storage.Features
}

// Describe returns the description of the inner driver without some features.
func (w without) Describe() driver.Description {
	d := w.Driver.Describe()
	d.Features &^= w.features
	return d
}

// The function Every does not overwrite an object that is not a lease.
func TestEveryOverwritesNoOtherObject(t *testing.T) {
	b := memstore.New()
	put(t, b, leaseKey, "a picture")
	job := func(context.Context) error { return nil }

	err := transfer.Every(t.Context(), time.Hour, job, transfer.WithLease(b, leaseKey))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, "a picture", contents(t, b)[leaseKey])
}

// If the function Every cannot acquire its lease, it reports this, and tries again until it can.
func TestEveryFailsToAcquireItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		injector := faults.New()
		b := memstore.New(driver.WithLayer(injector.Layer()))
		ctx, cancel := context.WithCancel(t.Context())

		runs := 0
		job := func(context.Context) error {
			runs++
			if runs == 2 {
				cancel()
			}
			// The lease of the next run cannot be read at first.
			injector.Set(faults.Fail(faults.Get).First(5).WithError(storage.Internal))
			return nil
		}

		var errs []error
		collectErrors := transfer.WithRuns(func(r transfer.Run) {
			// A run that could not begin has no duration.
			if r.Err != nil && r.Duration == 0 {
				errs = append(errs, r.Err)
			}
		})

		_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey), collectErrors)

		require.Equal(t, 2, runs)
		require.NotEmpty(t, errs)
		require.ErrorIs(t, errs[0], storage.Internal)
	})
}

// The function Every fails with InvalidArgument if the interval, the job or an option is invalid.
func TestEveryRefusesInvalidArguments(t *testing.T) {
	job := func(context.Context) error { return nil }
	tests := []struct {
		name     string
		interval time.Duration
		job      func(context.Context) error
		opts     []transfer.EveryOption
	}{
		{name: "no interval", job: job},
		{name: "no job", interval: time.Hour},
		{
			name:     "negative jitter",
			interval: time.Hour,
			job:      job,
			opts:     []transfer.EveryOption{transfer.WithJitter(-1)},
		},
		{name: "nil option", interval: time.Hour, job: job, opts: []transfer.EveryOption{nil}},
		{
			name:     "lease without a bucket",
			interval: time.Hour,
			job:      job,
			opts:     []transfer.EveryOption{transfer.WithLease(nil, leaseKey)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := transfer.Every(t.Context(), tt.interval, tt.job, tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Every does not overflow with the longest interval. In a century, it runs the job once.
func TestEveryLongestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const century = 100 * 365 * 24 * time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), century)
		defer cancel()

		runs := 0
		job := func(context.Context) error {
			runs++
			if runs > 1 { // after an overflow, Every would run the job without end
				cancel()
			}
			return nil
		}

		const longest time.Duration = math.MaxInt64
		_ = transfer.Every(ctx, longest, job, transfer.WithJitter(time.Hour))
		require.Equal(t, 1, runs)
	})
}
