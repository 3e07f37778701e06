package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/pace"
	"github.com/omnibucket/storage/engine/internal/telemetry"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/wire"
)

// An operation is one call by the user in progress. It passes prepare, begin, call
// or send, and end: hooks, retries, error context and telemetry are there, once for
// all methods.
type operation struct {
	core       *core
	name       string
	key        string
	keys       []string
	done       func(storage.Outcome) // calls the hooks that wait for the end; nil if none does
	report     telemetry.Call
	bytes      atomic.Int64
	wire       wire.Call    // counts the requests, and tells the transport about them
	overGrants atomic.Int32 // how many buffers were granted over the limit
	writes     bool         // whether its outcome can be unknown
	begun      bool
	signs      bool // whether it makes hardly any request to the store
	once       bool // whether requests are not repeated
}

// prepare names the operation, and refuses it if the bucket is closed or was opened with a bad option.
func (o *operation) prepare(c *core, name, key string) *storage.Error {
	o.core, o.name, o.key = c, name, key
	if c.optionError != nil {
		return c.optionError
	}
	return c.checkOpen()
}

// prepareWrite is prepare for an operation whose outcome can be unknown.
func (o *operation) prepareWrite(c *core, name, key string) *storage.Error {
	o.writes = true
	return o.prepare(c, name, key)
}

// begin runs the hooks and starts the span.
func (o *operation) begin(ctx context.Context) (context.Context, *storage.Error) {
	if err := ctx.Err(); err != nil {
		return ctx, asError(ctx, err)
	}
	o.begun = true
	ctx = o.core.telemetry.Start(ctx, &o.report, o.name, o.key, len(o.keys), o.signs)
	for _, hook := range o.core.hooks {
		hookCtx, done, err := hook(
			ctx,
			storage.Operation{
				Name: o.name, Provider: o.core.desc.Provider, Bucket: o.core.desc.Bucket, Key: o.key, Keys: o.keys,
			},
		)
		if done != nil {
			o.done = chain(done, o.done)
		}
		if err != nil {
			return ctx, refusal(err)
		}
		if hookCtx != nil {
			ctx = hookCtx
		}
	}
	if !o.core.desc.Local { // else nothing goes over a wire
		o.wire.Stall = o.core.retry.stall
		ctx = wire.With(ctx, &o.wire)
	}
	return ctx, nil
}

// end adds the operation, bucket and key to the failure, and informs hooks and telemetry.
func (o *operation) end(failure *storage.Error) error {
	var err error
	if failure != nil {
		e := *failure
		if e.Op == "" { // else an operation within this one has added its own
			o.locate(&e)
		}
		err = &e
	}
	if !o.begun {
		return err
	}
	o.begun = false
	if o.done != nil {
		o.done(storage.Outcome{Err: err, Bytes: o.bytes.Load(), Requests: int(o.wire.Requests.Load())})
	}
	outcome := telemetry.Outcome{
		Bytes: o.bytes.Load(), Requests: int64(o.wire.Requests.Load()), OverGrants: int64(o.overGrants.Load()),
	}
	if err != nil {
		outcome.Failure = telemetryFailure(err)
	}
	o.core.telemetry.End(&o.report, o.name, outcome)
	return err
}

// locate adds the operation, bucket and key to e, and a hint.
func (o *operation) locate(e *storage.Error) {
	e.Op, e.Provider, e.Bucket = o.name, o.core.desc.Provider, o.core.desc.Bucket
	e.Key = o.key
	e.Unknown = e.Unknown && o.writes
	advise(e)
}

// call makes a driver call, and retries it if it fails for a reason that passes.
// Unknown is set in the error if an attempt may have taken effect.
func (o *operation) call(ctx context.Context, do func(context.Context) error) *storage.Error {
	return o.send(ctx, nil, do)
}

// request is call for a driver call with a result.
func request[T any](
	ctx context.Context, o *operation, do func(context.Context) (T, error),
) (result T, e *storage.Error) {
	e = o.call(ctx, func(ctx context.Context) (err error) {
		result, err = do(ctx)
		return err
	})
	return result, e
}

// run begins the operation, calls do and ends it. If the checks before it failed with e, it
// only ends the operation. An error leaves no result.
func run[T any](
	ctx context.Context, o *operation, e *storage.Error, do func(context.Context) (T, *storage.Error),
) (result T, err error) {
	if e == nil {
		ctx, e = o.begin(ctx)
	}
	if e == nil {
		result, e = do(ctx)
	}
	if e != nil {
		var none T
		return none, o.end(e)
	}
	return result, o.end(nil)
}

// do is run for an operation without a result.
func (o *operation) do(ctx context.Context, e *storage.Error, do func(context.Context) *storage.Error) error {
	_, err := run(ctx, o, e, func(ctx context.Context) (struct{}, *storage.Error) { return struct{}{}, do(ctx) })
	return err
}

// A replayable is a body that a driver call reads.
type replayable interface {
	rewind() bool            // to its start; false if it cannot be read again
	failure() *storage.Error // why reading it failed: the caller's reader, or our checks
	raise()                  // panics if reading it has panicked
}

// send is call for a driver call that reads a body.
func (o *operation) send(ctx context.Context, body replayable, do func(context.Context) error) *storage.Error {
	unknown := false
	var tried backoff.Tries
	for {
		if o.startAttempt(ctx) != nil {
			return o.waitError(ctx, nil, unknown)
		}
		err := do(ctx)
		if body != nil {
			body.raise()
		}
		if body != nil && err != nil {
			if failed := body.failure(); failed != nil {
				if ctx.Err() != nil {
					failed = asError(ctx, ctx.Err())
				}
				failed.Unknown = unknown
				return failed
			}
		}
		if err == nil {
			o.endAttempt(nil)
			return nil
		}
		e := asError(ctx, err)
		o.endAttempt(e)
		unknown = unknown || e.Unknown
		state(e).LastUnknown = e.Unknown
		e.Unknown, state(e).Repeated = unknown, tried.Failed > 0
		if !e.Retryable || o.once || ctx.Err() != nil {
			return e
		}
		delay, again := o.core.retry.allow(&tried, e)
		if !again || body != nil && !body.rewind() {
			return e
		}
		if ctxtime.Sleep(ctx, delay) != nil {
			return o.waitError(ctx, e, unknown)
		}
	}
}

// startAttempt waits until the bucket may make its next request, and counts it
// unless requests are counted by the transport. An operation that signs does not
// wait: it asks the store seldom or never.
func (o *operation) startAttempt(ctx context.Context) error {
	if !o.signs {
		if err := o.core.retry.pace.Wait(ctx); err != nil {
			return err
		}
	}
	if !o.core.desc.CountsRequests {
		o.wire.Requests.Add(1)
	}
	return nil
}

// endAttempt informs the retrier of how an attempt went; e is nil if it succeeded.
func (o *operation) endAttempt(e *storage.Error) {
	if !o.signs {
		o.core.retry.ended(e)
	}
}

// waitError returns the error of a wait that ctx has ended. If e is nil, the bucket was held back; else
// another attempt was to follow e.
func (o *operation) waitError(ctx context.Context, e *storage.Error, unknown bool) *storage.Error {
	cause := o.core.retry.pace.Refusal()
	if e != nil {
		cause = e
	}
	failed := asError(ctx, ctx.Err())
	failed.Unknown = unknown
	if cause != nil {
		failed.Err = errors.Join(failed.Err, cause)
	}
	return failed
}

// keyError returns e as the error of one of the operation's keys.
func keyError(o *operation, e *storage.Error, key string) *storage.Error {
	one := operation{core: o.core, name: o.name, key: key, writes: o.writes}
	kept := *e
	kept.Key = ""
	return ownError(one.end(&kept))
}

// chain returns a function that calls first, and then next unless it is nil.
func chain(first, next func(storage.Outcome)) func(storage.Outcome) {
	if next == nil {
		return first
	}
	return func(out storage.Outcome) {
		first(out)
		next(out)
	}
}

// refusal returns the error of an operation that a hook has refused.
func refusal(err error) *storage.Error {
	code := storage.PermissionDenied
	if errors.As(err, new(*storage.Error)) || errors.As(err, new(storage.Code)) {
		code = storage.CodeOf(err)
	}
	return &storage.Error{Code: code, Err: err}
}

const defaultStall = 30 * time.Second

// A retrier makes the decisions about retries; there is no other layer of retries.
type retrier struct {
	policy *backoff.Policy
	stall  time.Duration
	pace   *pace.Pace
}

func newRetrier(p storage.RetryPolicy, desc *driver.Description) *retrier {
	r := &retrier{policy: backoff.New(p.Attempts, p.MaxDelay, p.MaxWait), stall: p.Stall}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	r.pace = pace.New(r.policy.Attempts > 1, !desc.Local, r.policy.MaxDelay)
	return r
}

// ended records how an attempt went; e is nil if it succeeded.
func (r *retrier) ended(e *storage.Error) {
	switch {
	case e == nil:
		r.policy.Succeeded()
		r.pace.Succeeded()
	case e.Code == storage.RateLimited:
		kept := *e // the caller changes its own
		r.pace.Refused(&kept)
	case !e.Retryable && e.Code != storage.Canceled && e.Code != storage.DeadlineExceeded:
		r.pace.Answered()
	}
}

// allow reports whether another attempt may follow one that failed with e, and after which wait.
func (r *retrier) allow(t *backoff.Tries, e *storage.Error) (delay time.Duration, ok bool) {
	t.Free = e.Code == storage.Unauthenticated // the next attempt has other credentials, as every concurrent call does
	return r.policy.Allow(t, e.Code == storage.RateLimited, e.RetryAfter)
}
