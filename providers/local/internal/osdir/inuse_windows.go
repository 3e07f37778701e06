package osdir

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/windows"

	"github.com/omnibucket/storage/internal/running"
)

// maxInUse is the time for which RetryInUse tries. Go's own tools use the same time
// (cmd/internal/robustio).
const maxInUse = 2 * time.Second

// RetryInUse repeats an operation while it fails because another program has the file open, as virus
// scanners, indexers and backups do for a moment. It gives up after maxInUse or when ctx ends.
func RetryInUse(ctx context.Context, operation func() error) error {
	var giveUp time.Time
	for pause := time.Millisecond; ; pause += rand.N(pause) {
		err := operation()
		if err == nil || !isInUse(err) {
			return err
		}
		now := time.Now()
		if giveUp.IsZero() {
			giveUp = now.Add(maxInUse)
		}
		if now.Add(pause).After(giveUp) {
			return err
		}
		if running.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// isInUse reports whether err may mean that a file or directory is open, or is about to be removed.
// The error "access denied" is included, but it can also be permanent.
func isInUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING) || errors.Is(err, windows.ERROR_USER_MAPPED_FILE)
}
