package rangeplan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanOfRanges(t *testing.T) {
	for _, row := range []struct {
		name       string
		spans      []Span
		gap, limit int64
		runs       []Span
		copies     int
	}{
		{"nothing", nil, 10, 100, nil, 0},
		{"no bytes", []Span{{5, 5}, {1000, 1000}, {0, 0}}, 10, 100, nil, 0},
		{"a gap as wide as allowed", []Span{{20, 30}, {0, 10}}, 10, 100, []Span{{0, 30}}, 0},
		{"a wider gap", []Span{{21, 31}, {0, 10}}, 10, 100, []Span{{0, 10}, {21, 31}}, 0},
		{"touching", []Span{{0, 10}, {10, 20}}, 0, 100, []Span{{0, 20}}, 0},
		{"overlapping", []Span{{0, 10}, {5, 15}, {7, 9}, {5, 15}}, 0, 100, []Span{{0, 15}}, 3},
		{"one within another", []Span{{0, 100}, {10, 20}, {90, 110}}, 0, 1000, []Span{{0, 110}}, 2},
		{"longer than a request", []Span{{0, 250}}, 10, 100, []Span{{0, 100}, {100, 200}, {200, 250}}, 0},
		{"together longer than a request", []Span{{0, 60}, {60, 120}, {125, 135}}, 10, 100, []Span{{0, 60}, {60, 135}}, 0},
		{"to an end that any object may claim", []Span{{0, math.MaxInt64}}, 0, math.MaxInt64, []Span{{0, math.MaxInt64}}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := New(row.spans, row.gap, row.limit)
			var runs []Span
			for run := range p.Runs {
				runs = append(runs, Span{run.Offset, run.End})
			}
			require.Equal(t, row.runs, runs)
			require.Len(t, p.Copies, row.copies)
		})
	}
}

// Any plan reads or copies each byte of each range exactly once.
func TestPlanOfRandomRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		spans := make([]Span, random.IntN(8))
		for i := range spans {
			offset := random.Int64N(101)
			spans[i] = Span{offset, offset + random.Int64N(101-offset)}
		}
		gap := random.Int64N(20)
		limit := 1 + random.Int64N(60)
		p := New(spans, gap, limit)
		filled := make([][]int, len(spans))
		for i, s := range spans {
			filled[i] = make([]int, s.End-s.Offset)
		}
		fill := func(part Part) {
			for offset := part.Offset; offset < part.End; offset++ {
				filled[part.Span][offset-spans[part.Span].Offset]++
			}
		}
		last := int64(-1)
		bytes := int64(0)
		for run := range p.Runs {
			require.Greater(t, run.Offset, last-1, "runs ascend without overlap")
			require.LessOrEqual(t, run.End-run.Offset, limit)
			for offset, i := run.Offset, 0; i < len(run.Parts); i++ {
				part := run.Parts[i]
				require.GreaterOrEqual(t, part.Offset, offset)
				require.LessOrEqual(t, part.Offset-offset, gap)
				fill(part)
				offset = part.End
				bytes += part.End - part.Offset
			}
			last = run.End
		}
		require.Equal(t, p.Bytes, bytes)
		for _, c := range p.Copies {
			from := spans[c.From]
			require.LessOrEqual(t, from.Offset, c.To.Offset)
			require.GreaterOrEqual(t, from.End, c.To.End)
			for offset := c.To.Offset; offset < c.To.End; offset++ {
				require.Equal(t, 1, filled[c.From][offset-from.Offset], "it is there when it is copied")
			}
			fill(c.To)
		}
		for i := range filled {
			for _, n := range filled[i] {
				require.Equal(t, 1, n)
			}
		}
	}
}
