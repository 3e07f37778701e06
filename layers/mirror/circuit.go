package mirror

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// A circuit is a circuit breaker for one store. It opens when the store has failed, and then
// refuses requests, so that no request waits for the store.
type circuit struct {
	weight int           // weight of a failure; the circuit opens if the weights of failures in a row reach opensAt
	wait   time.Duration // time after a failure until an open circuit permits a request

	mu       sync.Mutex
	failures int
	probe    time.Time // time at which an open circuit permits the next request
}

const (
	opensAt = 3
	// leastWait applies if the caller's deadline ends a request. The request counts as a failure of
	// the store only if it has lasted at least leastWait.
	leastWait = 25 * time.Millisecond
)

// allows reports whether a request may be made. An open circuit permits one request from time to time,
// to try the store.
func (c *circuit) allows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures < opensAt {
		return true
	}

	// Permit one request, and the next one only after another wait.
	now := time.Now()
	if now.Before(c.probe) {
		return false
	}
	c.probe = now.Add(c.wait)
	return true
}

// update records the result of a request that the caller's context has not ended. A failure counts with
// the weight of the circuit, and any other result closes the circuit.
func (c *circuit) update(err error) {
	if isDown(err) {
		c.addFailure(c.weight)
		return
	}
	c.close()
}

// close makes the circuit permit all requests until the store fails again.
func (c *circuit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = 0
}

// record updates the circuit with the result of a request that was sent at the time start. A request
// that the caller has canceled does not count. One that a deadline has ended counts as a failure if it
// has taken at least leastWait.
func (c *circuit) record(ctx context.Context, start time.Time, err error) {
	if err == nil || ctx.Err() == nil {
		c.update(err)
		return
	}

	reachedDeadline := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if reachedDeadline && time.Since(start) >= leastWait {
		c.addFailure(1)
	}
}

// addFailure counts a failure. An open circuit then permits no request until the time wait has passed.
func (c *circuit) addFailure(weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures += weight
	c.probe = time.Now().Add(c.wait)
}

// isOpen reports whether the store has failed, and has not responded since.
func (c *circuit) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures >= opensAt
}

// isDown reports whether an error means that a store is unavailable now.
func isDown(err error) bool {
	switch storage.CodeOf(err) {
	case storage.Unavailable, storage.RateLimited:
		return true
	}
	return false
}

var (
	errStalled = errors.New("the store did not respond in time")
	errOpen    = errors.New("the store has failed, and is left alone for a while")
)

// unavailable returns a retryable error for a store that did not respond.
func unavailable(err error) error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}

// watch calls do, which must call alive whenever it makes progress. If it does not for longer than the
// limit, watch cancels the context of do.
func watch[T any](
	ctx context.Context, limit time.Duration, do func(ctx context.Context, alive func()) (T, error),
) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	defer timer.Stop()

	alive := func() { timer.Reset(limit) }
	result, err := do(ctx, alive)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return result, unavailable(errStalled)
	}
	return result, err
}

// A download is an object that is being read.
type download struct {
	attrs *storage.Attrs
	body  io.ReadCloser
}

// An openBody ends the context of its request when it is closed.
type openBody struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close closes the body and ends its request.
func (b *openBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// open begins a download with get. The request ends if openCtx ends before get returns. Afterwards, it ends if ctx ends
// or the body is closed.
func open(
	ctx, openCtx context.Context, get func(context.Context) (*storage.Attrs, io.ReadCloser, error),
) (download, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(openCtx, cancel)
	attrs, body, err := get(ctx)
	isCanceled := !stop() // openCtx has ended, and so has the request
	if err != nil {
		cancel()
		return download{}, err
	}
	if isCanceled {
		_ = body.Close()
		cancel()
		return download{}, openCtx.Err()
	}
	return download{attrs: attrs, body: &openBody{body, cancel}}, nil
}

// callSecond calls do, which makes a request to the second store, unless the circuit of that store is
// open because of recent failures. do must call alive whenever it makes progress. size is the size of the object
// that the request transfers, or 0. A large object gets more time.
func callSecond[T any](
	ctx context.Context, s *stores, size int64, do func(ctx context.Context, alive func()) (T, error),
) (result T, err error) {
	if !s.secondCircuit.allows() {
		return result, unavailable(errOpen)
	}

	const bytesPerSecond = 16 << 20
	extra := time.Duration(size/bytesPerSecond) * time.Second
	start := time.Now()
	result, err = watch(ctx, s.config.Stall+extra, do)
	s.secondCircuit.record(ctx, start, err)
	return result, err
}

// askSecond is callSecond for a request that transfers no object and so reports no progress.
func askSecond[T any](ctx context.Context, s *stores, do func(context.Context) (T, error)) (T, error) {
	return callSecond(ctx, s, 0, func(ctx context.Context, _ func()) (T, error) { return do(ctx) })
}
