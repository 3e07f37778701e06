package storage

import (
	"context"
	"errors"
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

// NewReader is for code that implements Downloader itself: body delivers the
// length bytes of the object from offset on; Close closes it.
func NewReader(attrs *Attrs, offset, length int64, body io.ReadCloser) *Reader {
	return &Reader{attrs: attrs, offset: offset, length: length, from: &given{body: body}}
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
	body  io.ReadCloser
	close sync.Once
}

func (g *given) Read(p []byte) (int, error) { return g.body.Read(p) }

func (g *given) writeTo(w io.Writer) (int64, error) { return copyChunks(w, g.body) }

func (g *given) Close() (err error) {
	g.close.Do(func() { err = g.body.Close() })
	return err
}

// ReadAll downloads a whole object into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	if own, ok := b.(*bucket); ok && own.core.recycles() {
		return own.readAll(ctx, key, opts)
	}
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	return r.readAll()
}

// A whole is one call of ReadAll. Nobody else sees its Reader, so the next call
// can use it again.
type whole struct {
	Reader
	data []byte
}

var wholes = sync.Pool{New: func() any { return new(whole) }}

func (b *bucket) readAll(ctx context.Context, key string, opts []DownloadOption) ([]byte, *Attrs, error) {
	w := wholes.Get().(*whole)
	data, attrs, err := w.read(ctx, b, key, opts)
	*w = whole{}
	wholes.Put(w)
	return data, attrs, err
}

func (w *whole) read(ctx context.Context, b *bucket, key string, opts []DownloadOption) ([]byte, *Attrs, error) {
	if err := w.download(ctx, b, key, opts); err != nil {
		return nil, nil, err
	}
	if body, ok := w.d.stream.body.(inMemory); ok && w.d.ranges == nil && w.d.left > 0 {
		return w.copy(body)
	}
	return w.readAll()
}

// inMemory is a body that hands over its bytes as they lie, as bytes.Reader does.
type inMemory interface {
	io.WriterTo
	Len() int
}

// copy is readAll of a body in memory.
func (w *whole) copy(body inMemory) ([]byte, *Attrs, error) {
	defer func() { _ = w.Close() }() // nil, always; what matters was read
	d := &w.d
	if _, err := body.WriteTo(w); err != nil {
		return nil, nil, d.fail(asError(d.ctx, err))
	}
	if int64(len(w.data)) != d.left {
		return nil, nil, d.fail(&Error{Code: Internal, Err: io.ErrUnexpectedEOF})
	}
	d.deliver(w.data)
	if err := d.finish(); err != io.EOF {
		return nil, nil, err
	}
	return w.data, w.attrs, nil
}

// Write keeps what a body hands over. Memory that append takes for a copy is not
// cleared first, as make's is.
func (w *whole) Write(p []byte) (int, error) {
	w.data = append(w.data, p...)
	return len(p), nil
}

// readAll reads to the end, and closes r.
func (r *Reader) readAll() ([]byte, *Attrs, error) {
	defer func() { _ = r.Close() }() // nil, always; what matters was read
	_, length := r.Range()
	data := make([]byte, max(length, 0))
	n, err := io.ReadFull(r, data)
	if err == nil || err == io.EOF {
		// The end tells whether the checksum is right.
		err = atEnd(r)
	}
	if err != nil {
		return nil, nil, err
	}
	return data[:n], r.Attrs(), nil
}

func atEnd(r *Reader) error {
	if d, own := r.from.(*download); own && d.left == 0 {
		if err := d.finish(); err != io.EOF {
			return err
		}
		return nil
	}
	var more [1]byte
	for range maxEmptyReads {
		n, err := r.Read(more[:])
		switch {
		case n > 0:
			return &Error{Code: Internal, Op: "ReadAll", Err: errors.New("the reader delivers more than it said")}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
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
