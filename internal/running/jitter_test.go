package running_test

import (
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/running"
)

// With the same seed, Jitter returns the same waits. Package interleave needs this to repeat a schedule.
func TestJitterRepeatsWithASeed(t *testing.T) {
	draw := func() (waits []time.Duration) {
		cryptotest.SetGlobalRandom(t, 1)
		for range 20 {
			wait := running.Jitter(time.Second)
			require.GreaterOrEqual(t, wait, time.Duration(0))
			require.Less(t, wait, time.Second)
			waits = append(waits, wait)
		}
		return waits
	}
	first := draw()
	require.Equal(t, first, draw())
	require.NotEqual(t, first[0], first[1])
}
