package client

import (
	"context"
	"time"
)

// SetWait makes a client wait by another clock, always the longest time.
func (c *Client) SetWait(wait func(ctx context.Context, d time.Duration) error) {
	c.wait = wait
	c.jitter = func(d time.Duration) time.Duration { return d }
}
