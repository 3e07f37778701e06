package storage

import "io"

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
	to := &target{Writer: w}
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
	n, err := t.to.Write(p)
	t.d.deliver(p[:n])
	return n, err
}

// A target is the caller's writer. It tells whose an error was.
type target struct {
	io.Writer
	failed error
}

func (t *target) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	t.failed = err
	return n, err
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

// ReadFrom fails with what either of the two failed with. A body that can still
// be read is not to blame.
func (t *readingTarget) ReadFrom(body io.Reader) (int64, error) {
	n, err := t.Writer.(io.ReaderFrom).ReadFrom(body)
	if err != nil {
		if _, broken := body.Read(make([]byte, 1)); broken == nil || broken == io.EOF {
			t.failed = err
		}
	}
	return n, err
}
