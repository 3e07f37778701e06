package rangeplan

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A plan joins ranges with a small gap between them into one run, and copies bytes that several ranges have.
func TestPlanOfRanges(t *testing.T) {
	tests := []struct {
		name       string
		spans      []Span // the offset and the end of each range
		gap        int64  // the most bytes between two ranges of a run
		limit      int64  // the most bytes of a run
		wantRuns   []Span
		wantCopies int // ranges whose bytes are copied from another one
	}{
		{name: "nothing", gap: 10, limit: 100},
		{name: "no bytes", spans: []Span{{5, 5}, {1000, 1000}, {0, 0}}, gap: 10, limit: 100},
		{
			name:     "a gap as wide as allowed",
			spans:    []Span{{20, 30}, {0, 10}},
			gap:      10,
			limit:    100,
			wantRuns: []Span{{0, 30}},
		},
		{
			name:     "a wider gap",
			spans:    []Span{{21, 31}, {0, 10}},
			gap:      10,
			limit:    100,
			wantRuns: []Span{{0, 10}, {21, 31}},
		},
		{name: "touching", spans: []Span{{0, 10}, {10, 20}}, limit: 100, wantRuns: []Span{{0, 20}}},
		{
			name:       "overlapping",
			spans:      []Span{{0, 10}, {5, 15}, {7, 9}, {5, 15}},
			limit:      100,
			wantRuns:   []Span{{0, 15}},
			wantCopies: 3,
		},
		{
			name:       "one within another",
			spans:      []Span{{0, 100}, {10, 20}, {90, 110}},
			limit:      1000,
			wantRuns:   []Span{{0, 110}},
			wantCopies: 2,
		},
		{
			name:     "longer than a request",
			spans:    []Span{{0, 250}},
			gap:      10,
			limit:    100,
			wantRuns: []Span{{0, 100}, {100, 200}, {200, 250}},
		},
		{
			name:     "together longer than a request",
			spans:    []Span{{0, 60}, {60, 120}, {125, 135}},
			gap:      10,
			limit:    100,
			wantRuns: []Span{{0, 60}, {60, 135}},
		},
		{
			name:     "to an end that any object may claim",
			spans:    []Span{{0, math.MaxInt64}},
			limit:    math.MaxInt64,
			wantRuns: []Span{{0, math.MaxInt64}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := New(tt.spans, tt.gap, tt.limit)

			var runs []Span
			for run := range p.Runs {
				runs = append(runs, Span{run.Offset, run.End})
			}
			require.Equal(t, tt.wantRuns, runs)
			require.Len(t, p.Copies, tt.wantCopies)
		})
	}
}

// A plan fills ranges of an object: by runs, each of which one request reads, and by copies of bytes that several
// ranges share. Every plan fills each byte of each range exactly once. A run joins only ranges that are no further
// apart than the permitted gap, and is no longer than the limit.
func TestPlanOfRandomRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const plans = 2000
	const objectSize = 100
	for range plans {
		// Plan up to seven ranges.
		spans := make([]Span, random.IntN(8))
		for i := range spans {
			offset := random.Int64N(objectSize + 1)
			spans[i] = Span{Offset: offset, End: offset + random.Int64N(objectSize+1-offset)}
		}
		gap := random.Int64N(20)
		limit := 1 + random.Int64N(60)
		p := New(spans, gap, limit)

		// Read the runs, and count how often each byte of each range is filled. The parts of a run are in order, with
		// gaps that are read and dropped.
		filled := newFills(spans)
		lastEnd := int64(0)
		bytes := int64(0)
		for run := range p.Runs {
			require.GreaterOrEqual(t, run.Offset, lastEnd, "runs ascend without overlap")
			require.LessOrEqual(t, run.End-run.Offset, limit)
			offset := run.Offset
			for _, part := range run.Parts {
				require.GreaterOrEqual(t, part.Offset, offset)
				require.LessOrEqual(t, part.Offset-offset, gap)
				filled.add(part)
				offset = part.End
				bytes += part.End - part.Offset
			}
			lastEnd = run.End
		}
		require.Equal(t, p.Bytes, bytes)

		// Copy shared bytes from one range to another. The first range must have these bytes, and must be filled with
		// them before they are copied.
		for _, c := range p.Copies {
			span := spans[c.From]
			require.LessOrEqual(t, span.Offset, c.To.Offset)
			require.GreaterOrEqual(t, span.End, c.To.End)
			source := Part{Span: c.From, Offset: c.To.Offset, End: c.To.End}
			for _, count := range filled.of(source) {
				require.Equal(t, 1, count)
			}
			filled.add(c.To)
		}

		// Each byte of each range was filled once.
		for _, counts := range filled.counts {
			for _, count := range counts {
				require.Equal(t, 1, count)
			}
		}
	}
}

// fills counts how often each byte of each span of a plan was filled.
type fills struct {
	spans  []Span
	counts [][]int // of each byte of each span
}

func newFills(spans []Span) *fills {
	f := &fills{spans: spans, counts: make([][]int, len(spans))}
	for i, span := range spans {
		f.counts[i] = make([]int, span.End-span.Offset)
	}
	return f
}

// of returns the counts of the bytes of a part.
func (f *fills) of(part Part) []int {
	start := f.spans[part.Span].Offset
	return f.counts[part.Span][part.Offset-start : part.End-start]
}

// add counts that a part was filled.
func (f *fills) add(part Part) {
	counts := f.of(part)
	for i := range counts {
		counts[i]++
	}
}
