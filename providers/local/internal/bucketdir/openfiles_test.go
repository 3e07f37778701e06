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
			ok, err := turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.True(t, ok)

			start := time.Now()
			passed, err := turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.False(t, passed)
			require.Equal(t, stalled, time.Since(start))

			turns.EndIf(passed)
			turns.EndIf(ok)
			ok, err = turns.TakeOrPass(t.Context())
			require.NoError(t, err)
			require.True(t, ok)

			ctx, cancel := context.WithTimeout(t.Context(), stalled/2)
			defer cancel()
			_, err = turns.TakeOrPass(ctx)
			require.ErrorIs(t, err, storage.DeadlineExceeded)
		})
	})
}
