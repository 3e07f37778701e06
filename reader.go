package storage

import (
	"io"

	"github.com/omnibucket/storage/internal/unexported"
)

// A Reader is an open download, which holds a connection or buffers until Close. Its methods
// are for one goroutine at a time, but Close may be called at any time, and more than once.
type Reader struct {
	attrs  *Attrs
	offset int64
	length int64
	from   unexported.ReadSource
	end    [1]byte // see checkEnd
}

// Read delivers the stored bytes. If the connection drops, Read continues on a new
// one, on the same revision; if the object has changed, it fails with Changed. After
// the last byte of a whole object it returns io.EOF, or ChecksumMismatch if the bytes
// are not those that were stored.
func (r *Reader) Read(p []byte) (int, error) { return r.from.Read(p) }

// WriteTo writes the rest to w; io.Copy uses it. It returns an error of w as it is. If w is a
// regular *os.File that was not opened with O_APPEND, parallel ranges are written in place, so
// that none of them is in memory. If that fails, WriteTo returns how many bytes precede them,
// the file's content after these is undefined, and nothing more can be read.
func (r *Reader) WriteTo(w io.Writer) (int64, error) { return r.from.WriteTo(w) }

// Close ends the download. It always returns nil, before and after the end.
func (r *Reader) Close() error { return r.from.Close() }

// Attrs describes the whole object, also if a range is read.
func (r *Reader) Attrs() *Attrs { return r.attrs }

// Range returns what this Reader delivers: length bytes of the object from offset.
func (r *Reader) Range() (offset, length int64) { return r.offset, r.length }

// initReader makes r the Reader of an open download.
func initReader(r *Reader, from unexported.ReadSource, attrs *Attrs, offset, length int64) {
	r.attrs, r.from, r.offset, r.length = attrs, from, offset, length
}
