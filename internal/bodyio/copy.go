// Package bodyio copies bodies through pooled memory, and limits the length of a body that a client uploads.
package bodyio

import (
	"io"
	"sync"
)

// Copy reads all bytes of a reader, and writes them to w. It uses a pooled buffer. Unlike
// [io.Copy], it calls only Read and Write, because a WriterTo or ReaderFrom would bypass the checks
// that Read makes.
func Copy(w io.Writer, src io.Reader) (int64, error) {
	chunk := GetChunk()
	defer PutChunk(chunk)
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

// ChunkSize is the length of a chunk in bytes.
const ChunkSize = 128 << 10

var pool = sync.Pool{New: func() any { return new([ChunkSize]byte) }}

// GetChunk returns a chunk from the pool. Its content is arbitrary.
func GetChunk() *[ChunkSize]byte { return pool.Get().(*[ChunkSize]byte) }

// PutChunk returns a chunk to the pool.
func PutChunk(chunk *[ChunkSize]byte) { pool.Put(chunk) }
