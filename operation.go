package storage

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage/internal/wire"
)

// A Hook runs around every operation: logging, metering, denying. done, which
// may be nil, runs when the operation ends; for a download, at Close. An error
// refuses the operation; its Code is the error's own, else PermissionDenied. A
// nil hookCtx means ctx.
type Hook func(ctx context.Context, op Operation) (hookCtx context.Context, done func(Outcome), err error)

// An Operation names whole keys, also through Prefixed. A batch of RemoveAll,
// the sources of Compose and the source of Copy (by its own bucket's hook, as a
// Download) pass the hooks too.
type Operation struct {
	Name, Provider, Bucket string
	Key                    string   // or, of a listing, the prefix
	Keys                   []string // a batch's keys, Compose's sources; else nil
}

// An Outcome is how an operation ended.
type Outcome struct {
	Err   error
	Bytes int64
	// Requests are the HTTP requests that were made of the store, retries
	// included; requests for credentials are not. Of a store that is not asked by
	// HTTP (memory, a local directory), of a driver from outside this module and of
	// a client of Google's or Azure's SDK that was given, it is the number of
	// calls of the [Driver].
	Requests int
}

// operation is one call of a user's on its way: every one passes begin, call
// and end, where hooks, retrying, error context and telemetry stand once.
type operation struct {
	core       *core
	name       string
	key        string // whole
	prefix     string // what error keys lose
	keys       []string
	writes     bool // only a write's outcome can be unknown
	begun      bool
	measured   bool          // somebody wants numbers
	done       func(Outcome) // of the hooks that ran; nil: nobody waits for the end
	span       trace.Span    // nil: nobody traces
	started    time.Duration // since processStart, where measured
	bytes      atomic.Int64
	wire       wire.Call    // the requests, and what the transport has to know of them
	signs      bool         // it makes no request of the store, or hardly any
	overGrants atomic.Int32 // buffers that the Memory gave over its limit
}

// A transient driver is done with a request when its call returns, or when the
// body that Get answered with is closed: nothing reads the request or its body
// after that, not even a goroutine that gave up. What the core makes for one call
// it then uses again for the next. Such a driver is known by its type: a layer
// embeds a Driver, which has no such method, so what a layer may still hold is
// never used again. It is on this machine: elsewhere a watchdog may be late.
type transient interface{ Transient() }

// recycles reports whether what was made for one call may serve another.
func (c *core) recycles() bool {
	_, ok := c.driver.(transient)
	return ok && c.desc.Local
}

// prepare names the operation and refuses what may not be done at all.
func (o *operation) prepare(b *bucket, may permission, name, key string) *Error {
	o.core, o.name, o.key, o.prefix = b.core, name, b.prefix+key, b.prefix
	o.writes = may&(mayUpload|mayRemove) != 0
	switch {
	case b.mask&may != may:
		return &Error{Code: PermissionDenied, Hint: "this reference was narrowed by Ref"}
	case b.bad != nil:
		return b.bad
	case b.core.bad != nil:
		return b.core.bad
	}
	return b.core.open()
}

// begin runs the hooks and opens the span.
func (o *operation) begin(ctx context.Context) (context.Context, *Error) {
	if err := ctx.Err(); err != nil {
		return ctx, asError(ctx, err)
	}
	o.begun = true
	ctx = o.core.telemetry.start(ctx, o)
	for _, hook := range o.core.hooks {
		hookCtx, done, err := hook(ctx, Operation{Name: o.name, Provider: o.core.desc.Provider, Bucket: o.core.desc.Bucket, Key: o.key, Keys: o.keys})
		if done != nil {
			o.done = inTurn(done, o.done)
		}
		if err != nil {
			return ctx, refusal(err)
		}
		if hookCtx != nil {
			ctx = hookCtx
		}
	}
	if !o.core.desc.Local { // else there is no wire
		o.wire.Stall = o.core.retry.stall
		ctx = wire.With(ctx, &o.wire)
	}
	return ctx, nil
}

// inTurn is first, and next where there is one.
func inTurn(first, next func(Outcome)) func(Outcome) {
	if next == nil {
		return first
	}
	return func(out Outcome) {
		first(out)
		next(out)
	}
}

func refusal(err error) *Error {
	code, found := findCode(err)
	if !found {
		code = PermissionDenied
	}
	return &Error{Code: code, Err: err}
}

// end wraps err with where it happened, and tells hooks and telemetry.
func (o *operation) end(failure *Error) error {
	var err error
	if failure != nil {
		e := *failure
		if e.Op == "" { // else an operation within this one has said where
			e.Op, e.Provider, e.Bucket = o.name, o.core.desc.Provider, o.core.desc.Bucket
			e.Key = strings.TrimPrefix(o.key, o.prefix)
			e.Unknown = e.Unknown && o.writes
			e.advise()
		}
		err = &e
	}
	if !o.begun {
		return err
	}
	o.begun = false
	if o.done != nil {
		o.done(Outcome{Err: err, Bytes: o.bytes.Load(), Requests: int(o.wire.Requests.Load())})
	}
	o.core.telemetry.end(o, err)
	return err
}

// advise says what to check where every provider means the same.
func (e *Error) advise() {
	if e.Code == BucketNotFound && e.Hint == "" {
		e.Hint = "check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket"
	}
}

// call makes one driver call, and makes it again where it failed for a passing
// reason. Unknown stays set where an attempt may have had its effect and no
// later one succeeded.
func (o *operation) call(ctx context.Context, do func(context.Context) error) *Error {
	return o.send(ctx, nil, do)
}

// A replayable is a body that is read by a driver call.
type replayable interface {
	rewind() bool    // to its start; false where it cannot be read again
	failure() *Error // what reading it failed with: the caller's reader, or our checks
	raise()          // panics if reading it did
}

// send is call for one that reads a body.
func (o *operation) send(ctx context.Context, body replayable, do func(context.Context) error) *Error {
	unknown := false
	var tried tries
	for {
		if err := o.turn(ctx); err != nil {
			return o.gaveUp(ctx, nil, unknown)
		}
		o.attempted()
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
			o.ended(nil)
			return nil
		}
		e := asError(ctx, err)
		o.ended(e)
		unknown = unknown || e.Unknown
		e.Unknown = unknown
		if !e.Retryable || ctx.Err() != nil {
			return e
		}
		delay, again := o.core.retry.again(&tried, e)
		if !again || body != nil && !body.rewind() {
			return e
		}
		if sleep(ctx, delay) != nil {
			return o.gaveUp(ctx, e, unknown)
		}
	}
}

// turn waits until the bucket may make the next request. Signing asks a store
// seldom or never, and does not wait for one that throttles.
func (o *operation) turn(ctx context.Context) error {
	if o.signs {
		return nil
	}
	return o.core.retry.pace.wait(ctx)
}

// attempted counts a driver call, unless its requests are counted on the wire.
func (o *operation) attempted() {
	if !o.core.desc.CountsRequests {
		o.wire.Requests.Add(1)
	}
}

// ended tells how a driver call went; e is nil if it succeeded.
func (o *operation) ended(e *Error) {
	if !o.signs {
		o.core.retry.ended(e)
	}
}

// gaveUp is the error of a wait that ctx ended: for another attempt after e, or,
// if e is nil, for the bucket's turn after another request was refused.
func (o *operation) gaveUp(ctx context.Context, e *Error, unknown bool) *Error {
	if e == nil {
		e = o.core.retry.pace.refusal()
	}
	failed := asError(ctx, ctx.Err())
	failed.Unknown = unknown
	if e != nil {
		failed.Err = errors.Join(failed.Err, e)
	}
	return failed
}

// asError makes an *Error of its own of whatever a driver answered, and settles
// whether it is the doing of the caller's ctx.
func asError(ctx context.Context, err error) *Error {
	e := ownError(err)
	e.blame(ctx.Err())
	return e
}

// ownError makes an *Error of its own of any error.
func ownError(err error) *Error {
	e := &Error{}
	if own, ok := err.(*Error); ok {
		*e = *own
	} else if inner := (*Error)(nil); errors.As(err, &inner) {
		*e = *inner
		e.Err = err
	} else if bare, ok := err.(Code); ok {
		e.Code = bare
	} else {
		e.Code, e.Err = classify(err), err
	}
	if e.Code == Unavailable || e.Code == RateLimited {
		e.Retryable = true // by its nature
	}
	return e
}

// blame settles whether an error is the doing of the caller's ctx.
func (e *Error) blame(interrupted error) {
	switch e.Code {
	case Internal, Unavailable, RateLimited, Canceled, DeadlineExceeded:
	default:
		return // the store has spoken
	}
	switch {
	case interrupted != nil:
		e.Code, e.Retryable = Canceled, false
		if errors.Is(interrupted, context.DeadlineExceeded) {
			e.Code = DeadlineExceeded
		}
		if e.Err == nil {
			e.Err = interrupted
		}
	case e.Code == Canceled || e.Code == DeadlineExceeded:
		e.Code, e.Retryable = Unavailable, true // a time limit of the transport's, not the caller's
	}
}

// classify is the code of an error that no driver has translated.
func classify(err error) Code {
	if code, found := findCode(err); found {
		return code
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE),
		errors.As(err, &network):
		return Unavailable
	}
	return Internal
}
