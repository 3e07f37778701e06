package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/omnibucket/storage/internal/core/progress"
	"github.com/omnibucket/storage/internal/core/rangeplan"
	"github.com/omnibucket/storage/internal/running"
)

const (
	// A request takes as much CPU time as reading 142 KiB over TLS, in benchmarks. So reading a gap
	// of up to defaultMaxGap costs no more than another request. At 50 MB/s, such a gap takes 2.6
	// ms, and a request takes 20 ms.
	defaultMaxGap = 128 << 10
	// maxRunBytes limits the bytes of one request. Longer ranges are split and read over several
	// connections.
	maxRunBytes       = 16 << 20
	rangesConcurrency = 16
)

// A Range is a piece of an object. Offset and Length have the same meaning as in [WithRange].
type Range struct{ Offset, Length int64 }

// ReadRanges reads ranges of one revision into memory, for formats whose parts are found by offset,
// such as Parquet. The results are in the order of ranges, and share no memory. If the object ends
// earlier, a result is shorter than its range. Ranges that overlap or are near each other
// ([WithMaxGap]) are read by one request of at most 16 MiB. At most 16 requests run in parallel,
// unless [WithConcurrency] sets another number. If one of several ranges is relative to the end of
// the object, one more request finds the size.
//
// If an Offset is past the end, ReadRanges fails with RangeNotSatisfiable. If the object is changed
// or removed meanwhile, it fails with Changed. WithRange is not permitted.
func ReadRanges(
	ctx context.Context, b Downloader, key string, ranges []Range, opts ...DownloadOption,
) ([][]byte, *Attrs, error) {
	// If b is nil, the first request fails.
	r := &rangesRead{from: orFailing(b), key: key, ranges: ranges}
	if err := r.init(opts); err != nil {
		// The hooks see the Download as refused.
		return nil, nil, refuseFunction(ctx, b, "ReadRanges", "Download", key, err)
	}
	if err := r.run(ctx, opts); err != nil {
		return nil, nil, err
	}
	return r.results, r.first.Attrs(), nil
}

// A rangesRead is one call of ReadRanges.
type rangesRead struct {
	from   Downloader
	key    string
	ranges []Range
	req    DownloadOptions // options of the call
	gap    int64           // a request may read and discard up to this many bytes between two ranges
	limit  int64           // largest size in bytes of one request
	// claimed limits the bytes of memory that are allocated before the first bytes of the object
	// arrive. The size that the store reports may be wrong.
	claimed  int64
	results  [][]byte
	progress *progress.Counter

	first     *Reader // response to the first request
	stopFirst func()
	object    pinnedObject
	plan      *rangeplan.Plan
}

// init checks the options and the ranges, and sets the limits of requests and memory.
func (r *rangesRead) init(opts []DownloadOption) *Error {
	if err := r.req.Apply(opts...); err != nil {
		return ownError(err)
	}
	// Without WithRange, Length is negative.
	hasRange := r.req.Offset != 0 || r.req.Length >= 0 || r.req.Suffix != 0
	if hasRange {
		return invalid("WithRange", "must not be given: the ranges are an argument")
	}
	for i, byteRange := range r.ranges {
		// A negative Offset counts from the end, and such a range always reaches to the end.
		if byteRange.Offset < 0 && byteRange.Length >= 0 {
			return invalid(
				fmt.Sprintf("ranges[%d]", i),
				"with an Offset below 0 must have a Length below 0: the last -Offset bytes",
			)
		}
	}

	// Bytes between two ranges, up to this number, are read and dropped to save a request.
	r.gap = defaultMaxGap
	if r.req.MaxGap != nil {
		r.gap = *r.req.MaxGap
	}
	r.limit = maxRunBytes
	r.claimed = claimedBytes
	return nil
}

// resolveRanges returns the beginning and end of each range in an object of the given size. If a
// range begins past the end, it fails with RangeNotSatisfiable.
func resolveRanges(ranges []Range, size int64) ([]rangeplan.Span, *Error) {
	spans := make([]rangeplan.Span, len(ranges))
	for i, byteRange := range ranges {
		// WithRange and Span decide what a negative offset or length means.
		var req DownloadOptions
		WithRange(byteRange.Offset, byteRange.Length).applyDownload(&req)
		start, end, err := req.Span(size)
		if err != nil {
			return nil, &Error{
				Code: RangeNotSatisfiable,
				Err:  fmt.Errorf("ranges[%d] begins at %d, and the object has %d bytes", i, byteRange.Offset, size),
			}
		}
		if err := checkFitsSlice(end - start); err != nil {
			return nil, err
		}
		spans[i] = rangeplan.Span{Offset: start, End: end}
	}
	return spans, nil
}

// run reads the ranges into the results. The response to the first request tells the object's size
// and revision, from which run plans the other requests, all of the same revision.
func (r *rangesRead) run(ctx context.Context, opts []DownloadOption) error {
	// The context of the requests ends with the call, or when a request fails (see fetchRun).
	requestCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.stopFirst = cancel
	if err := r.open(requestCtx, opts); err != nil {
		return err
	}
	defer func() { _ = r.first.Close() }()

	attrs := r.first.Attrs()
	spans, err := resolveRanges(r.ranges, attrs.Size)
	if err != nil {
		return locateError(r.from, "ReadRanges", r.key, err)
	}
	r.plan = rangeplan.New(spans, r.gap, r.limit)
	r.object = pinObject(r.from, r.key, "ReadRanges", &r.req, attrs)
	if err := r.fetch(requestCtx); err != nil {
		// stopFirst may have canceled requestCtx, so only ctx shows whether the caller has canceled.
		return r.object.failure(ctx, err)
	}
	return nil
}

// open sends the first request, whose response also has the size and the revision of the object. The
// request reports no progress, because the call reports the progress of all ranges.
func (r *rangesRead) open(ctx context.Context, opts []DownloadOption) error {
	firstRange := r.firstRange()
	firstOpts := slices.Concat(opts, []DownloadOption{
		WithRange(firstRange.Offset, firstRange.Length),
		WithConcurrency(1),
		progressOption(nil),
	})

	first, err := r.from.Download(ctx, r.key, firstOpts...)
	if err != nil {
		return err
	}
	if first.Attrs() == nil {
		_ = first.Close()
		return locateError(r.from, "ReadRanges", r.key, &Error{Code: Internal, Err: errors.New("the download has no Attrs")})
	}
	r.first = first
	return nil
}

// firstRange returns the range of the first request, which is usually the first one of the plan. If
// the plan depends on the object's size, the range is empty, and the request only finds the size.
func (r *rangesRead) firstRange() Range {
	// A range up to the end depends on the size.
	needsSize := slices.ContainsFunc(r.ranges, func(byteRange Range) bool { return byteRange.Length < 0 })
	if needsSize {
		if len(r.ranges) == 1 {
			return r.ranges[0]
		}
		return Range{}
	}

	// The plan is the same for every size that is large enough, so make it with the largest one.
	spans, err := resolveRanges(r.ranges, math.MaxInt64)
	if err != nil {
		// A range is too long, or begins too far. The method run checks the ranges again with the
		// object's size, and may fail.
		return Range{}
	}
	plan := rangeplan.New(spans, r.gap, r.limit)
	for firstRun := range plan.Runs {
		return Range{Offset: firstRun.Offset, Length: firstRun.End - firstRun.Offset}
	}
	// All ranges are empty.
	return Range{}
}

// fetch reads the results. A run of the plan is the part of the object that one request reads.
func (r *rangesRead) fetch(ctx context.Context) error {
	r.progress = progress.New(r.req.Progress, r.plan.Bytes)

	// The first response may already be the only range.
	offset, length := r.first.Range()
	delivered := rangeplan.Span{Offset: offset, End: offset + length}
	if len(r.plan.Spans) == 1 && r.plan.Spans[0] == delivered {
		return r.readFirst(length)
	}

	r.results = make([][]byte, len(r.plan.Spans))
	for i := range r.results {
		// The result of an empty range is not nil.
		r.results[i] = []byte{}
	}

	if err := r.fetchRuns(ctx); err != nil {
		return err
	}
	r.copyShared()
	return nil
}

// fetchRuns reads all runs of the plan. It collects runs in a batch, and fetches that before the next
// run would make it too large.
//
// A server could claim a size that the object does not have, and so make this process allocate too
// much memory. So a batch has at most r.claimed bytes, or as many as all earlier batches have
// delivered, if that is more.
func (r *rangesRead) fetchRuns(ctx context.Context) error {
	var batch []rangeplan.Run
	batchBytes := int64(0)
	earlierBytes := int64(0)
	for run := range r.plan.Runs {
		runBytes := run.End - run.Offset
		if batchBytes+runBytes > max(r.claimed, earlierBytes) {
			if err := r.fetchBatch(ctx, batch); err != nil {
				return err
			}
			batch = nil
			earlierBytes += batchBytes
			batchBytes = 0
		}
		batch = append(batch, run)
		batchBytes += runBytes
	}

	// The last batch is still to be fetched.
	return r.fetchBatch(ctx, batch)
}

// copyShared copies the bytes that several ranges share, and that were read for one of them, to the
// results of the others.
func (r *rangesRead) copyShared() {
	for _, shared := range r.plan.Copies {
		dst := shared.To
		src := rangeplan.Part{Span: shared.From, Offset: dst.Offset, End: dst.End}
		r.makeRoom(dst)
		copy(r.bufferOf(dst), r.bufferOf(src))
	}
}

// readFirst reads the range of a call that has only one, from the response to the first request.
// length is the length of the range in bytes.
func (r *rangesRead) readFirst(length int64) error {
	data, err := readWhole(r.from, "ReadRanges", r.key, r.first, r.claimed)
	if err != nil {
		return err
	}
	if length > 0 {
		r.progress.Add(length)
	}
	r.results = [][]byte{data}
	return nil
}

// fetchBatch reads runs in parallel. A run is the part of the object that one request reads.
func (r *rangesRead) fetchBatch(ctx context.Context, batch []rangeplan.Run) error {
	// Allocate the memory for all results. makeRoom makes a result long enough for one part of it. With
	// the last part first, each result is allocated only once.
	for _, run := range slices.Backward(batch) {
		for _, part := range slices.Backward(run.Parts) {
			r.makeRoom(part)
		}
	}

	concurrency := rangesConcurrency
	if r.req.Concurrency > 0 {
		concurrency = min(r.req.Concurrency, rangeplan.MaxAtOnce)
	}
	return running.Each(ctx, len(batch), concurrency, func(ctx context.Context, i int) error {
		return r.fetchRun(ctx, batch[i])
	})
}

// fetchRun reads one run. If the response to the first request contains the run, fetchRun makes no
// new request.
func (r *rangesRead) fetchRun(ctx context.Context, run rangeplan.Run) error {
	offset, length := r.first.Range()
	runBytes := run.End - run.Offset
	hasRun := offset == run.Offset && length >= runBytes
	if !hasRun {
		return r.object.fetch(ctx, run.Offset, runBytes, func(src io.Reader) error {
			return r.readRun(run, src)
		})
	}

	// The first request has another context. If ctx ends, end the first request, too.
	stop := context.AfterFunc(ctx, r.stopFirst)
	defer stop()

	if err := r.readRun(run, r.first); err != nil {
		return err
	}
	if length > runBytes {
		// The response continues after the run.
		return nil
	}
	return r.object.checkEnd(r.first)
}

// readRun reads the bytes of a run from its response into the results, and skips the gaps.
func (r *rangesRead) readRun(run rangeplan.Run, src io.Reader) error {
	offset := run.Offset
	for _, part := range run.Parts {
		if _, err := io.CopyN(io.Discard, src, part.Offset-offset); err != nil {
			return err
		}
		if _, err := io.ReadFull(src, r.bufferOf(part)); err != nil {
			return err
		}
		offset = part.End
		r.progress.Add(part.End - part.Offset)
	}
	return nil
}

// bufferOf returns the piece of a result that the part fills.
func (r *rangesRead) bufferOf(part rangeplan.Part) []byte {
	start := r.plan.Spans[part.Span].Offset
	return r.results[part.Span][part.Offset-start : part.End-start]
}

// makeRoom makes the result of a range long enough for the part, which is a piece of that range.
func (r *rangesRead) makeRoom(part rangeplan.Part) {
	result := r.results[part.Span]
	needed := part.End - r.plan.Spans[part.Span].Offset
	if int64(len(result)) >= needed {
		return
	}
	larger := make([]byte, needed)
	copy(larger, result)
	r.results[part.Span] = larger
}
