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

// These tests run in a bubble, in which time passes when all goroutines wait.

// Without jitter, Every runs the job immediately, and then at each interval. A run that takes longer than the interval
// delays the next one.
func TestEveryWithoutJitterRunsImmediatelyAndThenAtEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, longRun = 10 * time.Minute, 15 * time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()
		start := time.Now()
		var starts []time.Duration // since start
		job := func(context.Context) error {
			starts = append(starts, time.Since(start))
			if len(starts) == 2 {
				time.Sleep(longRun)
			}
			return errors.New("does not end Every")
		}
		var runs []transfer.Run
		noteRun := transfer.WithRuns(func(r transfer.Run) {
			runs = append(runs, r)
		})

		err := transfer.Every(ctx, interval, job, transfer.WithJitter(0), noteRun)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err))

		m := time.Minute
		require.Equal(t, []time.Duration{0, 10 * m, 25 * m, 35 * m, 45 * m, 55 * m}, starts)
		require.Len(t, runs, 6)
		require.Equal(t, longRun, runs[1].Duration)
		require.EqualError(t, runs[0].Err, "does not end Every")
	})
}

// By default, jitter delays each run by up to a tenth of the interval.
func TestWithJitterDelaysRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, maxJitter = time.Hour, 6 * time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 100*interval)
		defer cancel()
		last := time.Now()
		var delays []time.Duration
		_ = transfer.Every(ctx, interval, func(context.Context) error {
			delays = append(delays, time.Since(last))
			last = time.Now()
			return nil
		})
		require.GreaterOrEqual(t, len(delays), 90)

		different := map[time.Duration]bool{}
		for _, delay := range delays[1:] {
			require.GreaterOrEqual(t, delay, interval)
			require.Less(t, delay, interval+maxJitter)
			different[delay] = true
		}
		require.Greater(t, len(different), 80)
	})
}

// WithJitter also delays the first run, because programs that are deployed together start together.
func TestWithJitterDelaysTheFirstRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delays := map[time.Duration]bool{}
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			_ = transfer.Every(ctx, time.Hour, func(context.Context) error {
				delays[time.Since(start)] = true
				cancel()
				return nil
			}, transfer.WithJitter(time.Minute))
			require.Less(t, time.Since(start), time.Minute)
		}
		require.Greater(t, len(delays), 10)
	})
}

// Every runs the job in only one process at a time. Goroutines stand for processes here, because a lease depends
// only on the bucket.
func TestEveryRunsInOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		var running, runs atomic.Int64
		job := func(context.Context) error {
			if running.Add(1) != 1 {
				t.Error("two at a time")
			}
			defer running.Add(-1)
			runs.Add(1)
			time.Sleep(20 * time.Minute) // much longer than a lease
			return nil
		}

		var processes sync.WaitGroup
		for range 5 {
			processes.Go(func() {
				_ = transfer.Every(ctx, time.Hour, job, transfer.WithLease(b, leaseKey))
			})
		}
		processes.Wait()
		require.GreaterOrEqual(t, runs.Load(), int64(8), "once an hour, less the jitter")
		require.LessOrEqual(t, runs.Load(), int64(10), "and no more in all processes together")
	})
}

// If a process ends and another starts, Every still waits until the interval is over.
func TestEveryIntervalSurvivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		start := time.Now()
		var times []time.Duration
		for range 3 { // a process that is restarted every 90 minutes
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
			_ = transfer.Every(ctx, 2*time.Hour, func(context.Context) error {
				times = append(times, time.Since(start))
				return nil
			}, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
			cancel()
		}
		require.Equal(t, []time.Duration{0, 2 * time.Hour, 4 * time.Hour}, times)
	})
}

// If a process dies without releasing its lease, another process takes over. In the test, the bucket refuses the
// writes of the dead process.
func TestEveryLeaseOfADeadProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := memstore.NewDriver(memstore.Config{})
		injector := faults.New()
		deadBucket := engine.New(d, driver.WithLayer(injector.Layer()))
		aliveBucket := engine.New(d)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var lost, taken time.Duration // when the lease was lost and taken over, since start

		deadJob := func(running context.Context) error {
			// The lease cannot be renewed from now on.
			injector.Set(faults.Fail(faults.Put).WithError(storage.Unavailable))
			<-running.Done()
			lost = time.Since(start)
			if !errors.Is(context.Cause(running), storage.Changed) {
				t.Error("the job is not told why: ", context.Cause(running))
			}
			return running.Err()
		}
		aliveJob := func(context.Context) error {
			taken = time.Since(start)
			cancel()
			return nil
		}
		var processes sync.WaitGroup
		processes.Go(func() {
			_ = transfer.Every(ctx, 24*time.Hour, deadJob,
				transfer.WithLease(deadBucket, leaseKey), transfer.WithJitter(0))
		})
		time.Sleep(time.Second)
		processes.Go(func() {
			_ = transfer.Every(ctx, 24*time.Hour, aliveJob,
				transfer.WithLease(aliveBucket, leaseKey), transfer.WithJitter(0))
		})
		processes.Wait()

		require.NotZero(t, lost)
		require.Less(t, lost, taken, "one process stops before the other starts")
		require.LessOrEqual(t, taken, 3*time.Minute)
	})
}

// Every releases its lease when ctx is done.
func TestEveryReleasesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		ctx, cancel := context.WithCancel(t.Context())
		err := transfer.Every(ctx, time.Hour, func(running context.Context) error {
			cancel()
			<-running.Done()
			return running.Err()
		}, transfer.WithLease(b, leaseKey), transfer.WithJitter(0))
		require.ErrorIs(t, err, context.Canceled)
		require.NotContains(t, contents(t, b)[leaseKey], "holder")
	})
}

// If the bucket has no conditional writes, Every fails with Unsupported before it runs the job.
func TestEveryBucketWithoutConditions(t *testing.T) {
	for name, features := range map[string]storage.Features{
		"create": storage.ConditionalCreate,
		"update": storage.ConditionalUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return without{d, features}
			}))
			err := transfer.Every(t.Context(), time.Hour, func(context.Context) error {
				t.Error("it ran")
				return nil
			}, transfer.WithLease(b, leaseKey))
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

type without struct {
	driver.Driver
	features storage.Features
}

// Describe describes the driver without some features.
func (w without) Describe() driver.Description {
	d := w.Driver.Describe()
	d.Features &^= w.features
	return d
}

// An object that is not a lease is not overwritten.
func TestEveryOverwritesNoOtherObject(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), leaseKey, file("a picture"))
	require.NoError(t, err)
	err = transfer.Every(t.Context(), time.Hour, func(context.Context) error {
		return nil
	}, transfer.WithLease(b, leaseKey))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, "a picture", contents(t, b)[leaseKey])
}

// If Every cannot acquire its lease, it reports the error and tries again.
func TestEveryFailsToAcquireItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := faults.New()
		b := memstore.New(driver.WithLayer(inj.Layer()))
		ctx, cancel := context.WithCancel(t.Context())
		ran := 0

		var errs []error
		_ = transfer.Every(ctx, time.Hour, func(context.Context) error {
			ran++
			if ran == 2 {
				cancel()
			}
			inj.Set(faults.Fail(faults.Get).First(5).WithError(storage.Internal))
			return nil
		}, transfer.WithLease(b, leaseKey), transfer.WithRuns(func(r transfer.Run) {
			if r.Err != nil && r.Duration == 0 {
				errs = append(errs, r.Err)
			}
		}))
		require.Equal(t, 2, ran)
		require.NotEmpty(t, errs)
		require.ErrorIs(t, errs[0], storage.Internal)
	})
}

// Every refuses an interval, a job or an option that makes no sense.
func TestEveryRefusesInvalidArguments(t *testing.T) {
	job := func(context.Context) error { return nil }
	require.ErrorIs(t, transfer.Every(t.Context(), 0, job), storage.InvalidArgument)
	require.ErrorIs(t, transfer.Every(t.Context(), time.Hour, nil), storage.InvalidArgument)
	require.ErrorIs(t, transfer.Every(t.Context(), time.Hour, job, transfer.WithJitter(-1)),
		storage.InvalidArgument)
	require.ErrorIs(t, transfer.Every(t.Context(), time.Hour, job, nil), storage.InvalidArgument)
	require.ErrorIs(t, transfer.Every(t.Context(), time.Hour, job, transfer.WithLease(nil, leaseKey)),
		storage.InvalidArgument)
}

// The longest interval does not overflow.
func TestEveryLongestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*365*24*time.Hour)
		defer cancel()
		runs := 0
		_ = transfer.Every(ctx, math.MaxInt64, func(context.Context) error {
			runs++
			if runs > 1 {
				cancel()
			}
			return nil
		}, transfer.WithJitter(time.Hour))
		require.Equal(t, 1, runs)
	})
}
