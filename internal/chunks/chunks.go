// Package chunks copies bytes through pooled memory.
package chunks

import (
	"io"
	"sync"
)

// Copy is io.Copy with a pooled buffer. It does not use WriterTo and
// ReaderFrom, which would bypass the checks of from.
func Copy(w io.Writer, from io.Reader) (int64, error) {
	chunk := Get()
	defer Put(chunk)
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

// Size is the length of a chunk in bytes.
const Size = 128 << 10

var pool = sync.Pool{New: func() any { return new([Size]byte) }}

// Get returns a chunk of any content.
func Get() *[Size]byte { return pool.Get().(*[Size]byte) }

// Put gives a chunk back.
func Put(chunk *[Size]byte) { pool.Put(chunk) }
