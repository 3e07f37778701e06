package running

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Probe reports a connection as slow only if its rate is low, not if the machine is busy or the reader is slower.
func TestProbeSlowOnlyIfMostIs(t *testing.T) {
	const read = 16 << 10
	tests := []struct {
		name   string
		rate   float64       // bytes a second of the connection
		paused time.Duration // time for which the process has no processor, once a sample
		busy   time.Duration // time that the reader needs for itself, for each read
		slow   bool
	}{
		{name: "a slow connection", rate: 50e6, slow: true},
		{name: "a fast connection", rate: 800e6},
		{name: "a fast connection of a busy machine", rate: 800e6, paused: 12 * time.Millisecond},
		{name: "a slow connection of a busy machine", rate: 50e6, paused: 12 * time.Millisecond, slow: true},
		{name: "a reader that is slower than its slow connection", rate: 50e6, busy: time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var probe Probe
				samples := 0
				for i := range 4 * sampleBytes / read {
					start := time.Now()
					time.Sleep(time.Duration(read / tt.rate * float64(time.Second)))
					if i%(sampleBytes/read) == 30 {
						time.Sleep(tt.paused)
					}
					rate, slow := probe.Read(start, read)
					if rate > 0 {
						samples++
						require.Equal(t, tt.slow, slow)
					}
					time.Sleep(tt.busy)
				}
				require.Equal(t, 4, samples)
			})
		})
	}
}
