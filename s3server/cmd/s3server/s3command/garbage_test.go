package s3command

import (
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local"
)

// If the data is not in memory, the server collects garbage less often until it stops, unless GOGC
// is set.
func TestGarbageIsCollectedLessOftenOverStore(t *testing.T) {
	const oldPercent = 77 // before the server starts and after it stops
	directory := func() driver.ServiceDriver {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{Create: true})
		require.NoError(t, err)
		return service
	}
	// Without a service, the server keeps its data in memory.
	memory := func() driver.ServiceDriver {
		return nil
	}

	tests := []struct {
		name        string
		service     func() driver.ServiceDriver
		env         func(string) (string, bool)
		wantPercent uint64 // while the server runs
	}{
		{name: "directory", service: directory, env: environment(), wantPercent: 200},
		{name: "directory, GOGC is set", service: directory, env: environment("GOGC", "77"), wantPercent: oldPercent},
		{name: "memory", service: memory, env: environment(), wantPercent: 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// SetGCPercent returns the former percentage. The other tests need it again.
			percentOfTests := debug.SetGCPercent(oldPercent)
			defer debug.SetGCPercent(percentOfTests)

			server := startServerOver(t, tt.service(), tt.env)
			require.Equal(t, tt.wantPercent, gcPercent())

			server.stop()
			require.EqualValues(t, oldPercent, gcPercent())
		})
	}
}

// gcPercent returns the percentage that debug.SetGCPercent has set.
func gcPercent() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}
