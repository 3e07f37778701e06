package running_test

import (
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/running"
)

// With the same seed, Jitter returns the same waits, so that package interleave can repeat a schedule.
func TestJitterRepeatsWithASeed(t *testing.T) {
	drawWaits := func() (waits []time.Duration) {
		cryptotest.SetGlobalRandom(t, 1)
		for range 20 {
			wait := running.Jitter(time.Second)
			require.GreaterOrEqual(t, wait, time.Duration(0))
			require.Less(t, wait, time.Second)
			waits = append(waits, wait)
		}
		return waits
	}
	waits := drawWaits()
	require.Equal(t, waits, drawWaits())
	require.NotEqual(t, waits[0], waits[1])
}
