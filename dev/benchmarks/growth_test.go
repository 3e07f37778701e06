package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/dev/benchmarks/record"
)

func TestAGrowthThatIsSteeperThanLinearIsMissed(t *testing.T) {
	for _, row := range []struct {
		name  string
		cpu   map[int]float64 // seconds, by size
		want  string          // what is printed, without the goal
		wrong int
	}{
		{"linear", map[int]float64{1: 0.001, 10: 0.1, 100: 1, 1000: 10}, "exponent 1.00", 0},
		{"steeper at the end", map[int]float64{1: 0.01, 10: 0.1, 100: 1.2}, "exponent 1.08", 1},
		{"too short to be measured", map[int]float64{1: 0.001, 10: 0.002}, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var run []record.Case
			for at, seconds := range row.cpu {
				run = append(run, record.Case{Growth: &record.Growth{Name: "list", At: at}, Rows: []record.Row{{Name: ours, CPU: seconds * 1e9}}})
			}
			var out strings.Builder
			require.Equal(t, row.wrong, reportGrowth(&out, run))
			require.Contains(t, out.String(), row.want)
		})
	}
}
