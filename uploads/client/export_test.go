package client

import (
	"context"
	"time"
)

// SetWait replaces the function with which a client waits. The client then always waits for the
// longest time that it may choose.
func (c *Client) SetWait(wait func(ctx context.Context, d time.Duration) error) {
	c.wait = wait
	c.jitter = func(d time.Duration) time.Duration { return d }
}
