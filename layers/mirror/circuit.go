package mirror

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// A circuit opens when a store has failed, so that no request waits for it.
type circuit struct {
	weight int           // of a failure; a sum of opensAt in a row opens the circuit; a caller's deadline has 1
	wait   time.Duration // between two requests while it is open

	mu       sync.Mutex
	failures int
	probe    time.Time // when the next request may try
}

const (
	opensAt = 3
	// leastWait is how long a store must have had to respond before the end of a caller's deadline says anything
	// about the store.
	leastWait = 25 * time.Millisecond
)

// allows reports whether a request may be made. While the circuit is open, one request at a
// time may be made.
func (c *circuit) allows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.failures >= opensAt {
		if now.Before(c.probe) {
			return false
		}
		c.probe = now.Add(c.wait)
	}
	return true
}

// ended records the result of a request.
func (c *circuit) ended(err error) {
	if down(err) {
		c.failed(c.weight)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = 0
}

// record records the result of a request that began at a time. If the caller has given up, that says nothing about
// the store, unless it had a deadline that left the store time to respond.
func (c *circuit) record(ctx context.Context, began time.Time, err error) {
	switch late := ctx.Err(); {
	case late == nil || err == nil:
		c.ended(err)
	case errors.Is(late, context.DeadlineExceeded) && time.Since(began) >= leastWait:
		c.failed(1)
	}
}

func (c *circuit) failed(weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures += weight
	c.probe = time.Now().Add(c.wait)
}

func (c *circuit) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures >= opensAt
}

// down reports whether an error means that a store cannot answer now.
func down(err error) bool {
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

func unavailable(err error) error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}

// watch calls do, and ends its context if alive is not called for as long as limit.
func watch(ctx context.Context, limit time.Duration, do func(ctx context.Context, alive func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	defer timer.Stop()
	err := do(ctx, func() { timer.Reset(limit) })
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return unavailable(errStalled)
	}
	return err
}

// An openBody ends the context of its request when it is closed.
type openBody struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b *openBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// open calls get with a context that ends with watched until get returns, and with ctx while the body is open.
func open(
	ctx, watched context.Context, get func(context.Context) (*storage.Attrs, io.ReadCloser, error),
) (*storage.Attrs, io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(watched, cancel)
	attrs, body, err := get(ctx)
	if stop() && err == nil {
		return attrs, &openBody{body, cancel}, nil
	}
	if err == nil {
		_ = body.Close()
		err = watched.Err()
	}
	cancel()
	return nil, nil, err
}

// inSecond makes a request to the second store, unless that has failed a moment ago. size is the size of
// the object that the request moves, or 0.
func (s *stores) inSecond(ctx context.Context, size int64, do func(ctx context.Context, alive func()) error) error {
	if !s.ofSecond.allows() {
		return unavailable(errOpen)
	}
	began := time.Now()
	err := watch(ctx, s.config.Stall+time.Duration(size>>24)*time.Second, do)
	s.ofSecond.record(ctx, began, err)
	return err
}
