package storage

import (
	"context"
	"io"
	"math"
)

// deliverBytes is how much one call hands over before it looks at ctx again.
const deliverBytes = 1 << 20

// writeTo hands the body's bytes to w without a copy of ours, where the body can
// write itself: out of memory, or by the kernel from a file to a socket.
func (d *download) writeTo(w io.Writer) (int64, error) {
	if d.ranges == nil && d.left > 0 && d.failure() == nil {
		if from, ok := d.stream.opened().(io.WriterTo); ok {
			return d.bodyTo(w, from)
		}
	}
	return copyChunks(w, onlyReader{d})
}

type onlyReader struct{ d *download }

func (r onlyReader) Read(p []byte) (int, error) { return r.d.Read(p) }

// bodyTo counts and hashes between the two only where there is a checksum to
// compare: the kernel's road has no place for it.
func (d *download) bodyTo(w io.Writer, from io.WriterTo) (n int64, err error) {
	to := &target{Writer: w, ctx: d.ctx}
	left := d.left
	if d.hashing || d.progress != nil {
		n, err = from.WriteTo(&tee{d: d, to: to})
	} else if n, err = from.WriteTo(to.asItIs()); n <= d.left {
		d.left -= n
		d.moved(n)
	}
	d.stream.advance(left - d.left)
	switch {
	case to.failed != nil:
		d.stream.drop() // how far the body was read is not known: what is left is asked for anew
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

// A tee accounts for what the caller gets.
type tee struct {
	d  *download
	to *target
}

func (t *tee) Write(p []byte) (int, error) {
	p = p[:min(int64(len(p)), t.d.left)]
	written := 0
	for { // what was written is still in the cache when it is hashed
		chunk := p[written:min(len(p), written+deliverBytes)]
		n, err := t.to.Write(chunk)
		t.d.deliver(chunk[:n])
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// A target is the caller's writer. It tells whose an error was, and fails once ctx
// has ended: a body in memory writes itself in one call.
type target struct {
	io.Writer
	ctx    context.Context
	failed error
}

func (t *target) Write(p []byte) (int, error) {
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

// asItIs is t with the ReadFrom that its writer has, which is where a socket lets
// the kernel copy.
func (t *target) asItIs() io.Writer {
	if _, ok := t.Writer.(io.ReaderFrom); ok {
		return &readingTarget{t}
	}
	return t
}

type readingTarget struct{ *target }

// ReadFrom has the writer read the body in chunks. A chunk of a limited file is a
// limited file, which the kernel copies.
func (t *readingTarget) ReadFrom(body io.Reader) (int64, error) {
	limited, ok := body.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: body, N: math.MaxInt64}
	}
	var written int64
	for left := limited.N; left > 0; {
		if err := t.ctx.Err(); err != nil {
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

// readChunk fails with what either of the two failed with. A body that can still
// be read is not to blame.
func (t *readingTarget) readChunk(body *io.LimitedReader) (int64, error) {
	n, err := t.Writer.(io.ReaderFrom).ReadFrom(body)
	if err != nil {
		if _, broken := body.R.Read(make([]byte, 1)); broken == nil || broken == io.EOF {
			t.failed = err
		}
	}
	return n, err
}
