package uploads_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads"
)

// A death kills a process at a call to the store: before the call, or after it was executed, so that
// its response is lost. No later call is executed until the death is over.
type death struct {
	left  atomic.Int64 // calls that are executed before; negative: the process lives
	after bool
	dead  atomic.Bool
}

func (d *death) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		left := d.left.Load()
		switch {
		case d.dead.Load():
			return &storage.Error{Code: storage.Internal, Err: errors.New("killed")}
		case left < 0:
			return next(ctx)
		case left > 0:
			d.left.Add(-1)
			return next(ctx)
		}
		d.dead.Store(true)
		if d.after {
			_ = next(ctx)
		}
		return &storage.Error{Code: storage.Internal, Unknown: d.after, Err: errors.New("killed")}
	})
}

// Abort after a kill in Finish leaves nothing, or says that the file is complete.
func TestAbortAfterAKillInFinishLeavesNothingOrSaysSo(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the call: %v", after), func(t *testing.T) {
			aborted, finished := 0, 0
			for at := int64(0); ; at++ {
				require.Less(t, at, int64(30))
				d := &death{after: after}
				d.left.Store(-1)
				b := partStore{inMemory(t, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), smallPart}
				s := b.inParts(t, uploads.Config{Key: ofMe})
				ticket := b.sign(t, s)
				sendParts(t, s, ticket, b.fileOf(aPNG()))
				d.left.Store(at)
				_, err := s.Finish(t.Context(), ticket.Token, me)
				reached := d.dead.Load()
				d.left.Store(-1)
				d.dead.Store(false)
				if !reached {
					require.NoError(t, err)
					break
				}
				switch err := s.Abort(t.Context(), ticket.Token, me); {
				case err == nil:
					aborted++
					b.empty(t)
					_, err = s.Finish(t.Context(), ticket.Token, me)
					refusedAs(t, err, uploads.NotFound, "token")
				default:
					finished++
					refusedAs(t, err, uploads.Completed, "token")
					require.ErrorIs(t, err, storage.PreconditionFailed)
					r, err := s.Finish(t.Context(), ticket.Token, me)
					require.NoError(t, err)
					require.Equal(t, []string{r.Key}, keys(t, b.bucket), "killed at call %d", at)
					b.noUploads(t)
					require.NoError(t, s.Delete(t.Context(), r.Key, me))
					require.NoError(t, s.Abort(t.Context(), ticket.Token, me))
				}
			}
			require.Positive(t, aborted)
			require.Positive(t, finished)
		})
	}
}
