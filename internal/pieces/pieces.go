// Package pieces lets package files see what package uploads does with its uploads in pieces.
package pieces

import (
	"context"
	"time"
)

// A WaitFunc waits for d, or until ctx is done.
type WaitFunc func(ctx context.Context, d time.Duration) error

// Inside is a service of package uploads, from inside.
type Inside interface {
	// Unrecorded returns the keys of files whose bytes may exist, and of which Config.Stored
	// does not know yet. It is older than those bytes.
	Unrecorded(ctx context.Context) (map[string]bool, error)
	// SetWaits makes the service wait for other calls, and between two heartbeats, by other
	// clocks; nil leaves one.
	SetWaits(wait, pulse WaitFunc)
}

// Of returns the inside of a service. Package uploads sets it.
var Of func(service any) Inside
