package engine

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/crc32c"
)

// inPlace returns w if it is a file into which parallel ranges can be written, each to its
// place: none of them is in memory then. It returns nil if it is not, or if there will be no
// such ranges.
func (d *download) inPlace(w io.Writer) *os.File {
	file, ok := w.(*os.File)
	parallel := d.growth.on
	if d.ranges != nil {
		parallel = d.ranges.fetcher == nil // they have not begun
	}
	if !ok || !parallel || d.failure() != nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if _, err := file.WriteAt(nil, 0); err != nil { // it was opened with O_APPEND
		return nil
	}
	return file
}

// writeInPlace writes the rest to file, from its position on, and moves the position past it.
// If parallel ranges fail, the position stays before them, and the bytes after it are
// undefined.
func (d *download) writeInPlace(file *os.File) (int64, error) {
	written, err := d.writeFirst(file)
	if err != nil || d.ranges == nil {
		return written, err
	}
	left := d.left
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return written, err
	}
	if err := d.writeRanges(io.NewOffsetWriter(file, at), d.length-left); err != nil {
		return written, err
	}
	_, err = file.Seek(at+left, io.SeekStart)
	return written + left, err
}

// writeFirst writes what the first connection delivers before there are parallel ranges:
// all, if there will be none.
func (d *download) writeFirst(file io.Writer) (int64, error) {
	d.growth.inPlace = true
	defer func() { d.growth.inPlace = false }()
	return chunks.Copy(file, untilRanges{d})
}

// untilRanges reads a download until parallel ranges can begin.
type untilRanges struct{ d *download }

func (r untilRanges) Read(p []byte) (int, error) {
	if r.d.ranges != nil {
		return 0, io.EOF
	}
	return r.d.Read(p)
}

// writeRanges fetches parallel ranges, each to its place in the file, which begins delivered
// bytes after the start of the range that is downloaded. The checksum of the whole is joined
// from those of the ranges.
func (d *download) writeRanges(file io.WriterAt, delivered int64) error {
	ranges := d.ranges
	f := newRangeFetcher(ranges)
	defer f.cancel()
	if !ranges.startInPlace(f) {
		return d.withContext(errClosed)
	}
	sink := &fileSink{d: d, file: file, start: d.offset + delivered, limit: ranges.limit, from: f.from, cancel: f.cancel}
	if settings(&d.given).Concurrency > 0 {
		n := min(int64(settings(&d.given).Concurrency), maxConcurrency) // each has a chunk outside of the BufferLimit
		sink.limit, sink.size = concurrency.Fixed(int(n)), min(max((f.end-f.from)/n+1, maxRangeBytes), maxInPlacePart)
	}
	if sink.limit.Acquire(f.ctx) == nil {
		f.start(&d.stream, sink.add(d.stream.req.Offset, d.stream.left))
	}
	f.run(sink)
	f.group.Wait()
	return sink.result()
}

// startInPlace makes f the fetcher of the ranges, so that Close stops it. Nothing goes through
// buffers. It returns false if the reader was closed.
func (g *rangeReader) startInPlace(f *rangeFetcher) (started bool) {
	g.starting.Do(func() {
		g.fetcher, g.inPlace, started = f, true, true
		close(g.queue)
	})
	return started
}

// A fileSink writes each range to its place in a file.
type fileSink struct {
	d      *download
	file   io.WriterAt
	start  int64 // offset in the object of the file's first byte
	limit  *concurrency.Limit
	from   int64 // where the ranges begin
	size   int64 // of one range, in bytes; 0: it grows
	cancel context.CancelFunc
	ranges []*fileRange // in order

	failing sync.Once
	failed  error // of the range that failed first
}

// A fileRange is a range that is written to a file.
type fileRange struct {
	sink   *fileSink
	at     int64 // offset in the file of the next byte
	length int64
	chunk  *[chunks.Size]byte
	crc    uint32
}

func (s *fileSink) next(ctx context.Context, off, limit int64) (rangeWriter, int64, error) {
	if err := s.limit.Acquire(ctx); err != nil {
		return nil, 0, err
	}
	length := s.size
	if length == 0 {
		length = growingLength(off-s.from, 2*maxRangeBytes)
	}
	length = min(length, limit)
	return s.add(off, length), length, nil
}

// add adds the range that is written next.
func (s *fileSink) add(off, length int64) *fileRange {
	r := &fileRange{sink: s, at: off - s.start, length: length, chunk: chunks.Get()}
	s.ranges = append(s.ranges, r)
	return r
}

func (r *fileRange) space(_ context.Context, limit int64) ([]byte, error) {
	return r.chunk[:min(chunks.Size, limit)], nil
}

func (r *fileRange) filled(p []byte) error {
	if r.sink.d.hashing {
		r.crc = crc32c.Update(r.crc, p)
	}
	if _, err := r.sink.file.WriteAt(p, r.at); err != nil {
		return err
	}
	r.at += int64(len(p))
	r.sink.limit.Moved(int64(len(p)))
	r.sink.d.count(int64(len(p)))
	return nil
}

func (r *fileRange) end(err error) {
	chunks.Put(r.chunk)
	r.chunk = nil // else the range, which is kept for its checksum, would keep it too
	if e, own := err.(*storage.Error); own {
		if why := r.sink.d.ranges.interrupted(); why != nil && e.Code == storage.Canceled {
			e = why
		}
		err = r.sink.d.fail(e)
	} else if err != nil { // the file's: what was fetched is lost, and nothing can be read any more
		_ = r.sink.d.fail(&storage.Error{Code: storage.Internal, Err: err})
	}
	if err != nil {
		r.sink.failing.Do(func() { r.sink.failed = err })
		r.sink.cancel()
	}
	r.sink.limit.Ended()
	r.sink.limit.Release()
}

// result returns the first failure, or checks the checksum of the whole.
func (s *fileSink) result() error {
	d := s.d
	first := s.failed
	for _, r := range s.ranges {
		d.crc = crc32c.Join(d.crc, r.crc, r.length)
		d.left -= r.length
	}
	if first == nil && d.left > 0 {
		first = d.fail(d.ranges.interrupted())
	}
	if first == nil {
		first = d.finish()
	}
	if first == io.EOF {
		return nil
	}
	return first
}
