package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// If the CPU time of this library grows more steeply than linearly, reportGrowth counts a missed goal.
func TestReportGrowthSteeperThanLinear(t *testing.T) {
	tests := []struct {
		name       string
		seconds    map[int]float64 // CPU time by the size of the operation
		wantText   string          // "" if nothing is printed
		wantMissed int
	}{
		{
			name:     "linear",
			seconds:  map[int]float64{1: 0.001, 10: 0.1, 100: 1, 1000: 10},
			wantText: "exponent 1.00",
		},
		{
			name:       "steeper at the end",
			seconds:    map[int]float64{1: 0.01, 10: 0.1, 100: 1.2},
			wantText:   "exponent 1.08",
			wantMissed: 1,
		},
		{name: "too short to be measured", seconds: map[int]float64{1: 0.001, 10: 0.002}, wantText: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var run []record.Case
			for size, seconds := range tt.seconds {
				run = append(run, record.Case{
					Growth: &record.Growth{Name: "list", At: size},
					Rows:   []record.Row{{Name: ours, CPU: seconds * 1e9}}, // in nanoseconds
				})
			}

			var buf strings.Builder
			missed := reportGrowth(&buf, run)
			require.Equal(t, tt.wantMissed, missed)
			if tt.wantText == "" {
				require.Empty(t, buf.String())
			} else {
				require.Contains(t, buf.String(), tt.wantText)
			}
		})
	}
}

// reportGrowth prints the growth of other libraries, and has no goal for them.
func TestReportGrowthOfOthers(t *testing.T) {
	point := func(i int, others ...record.Row) record.Case {
		rows := append([]record.Row{{Name: ours, CPU: float64(i) * 1e8}}, others...)
		return record.Case{Growth: &record.Growth{Name: "downloads", At: i}, Rows: rows}
	}
	var buf strings.Builder
	require.Zero(t, reportGrowth(&buf, []record.Case{
		point(1, record.Row{Name: plainHTTP, CPU: 1e8}, record.Row{Name: sdkManager, CPU: 1e8}),
		point(100, record.Row{Name: plainHTTP, CPU: 1e12}),
	}))
	require.Contains(t, buf.String(), "exponent 1.00")
	require.Contains(t, buf.String(), plainHTTP+": 2.00\n")
	require.NotContains(t, buf.String(), sdkManager, "it has one point")
}

// atOnce returns one connection for the small operation of a growth, and one for each object of a large one.
func TestAtOnceBeginsWithOneConnection(t *testing.T) {
	require.Equal(t, 1, atOnce(1000, kilobyte), "the first, small operation")
	require.Equal(t, 1000, atOnce(1000, 1000*4*mebibyte))
}
