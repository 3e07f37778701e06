package engine

import (
	"io"
	"math"
	"os"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/partfile"
)

// deliverBytes is the number of bytes that one call delivers before it checks ctx again.
const deliverBytes = 1 << 20

// WriteTo has the body write itself to w, if it can: a body in memory without a copy,
// a file to a socket by the kernel. If w is a file and there are several sections, they are written to
// their places. Else it writes what Read delivers.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	if part, ok := w.(*partfile.File); ok && d.op.core.desc.Local { // nothing is received, and the kernel copies
		file, err := part.Unrecorded()
		if err != nil {
			return 0, err
		}
		w = file
	}
	if d.fetch == nil && d.remaining > 0 && d.failure() == nil {
		body, _ := d.first.opened()
		if from, ok := body.(io.WriterTo); ok {
			return d.bodyTo(w, from)
		}
	}
	if file := d.fileTarget(w); file != nil {
		return d.writeFile(file)
	}
	return chunks.Copy(w, d)
}

// bodyTo wraps w only if there is a checksum to verify or progress to report: sendfile
// would bypass both.
func (d *download) bodyTo(w io.Writer, from io.WriterTo) (n int64, err error) {
	to := &destWriter{Writer: w, d: d, accounts: d.hashing || d.progress != nil}
	before := d.remaining
	n, err = from.WriteTo(to.withReaderFrom())
	if !to.accounts && n <= d.remaining {
		d.remaining -= n
		d.count(n)
	}
	d.first.advance(before - d.remaining)
	switch {
	case to.failed != nil:
		d.first.drop() // how far the body was read is unknown: the rest is requested again
		return n, to.failed
	case err == nil && d.remaining == 0:
		if err = d.finish(); err == io.EOF {
			err = nil
		}
		return n, err
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return n, d.fail(asError(d.ctx, err))
}

// A destWriter is the caller's writer. It keeps the writer's error, and fails once ctx
// has ended: a body in memory writes itself in one call.
type destWriter struct {
	io.Writer
	d        *download
	accounts bool // whether it counts and hashes the bytes, and writes no more than the download delivers
	failed   error
}

func (t *destWriter) Write(p []byte) (written int, err error) {
	if t.accounts {
		p = p[:min(int64(len(p)), t.d.remaining)]
	}
	for { // chunks are hashed while they are in the cache
		if err := t.d.ctx.Err(); err != nil {
			return written, err
		}
		chunk := p[written:min(len(p), written+deliverBytes)]
		n, err := t.Writer.Write(chunk)
		if err == nil && n < len(chunk) {
			err = io.ErrShortWrite
		}
		if t.accounts {
			t.d.deliver(chunk[:n])
		}
		t.failed = err
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// withReaderFrom returns t with the ReadFrom of its writer, if the writer has one and t does not
// account for bytes. With ReadFrom, a socket lets the kernel copy.
func (t *destWriter) withReaderFrom() io.Writer {
	if _, ok := t.Writer.(io.ReaderFrom); ok && !t.accounts {
		return &destReaderFrom{t}
	}
	return t
}

type destReaderFrom struct{ to *destWriter }

func (t *destReaderFrom) Write(p []byte) (int, error) { return t.to.Write(p) }

// ReadFrom has the writer read the body in chunks. A chunk of a limited file is a
// limited file, which the kernel copies.
func (t *destReaderFrom) ReadFrom(body io.Reader) (int64, error) {
	limited, ok := body.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: body, N: math.MaxInt64}
	}
	var written int64
	for remaining := limited.N; remaining > 0; {
		if err := t.to.d.ctx.Err(); err != nil {
			return written, err
		}
		limited.N = min(remaining, deliverBytes)
		remaining -= limited.N
		n, err := t.readChunk(limited)
		if written += n; err != nil || limited.N > 0 {
			return written, err
		}
	}
	return written, nil
}

// readChunk copies one chunk, and returns the error of the body or of the writer. If the body
// can still be read, the error was the writer's.
func (t *destReaderFrom) readChunk(body *io.LimitedReader) (int64, error) {
	n, err := t.to.Writer.(io.ReaderFrom).ReadFrom(body)
	if err != nil {
		if _, broken := body.R.Read(make([]byte, 1)); broken == nil || broken == io.EOF {
			t.to.failed = err
		}
	}
	return n, err
}

// A fileTarget takes bytes at any place.
type fileTarget interface {
	io.Writer
	io.WriterAt
	io.Seeker
}

// fileTarget returns w if it is a file into which sections can be written, each to its place,
// without memory for it. It returns nil if w is not such a file, or if there will be no fetch.
func (d *download) fileTarget(w io.Writer) fileTarget {
	pending := d.probe != nil
	if d.fetch != nil {
		pending = d.fetch.sink == nil
	}
	if !pending || d.failure() != nil {
		return nil
	}
	if part, ok := w.(*partfile.File); ok {
		return part
	}
	file, ok := w.(*os.File)
	if !ok {
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

// writeFile writes the rest to file, beginning at its position, and moves the position past it. First
// it writes what the first connection delivers before a fetch can begin: all, if there will be no
// fetch. If the fetch fails, the position stays before its bytes, and these are undefined.
func (d *download) writeFile(file fileTarget) (int64, error) {
	d.toFile = true
	written, err := chunks.Copy(file, d)
	d.toFile = false
	if err != nil || d.fetch == nil {
		return written, err
	}
	rest := d.remaining
	position, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return written, err
	}
	if err := d.fetchTo(io.NewOffsetWriter(file, position)); err != nil {
		return written, err
	}
	_, err = file.Seek(position+rest, io.SeekStart)
	return written + rest, err
}

// fetchTo fetches the rest, each section to its place in the file, which begins with the next byte.
// The first section is what the first connection still delivers.
func (d *download) fetchTo(file io.WriterAt) error {
	f := d.fetch
	defer f.cancel()
	to := &fileSink{f: f, file: file, start: d.first.req.Offset}
	if n := min(int64(d.concurrency), maxConcurrency); n > 0 { // each has a chunk outside of the BufferLimit
		f.limit, f.size = concurrency.Fixed(int(n)), min(max((f.end-f.from)/n+1, maxSectionBytes), maxInPlacePart)
	}
	d.mu.Lock()
	ended := d.ended
	f.sink, f.maxSize = to, 2*maxSectionBytes
	d.mu.Unlock()
	if ended {
		return d.located(errClosed)
	}
	if f.limit.Acquire(f.ctx) == nil {
		_ = to.add(&d.first)
		f.start(&d.first)
		f.run()
	}
	f.group.Wait()
	return to.result()
}

// A fileSink writes sections to their places in a file.
type fileSink struct {
	f     *fetch
	file  io.WriterAt
	start int64 // offset in the object of the file's first byte
	added int64 // bytes of all sections that were added

	mu     sync.Mutex
	crc    uint32 // the checksum of all, joined from those of the sections
	failed error  // the error of the section that failed first
}

func (t *fileSink) add(s *section) error {
	s.fetched.chunk = chunks.Get()
	t.added += s.remaining.Load()
	return nil
}

func (t *fileSink) space(s *section) ([]byte, error) {
	return s.fetched.chunk[:min(chunks.Size, s.remaining.Load())], nil
}

// filled writes p. The section's position is past p already.
func (t *fileSink) filled(s *section, p []byte) error {
	if t.f.d.hashing {
		s.fetched.crc = crc32c.Update(s.fetched.crc, p)
	}
	if _, err := t.file.WriteAt(p, s.req.Offset-int64(len(p))-t.start); err != nil {
		return err
	}
	t.f.d.count(int64(len(p)))
	return nil
}

func (t *fileSink) end(s *section, err error) {
	defer t.f.limit.Release()
	chunks.Put(s.fetched.chunk)
	s.fetched.chunk = nil
	d := t.f.d
	if e, ok := err.(*storage.Error); ok {
		if why := t.f.interrupted(); why != nil && e.Code == storage.Canceled {
			e = why
		}
		err = d.fail(e)
	} else if err != nil { // an error of the file: the bytes were fetched and are lost, so nothing can be read any more
		_ = d.fail(&storage.Error{Code: storage.Internal, Err: err})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.crc ^= crc32c.Join(s.fetched.crc, 0, t.f.end-s.req.Offset) // as if zeros were before and after the section
	if err != nil && t.failed == nil {
		t.failed = err
		t.f.cancel()
	}
}

// result returns the first failure, or checks the checksum of the whole.
func (t *fileSink) result() error {
	d := t.f.d
	d.crc = crc32c.Join(d.crc, t.crc, t.added)
	d.remaining -= t.added
	switch {
	case t.failed != nil:
		return t.failed
	case d.remaining > 0:
		return d.fail(t.f.interrupted())
	}
	if err := d.finish(); err != io.EOF {
		return err
	}
	return nil
}
