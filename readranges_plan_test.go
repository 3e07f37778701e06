package storage

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanOfRanges(t *testing.T) {
	for _, row := range []struct {
		name       string
		ranges     []Range
		gap, limit int64
		runs       []rangeSpan
		copies     int
	}{
		{"nothing", nil, 10, 100, nil, 0},
		{"no bytes", []Range{{5, 0}, {1000, 10}, {0, 0}}, 10, 100, nil, 0},
		{"a gap as wide as allowed", []Range{{20, 10}, {0, 10}}, 10, 100, []rangeSpan{{0, 30}}, 0},
		{"a wider gap", []Range{{21, 10}, {0, 10}}, 10, 100, []rangeSpan{{0, 10}, {21, 31}}, 0},
		{"touching", []Range{{0, 10}, {10, 10}}, 0, 100, []rangeSpan{{0, 20}}, 0},
		{"overlapping", []Range{{0, 10}, {5, 10}, {7, 2}, {5, 10}}, 0, 100, []rangeSpan{{0, 15}}, 3},
		{"one within another", []Range{{0, 100}, {10, 10}, {90, 20}}, 0, 1000, []rangeSpan{{0, 110}}, 2},
		{"longer than a request", []Range{{0, 250}}, 10, 100, []rangeSpan{{0, 100}, {100, 200}, {200, 250}}, 0},
		{"together longer than a request", []Range{{0, 60}, {60, 60}, {125, 10}}, 10, 100, []rangeSpan{{0, 60}, {60, 135}}, 0},
		{"relative to the end", []Range{{-10, -1}, {995, -1}, {-2000, -1}}, 0, 10_000, []rangeSpan{{0, 1000}}, 2},
		{"past the end", []Range{{990, math.MaxInt64}, {980, 15}}, 0, 100, []rangeSpan{{980, 1000}}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, e := planRanges(row.ranges, 1000, row.gap, row.limit)
			require.Nil(t, e)
			var runs []rangeSpan
			for run := range p.runs {
				runs = append(runs, rangeSpan{run.offset, run.end})
			}
			require.Equal(t, row.runs, runs)
			require.Len(t, p.copies, row.copies)
		})
	}
	_, e := planRanges([]Range{{0, 1}, {1001, 0}}, 1000, 0, 100)
	require.Equal(t, RangeNotSatisfiable, e.Code)
	require.ErrorContains(t, e, "ranges[1]")
}

// Any plan reads or copies each byte of each range exactly once.
func TestPlansOfRandomRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		ranges := make([]Range, random.IntN(8))
		for i := range ranges {
			ranges[i] = Range{random.Int64N(101), random.Int64N(40) - 1}
		}
		gap, limit := random.Int64N(20), 1+random.Int64N(60)
		p, e := planRanges(ranges, 100, gap, limit)
		require.Nil(t, e)
		filled := make([][]int, len(ranges))
		for i, s := range p.spans {
			filled[i] = make([]int, s.end-s.offset)
		}
		fill := func(part rangePart) {
			for at := part.offset; at < part.end; at++ {
				filled[part.span][at-p.spans[part.span].offset]++
			}
		}
		last, bytes := int64(-1), int64(0)
		for run := range p.runs {
			require.Greater(t, run.offset, last-1, "runs ascend without overlap")
			require.LessOrEqual(t, run.end-run.offset, limit)
			for at, i := run.offset, 0; i < len(run.parts); i++ {
				part := run.parts[i]
				require.GreaterOrEqual(t, part.offset, at)
				require.LessOrEqual(t, part.offset-at, gap)
				fill(part)
				at = part.end
				bytes += part.end - part.offset
			}
			last = run.end
		}
		require.Equal(t, p.bytes, bytes)
		for _, c := range p.copies {
			from := p.spans[c.from]
			require.LessOrEqual(t, from.offset, c.to.offset)
			require.GreaterOrEqual(t, from.end, c.to.end)
			for at := c.to.offset; at < c.to.end; at++ {
				require.Equal(t, 1, filled[c.from][at-from.offset], "it is there when it is copied")
			}
			fill(c.to)
		}
		for i := range filled {
			for _, n := range filled[i] {
				require.Equal(t, 1, n)
			}
		}
	}
}
