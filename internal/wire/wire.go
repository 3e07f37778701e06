// Package wire has what the core and the HTTP transport exchange about the requests of one
// operation. The context carries it, so that no driver and no layer has to know about it.
package wire

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// A Call is one operation. Its Stall is set before its first request.
type Call struct {
	Stall    time.Duration // how long a connection may move no byte; 0 means Options.Stall of the transport
	Requests atomic.Int32  // HTTP requests, successful or not; the transport counts them

	once sync.Once
	id   string
}

// ID is a random name of the operation.
func (c *Call) ID() string {
	c.once.Do(func() { c.id = rand.Text() })
	return c.id
}

type callKey struct{}

// With returns a context whose requests belong to c.
func With(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// Of returns the Call of ctx, or nil.
func Of(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// A Watch times the Reads of a body.
type Watch interface {
	// Pause stops the clock until the Read in progress returns.
	Pause()
}

type contentKey struct{}

// WithContent tells the transport that a response under the context may be the content of an
// object, whose Reads are timed by w. All other successful responses are documents, whose
// length has a bound.
func WithContent(ctx context.Context, w Watch) context.Context {
	return context.WithValue(ctx, contentKey{}, w)
}

// IsContent reports whether ctx is from WithContent.
func IsContent(ctx context.Context) bool { return ctx.Value(contentKey{}) != nil }

// Pause pauses the Watch of ctx. A layer calls it in a Read that already has its bytes, but has
// to wait.
func Pause(ctx context.Context) {
	if w, ok := ctx.Value(contentKey{}).(Watch); ok {
		w.Pause()
	}
}
