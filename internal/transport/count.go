package transport

import (
	"context"
	"sync/atomic"
)

// A Counter tells what happened on the wire under one context. It is safe for
// concurrent use.
type Counter struct {
	requests   atomic.Int64
	unanswered atomic.Int64
}

// Requests is how many requests were made, whatever became of them.
func (c *Counter) Requests() int { return int(c.requests.Load()) }

// Unanswered is how many of them may have reached the server whole and got no
// answer.
func (c *Counter) Unanswered() int { return int(c.unanswered.Load()) }

// A nil Counter is one that nobody reads.
func (c *Counter) request() {
	if c != nil {
		c.requests.Add(1)
	}
}

func (c *Counter) lost() {
	if c != nil {
		c.unanswered.Add(1)
	}
}

type counterKey struct{}

// CountRequests has every request made under the context counted. A counter
// that ctx had already does not see them: each operation counts its own.
func CountRequests(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, counterKey{}, c), c
}

// counterOf is ctx's counter, or nil.
func counterOf(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}
