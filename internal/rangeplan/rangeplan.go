// Package rangeplan plans the requests that read many ranges of one object.
//
// The ranges are sorted by offset. Those that overlap or are near each other become one run, which
// one request reads; it skips the gaps between them. A range that is longer than a request becomes
// several runs. Bytes that several ranges share are read for the first range and copied to the
// others.
package rangeplan

import (
	"cmp"
	"slices"
)

// MaxAtOnce is how many ranges a caller may ask for at once: 1 GiB in ranges of 64 KiB.
const MaxAtOnce = 1 << 14

// A Plan says which requests read the spans. Offsets and ends are those of the object; spans are
// numbered by their place in Spans.
type Plan struct {
	Spans  []Span
	Bytes  int64  // sum of the bytes of all parts
	Copies []Copy // the copies to make after all runs, in this order; Runs appends to it

	order      []int // span numbers by offset
	gap, limit int64
}

// A Span is a range of an object whose size is known.
type Span struct{ Offset, End int64 }

// A Run is read by one request.
type Run struct {
	Offset, End int64
	Parts       []Part // ascending, without overlap
}

// A Part is a piece of a span.
type Part struct {
	Span        int
	Offset, End int64
}

// A Copy is a part whose bytes another span has, too.
type Copy struct {
	To   Part
	From int // the other span
}

// New plans requests of at most limit bytes, which skip gaps of at most gap bytes.
func New(spans []Span, gap, limit int64) *Plan {
	p := &Plan{Spans: spans, order: make([]int, len(spans)), gap: gap, limit: limit}
	for i := range spans {
		p.order[i] = i
	}
	slices.SortFunc(p.order, func(a, b int) int { return cmp.Compare(spans[a].Offset, spans[b].Offset) })
	end := int64(0)
	for _, i := range p.order {
		s := spans[i]
		p.Bytes += max(0, s.End-max(s.Offset, end))
		end = max(end, s.End)
	}
	return p
}

// Runs yields the runs, ascending and without overlap. It is used once. An object may claim any
// size, so the runs are never in memory together.
func (p *Plan) Runs(yield func(Run) bool) {
	var run Run
	furthest := -1 // the span that ends last of those so far
	for _, i := range p.order {
		s := p.Spans[i]
		for offset := p.copyHead(i, furthest); offset < s.End; {
			part := Part{i, offset, offset + min(s.End-offset, p.limit)}
			if !p.merges(&run, part) {
				if run.Parts != nil && !yield(run) {
					return
				}
				run = Run{Offset: part.Offset}
			}
			run.End, run.Parts = part.End, append(run.Parts, part)
			offset = part.End
		}
		if furthest < 0 || s.End > p.Spans[furthest].End {
			furthest = i
		}
	}
	if run.Parts != nil {
		yield(run)
	}
}

// copyHead plans to copy the bytes that span i has in common with earlier spans, and returns
// where the rest begins. The span furthest contains all of these bytes, because it does not
// begin after span i.
func (p *Plan) copyHead(i, furthest int) int64 {
	s := p.Spans[i]
	if furthest < 0 {
		return s.Offset
	}
	end := min(p.Spans[furthest].End, s.End)
	if end <= s.Offset {
		return s.Offset
	}
	p.Copies = append(p.Copies, Copy{Part{i, s.Offset, end}, furthest})
	return end
}

// merges reports whether a run can end with a part, which begins where the run ends, or after it.
func (p *Plan) merges(run *Run, part Part) bool {
	return run.Parts != nil && part.Offset-run.End <= p.gap && part.End-run.Offset <= p.limit
}
