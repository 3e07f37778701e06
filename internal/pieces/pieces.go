// Package pieces lets the tests of other packages set the clocks of package uploads.
package pieces

import (
	"context"
	"time"
)

// A WaitFunc waits for d, or until ctx is done.
type WaitFunc func(ctx context.Context, d time.Duration) error

// SetWaits makes a service wait for other calls, and between two heartbeats, by other clocks; nil leaves
// one. Package uploads sets it.
var SetWaits func(service any, wait, pulse WaitFunc)
