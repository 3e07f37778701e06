package engine

import (
	"context"
	"io"
	"math"

	"github.com/omnibucket/storage/internal/chunks"
)

// deliverBytes is how many bytes one call delivers before it checks ctx again.
const deliverBytes = 1 << 20

// WriteTo has the body write itself to w, if it can: a body in memory without a copy,
// a file to a socket by the kernel.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	if d.ranges == nil && d.left > 0 && d.failure() == nil {
		if from, ok := d.stream.opened().(io.WriterTo); ok {
			return d.bodyTo(w, from)
		}
	}
	if file := d.inPlace(w); file != nil {
		return d.writeInPlace(file)
	}
	return chunks.Copy(w, onlyReader{d})
}

type onlyReader struct{ d *download }

func (r onlyReader) Read(p []byte) (int, error) { return r.d.Read(p) }

// bodyTo wraps w only if there is a checksum to verify or progress to report: sendfile
// would bypass both.
func (d *download) bodyTo(w io.Writer, from io.WriterTo) (n int64, err error) {
	to := &destWriter{Writer: w, ctx: d.ctx}
	left := d.left
	if d.hashing || d.progress != nil {
		n, err = from.WriteTo(&accountingWriter{d: d, to: to})
	} else if n, err = from.WriteTo(to.withReaderFrom()); n <= d.left {
		d.left -= n
		d.count(n)
	}
	d.stream.advance(left - d.left)
	switch {
	case to.failed != nil:
		d.stream.drop() // how far the body was read is not known: the rest is requested again
		return n, to.failed
	case err == nil && d.left == 0:
		if err = d.finish(); err == io.EOF {
			err = nil
		}
		return n, err
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return n, d.fail(asError(d.ctx, err))
}

// An accountingWriter accounts for what the caller gets.
type accountingWriter struct {
	d  *download
	to *destWriter
}

func (t *accountingWriter) Write(p []byte) (int, error) {
	p = p[:min(int64(len(p)), t.d.left)]
	written := 0
	for { // chunks are hashed while they are in the cache
		chunk := p[written:min(len(p), written+deliverBytes)]
		n, err := t.to.Write(chunk)
		t.d.deliver(chunk[:n])
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// A destWriter is the caller's writer. It keeps the writer's error, and fails once ctx
// has ended: a body in memory writes itself in one call.
type destWriter struct {
	io.Writer
	ctx    context.Context
	failed error
}

func (t *destWriter) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := t.ctx.Err(); err != nil {
			return written, err
		}
		chunk := p[written:min(len(p), written+deliverBytes)]
		n, err := t.Writer.Write(chunk)
		if err == nil && n < len(chunk) {
			err = io.ErrShortWrite
		}
		t.failed = err
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// withReaderFrom returns t with the ReadFrom of its writer, if it has one: with it a
// socket lets the kernel copy.
func (t *destWriter) withReaderFrom() io.Writer {
	if _, ok := t.Writer.(io.ReaderFrom); ok {
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
	for left := limited.N; left > 0; {
		if err := t.to.ctx.Err(); err != nil {
			return written, err
		}
		limited.N = min(left, deliverBytes)
		left -= limited.N
		n, err := t.readChunk(limited)
		if written += n; err != nil || limited.N > 0 {
			return written, err
		}
	}
	return written, nil
}

// readChunk returns the error of either of the two. If the body can still be read, the
// error was the writer's.
func (t *destReaderFrom) readChunk(body *io.LimitedReader) (int64, error) {
	n, err := t.to.Writer.(io.ReaderFrom).ReadFrom(body)
	if err != nil {
		if _, broken := body.R.Read(make([]byte, 1)); broken == nil || broken == io.EOF {
			t.to.failed = err
		}
	}
	return n, err
}
