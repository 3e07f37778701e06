package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var errBroken = errors.New("broken")

func TestEachDoesAllAndNoMoreAtOnceThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done [20]atomic.Bool
		var under, most atomic.Int64
		err := Each(t.Context(), len(done), 3, func(_ context.Context, i int) error {
			if now := under.Add(1); now > most.Load() {
				most.Store(now)
			}
			pause()
			under.Add(-1)
			done[i].Store(true)
			return nil
		})
		require.NoError(t, err)
		for i := range done {
			require.True(t, done[i].Load(), i)
		}
		require.LessOrEqual(t, most.Load(), int64(3))
		require.Greater(t, most.Load(), int64(1), "beside one another")
	})
}

// pause lets the others of the bubble run, whose clock is not the world's.
func pause() { time.Sleep(time.Second) }

func TestEachStopsAtTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, ended atomic.Int64
		err := Each(t.Context(), 100, 4, func(ctx context.Context, i int) error {
			begun.Add(1)
			defer ended.Add(1)
			if i == 2 {
				return errBroken
			}
			<-ctx.Done() // those under way are told
			return ctx.Err()
		})
		require.Equal(t, errBroken, err)
		require.LessOrEqual(t, begun.Load(), int64(4), "the rest is not begun")
		require.Equal(t, begun.Load(), ended.Load(), "all are waited for")
	})
}

func TestEachOfAContextThatEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	err := Each(ctx, 3, 2, func(context.Context, int) error { return errors.New("begun") })
	require.Equal(t, errBroken, err)
}

func TestPiecesAreTriedAgain(t *testing.T) {
	passing := &storage.Error{Code: storage.Unavailable, Retryable: true}
	waiting := &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Minute}
	for _, row := range []struct {
		name     string
		failures []error // of the first attempts
		attempts int
		took     time.Duration
		want     error
	}{
		{"not at all", nil, 1, 0, nil},
		{"after what passes", []error{passing, passing}, 3, 1200 * time.Millisecond, nil},
		{"as late as the store asks", []error{waiting}, 2, time.Minute, nil},
		{"three times at most", []error{passing, passing, passing, passing}, 3, 1200 * time.Millisecond, passing},
		{"not what stays", []error{&storage.Error{Code: storage.Changed}}, 1, 0, storage.Changed},
		{"not what nobody has judged", []error{errBroken}, 1, 0, errBroken},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, began := 0, time.Now()
				err := Pieces(t.Context(), 1, func(context.Context, int) error {
					attempts++
					if attempts <= len(row.failures) {
						return row.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, row.want)
				require.Equal(t, row.attempts, attempts)
				require.Equal(t, row.took, time.Since(began))
			})
		})
	}
}

func TestNobodyWaitsForAnotherAttemptWhoseContextEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := Pieces(ctx, 1, func(context.Context, int) error {
			return &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour}
		})
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}
