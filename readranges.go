package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/omnibucket/storage/internal/parallel"
)

const (
	// defaultMaxGap costs as much CPU over TLS as another request does (benchmarks: 142 KiB),
	// and an eighth of the 20 ms that a request takes at 50 MB/s.
	defaultMaxGap = 128 << 10
	// maxRunBytes bounds one request: longer ranges are read over several connections.
	maxRunBytes       = 16 << 20
	rangesConcurrency = 16
)

// A Range is a piece of an object: Length bytes from Offset, as [WithRange] takes them. A Length
// below 0 reads to the end. An Offset below 0, which needs a Length below 0, reads the last
// -Offset bytes.
type Range struct{ Offset, Length int64 }

// ReadRanges reads ranges of one object into memory, for formats whose parts are found by
// offset, such as Parquet, Zarr or TIFF. It returns the bytes of each range in the order of
// ranges, and the attributes of the revision that they all come from. A range that ends
// past the object's end returns fewer bytes. The slices share no memory, also if ranges
// overlap: together they take the sum of the lengths.
//
// Ranges that overlap or are near each other are read by one request ([WithMaxGap]) of at
// most 16 MiB; a longer range takes several. Up to 16 requests are made at once, or as many
// as [WithConcurrency] says. If a range is relative to the end and not the only one, one
// more request determines the size. The bytes go into the results without a buffer between.
//
// InvalidArgument: an Offset below 0 has a Length from 0 on, or [WithRange] is among opts.
// RangeNotSatisfiable: an Offset is past the end. Changed: the object was changed or removed
// meanwhile. After an error there are no results.
func ReadRanges(ctx context.Context, b Downloader, key string, ranges []Range, opts ...DownloadOption) ([][]byte, *Attrs, error) {
	r := &rangesRead{from: b, key: key, ranges: ranges}
	if e := r.init(opts); e != nil {
		return nil, nil, located(b, "ReadRanges", key, e)
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	first, err := r.open(reading, opts)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = first.Close() }()
	plan, e := planRanges(ranges, first.Attrs().Size, r.gap, r.limit)
	if e != nil {
		return nil, nil, located(b, "ReadRanges", key, e)
	}
	if err := r.fetch(reading, cancel, first, plan); err != nil {
		return nil, nil, r.failed(ctx, err)
	}
	return r.results, first.Attrs(), nil
}

// A rangesRead is one call of ReadRanges.
type rangesRead struct {
	from     Downloader
	key      string
	ranges   []Range
	req      GetRequest // with the options
	gap      int64      // bytes; see WithMaxGap
	limit    int64      // bytes of one request
	results  [][]byte
	progress *progress
}

func (r *rangesRead) init(opts []DownloadOption) *Error {
	if err := r.req.Apply(opts...); err != nil {
		return ownError(err)
	}
	if r.req.Offset != 0 || r.req.Length >= 0 || r.req.Suffix != 0 {
		return invalid("WithRange", "must not be given: the ranges are an argument")
	}
	for i, one := range r.ranges {
		if one.Offset < 0 && one.Length >= 0 {
			return invalid(fmt.Sprintf("ranges[%d]", i), "with an Offset below 0 must have a Length below 0: the last -Offset bytes")
		}
	}
	r.gap, r.limit = defaultMaxGap, maxRunBytes
	if r.req.set.maxGap != nil {
		r.gap = *r.req.set.maxGap
	}
	if len(r.ranges) == 1 && r.relative() {
		r.limit = math.MaxInt64 // the first request reads all of it
	}
	return nil
}

// relative reports whether a range depends on the object's size.
func (r *rangesRead) relative() bool {
	return slices.ContainsFunc(r.ranges, func(one Range) bool { return one.Length < 0 })
}

// open makes the first request, which also determines size and revision.
func (r *rangesRead) open(ctx context.Context, opts []DownloadOption) (*Reader, error) {
	at := r.firstRange()
	all := slices.Concat(opts, []DownloadOption{
		WithRange(at.Offset, at.Length), WithConcurrency(1),
		transferOption(func(s *settings) { s.progress = nil }),
	})
	first, err := r.from.Download(ctx, r.key, all...)
	if err != nil {
		return nil, err
	}
	if first.Attrs() == nil {
		_ = first.Close()
		return nil, located(r.from, "ReadRanges", r.key, &Error{Code: Internal, Err: errors.New("the download has no Attrs")})
	}
	return first, nil
}

// firstRange returns what the first request reads: the first run, if it does not depend on the
// object's size, or no bytes.
func (r *rangesRead) firstRange() Range {
	if len(r.ranges) == 1 && r.relative() {
		return r.ranges[0]
	}
	if r.relative() {
		return Range{}
	}
	// The first run is the same if longer ranges are cut. Else there would be too many runs.
	cut := slices.Clone(r.ranges)
	for i := range cut {
		cut[i].Length = min(cut[i].Length, r.limit)
	}
	plan, _ := planRanges(cut, math.MaxInt64, r.gap, r.limit)
	if len(plan.runs) == 0 {
		return Range{}
	}
	return Range{plan.runs[0].offset, plan.runs[0].end - plan.runs[0].offset}
}

// fetch reads all runs. The first request serves the first run if it begins there.
func (r *rangesRead) fetch(ctx context.Context, stopFirst func(), first *Reader, plan *rangePlan) error {
	object := pinObject(r.from, r.key, &r.req, first.Attrs())
	r.results = make([][]byte, len(plan.spans))
	for i, s := range plan.spans {
		r.results[i] = make([]byte, s.end-s.offset)
	}
	r.progress = newProgress(r.req.set.progress, plan.bytes)
	offset, length := first.Range()
	limit := rangesConcurrency
	if n := int(r.req.set.concurrency); n > 0 {
		limit = min(n, maxRanges)
	}
	err := parallel.Each(ctx, len(plan.runs), limit, func(ctx context.Context, i int) error {
		run := plan.runs[i]
		if i == 0 && offset == run.offset && length >= run.end-run.offset {
			defer context.AfterFunc(ctx, stopFirst)()
			return r.read(plan, run, first)
		}
		from, err := object.open(ctx, "ReadRanges", run.offset, run.end-run.offset)
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }()
		return r.read(plan, run, from)
	})
	if err != nil {
		return err
	}
	for _, c := range plan.copies {
		copy(r.place(plan, c.to), r.place(plan, rangePart{c.from, c.to.offset, c.to.end}))
	}
	return nil
}

// failed returns an error of a run. If ctx has ended, err may be its cause: that belongs to others.
func (r *rangesRead) failed(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if _, own := findCode(err); own {
		return err
	}
	return located(r.from, "ReadRanges", r.key, asError(ctx, err))
}

// read reads a run into the results, and skips the gaps.
func (r *rangesRead) read(plan *rangePlan, run rangeRun, from *Reader) error {
	at := run.offset
	for _, p := range run.parts {
		if _, err := io.CopyN(io.Discard, from, p.offset-at); err != nil {
			return err
		}
		if _, err := io.ReadFull(from, r.place(plan, p)); err != nil {
			return err
		}
		at = p.end
		r.progress.add(p.end - p.offset)
	}
	if offset, length := from.Range(); offset+length > at { // the first request, of an object that is longer than a run
		return nil
	}
	return checkEnd(r.from, "ReadRanges", r.key, from)
}

// place returns the memory of a part in the results.
func (r *rangesRead) place(plan *rangePlan, p rangePart) []byte {
	start := plan.spans[p.span].offset
	return r.results[p.span][p.offset-start : p.end-start]
}
