package serving

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// A Call describes one operation of the engine to the transport. The engine sets Stall before the first
// request.
type Call struct {
	Stall    time.Duration // time without a byte after which a connection is dropped; 0 means Options.Stall
	Requests atomic.Int32  // number of HTTP requests; the transport counts them

	once sync.Once
	id   string
}

// ID returns a random text that identifies the operation, and is the same at each call.
func (c *Call) ID() string {
	c.once.Do(func() {
		c.id = rand.Text()
	})
	return c.id
}

type callInContext struct{}

// WithCall returns a context whose HTTP requests belong to the operation c.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callInContext{}, c)
}

// CallOf returns the Call in ctx, or nil.
func CallOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callInContext{}).(*Call)
	return c
}

// A Watch limits the time of each Read of a body. The engine implements it.
type Watch interface {
	// Pause stops the timer until the Read in progress returns.
	Pause()
}

type contentInContext struct{}

// WithContent returns a context for a request whose response may be the content of an object. w
// limits the time of each Read of that content. Other successful responses are documents, whose
// length the transport limits.
func WithContent(ctx context.Context, w Watch) context.Context {
	return context.WithValue(ctx, contentInContext{}, w)
}

// IsContent reports whether ctx, or a context that it is derived from, is a result of
// [WithContent].
func IsContent(ctx context.Context) bool { return ctx.Value(contentInContext{}) != nil }

// Pause calls Pause of the Watch in ctx, if ctx has a Watch. The timer for the Read in progress
// then stops. A layer calls Pause if the Read already has its bytes but waits for another reason,
// such as a rate limit.
func Pause(ctx context.Context) {
	if w, ok := ctx.Value(contentInContext{}).(Watch); ok {
		w.Pause()
	}
}
