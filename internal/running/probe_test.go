package running

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A Probe measures a connection in samples of some bytes. It reports a connection as slow only if its own rate is
// low, and not if the machine or the reader is slow.
func TestProbeSlowOnlyIfMostIs(t *testing.T) {
	const slowRate = 50e6 // bytes a second
	const fastRate = 800e6
	const pause = 12 * time.Millisecond
	tests := []struct {
		name     string
		rate     float64       // bytes a second of the connection
		pause    time.Duration // of the whole process, once in each sample, because the machine is busy
		busy     time.Duration // of the reader, after each read
		wantSlow bool
	}{
		{name: "a slow connection", rate: slowRate, wantSlow: true},
		{name: "a fast connection", rate: fastRate},
		{name: "a fast connection of a busy machine", rate: fastRate, pause: pause},
		{name: "a slow connection of a busy machine", rate: slowRate, pause: pause, wantSlow: true},
		{name: "a reader that is slower than its slow connection", rate: slowRate, busy: time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const samples = 4
				const readBytes = 16 << 10
				const readsOfSample = sampleBytes / readBytes
				readTime := time.Duration(readBytes / tt.rate * float64(time.Second))

				var probe Probe
				results := 0
				for i := range samples * readsOfSample {
					start := time.Now()
					time.Sleep(readTime)

					// The pause makes one read of each sample slow.
					isMiddleOfSample := i%readsOfSample == readsOfSample/2
					if isMiddleOfSample {
						time.Sleep(tt.pause)
					}

					// The Probe returns a rate at the end of each sample.
					rate, slow := probe.RecordRead(start, readBytes)
					if rate > 0 {
						results++
						require.Equal(t, tt.wantSlow, slow)
					}
					time.Sleep(tt.busy)
				}
				require.Equal(t, samples, results)
			})
		})
	}
}
