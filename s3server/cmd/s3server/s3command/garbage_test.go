package s3command

import (
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local"
)

// If the data is in another store, not in memory, the program sets a lower frequency of garbage collection.
func TestGarbageIsCollectedLessOftenOverStore(t *testing.T) {
	directory := func() driver.ServiceDriver {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{Create: true})
		require.NoError(t, err)
		return service
	}
	tests := []struct {
		name    string
		service func() driver.ServiceDriver
		env     func(string) (string, bool)
		percent uint64
	}{
		{name: "a directory", service: directory, env: environment(), percent: 200},
		{name: "a directory, with GOGC", service: directory, env: environment("GOGC", "77"), percent: 77},
		{
			name:    "memory",
			service: func() driver.ServiceDriver { return nil },
			env:     environment(),
			percent: 100,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(77))
			server := startOver(t, tt.service(), tt.env)
			require.Equal(t, tt.percent, gcPercent())
			server.stop()
			require.EqualValues(t, 77, gcPercent())
		})
	}
}

func gcPercent() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}
