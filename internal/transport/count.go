package transport

import (
	"context"
	"sync/atomic"
)

// A Counter counts the requests under one context. It is safe for concurrent use, and a nil
// Counter counts nothing.
type Counter struct {
	requests   atomic.Int64
	unanswered atomic.Int64
	answered   atomic.Bool
}

// Requests returns how many requests were made.
func (c *Counter) Requests() int { return int(c.requests.Load()) }

// Unanswered returns how many requests may have reached the server whole and got no
// response.
func (c *Counter) Unanswered() int { return int(c.unanswered.Load()) }

// LastAnswered reports whether the last request that began has a response.
func (c *Counter) LastAnswered() bool { return c.answered.Load() }

func (c *Counter) request() {
	if c != nil {
		c.requests.Add(1)
		c.answered.Store(false)
	}
}

func (c *Counter) lost() {
	if c != nil {
		c.unanswered.Add(1)
	}
}

func (c *Counter) response() {
	if c != nil {
		c.answered.Store(true)
	}
}

type counterKey struct{}

// CountRequests returns a context whose requests are counted. A Counter that ctx had before
// does not count them: each operation counts its own.
func CountRequests(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, counterKey{}, c), c
}

// counterOf returns ctx's counter, or nil.
func counterOf(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}
