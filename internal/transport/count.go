package transport

import (
	"context"
	"sync/atomic"
)

// A Counter counts the HTTP requests that are made under one context. It is safe for concurrent
// use. A nil Counter counts nothing.
type Counter struct {
	requests   atomic.Int64
	unanswered atomic.Int64
	answered   atomic.Bool
}

// Requests returns how many requests were made.
func (c *Counter) Requests() int { return int(c.requests.Load()) }

// Unanswered returns how many requests may have reached the server completely, but got no response.
func (c *Counter) Unanswered() int { return int(c.unanswered.Load()) }

// LastAnswered reports whether the latest request got a response.
func (c *Counter) LastAnswered() bool { return c.answered.Load() }

// addRequest counts a request that is about to be sent. Without a Counter, it does nothing.
func (c *Counter) addRequest() {
	if c != nil {
		c.requests.Add(1)
		c.answered.Store(false)
	}
}

func (c *Counter) addUnanswered() {
	if c != nil {
		c.unanswered.Add(1)
	}
}

func (c *Counter) addAnswer() {
	if c != nil {
		c.answered.Store(true)
	}
}

type counterKey struct{}

// CountRequests returns a context with a new Counter, which counts the requests made under it. If
// ctx already has a Counter, that Counter does not count them, so that each operation counts only
// its own requests.
func CountRequests(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, counterKey{}, c), c
}

// counterOf returns the Counter of ctx, or nil.
func counterOf(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}
