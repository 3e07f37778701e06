package storage

import (
	"cmp"
	"fmt"
	"slices"
)

// A rangePlan says which requests ReadRanges makes. Offsets and ends are those of the object;
// spans are numbered as the ranges.
type rangePlan struct {
	spans  []rangeSpan
	runs   []rangeRun  // ascending, without overlap
	copies []rangeCopy // after all runs, in this order
	bytes  int64       // of all parts
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

// planRanges plans requests of at most limit bytes, which skip gaps of at most gap bytes. If a
// range begins past the end, it fails with RangeNotSatisfiable.
func planRanges(ranges []Range, size, gap, limit int64) (*rangePlan, *Error) {
	p := &rangePlan{spans: make([]rangeSpan, len(ranges))}
	order := make([]int, len(ranges))
	for i, one := range ranges {
		var r GetRequest
		WithRange(one.Offset, one.Length).applyDownload(&r)
		from, to, err := r.Span(size)
		if err != nil {
			return nil, &Error{Code: RangeNotSatisfiable, Err: fmt.Errorf("ranges[%d] begins at %d, and the object has %d bytes", i, one.Offset, size)}
		}
		p.spans[i], order[i] = rangeSpan{from, to}, i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p.spans[a].offset, p.spans[b].offset) })
	furthest := -1
	for _, i := range order {
		furthest = p.add(i, furthest, gap, limit)
	}
	return p, nil
}

// add plans the span i, which has the lowest offset of those that are left. furthest is the
// span that ends last so far, or -1; add returns the next one. furthest contains everything
// that span i has in common with earlier spans, because it does not begin after span i.
func (p *rangePlan) add(i, furthest int, gap, limit int64) int {
	s := p.spans[i]
	at := s.offset
	if furthest >= 0 {
		if end := min(p.spans[furthest].end, s.end); end > at {
			p.copies = append(p.copies, rangeCopy{rangePart{i, at, end}, furthest})
			at = end
		}
	}
	for at < s.end {
		end := at + min(s.end-at, limit)
		p.read(rangePart{i, at, end}, gap, limit)
		at = end
	}
	if furthest < 0 || s.end > p.spans[furthest].end {
		return i
	}
	return furthest
}

// read plans to read a part that begins where the last run ends, or after it.
func (p *rangePlan) read(part rangePart, gap, limit int64) {
	p.bytes += part.end - part.offset
	if n := len(p.runs) - 1; n >= 0 && part.offset-p.runs[n].end <= gap && part.end-p.runs[n].offset <= limit {
		p.runs[n].end = part.end
		p.runs[n].parts = append(p.runs[n].parts, part)
		return
	}
	p.runs = append(p.runs, rangeRun{part.offset, part.end, []rangePart{part}})
}
