package bucketdir

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

func TestTurns(t *testing.T) {
	for _, row := range []struct {
		name        string
		files, each uint64
		want        int // 0 for any number
	}{
		{"a quarter of the files", 256, 4, 16},
		{"at least one", 8, 4, 1},
		{"many files", manyFiles, 4, 0},
		{"no limit", 0, 4, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			turns := newTurns(row.files, row.each)
			if row.want == 0 {
				require.Nil(t, turns)
				require.NoError(t, turns.Take(t.Context()))
				turns.End()
				return
			}
			require.Equal(t, row.want, cap(turns.taken))
		})
	}
	t.Run("a call waits for its turn, or for the end of its ctx", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns(16, 4)
			require.NoError(t, turns.Take(t.Context()))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			require.ErrorIs(t, turns.Take(ctx), storage.DeadlineExceeded)
			time.AfterFunc(time.Hour, turns.End)
			start := time.Now()
			require.NoError(t, turns.Take(t.Context()))
			require.Equal(t, time.Hour, time.Since(start))
			turns.End()
		})
	})
	t.Run("a call with a body goes ahead if none has ended for a moment", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns(8, 2)
			taken, err := turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.True(t, taken)
			start := time.Now()
			passed, err := turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.False(t, passed)
			require.Equal(t, stalled, time.Since(start))
			turns.EndIf(passed)
			turns.EndIf(taken)
			taken, err = turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.True(t, taken)
			ctx, cancel := context.WithTimeout(t.Context(), stalled/2)
			defer cancel()
			_, err = turns.TakeOrPass(ctx)
			require.ErrorIs(t, err, storage.DeadlineExceeded)
		})
	})
}
