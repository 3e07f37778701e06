// Package endingctx has a context that is canceled in the middle of a call.
package endingctx

import (
	"context"
	"sync/atomic"
)

// A Context is canceled after a number of calls of Err, which then returns context.Canceled. Its
// Done channel is that of the parent context.
type Context struct {
	context.Context
	asks  int64
	asked atomic.Int64
}

// New returns a Context that is canceled after some calls of Err. asks is the number
// of calls that return nil. All later calls return context.Canceled.
func New(parent context.Context, asks int64) *Context {
	return &Context{Context: parent, asks: asks}
}

// Err returns context.Canceled once it was called more often than the limit.
func (c *Context) Err() error {
	if c.asked.Add(1) > c.asks {
		return context.Canceled
	}
	return nil
}

// Asked returns how often Err was called.
func (c *Context) Asked() int64 { return c.asked.Load() }
