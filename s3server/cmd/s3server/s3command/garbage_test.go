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
	for _, row := range []struct {
		name    string
		service func() driver.ServiceDriver
		env     func(string) (string, bool)
		percent uint64
	}{
		{"a directory", directory, environment(), 200},
		{"a directory, with GOGC", directory, environment("GOGC", "77"), 77},
		{"memory", func() driver.ServiceDriver { return nil }, environment(), 100},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(77))
			server := startOver(t, row.service(), row.env)
			require.Equal(t, row.percent, gcPercent())
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
