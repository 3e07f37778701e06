package storage

import (
	"cmp"
	"fmt"
	"slices"
)

// A rangePlan says which requests ReadRanges makes, of at most limit bytes, which skip gaps of
// at most gap bytes. Offsets and ends are those of the object; spans are numbered as the ranges.
type rangePlan struct {
	spans      []rangeSpan
	order      []int // of spans: by offset
	gap, limit int64
	bytes      int64       // of all parts
	copies     []rangeCopy // after all runs, in this order; runs appends them
}

// A rangeSpan is a range of an object whose size is known.
type rangeSpan struct{ offset, end int64 }

// A rangeRun is read by one request.
type rangeRun struct {
	offset, end int64
	parts       []rangePart // ascending, without overlap
}

// A rangePart is a piece of a span.
type rangePart struct {
	span        int
	offset, end int64
}

// A rangeCopy is a part that another span has too.
type rangeCopy struct {
	to   rangePart
	from int // the other span
}

// planRanges plans requests for ranges of an object of size bytes. If a range begins past the
// end, it fails with RangeNotSatisfiable.
func planRanges(ranges []Range, size, gap, limit int64) (*rangePlan, *Error) {
	p := &rangePlan{spans: make([]rangeSpan, len(ranges)), order: make([]int, len(ranges)), gap: gap, limit: limit}
	for i, one := range ranges {
		var r GetRequest
		WithRange(one.Offset, one.Length).applyDownload(&r)
		from, to, err := r.Span(size)
		if err != nil {
			return nil, &Error{Code: RangeNotSatisfiable, Err: fmt.Errorf("ranges[%d] begins at %d, and the object has %d bytes", i, one.Offset, size)}
		}
		if e := checkFitsSlice(to - from); e != nil {
			return nil, e
		}
		p.spans[i], p.order[i] = rangeSpan{from, to}, i
	}
	slices.SortFunc(p.order, func(a, b int) int { return cmp.Compare(p.spans[a].offset, p.spans[b].offset) })
	end := int64(0)
	for _, i := range p.order {
		s := p.spans[i]
		p.bytes += max(0, s.end-max(s.offset, end))
		end = max(end, s.end)
	}
	return p, nil
}

// runs yields the runs, ascending and without overlap. It is used once. An object may claim any
// size, so the runs are never in memory together.
func (p *rangePlan) runs(yield func(rangeRun) bool) {
	var run rangeRun
	furthest := -1 // the span that ends last so far
	for _, i := range p.order {
		s := p.spans[i]
		for at := p.copyHead(i, furthest); at < s.end; {
			part := rangePart{i, at, at + min(s.end-at, p.limit)}
			if !p.merges(&run, part) {
				if run.parts != nil && !yield(run) {
					return
				}
				run = rangeRun{offset: part.offset}
			}
			run.end, run.parts = part.end, append(run.parts, part)
			at = part.end
		}
		if furthest < 0 || s.end > p.spans[furthest].end {
			furthest = i
		}
	}
	if run.parts != nil {
		yield(run)
	}
}

// copyHead plans to copy what span i has in common with earlier spans, and returns where the
// rest begins. The span furthest contains all of that, because it does not begin after span i.
func (p *rangePlan) copyHead(i, furthest int) int64 {
	s := p.spans[i]
	if furthest < 0 {
		return s.offset
	}
	end := min(p.spans[furthest].end, s.end)
	if end <= s.offset {
		return s.offset
	}
	p.copies = append(p.copies, rangeCopy{rangePart{i, s.offset, end}, furthest})
	return end
}

// merges reports whether a run can end with a part, which begins where the run ends, or after it.
func (p *rangePlan) merges(run *rangeRun, part rangePart) bool {
	return run.parts != nil && part.offset-run.end <= p.gap && part.end-run.offset <= p.limit
}
