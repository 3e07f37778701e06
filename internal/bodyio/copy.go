// Package chunks pools byte slices that are used to copy data.
package chunks

import (
	"io"
	"sync"
)

// Copy reads all bytes of a reader, and writes them to w. It uses a pooled buffer. Unlike
// [io.Copy], it calls only Read and Write, because a WriterTo or ReaderFrom would bypass the checks
// that Read makes.
func Copy(w io.Writer, src io.Reader) (int64, error) {
	chunk := Get()
	defer Put(chunk)
	var written int64
	for {
		n, err := src.Read(chunk[:])
		if n > 0 {
			k, failure := w.Write(chunk[:n])
			written += int64(k)
			if failure == nil && k < n {
				failure = io.ErrShortWrite
			}
			if failure != nil {
				return written, failure
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

// Get returns a chunk from the pool. Its content is arbitrary.
func Get() *[Size]byte { return pool.Get().(*[Size]byte) }

// Put returns a chunk to the pool.
func Put(chunk *[Size]byte) { pool.Put(chunk) }
