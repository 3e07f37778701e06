package storage

import (
	"fmt"
	"io"
	"sync"
)

// A Reader is an open download. Its methods are for one goroutine at a time,
// but Close may be called at any moment, and more than once.
type Reader struct {
	attrs  *Attrs
	offset int64
	length int64
	from   deliverer

	d download // of New's buckets; embedded so that a download is one allocation
}

// A deliverer is where a Reader's bytes come from.
type deliverer interface {
	io.ReadCloser
	writeTo(w io.Writer) (int64, error)
}

// NewReader makes the Reader of code that implements Downloader itself. body
// delivers the length bytes of the object from offset on; Close closes it. The
// bytes are counted: if body ends earlier, Read fails with Unavailable, which
// wraps io.ErrUnexpectedEOF; if it delivers more, with Internal instead of io.EOF.
func NewReader(attrs *Attrs, offset, length int64, body io.ReadCloser) *Reader {
	key := ""
	if attrs != nil {
		key = attrs.Key
	}
	return &Reader{attrs: attrs, offset: offset, length: length, from: &given{body: body, key: key, length: length}}
}

// Read delivers the stored bytes. A connection that drops is made anew, on the
// same revision: Changed where there is another object by then. After the last
// byte of a whole object comes io.EOF or, where the bytes are not those that
// were stored, ChecksumMismatch.
func (r *Reader) Read(p []byte) (int, error) { return r.from.Read(p) }

// WriteTo writes what is left to w; io.Copy uses it. What w fails with is
// returned as it is.
func (r *Reader) WriteTo(w io.Writer) (int64, error) { return r.from.writeTo(w) }

// Close ends the download and gives back what it held. It is nil, after a full
// read or before.
func (r *Reader) Close() error { return r.from.Close() }

// Attrs describes the whole object, also for a range.
func (r *Reader) Attrs() *Attrs { return r.attrs }

// Range is what this reader delivers, in bytes: of an object of size bytes,
// length of them from offset on.
func (r *Reader) Range() (offset, length int64) { return r.offset, r.length }

// given is a body of NewReader's.
type given struct {
	body   io.ReadCloser
	close  sync.Once
	key    string
	length int64
	read   int64
	failed error // what Read returns from now on
	more   [1]byte
}

func (g *given) Read(p []byte) (int, error) {
	switch {
	case g.failed != nil:
		return 0, g.failed
	case len(p) == 0:
		return 0, nil
	case g.read >= g.length:
		g.failed = g.finish()
		return 0, g.failed
	}
	n, err := readSome(g.body, p[:min(int64(len(p)), g.length-g.read)])
	g.read += int64(n)
	if err == io.EOF && g.read < g.length {
		err = g.fail(Unavailable, fmt.Errorf("the body has %d of its %d bytes: %w", g.read, g.length, io.ErrUnexpectedEOF))
	}
	g.failed = err
	return n, err
}

// finish is io.EOF if the body has ended as well.
func (g *given) finish() error {
	n, err := readSome(g.body, g.more[:])
	if n > 0 {
		return g.fail(Internal, fmt.Errorf("the body has more than its %d bytes", g.length))
	}
	return err
}

func (g *given) fail(code Code, err error) *Error {
	return &Error{Code: code, Op: "Download", Key: g.key, Retryable: code == Unavailable, Err: err}
}

func (g *given) writeTo(w io.Writer) (int64, error) { return copyChunks(w, g) }

func (g *given) Close() (err error) {
	g.close.Do(func() { err = g.body.Close() })
	return err
}

// copyChunks is io.Copy with a pooled buffer, and without regard to WriterTo
// and ReaderFrom, which would go round what from checks.
func copyChunks(w io.Writer, from io.Reader) (int64, error) {
	chunk := copyPool.Get().(*[copyBytes]byte)
	defer copyPool.Put(chunk)
	var written int64
	for {
		n, err := from.Read(chunk[:])
		if n > 0 {
			k, failed := w.Write(chunk[:n])
			written += int64(k)
			if failed == nil && k < n {
				failed = io.ErrShortWrite
			}
			if failed != nil {
				return written, failed
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

const copyBytes = 128 << 10

var copyPool = sync.Pool{New: func() any { return new([copyBytes]byte) }}
