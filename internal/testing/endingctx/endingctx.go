// Package endingctx has a context that ends in the middle of a call.
package endingctx

import (
	"context"
	"sync/atomic"
)

// A Context ends when Err has been called a number of times. Done is that of the context
// within it.
type Context struct {
	context.Context
	asks  int64
	asked atomic.Int64
}

// New returns a context that ends after so many calls of Err.
func New(parent context.Context, asks int64) *Context {
	return &Context{Context: parent, asks: asks}
}

// Err counts the call.
func (c *Context) Err() error {
	if c.asked.Add(1) > c.asks {
		return context.Canceled
	}
	return nil
}

// Asked returns how often Err was called.
func (c *Context) Asked() int64 { return c.asked.Load() }
