// Package lease lets one process at a time hold a key of a bucket. It is a distributed lock, and
// can elect a leader. It works in every bucket of this library, even with a Core of your own, that
// has [storage.ConditionalCreate] and [storage.ConditionalUpdate]. In other buckets it fails with
// Unsupported.
//
// The lease is an object. Its holder rewrites it four times per TTL, by conditional writes. If
// another process sees the same revision for a whole TTL, it takes over. It measures that time by
// its own monotonic clock. The clocks of two machines are never compared.
//
// A holder loses the lease if no write has succeeded for 3/4 of the TTL. Then the lease's context
// ends, and the job has the rest of the TTL to stop. A process that is paused, such as by the
// system, cannot stop in time. When it continues, another process may hold the lease. If that can
// do harm, the resource that the lease protects must refuse requests of former holders, by their
// [Lease.Token].
//
// Jobs of package transfer and [storage.RemoveMatching] skip the object of the lease that their ctx
// carries.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
)

// A Lease is held until [Lease.Release], or until it is lost. Its methods may be called concurrently.
type Lease struct {
	bucket storage.Updater

	key           string
	ttl           time.Duration
	interval      time.Duration // of WithInterval; 0 if not given
	wantsHandover bool          // true if WithHandover is given
	wantsRemoval  bool          // true if WithRemoval is given

	holder      string          // random name of this holder; "" for [Check]
	ctx         context.Context // ends when the lease is lost or released
	cancel      context.CancelCauseFunc
	wanted      chan struct{} // channel of the method Wanted
	closeWanted func()
	token       int64
	state       state              // state after the last successful write; state.sent is the time of that write
	isUnsure    bool               // true if the last write failed, but may have taken effect
	expiry      *time.Timer        // ends ctx
	stop        context.CancelFunc // ends renewing
	renewing    running.Group
	release     func() error
}

// Hold waits for the lease of key as [Acquire] does, calls job while it holds the lease, and then
// releases it. The ctx of job carries the lease ([FromContext]), and ends with that of Hold, or
// with the cause Changed if the lease is lost. Hold renews the lease until job has returned, and
// returns the errors of job and of [Lease.Release].
func Hold(
	ctx context.Context, b storage.Updater, key string, job func(ctx context.Context) error, opts ...Option,
) (err error) {
	if job == nil {
		return &storage.Error{Code: storage.InvalidArgument, Op: "Hold", Key: key, Err: errors.New("job must not be nil")}
	}
	l, err := Acquire(ctx, b, key, opts...)
	if err != nil {
		return err
	}

	jobCtx, cancel := l.jobContext(ctx)
	defer cancel()
	// The lease is released even if job panics.
	defer func() {
		err = l.releaseAfter(err)
	}()
	return job(jobCtx)
}

// jobContext returns the context of a job: ctx with the lease, which also ends when the lease is
// lost.
func (l *Lease) jobContext(ctx context.Context) (jobCtx context.Context, cancel func()) {
	jobCtx, cancelCause := context.WithCancelCause(l.contextWith(ctx))
	stop := context.AfterFunc(l.ctx, func() { cancelCause(context.Cause(l.ctx)) })
	return jobCtx, func() {
		stop()
		cancelCause(nil)
	}
}

// releaseAfter releases the lease, and adds the error of that to the error of the job. A job that has
// returned the cause of its ctx, such as the loss of the lease, has returned that error already.
func (l *Lease) releaseAfter(jobErr error) error {
	releaseErr := l.Release()
	if releaseErr == nil || errors.Is(jobErr, releaseErr) {
		return jobErr
	}
	return errors.Join(jobErr, releaseErr)
}

// Acquire waits until it holds the lease of key. If ctx ends first, it fails with Canceled or
// DeadlineExceeded. To take over from a holder that has died, ctx must last longer than the TTL of
// that holder. The lease is renewed until [Lease.Release], even after ctx has ended.
//
// Acquire also fails where [Check] would, with the same error, and if a request fails after its
// retries.
func Acquire(ctx context.Context, b storage.Updater, key string, opts ...Option) (*Lease, error) {
	l := &Lease{bucket: b, key: key, holder: rand.Text(), wanted: make(chan struct{})}
	l.closeWanted = sync.OnceFunc(func() { close(l.wanted) })
	if err := l.prepare(opts); err != nil {
		return nil, err
	}
	if err := (&waiter{lease: l}).acquire(ctx); err != nil {
		return nil, err
	}
	l.begin(ctx)
	return l, nil
}

// begin begins to renew the lease in the background, until end. The lease keeps the values of ctx,
// but outlives it.
func (l *Lease) begin(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancelCause(l.contextWith(context.WithoutCancel(ctx)))
	l.token = l.state.record.Token
	l.expiry = time.AfterFunc(l.remaining(), l.markLost)
	l.release = sync.OnceValue(l.end)

	renewCtx, stop := context.WithCancel(l.ctx)
	l.stop = stop
	l.renewing.Go(func() { running.Every(renewCtx, l.ttl/pollsPerTTL, l.renew) }, l.markLost)
}

// Check reports why [Acquire] would fail, without acquiring the lease or writing anything. It fails
// with Unsupported if the bucket lacks a feature, and with InvalidArgument if an option is invalid
// or the object is not a lease. If the object cannot be read, it fails with the error of the read.
func Check(ctx context.Context, b storage.Updater, key string, opts ...Option) error {
	l := &Lease{bucket: b, key: key}
	if err := l.prepare(opts); err != nil {
		return err
	}
	_, err := l.read(ctx)
	return err
}

// contextKey is the key of the lease in a context.
type contextKey struct{}

// FromContext returns the lease that ctx carries, or nil.
func FromContext(ctx context.Context) *Lease {
	l, _ := ctx.Value(contextKey{}).(*Lease)
	return l
}

// contextWith returns a context that carries the lease.
func (l *Lease) contextWith(ctx context.Context) context.Context {
	return context.WithValue(serving.Hold(ctx, l.bucket, l.key, l.holder), contextKey{}, l)
}

// Context returns a context that carries the lease and the values of the ctx of [Acquire]. It ends with
// the cause Changed if the lease is lost, and with [context.Canceled] after [Lease.Release].
func (l *Lease) Context() context.Context { return l.ctx }

// Token returns the fencing token. It is greater than the token of each earlier holder, unless
// somebody has removed the object. Send the token with each request to the resource that the lease
// protects. The resource must remember the highest token that it has seen, and refuse lower ones.
func (l *Lease) Token() int64 { return l.token }

// Wanted returns a channel that is closed when another process waits for the lease. Both processes
// must use [WithHandover].
func (l *Lease) Wanted() <-chan struct{} { return l.wanted }

// Release ends the lease, so that the next holder need not wait for the TTL. The object stays,
// because it keeps the last token. If the lease was lost, Release fails with Changed. Release takes
// at most ten seconds. Further calls do nothing and return the same error.
func (l *Lease) Release() error { return l.release() }
