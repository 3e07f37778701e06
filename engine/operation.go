package engine

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/pace"
	"github.com/omnibucket/storage/engine/internal/telemetry"
	"github.com/omnibucket/storage/internal/core/effect"
	"github.com/omnibucket/storage/internal/core/hook"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
)

// An operation is one call of a method of the API. Its own methods are called in this order:
// prepare, begin, call or send, end. They run the hooks, the retries and the telemetry. They also
// add the key and the bucket to errors.
type operation struct {
	engine      *engine
	name        string
	key         string
	keys        []string
	effects     effect.Set            // 0 means the effects of the operation with this name
	outer       *operation            // operation that this one is a part of, or nil
	finishHooks func(storage.Outcome) // calls the hooks that wait for the end; nil if there are none
	report      telemetry.Call
	bytes       atomic.Int64
	wire        serving.Call // counts the HTTP requests, and gives the transport the stall limit
	overGrants  atomic.Int32 // number of buffers that were granted although the limit was reached
	writes      bool         // whether the operation can change an object, so that its outcome can be unknown
	begun       bool
	signs       bool // whether the operation only signs, and hardly ever makes a request to the store
	once        bool // whether requests must not be retried
}

// prepare sets the name and key of the operation, and fails if the bucket is closed or was opened with
// an invalid option.
func (o *operation) prepare(e *engine, name, key string) *storage.Error {
	o.engine = e
	o.name = name
	o.key = key
	if e.optionError != nil {
		return e.optionError
	}
	return e.checkOpen()
}

// prepareWrite prepares an operation that can change an object. The outcome of the operation can be
// unknown.
func (o *operation) prepareWrite(e *engine, name, key string) *storage.Error {
	o.writes = true
	return o.prepare(e, name, key)
}

// begin starts the span and calls the hooks, and returns the context that they return. If checkErr, the
// error of earlier checks, is not nil, begin only calls the hooks, which also see refused operations,
// and returns checkErr.
func (o *operation) begin(ctx context.Context, checkErr *storage.Error) (context.Context, *storage.Error) {
	if checkErr == nil && ctx.Err() != nil {
		checkErr = asError(ctx, ctx.Err())
	}
	// A part of another operation of the bucket has neither a span nor hooks of its own (see within).
	o.outer = outerOf(ctx, o.engine)
	if o.outer != nil {
		return ctx, checkErr
	}

	// A refused operation has no span.
	if checkErr == nil {
		o.begun = true
		ctx = o.engine.telemetry.Start(ctx, &o.report, o.name, o.key, len(o.keys), o.signs)
	}
	ctx, err := o.callHooks(ctx, checkErr)
	if err != nil {
		return ctx, err
	}

	// Limit how long a connection may stall. A local store needs no limit.
	if !o.engine.desc.Local {
		o.wire.Stall = o.engine.retry.stall
		ctx = serving.WithCall(ctx, &o.wire)
	}
	return ctx, nil
}

// callHooks calls the hooks before the operation, and returns their context. It also returns
// checkErr, the error of earlier checks, or, if that is nil, the error of a hook that denies the
// operation.
func (o *operation) callHooks(ctx context.Context, checkErr *storage.Error) (context.Context, *storage.Error) {
	if len(o.engine.hooks) == 0 {
		return ctx, checkErr
	}
	op := storage.Operation{
		Name:     o.name,
		Provider: o.engine.desc.Provider,
		Bucket:   o.engine.desc.Bucket,
		Effects:  storage.Effects(cmp.Or(o.effects, effect.Operations[o.name])),
		Key:      o.key,
		Keys:     o.keys,
	}
	// The operation calls finishHooks at its end.
	ctx, finish, hookErr := hook.Call(ctx, o.engine.hooks, op)
	o.finishHooks = finish
	if checkErr != nil {
		return ctx, checkErr
	}
	if hookErr != nil {
		return ctx, hookRefusal(hookErr)
	}
	return ctx, nil
}

type outerKey struct{}

// within returns a context for operations that are parts of o, such as the copy of a Move. Hooks
// and telemetry then see only o, whose name is the same on all stores.
func (o *operation) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, outerKey{}, o)
}

// outerOf returns the operation of the same bucket of which one with ctx is a part, or nil.
func outerOf(ctx context.Context, e *engine) *operation {
	if outer, ok := ctx.Value(outerKey{}).(*operation); ok && outer.engine == e {
		return outer
	}
	return nil
}

// end ends the operation: it tells the hooks and the telemetry the outcome, and returns the failure
// with the operation, bucket and key.
func (o *operation) end(failure *storage.Error) error {
	// Add the operation, bucket and key to a copy of the failure.
	var err error
	if failure != nil {
		located := *failure
		// If the error has an Op, an inner operation has set its own name and key.
		if located.Op == "" {
			o.locate(&located)
		}
		err = &located
	}

	// A part of another operation adds its counts to that operation, which informs hooks and
	// telemetry at its own end.
	if outer := o.outer; outer != nil {
		o.outer = nil
		outer.bytes.Add(o.bytes.Load())
		outer.wire.Requests.Add(o.wire.Requests.Load())
		outer.overGrants.Add(o.overGrants.Load())
		return err
	}

	// Tell the hooks, unless an earlier call of end has done so.
	if finishHooks := o.finishHooks; finishHooks != nil {
		o.finishHooks = nil
		finishHooks(storage.Outcome{
			Err:      err,
			Bytes:    o.bytes.Load(),
			Requests: int(o.wire.Requests.Load()),
		})
	}

	if !o.begun {
		// A refused operation has no span.
		return err
	}

	// Tell the telemetry, which ends the span.
	o.begun = false
	outcome := telemetry.Outcome{
		Bytes:      o.bytes.Load(),
		Requests:   int64(o.wire.Requests.Load()),
		OverGrants: int64(o.overGrants.Load()),
	}
	if err != nil {
		outcome.Failure = telemetryFailure(err)
	}
	o.engine.telemetry.End(&o.report, o.name, outcome)
	return err
}

// locate adds the operation, the bucket, the key and a hint to err.
func (o *operation) locate(err *storage.Error) {
	err.Op = o.name
	err.Provider = o.engine.desc.Provider
	err.Bucket = o.engine.desc.Bucket
	err.Key = o.key
	err.Unknown = err.Unknown && o.writes
	addHint(err)
}

// call makes a driver call, and retries it if the error is temporary. If any attempt may have taken
// effect, Unknown is true in the error.
func (o *operation) call(ctx context.Context, do func(context.Context) error) *storage.Error {
	return o.send(ctx, nil, do)
}

// request makes a driver call that returns a result, and retries it while its error is temporary.
func request[T any](
	ctx context.Context, o *operation, do func(context.Context) (T, error),
) (result T, err *storage.Error) {
	err = o.call(ctx, func(ctx context.Context) (err error) {
		result, err = do(ctx)
		return err
	})
	return result, err
}

// run runs an operation: it calls the hooks, then do, and ends the operation. If checkErr, the error
// of earlier checks, is not nil, run does not call do, but hooks still see the operation.
func run[T any](
	ctx context.Context, o *operation, checkErr *storage.Error, do func(context.Context) (T, *storage.Error),
) (T, error) {
	var none T
	ctx, err := o.begin(ctx, checkErr)
	if err != nil {
		return none, o.end(err)
	}
	result, err := do(ctx)
	if err != nil {
		return none, o.end(err)
	}
	return result, o.end(nil)
}

// do begins the operation, calls the function of the same name, and ends the operation. The
// function run does the same for operations that have a result.
func (o *operation) do(ctx context.Context, checkErr *storage.Error, do func(context.Context) *storage.Error) error {
	_, err := run(ctx, o, checkErr, func(ctx context.Context) (struct{}, *storage.Error) { return struct{}{}, do(ctx) })
	return err
}

// A replayable is the body of a request, which each attempt reads from its start.
type replayable interface {
	rewind() bool            // moves to the start; false if the body cannot be read again
	failure() *storage.Error // why the body could not be read, or did not have the declared size or checksum; or nil
	raise()                  // panics if the caller's reader has panicked
}

// send makes a driver call, and retries it while its error is temporary. body is what the call reads,
// or nil. The error is that of the last attempt, with Unknown set if any attempt may have taken effect.
func (o *operation) send(ctx context.Context, body replayable, do func(context.Context) error) *storage.Error {
	mayHaveEffect := false // whether any attempt so far may have taken effect
	var tries running.Tries
	for {
		if o.startAttempt(ctx) != nil {
			// While the store throttles, the attempt had to wait, and ctx has ended meanwhile.
			return o.waitError(ctx, nil, mayHaveEffect)
		}

		err := do(ctx)
		if body != nil {
			// If the source of the body has panicked, let the panic reach the caller.
			body.raise()
		}
		if err == nil {
			o.endAttempt(nil)
			return nil
		}

		// If the body cannot be read, its own error is the cause, and a retry would not help.
		if err := bodyFailure(ctx, body); err != nil {
			err.Unknown = mayHaveEffect
			return err
		}

		// Unknown comes to stand for all attempts so far. LastUnknown keeps that of this attempt.
		failure := asError(ctx, err)
		o.endAttempt(failure)
		mayHaveEffect = mayHaveEffect || failure.Unknown
		state(failure).LastUnknown = failure.Unknown
		state(failure).Repeated = tries.Failed > 0
		failure.Unknown = mayHaveEffect

		// Wait for the next attempt, if one is permitted.
		delay, canRetry := o.retryDelay(ctx, &tries, failure, body)
		if !canRetry {
			return failure
		}
		if running.Sleep(ctx, delay) != nil {
			return o.waitError(ctx, failure, mayHaveEffect)
		}
	}
}

// retryDelay reports whether another attempt may follow one that failed with err, and how long to wait
// before it. It moves the body, if there is one, to its start.
func (o *operation) retryDelay(
	ctx context.Context, tries *running.Tries, err *storage.Error, body replayable,
) (delay time.Duration, ok bool) {
	if !err.Retryable || o.once || ctx.Err() != nil {
		return 0, false
	}
	delay, ok = o.engine.retry.allow(tries, err)
	if !ok {
		return 0, false
	}

	// A body that cannot be read from its beginning again permits no retry.
	if body != nil && !body.rewind() {
		return 0, false
	}
	return delay, true
}

// bodyFailure returns the error with which reading the body of a request failed, or nil. If ctx has
// ended, the error is that of ctx. body is nil if the request has none.
func bodyFailure(ctx context.Context, body replayable) *storage.Error {
	if body == nil {
		return nil
	}
	err := body.failure()
	if err != nil && ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	return err
}

// startAttempt waits until the bucket may make its next request, and counts the request, unless the
// transport counts requests.
func (o *operation) startAttempt(ctx context.Context) error {
	// An operation that only signs hardly ever makes a request, so it does not wait.
	if !o.signs {
		if err := o.engine.retry.pace.Wait(ctx); err != nil {
			return err
		}
	}
	if !o.engine.desc.CountsRequests {
		o.wire.Requests.Add(1)
	}
	return nil
}

// endAttempt tells the retrier how an attempt ended. err is nil if the attempt succeeded.
func (o *operation) endAttempt(err *storage.Error) {
	if !o.signs {
		o.engine.retry.recordResult(err)
	}
}

// waitError returns the error of an operation that was waiting when ctx ended. err is the error of the
// last attempt, or nil if the operation waited before its first attempt, because the store throttles
// the bucket. unknown is true if an earlier attempt may have taken effect.
func (o *operation) waitError(ctx context.Context, err *storage.Error, unknown bool) *storage.Error {
	// Tell the caller why the operation had to wait.
	reason := o.engine.retry.pace.Refusal()
	if err != nil {
		reason = err
	}
	waitErr := asError(ctx, ctx.Err())
	waitErr.Unknown = unknown
	if reason != nil {
		waitErr.Err = errors.Join(waitErr.Err, reason)
	}
	return waitErr
}

// keyError returns err as an error of one key, for an operation that has several keys.
func keyError(o *operation, err *storage.Error, key string) *storage.Error {
	// An operation on only this key adds the key to its error when it ends.
	single := operation{
		engine: o.engine,
		name:   o.name,
		key:    key,
		writes: o.writes,
	}
	clone := *err
	clone.Key = ""
	return ownError(single.end(&clone))
}

// hookRefusal returns the error of an operation that a hook has refused with err: one with the Code of
// err, or PermissionDenied if err has none.
func hookRefusal(err error) *storage.Error {
	if hasCode(err) {
		return &storage.Error{Code: storage.CodeOf(err), Err: err}
	}
	return &storage.Error{Code: storage.PermissionDenied, Err: err}
}

// hasCode reports whether err is or wraps a *storage.Error or a Code.
func hasCode(err error) bool {
	var storageErr *storage.Error
	var code storage.Code
	return errors.As(err, &storageErr) || errors.As(err, &code)
}

const defaultStall = 30 * time.Second

// A retrier decides whether and when a request is retried. The clients of the providers do not
// retry.
type retrier struct {
	policy *running.Policy
	stall  time.Duration
	pace   *pace.Pace
}

// newRetrier returns a retrier for the store that desc describes. A value of opts that is not set has
// a default.
func newRetrier(opts storage.RetryPolicy, desc *driver.Description) *retrier {
	policy := running.NewPolicy(opts.Attempts, opts.MaxDelay, opts.MaxWait)

	// Without retries, the pace delays no request. A local store is not expected to throttle, so its
	// successes are not counted in advance.
	r := &retrier{
		policy: policy,
		stall:  opts.Stall,
		pace:   pace.New(policy.Attempts > 1, !desc.Local, policy.MaxDelay),
	}
	if r.stall <= 0 {
		r.stall = defaultStall
	}
	return r
}

// recordResult records how an attempt ended. err is nil if the attempt succeeded.
func (r *retrier) recordResult(err *storage.Error) {
	if err == nil {
		r.policy.Succeeded()
		r.pace.Succeeded()
		return
	}
	if err.Code == storage.RateLimited {
		// Keep a copy, because the caller changes err.
		clone := *err
		r.pace.Refused(&clone)
		return
	}

	// If the caller has ended the attempt, or the error is temporary, the store may not have answered.
	endedByCaller := err.Code == storage.Canceled || err.Code == storage.DeadlineExceeded
	if endedByCaller || err.Retryable {
		return
	}
	r.pace.Answered()
}

// allow reports whether another attempt may follow an attempt that failed with err, and how long to
// wait before it.
func (r *retrier) allow(tries *running.Tries, err *storage.Error) (delay time.Duration, ok bool) {
	// After the store has refused the credentials, the next attempt uses new ones. All concurrent calls
	// need such an attempt at the same time, so these attempts cost nothing of the retry budget.
	tries.Free = err.Code == storage.Unauthenticated
	return r.policy.Allow(tries, err.Code == storage.RateLimited, err.RetryAfter)
}
