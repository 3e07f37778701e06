package bucketdir

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

// newTurns permits only so many calls at a time that they need a quarter of the open files. Without a limit on open
// files, or if it is high, newTurns returns nil, which permits any number.
func TestNewTurns(t *testing.T) {
	tests := []struct {
		name  string
		files uint64 // that the process may open; 0 for no limit
		each  uint64 // files that a call needs
		want  int    // calls at a time; 0 for any number
	}{
		{name: "a quarter of the files", files: 256, each: 4, want: 16},
		{name: "at least one", files: 8, each: 4, want: 1},
		{name: "many files", files: manyFiles, each: 4, want: 0},
		{name: "no limit", files: 0, each: 4, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			turns := newTurns(tt.files, tt.each)
			if tt.want == 0 {
				require.Nil(t, turns)
				require.NoError(t, turns.Take(t.Context()))
				turns.End()
				return
			}
			require.Equal(t, tt.want, cap(turns.slots))
		})
	}
}

// Take waits until another call ends its turn, and fails if ctx ends first.
func TestTurnsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Calls may open a quarter of the files, which is enough for one call at a time.
		const fileLimit, filesPerCall = 16, 4
		turns := newTurns(fileLimit, filesPerCall)
		require.Equal(t, 1, cap(turns.slots), "calls at a time")
		require.NoError(t, turns.Take(t.Context()))

		// The wait ends with ctx.
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, turns.Take(ctx), storage.DeadlineExceeded)

		// The wait ends when the first call ends its turn, an hour later.
		time.AfterFunc(time.Hour, turns.End)
		start := time.Now()
		require.NoError(t, turns.Take(t.Context()))
		require.Equal(t, time.Hour, time.Since(start))
		turns.End()
	})
}

// If no other call has ended for a time, TakeOrPass lets a call proceed without a turn.
func TestTurnsTakeOrPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files, filesPerCall = 8, 2
		turns := newTurns(files, filesPerCall)
		require.Equal(t, 1, cap(turns.slots), "calls at a time")
		firstHasTurn, err := turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, firstHasTurn)

		// The second call waits for a turn, and then proceeds without one.
		start := time.Now()
		secondHasTurn, err := turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.False(t, secondHasTurn)
		require.Equal(t, stalled, time.Since(start))

		// Once both calls have ended, there is a turn again.
		turns.EndIf(secondHasTurn)
		turns.EndIf(firstHasTurn)
		thirdHasTurn, err := turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, thirdHasTurn)

		// The wait ends with ctx.
		ctx, cancel := context.WithTimeout(t.Context(), stalled/2)
		defer cancel()
		_, err = turns.TakeOrPass(ctx)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
	})
}
