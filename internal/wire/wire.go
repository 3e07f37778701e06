// Package wire is what the core and the HTTP transport have to tell one another
// about the requests of one operation. It goes through the context, so that no
// driver and no layer between them has to know of it.
package wire

import (
	"context"
	"sync/atomic"
	"time"
)

// A Call is one operation. Its Stall is set before its first request.
type Call struct {
	Requests atomic.Int32  // HTTP requests, whatever became of them; the transport adds to it
	Stall    time.Duration // how long a connection may move no byte; 0: as the transport was made
}

type callKey struct{}

// With has every request under the context belong to c.
func With(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// Of is ctx's Call, or nil.
func Of(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}
