package bucketdir

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

// newSemaphore permits only so many calls at a time that they need a quarter of the open files. Without a limit on open
// files, or if it is high, newSemaphore returns nil, which permits any number.
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
			sem := newSemaphore(tt.files, tt.each)
			if tt.want == 0 {
				require.Nil(t, sem)
				require.NoError(t, sem.Acquire(t.Context()))
				sem.Release()
				return
			}
			require.Equal(t, tt.want, cap(sem.slots))
		})
	}
}

// Acquire waits until another call releases its slot, and fails if ctx ends first.
func TestTurnsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Calls may open a quarter of the files, which is enough for one call at a time.
		const fileLimit, filesPerCall = 16, 4
		sem := newSemaphore(fileLimit, filesPerCall)
		require.Equal(t, 1, cap(sem.slots), "calls at a time")
		require.NoError(t, sem.Acquire(t.Context()))

		// The wait ends with ctx.
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, sem.Acquire(ctx), storage.DeadlineExceeded)

		// The wait ends when the first call releases its slot, an hour later.
		time.AfterFunc(time.Hour, sem.Release)
		start := time.Now()
		require.NoError(t, sem.Acquire(t.Context()))
		require.Equal(t, time.Hour, time.Since(start))
		sem.Release()
	})
}

// If no other call has ended for a time, AcquireOrPass lets a call proceed without a slot.
func TestTurnsTakeOrPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files, filesPerCall = 8, 2
		sem := newSemaphore(files, filesPerCall)
		require.Equal(t, 1, cap(sem.slots), "calls at a time")
		firstHasSlot, err := sem.AcquireOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, firstHasSlot)

		// The second call waits for a slot, and then proceeds without one.
		start := time.Now()
		secondHasSlot, err := sem.AcquireOrPass(t.Context())
		require.NoError(t, err)
		require.False(t, secondHasSlot)
		require.Equal(t, stalled, time.Since(start))

		// Once both calls have ended, there is a slot again.
		sem.ReleaseIf(secondHasSlot)
		sem.ReleaseIf(firstHasSlot)
		thirdHasSlot, err := sem.AcquireOrPass(t.Context())
		require.NoError(t, err)
		require.True(t, thirdHasSlot)

		// The wait ends with ctx.
		ctx, cancel := context.WithTimeout(t.Context(), stalled/2)
		defer cancel()
		_, err = sem.AcquireOrPass(ctx)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
	})
}
