package bucketdir

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

// newTurns divides the files that may be open by those of each call. Without a limit, or with many files, it
// returns nil, which permits any number of calls.
func TestNewTurns(t *testing.T) {
	tests := []struct {
		name        string
		files, each uint64
		want        int // 0 for any number
	}{
		{name: "a quarter of the files", files: 256, each: 4, want: 16},
		{name: "at least one", files: 8, each: 4, want: 1},
		{name: "many files", files: manyFiles, each: 4, want: 0},
		{name: "no limit", each: 4, want: 0},
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

// Take waits for a turn, or for the end of ctx.
func TestTurnsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(16, 4) // one call at a time
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
}

// TakeOrPass lets a call with a body go ahead without a turn if no call has ended for a moment.
func TestTurnsTakeOrPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(8, 2) // one call at a time
		taken, err := turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, taken)

		// The second call waits, and then passes.
		start := time.Now()
		second, err := turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.False(t, second)
		require.Equal(t, stalled, time.Since(start))

		// Once both have ended, there is a turn again.
		turns.EndIf(second)
		turns.EndIf(taken)
		taken, err = turns.TakeOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, taken)

		// The wait ends with ctx.
		ctx, cancel := context.WithTimeout(t.Context(), stalled/2)
		defer cancel()
		_, err = turns.TakeOrPass(ctx)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
	})
}
