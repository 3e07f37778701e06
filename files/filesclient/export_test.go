package filesclient

import (
	"context"
	"time"
)

// SetWait has a client wait by another clock, as long as it may.
func (c *Client) SetWait(wait func(ctx context.Context, d time.Duration) error) {
	c.wait = wait
	c.jitter = func(d time.Duration) time.Duration { return d }
}
