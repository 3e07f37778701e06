// Package bodyhash reads a body before it is sent, to sum what its request has to name first.
package bodyhash

import (
	"context"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage/driver"
)

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Read calls write with all bytes of body, and returns to its start. source is the body of the core
// in it, or body itself. If reading fails, Read returns the body's error.
func Read(ctx context.Context, body io.ReadSeeker, source io.Reader, write func(p []byte)) error {
	var from io.Reader = body
	if peeker, ok := source.(driver.BodyPeeker); ok { // such a look is no progress
		from = io.NewSectionReader(peekReader{peeker}, 0, math.MaxInt64)
	}
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	for ctx.Err() == nil {
		n, err := from.Read(buffer[:])
		write(buffer[:n])
		if err == io.EOF {
			_, err = body.Seek(0, io.SeekStart)
			return err
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A peekReader is a body as an io.ReaderAt that counts nothing.
type peekReader struct{ driver.BodyPeeker }

func (r peekReader) ReadAt(p []byte, offset int64) (int, error) { return r.PeekAt(p, offset) }
