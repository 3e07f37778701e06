package running_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/running"
)

// Sleep waits for the whole time, or until ctx ends.
func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, running.Sleep(t.Context(), time.Hour))
		require.Equal(t, time.Hour, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		require.ErrorIs(t, running.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// The function Every calls its function argument once in each interval until ctx ends.
func TestEveryCallsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		var calls []time.Duration
		running.Every(ctx, 10*time.Second, func(context.Context) {
			calls = append(calls, time.Since(start))
		})
		require.Equal(t, []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second}, calls)
	})
}

// After the ctx of Reader is canceled, Read fails with context.Canceled.
func TestReaderFailsWhenItsContextIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := running.Reader(ctx, iotest.OneByteReader(strings.NewReader("ab")))
	_, err := io.ReadFull(r, make([]byte, 1))
	require.NoError(t, err)
	cancel()

	n, err := r.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, n)
}
