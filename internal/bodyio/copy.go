// Package bodyio copies bodies through pooled memory, and limits the length of a body that a client uploads.
package bodyio

import (
	"io"
	"sync"
)

// Copy copies all bytes of src to w with a pooled buffer. Unlike [io.Copy], it calls only Read and
// Write, because a WriterTo or ReaderFrom would bypass the checks that Read makes.
func Copy(w io.Writer, src io.Reader) (int64, error) {
	chunk := GetChunk()
	defer PutChunk(chunk)

	var total int64
	for {
		n, err := src.Read(chunk[:])
		if n > 0 {
			written, writeErr := w.Write(chunk[:n])
			total += int64(written)
			if writeErr == nil && written < n {
				writeErr = io.ErrShortWrite
			}
			if writeErr != nil {
				return total, writeErr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
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
