package transfer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
)

// An EveryOption fits Every.
type EveryOption interface{ applyEvery(*schedule) }

type everyOption func(*schedule)

func (o everyOption) applyEvery(s *schedule) { o(s) }

// WithJitter delays each run by up to d, at random, so that programs that were
// started together do not run together; the default is a tenth of the interval.
// Below 0 it is InvalidArgument.
func WithJitter(d time.Duration) EveryOption {
	return everyOption(func(s *schedule) {
		if d < 0 {
			s.err = invalid("WithJitter", "must not be below 0")
		}
		s.jitter = d
	})
}

// WithLease lets one process at a time run the job, and no process before the
// interval has passed since any began: an object under key in b says who does,
// and until when. A process that dies loses it after about two minutes, and
// another takes the job over. The bucket needs IfAbsent and IfRevision on
// Upload, else Every is Unsupported before anything runs. The object is written every
// 15 seconds while the job runs: a bucket that keeps versions keeps all of them.
//
// The clocks of the processes may differ by less than a minute. If the object holds a
// time that lies further ahead than a right clock can have written, it counts as
// passed, and [WithRuns] reports it.
func WithLease(b interface {
	storage.Uploader
	storage.Downloader
}, key string) EveryOption {
	return everyOption(func(s *schedule) {
		if b == nil {
			s.err = invalid("WithLease", "must have a bucket that is not nil")
			return
		}
		s.lease = newLease(b, key)
	})
}

// WithRuns tells of each run of the job in this process, of each failure to get at
// the lease, and of a lease that a wrong clock has written, by the goroutine that
// called Every.
func WithRuns(report func(Run)) EveryOption {
	return everyOption(func(s *schedule) { s.report = report })
}

// A Run is one run of a job. If the lease could not be had for another reason than
// that another process has it, or was written by a wrong clock, Duration is 0 and Err
// says why.
type Run struct {
	Began    time.Time
	Duration time.Duration
	Err      error // the job's own, or the lease's
}

// errLeaseLost is the cause of a job's ctx being done.
var errLeaseLost = &storage.Error{Code: storage.Changed, Op: "Every", Err: errors.New("the lease was lost: another process may run the job now")}

// Every runs job at once and then whenever interval has passed since it began,
// until ctx is done, never twice at a time; a run that takes longer than interval
// is followed by the next. It returns Canceled or DeadlineExceeded when the run
// under way, if any, has returned; InvalidArgument for an interval that is not
// above 0; and what else keeps it from ever running. What job returns ends
// nothing: WithRuns tells of it.
//
// With WithLease that holds for all processes together. The lease is renewed
// until job has returned, also after ctx is done; where that fails until it has
// expired, or another process has it, job's ctx is done, and job should return:
// another process may begin.
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
		s.err = invalid("interval", "must be above 0")
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

// schedule is one call of Every.
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
			wait += min(rand.N(s.jitter), math.MaxInt64-wait) // an interval may be as long as a Duration can be
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

// runIfDue runs the job if it is due and nobody else runs it, and says when to look
// again.
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
