package transfer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
)

// An EveryOption is an option of [Every]: [WithJitter], [WithLease] or [WithRuns].
type EveryOption interface{ applyEvery(*schedule) }

type everyOption func(*schedule)

func (o everyOption) applyEvery(s *schedule) { o(s) }

// WithJitter delays each run by a random time up to d, also the first, so that programs
// that start together do not run together. The default is a tenth of the interval. With 0,
// [Every] runs the job immediately. If d is negative, Every fails with InvalidArgument.
func WithJitter(d time.Duration) EveryOption {
	return everyOption(func(s *schedule) {
		if d < 0 {
			s.err = invalid("WithJitter", "must not be negative")
		}
		s.jitter = d
	})
}

// WithLease lets one process at a time run the job, and starts no run before the
// interval has passed since any process started one. An object with this key in b
// holds the lease: it names its holder and the time of its expiry. If the holder
// dies, another process takes over after about two minutes. If the bucket does not
// support [storage.IfAbsent] and [storage.IfRevision] on Upload, [Every] fails with
// Unsupported before it runs anything. While the job runs, the object is written
// every 15 seconds: a bucket that keeps versions keeps all of them. The jobs of this package and
// [storage.RemoveMatching] leave the object out if they run with the ctx of job.
//
// The clocks of the processes may differ by less than a minute. A time in the object
// that is further in the future was written by a wrong clock: it counts as passed,
// and [WithRuns] reports it.
func WithLease(b interface {
	storage.Uploader
	storage.Downloader
}, key string) EveryOption {
	return everyOption(func(s *schedule) {
		if b == nil {
			s.err = invalid("WithLease", "must have a bucket")
			return
		}
		s.lease = newLease(b, key)
	})
}

// WithRuns calls report for each run in this process, for each failure to acquire the
// lease, and for a lease that a wrong clock has written. It calls report on the
// goroutine that called [Every].
func WithRuns(report func(Run)) EveryOption {
	return everyOption(func(s *schedule) { s.report = report })
}

// A Run is one run of a job. If acquiring the lease failed, or a wrong clock wrote
// it, Duration is 0 and Err is the reason. That another process has the lease is not
// reported.
type Run struct {
	Began    time.Time
	Duration time.Duration
	Err      error // of the job or the lease
}

// errLeaseLost is the cause for which the ctx of a job is done.
var errLeaseLost = &storage.Error{Code: storage.Changed, Op: "Every", Err: errors.New("lease was lost: another process may run the job now")}

// Every runs job, and again when interval has passed since the last start, until ctx is
// done. Each run, also the first, is delayed by [WithJitter]. Runs never overlap: if one
// takes longer than interval, the next follows it. Every waits for a run in progress, and then returns Canceled
// or DeadlineExceeded. If interval is not positive, it returns InvalidArgument. It
// also returns any error that prevents all runs. An error of job does not end Every;
// [WithRuns] reports it.
//
// With [WithLease] this holds for all processes together. The lease is renewed until
// job returns, even after ctx is done. If renewing fails until the lease has expired,
// or another process has it, the ctx of job is done. job should then return, because
// another process may start.
func Every(ctx context.Context, interval time.Duration, job func(ctx context.Context) error, opts ...EveryOption) error {
	s := &schedule{interval: interval, job: job, jitter: interval / 10}
	for _, o := range opts {
		if o == nil {
			return withOp(invalid("option", "must not be nil"))
		}
		o.applyEvery(s)
	}
	switch {
	case interval <= 0:
		s.err = invalid("interval", "must be positive")
	case job == nil:
		s.err = invalid("job", "must not be nil")
	}
	if s.err != nil {
		return withOp(s.err)
	}
	if s.lease != nil {
		if err := s.lease.prepare(ctx); err != nil {
			return err
		}
	}
	return s.loop(ctx)
}

func withOp(e *storage.Error) error {
	e.Op = "Every"
	return e
}

// schedule is one call of [Every].
type schedule struct {
	err      *storage.Error
	interval time.Duration
	jitter   time.Duration
	job      func(ctx context.Context) error
	lease    *lease
	report   func(Run)
}

func (s *schedule) loop(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		wait = max(wait, 0)
		if s.jitter > 0 {
			wait += min(rand.N(s.jitter), math.MaxInt64-wait) // without an overflow of long intervals
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return withOp(&storage.Error{Code: storage.CodeOf(ctxError(ctx.Err())), Err: ctx.Err()})
		case <-timer.C:
		}
		next := s.runIfDue(ctx)
		wait = time.Until(next)
	}
}

// runIfDue runs the job if it is due and no other process runs it. It returns when to
// check again.
func (s *schedule) runIfDue(ctx context.Context) (next time.Time) {
	began := time.Now()
	if s.lease == nil {
		s.reportRun(began, s.job(ctx))
		return began.Add(s.interval)
	}
	next, err := s.lease.acquire(ctx, s.interval)
	if s.lease.clockError != nil && s.report != nil {
		s.report(Run{Began: began, Err: s.lease.clockError})
	}
	switch {
	case err != nil:
		if s.report != nil && ctx.Err() == nil {
			s.report(Run{Began: began, Err: err})
		}
		return time.Now().Add(min(s.interval, leaseTime))
	case !next.IsZero():
		return next
	}
	due := s.lease.record.Began.Add(s.interval)
	s.reportRun(began, s.lease.runHolding(ctx, s.job))
	return due
}

func (s *schedule) reportRun(began time.Time, err error) {
	if s.report != nil {
		s.report(Run{Began: began, Duration: time.Since(began), Err: err})
	}
}
