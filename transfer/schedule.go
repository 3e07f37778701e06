package transfer

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// An EveryOption is an option of [Every]: [WithJitter], [WithLease] or [WithRuns].
type EveryOption interface{ applyEvery(*schedule) }

type everyOption func(*schedule)

func (o everyOption) applyEvery(s *schedule) { o(s) }

// WithJitter delays each run, including the first, by a random time up to d, so that programs that
// start together do not all run at the same time. The default is a tenth of the interval. With 0,
// [Every] runs the job immediately. If d is negative, Every fails with InvalidArgument.
func WithJitter(d time.Duration) EveryOption {
	return everyOption(func(s *schedule) {
		if d < 0 {
			s.err = joberror.Invalid("WithJitter", "must not be negative")
		}
		s.jitter = d
	})
}

// WithLease lets only one process at a time run the job. A run starts only if the interval has
// passed since the last start in any process, by the clock of the store ([lease.WithInterval]). The
// lease is the object with this key in b (package lease). If the process that holds the lease dies,
// another process takes over after a minute. If the bucket does not support [storage.IfAbsent] and
// [storage.IfRevision] on Upload, [Every] fails with Unsupported before it runs anything.
//
// While the job runs, its process writes the object of the lease every 15 seconds. A bucket that
// keeps versions keeps a version for each write. The job may pass its ctx to other jobs of this
// package, or to [storage.RemoveMatching]. These calls then leave out the object of the lease.
func WithLease(b interface {
	storage.Uploader
	storage.Downloader
}, key string) EveryOption {
	return everyOption(func(s *schedule) {
		if b == nil {
			s.err = joberror.Invalid("WithLease", "must have a bucket")
		}
		s.bucket = b
		s.key = key
	})
}

// WithRuns makes [Every] call the function report for each run in this process, and for each
// failure to acquire the lease. The calls run on the goroutine that called Every.
func WithRuns(report func(Run)) EveryOption {
	return everyOption(func(s *schedule) {
		s.report = report
	})
}

// A Run is one run of a job, or a failure to acquire the lease. For such a failure, Duration is 0
// and Err is the reason. If another process has the lease, no Run is reported.
type Run struct {
	Began    time.Time
	Duration time.Duration
	Err      error // error of the job or of the lease
}

// Every runs a job again and again until ctx is done. Between the starts of two runs, it waits for the
// interval plus the delay of [WithJitter]. Runs never overlap: if one takes longer than the interval,
// the next one starts after its end.
//
// When ctx is done, Every waits for the run in progress, and then returns Canceled or DeadlineExceeded.
// A run that fails does not end Every; the function of [WithRuns] receives its error. Every fails with
// InvalidArgument if the interval is not positive. If [lease.Check] fails for the lease of [WithLease],
// Every returns this error before the first run.
//
// With [WithLease], the runs of all processes do not overlap, and the interval is the time between two
// starts in any of them. A process renews the lease until its run ends, even after ctx is done. If it
// loses the lease, Every cancels the ctx of the run with the cause Changed. The run should then end,
// because another process may start one.
func Every(
	ctx context.Context, interval time.Duration, job func(ctx context.Context) error, opts ...EveryOption,
) error {
	s := &schedule{interval: interval, job: job, jitter: interval / 10}
	for _, o := range opts {
		if o == nil {
			return withOp(joberror.Invalid("option", "must not be nil"))
		}
		o.applyEvery(s)
	}
	if interval <= 0 {
		return withOp(joberror.Invalid("interval", "must be positive"))
	}
	if job == nil {
		return withOp(joberror.Invalid("job", "must not be nil"))
	}
	if s.err != nil {
		return withOp(s.err)
	}

	if s.bucket != nil {
		if err := lease.Check(ctx, s.bucket, s.key); err != nil {
			return err
		}
	}
	return s.loop(ctx)
}

// withOp adds the name of this call to an error.
func withOp(err *storage.Error) error {
	err.Op = "Every"
	return err
}

// A schedule holds the options of one call of [Every].
type schedule struct {
	err      *storage.Error
	interval time.Duration
	jitter   time.Duration
	job      func(ctx context.Context) error
	bucket   interface { // the bucket of the lease, or nil
		storage.Uploader
		storage.Downloader
	}
	key    string
	report func(Run)
}

// delayed returns d plus a random delay of less than the jitter. The sum does not overflow.
func (s *schedule) delayed(d time.Duration) time.Duration {
	if s.jitter > 0 {
		d += min(rand.N(s.jitter), math.MaxInt64-d)
	}
	return d
}

// loop runs the job after each wait until ctx is done, and returns the error of ctx.
func (s *schedule) loop(ctx context.Context) error {
	wait := s.delayed(0)
	for {
		if err := running.Sleep(ctx, wait); err != nil {
			return withOp(&storage.Error{Code: storage.CodeOf(joberror.OfContext(err)), Err: err})
		}
		if s.bucket != nil {
			// Only the process that holds the lease runs the job.
			wait = s.runHolding(ctx)
			continue
		}

		start := time.Now()
		s.reportRun(start, s.job(ctx))
		wait = s.delayed(max(0, time.Until(start.Add(s.interval))))
	}
}

// runHolding runs the job under the lease if it is due and no other process runs it. It returns how
// long to wait before the next attempt.
func (s *schedule) runHolding(ctx context.Context) (wait time.Duration) {
	var start time.Time
	hasRun := false
	run := func(ctx context.Context) error {
		start = time.Now()
		hasRun = true
		return s.job(ctx)
	}
	err := lease.Hold(ctx, s.bucket, s.key, run, lease.WithInterval(s.delayed(s.interval)))
	if hasRun {
		s.reportRun(start, err)
		// The next call of Hold itself waits until the interval has passed.
		return 0
	}
	if ctx.Err() != nil {
		// The loop ends without another attempt.
		return 0
	}

	// Hold has failed before it ran the job.
	if s.report != nil {
		s.report(Run{Began: time.Now(), Err: err})
	}
	return min(s.interval, time.Minute)
}

// reportRun calls the function of WithRuns, if there is one, for a run that has ended.
func (s *schedule) reportRun(start time.Time, err error) {
	if s.report != nil {
		s.report(Run{Began: start, Duration: time.Since(start), Err: err})
	}
}
