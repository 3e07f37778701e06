package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/windows"

	"github.com/omnibucket/storage/internal/ctxtime"
)

// patience is how long persist tries. It is what Go's own tools take
// (cmd/internal/robustio).
const patience = 2 * time.Second

// persist repeats a rename or removal that another program is in the way of:
// virus scanners, indexers and backups open files for a moment, and readers
// where the file system has no POSIX renames. It ends with ctx.
func retryInUse(ctx context.Context, operation func() error) error {
	var giveUp time.Time
	for pause := time.Millisecond; ; pause += rand.N(pause) {
		err := operation()
		if err == nil || !inUse(err) {
			return err
		}
		now := time.Now()
		if giveUp.IsZero() {
			giveUp = now.Add(patience)
		}
		if now.Add(pause).After(giveUp) {
			return err
		}
		if ctxtime.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// inUse is what Windows says of a file or directory that somebody has open, or
// that is about to be removed. Access denied can also be final.
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING) || errors.Is(err, windows.ERROR_USER_MAPPED_FILE)
}
