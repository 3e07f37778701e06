// Package rangeplan plans the requests that read many ranges of one object.
//
// The ranges are sorted by offset. Ranges that overlap or are near each other become one run. One
// request reads a whole run, and the gaps in it are skipped. If a range is longer than the limit of
// a request, it becomes several runs. If ranges overlap, the shared bytes are read once for the
// first range, and copied to the others.
package rangeplan

import (
	"cmp"
	"slices"
)

// MaxAtOnce is the largest number of ranges in one call. If each range has 64 KiB, a call can read
// 1 GiB.
const MaxAtOnce = 1 << 14

// A Plan holds the requests that read Spans. The number of a span is its index in Spans.
type Plan struct {
	Spans  []Span
	Bytes  int64  // number of distinct bytes in all spans
	Copies []Copy // copies to make, in this order, after all runs were read; the method Runs fills this list

	order      []int // numbers of the spans, sorted by offset
	gap, limit int64
}

// A Span is a range that the caller wants to read, from Offset to End in the object.
type Span struct{ Offset, End int64 }

// A Run is a range of the object that one request reads.
type Run struct {
	Offset, End int64
	Parts       []Part // pieces of spans in the run, sorted, without overlap
}

// A Part is a piece of a span. Span is the number of that span.
type Part struct {
	Span        int
	Offset, End int64
}

// A Copy tells the caller to copy bytes from one span to another. The field To is the part that
// receives the bytes. The span with the number From contains the same bytes of the object.
type Copy struct {
	To   Part
	From int // number of the span from which the bytes are copied
}

// New returns a Plan to read the spans by requests of at most limit bytes. One request may read two
// spans and the bytes between them if these are at most gap bytes.
func New(spans []Span, gap, limit int64) *Plan {
	p := &Plan{
		Spans: spans,
		order: make([]int, len(spans)),
		gap:   gap,
		limit: limit,
	}

	// Sort the numbers of the spans by offset.
	for number := range spans {
		p.order[number] = number
	}
	slices.SortFunc(p.order, func(a, b int) int {
		return cmp.Compare(spans[a].Offset, spans[b].Offset)
	})

	// Count the bytes of each span that no span before it has.
	end := int64(0)
	for _, number := range p.order {
		span := spans[number]
		p.Bytes += max(0, span.End-max(span.Offset, end))
		end = max(end, span.End)
	}
	return p
}

// Runs yields the runs, each of which one request reads, sorted and without overlap. It must be
// called only once. It makes no list of all runs, because a list for a large object could take too
// much memory.
func (p *Plan) Runs(yield func(Run) bool) {
	var run Run
	const none = -1
	furthest := none // number of the span so far with the largest End
	for _, number := range p.order {
		span := p.Spans[number]

		// An earlier span may share the first bytes of this one, which then need no request.
		offset := span.Offset
		if furthest != none {
			offset = p.copyHead(number, furthest)
		}

		// Cut the other bytes into parts of at most p.limit bytes. Add each part to the run if the gap
		// between them is small, or begin a new run with it.
		for offset < span.End {
			part := Part{
				Span:   number,
				Offset: offset,
				End:    offset + min(span.End-offset, p.limit),
			}

			if !p.merges(&run, part) {
				hasRun := run.Parts != nil
				if hasRun && !yield(run) {
					return
				}
				run = Run{Offset: part.Offset}
			}

			run.End = part.End
			run.Parts = append(run.Parts, part)
			offset = part.End
		}

		if furthest == none || span.End > p.Spans[furthest].End {
			furthest = number
		}
	}

	// Yield the last run, which no later part has ended.
	if run.Parts != nil {
		yield(run)
	}
}

// copyHead plans to copy the first bytes of a span from the earlier span that ends last, if that also
// contains them. It returns the offset at which the rest of the span begins. Both spans are given by
// their numbers.
func (p *Plan) copyHead(number, earlier int) int64 {
	span := p.Spans[number]

	// The earlier span begins before this one or with it, so both have all bytes up to sharedEnd.
	sharedEnd := min(span.End, p.Spans[earlier].End)
	if sharedEnd <= span.Offset {
		return span.Offset
	}
	head := Part{Span: number, Offset: span.Offset, End: sharedEnd}
	p.Copies = append(p.Copies, Copy{To: head, From: earlier})
	return sharedEnd
}

// merges reports whether a part can be added to the end of a run. The part begins at the end of the run or after it.
func (p *Plan) merges(run *Run, part Part) bool {
	return run.Parts != nil && part.Offset-run.End <= p.gap && part.End-run.Offset <= p.limit
}
