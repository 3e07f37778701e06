package engine

import (
	"cmp"
	"io"
	"math"
	"os"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/running"
)

// deliverBytes is how many bytes are copied at most before ctx is checked again.
const deliverBytes = 1 << 20

// WriteTo writes the rest of the download to w. It lets the kernel copy if the body of the only
// response can write itself. Into a file, it writes the sections of several connections in place.
// In all other cases, it writes what Read delivers.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	// Write to the file itself, so that the kernel can copy. A download from a local store need not
	// be resumable, so the written bytes need not be recorded.
	if part, ok := w.(*partfile.File); ok && d.op.engine.desc.Local {
		file, err := part.Unrecorded()
		if err != nil {
			return 0, err
		}
		w = file
	}

	if src := d.selfWriting(); src != nil {
		return d.bodyTo(w, src)
	}
	if file := d.fileTarget(w); file != nil {
		return d.writeFile(file)
	}
	return bodyio.Copy(w, d)
}

// selfWriting returns the body of the only connection if it can write itself, and otherwise nil.
func (d *download) selfWriting() io.WriterTo {
	if d.fetch != nil || d.remaining == 0 || d.failure() != nil {
		return nil
	}
	body, _ := d.first.opened()
	src, _ := body.(io.WriterTo)
	return src
}

// bodyTo lets the body write itself to w. It looks at the bytes only to verify a checksum or to
// report progress, because that prevents the kernel's sendfile.
func (d *download) bodyTo(w io.Writer, src io.WriterTo) (int64, error) {
	dst := &destWriter{
		Writer: w,
		d:      d,
		counts: d.hashing || d.progress != nil,
	}

	// Count the bytes here, unless dst has done so. A body that is too long is left uncounted, and fails
	// in the checks below.
	before := d.remaining
	n, err := src.WriteTo(dst.withReaderFrom())
	if !dst.counts && n <= d.remaining {
		d.remaining -= n
		d.count(n)
	}
	d.first.advance(before - d.remaining)

	writerFailed := dst.err != nil
	if writerFailed {
		// How far the body was read is unknown, so the rest is requested again.
		d.first.drop()
		return n, dst.err
	}
	if err == nil && d.remaining > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, d.fail(asError(d.ctx, err))
	}

	// finish returns io.EOF if the checksum is right.
	if err := d.finish(); err != io.EOF {
		return n, err
	}
	return n, nil
}

// A destWriter wraps the caller's writer, and records its error. It divides each write into chunks,
// and checks ctx before each chunk. Without chunks, a body in memory would be written in one call,
// and ctx could not end the write.
type destWriter struct {
	io.Writer
	d *download
	// counts is true if the bytes are counted and hashed. If counts is true, Write does not
	// write more bytes than the download still has to deliver.
	counts bool
	err    error
}

// Write writes p to the caller's writer in chunks, and hashes each chunk while it is in the
// processor's cache.
func (w *destWriter) Write(p []byte) (int, error) {
	if w.counts {
		// The body may have more bytes than the download may still deliver.
		p = p[:min(int64(len(p)), w.d.remaining)]
	}

	written := 0
	for {
		if err := w.d.ctx.Err(); err != nil {
			return written, err
		}

		chunk := p[written:min(len(p), written+deliverBytes)]
		n, err := w.Writer.Write(chunk)
		if err == nil && n < len(chunk) {
			err = io.ErrShortWrite
		}
		if w.counts {
			w.d.deliver(chunk[:n])
		}

		// Keep the error, which shows bodyTo that the writer has failed.
		w.err = err
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// withReaderFrom returns w with the ReadFrom of the caller's writer, by which the kernel can copy a
// file to a socket. It returns w itself if the writer has none, or if the bytes must be hashed or
// counted.
func (w *destWriter) withReaderFrom() io.Writer {
	if _, ok := w.Writer.(io.ReaderFrom); ok && !w.counts {
		return &destReaderFrom{w}
	}
	return w
}

type destReaderFrom struct{ to *destWriter }

func (r *destReaderFrom) Write(p []byte) (int, error) { return r.to.Write(p) }

// ReadFrom passes the body to ReadFrom of the caller's writer in chunks, so that it can check the
// context between them. A chunk of a file is an io.LimitedReader, which the kernel can copy.
func (r *destReaderFrom) ReadFrom(body io.Reader) (int64, error) {
	chunk, ok := body.(*io.LimitedReader)
	if !ok {
		chunk = &io.LimitedReader{R: body, N: math.MaxInt64}
	}

	// Each turn sets chunk.N to the size of one chunk.
	remaining := chunk.N
	written := int64(0)
	for remaining > 0 {
		if err := r.to.d.ctx.Err(); err != nil {
			return written, err
		}
		chunk.N = min(remaining, deliverBytes)
		remaining -= chunk.N
		n, err := r.readChunk(chunk)
		written += n
		if err != nil {
			return written, err
		}

		// If bytes of the chunk are left, the body has ended.
		if chunk.N > 0 {
			return written, nil
		}
	}
	return written, nil
}

// readChunk copies one chunk of the body, and records a failure of the writer in r.to.err. ReadFrom does
// not say whether its error is from the body or from the writer. It is the writer's if the body can
// still be read.
func (r *destReaderFrom) readChunk(chunk *io.LimitedReader) (int64, error) {
	n, err := r.to.Writer.(io.ReaderFrom).ReadFrom(chunk)
	if err == nil {
		return n, nil
	}

	// Reading one more byte shows whether the body has failed.
	body := chunk.R
	_, bodyErr := body.Read(make([]byte, 1))
	if bodyErr == nil || bodyErr == io.EOF {
		r.to.err = err
	}
	return n, err
}

// A fileTarget is a file into which sections are written, each to its place.
type fileTarget interface {
	io.Writer
	io.WriterAt
	io.Seeker
}

// fileTarget returns w if it is a file, and if the rest of the download may come in sections that
// can each be written to their place in it. Otherwise it returns nil.
func (d *download) fileTarget(w io.Writer) fileTarget {
	if !d.mayFetch() || d.failure() != nil {
		return nil
	}
	if part, ok := w.(*partfile.File); ok {
		return part
	}

	// Any other file must be a regular one, to which WriteAt can write.
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if _, err := file.WriteAt(nil, 0); err != nil {
		// WriteAt fails if the file was opened with O_APPEND.
		return nil
	}
	return file
}

// mayFetch reports whether several sections may still be fetched at the same time.
func (d *download) mayFetch() bool {
	if d.fetch != nil {
		return d.fetch.sink == nil
	}
	return d.probe != nil
}

// writeFile writes the rest of the download to file, at its position, and moves the position past
// the written bytes. If several connections write and one fails, their bytes are undefined, and the
// position stays before them.
func (d *download) writeFile(file fileTarget) (int64, error) {
	// Copy what the first connection delivers. If it is slow, the download sets d.fetch, which can use more
	// connections. Because toFile is true, Read then returns io.EOF, which ends the copy early.
	d.toFile = true
	copied, err := bodyio.Copy(file, d)
	d.toFile = false
	isComplete := d.fetch == nil
	if err != nil || isComplete {
		return copied, err
	}

	// The fetch writes the rest at offsets, which does not move the position of the file. So it is moved
	// at the end.
	rest := d.remaining
	position, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return copied, err
	}
	if err := d.fetchTo(io.NewOffsetWriter(file, position)); err != nil {
		return copied, err
	}
	_, err = file.Seek(position+rest, io.SeekStart)
	return copied + rest, err
}

// fetchTo writes the rest of the download to file, beginning at offset 0. It reads several sections
// at the same time, of which the first comes from the open connection.
func (d *download) fetchTo(file io.WriterAt) error {
	f := d.fetch
	defer f.cancel()
	if d.concurrency > 0 {
		f.divideAmong(min(int64(d.concurrency), maxConcurrency))
	}

	// The fetch writes to the file from now on, unless Close was called meanwhile in another goroutine.
	sink := &fileSink{
		fetch: f,
		file:  file,
		start: d.first.req.Offset,
	}
	d.mu.Lock()
	isClosed := d.ended
	f.sink = sink
	// Sections can be larger than with buffers, because they cost no memory.
	f.maxSize = 2 * maxSectionBytes
	d.mu.Unlock()
	if isClosed {
		return d.located(errClosed)
	}

	// The first section is read in the fetch, too, and then the others. If ctx ends before the first one
	// begins, result returns that error.
	if f.limit.Acquire(f.ctx) == nil {
		// The add of a fileSink never fails.
		_ = sink.add(&d.first)
		f.start(&d.first)
		f.run()
	}
	f.group.Wait()
	return sink.result()
}

// divideAmong makes the fetch read its span by so many connections, in large sections. A section that
// goes into a file needs only one chunk of memory, which the BufferLimit does not count, so that the
// number depends only on WithConcurrency.
func (f *fetch) divideAmong(connections int64) {
	f.limit = running.FixedLimit(int(connections))
	// Each connection reads an equal share. One byte more leaves no rest.
	share := (f.end-f.from)/connections + 1
	f.size = min(max(share, maxSectionBytes), maxInPlacePart)
}

// A fileSink writes sections to their places in a file.
type fileSink struct {
	fetch *fetch
	file  io.WriterAt
	start int64 // the file begins with the byte that has this offset in the object
	added int64 // bytes of all sections that were added

	mu sync.Mutex
	// crc becomes the checksum of all sections together. Each section that ends adds its share, in
	// any order (see end).
	crc uint32
	err error // the error of the section that failed first
}

func (f *fileSink) add(s *section) error {
	s.fetched.chunk = bodyio.GetChunk()
	f.added += s.remaining.Load()
	return nil
}

func (f *fileSink) space(s *section) ([]byte, error) {
	return s.fetched.chunk[:min(bodyio.ChunkSize, s.remaining.Load())], nil
}

// filled writes p, the bytes that section s has just read, to their place in the file.
func (f *fileSink) filled(s *section, p []byte) error {
	if f.fetch.d.hashing {
		s.fetched.crc = crc32c.Update(s.fetched.crc, p)
	}
	start := s.req.Offset - int64(len(p)) // req.Offset is already after p
	if _, err := f.file.WriteAt(p, start-f.start); err != nil {
		return err
	}
	f.fetch.d.count(int64(len(p)))
	return nil
}

// end records that section s has ended, and cancels the others if it is the first that failed.
func (f *fileSink) end(s *section, err error) {
	// The slot was acquired before the section started, and the chunk by add.
	defer f.fetch.limit.Release()
	bodyio.PutChunk(s.fetched.chunk)
	s.fetched.chunk = nil
	if err != nil {
		err = f.failDownload(err)
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.addChecksum(s)
	if err != nil && f.err == nil {
		f.err = err
		f.fetch.cancel()
	}
}

// addChecksum adds the share of section s, which has ended, to the checksum of all sections. The caller
// holds f.mu.
func (f *fileSink) addChecksum(s *section) {
	// Join shifts the checksum of the section by the number of bytes after the section. The XOR of
	// all shifted checksums is the checksum of all sections, in whatever order sections end.
	bytesAfter := f.fetch.end - s.req.Offset // req.Offset is already after the section
	f.crc ^= crc32c.Join(s.fetched.crc, 0, bytesAfter)
}

// failDownload makes the download fail because a section has failed with err, and returns the error for
// the caller of WriteTo. An error of the store is a *storage.Error, and any other is one of the file.
func (f *fileSink) failDownload(err error) error {
	d := f.fetch.d
	storeErr, isStoreErr := err.(*storage.Error)
	if !isStoreErr {
		// The fetched bytes are lost, so every later Read must fail, too.
		_ = d.fail(&storage.Error{Code: storage.Internal, Err: err})
		return err
	}
	if storeErr.Code == storage.Canceled {
		// The fetch cancels its sections if the caller's context ends or the reader is closed. Say
		// which of these happened.
		storeErr = cmp.Or(f.fetch.interrupted(), storeErr)
	}
	return d.fail(storeErr)
}

// result is called after all sections have ended. It returns the first failure of a section, or
// verifies the checksum of the whole object.
func (f *fileSink) result() error {
	d := f.fetch.d
	// The download has counted and hashed the bytes before the sections. Add those of the sections.
	d.crc = crc32c.Join(d.crc, f.crc, f.added)
	d.remaining -= f.added
	if f.err != nil {
		return f.err
	}
	if d.remaining > 0 {
		// No section failed, but run has not started all of them.
		return d.fail(f.fetch.interrupted())
	}

	// If the checksum is right, finish returns io.EOF, as Read would.
	if err := d.finish(); err != io.EOF {
		return err
	}
	return nil
}
