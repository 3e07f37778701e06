// Package bodyhash reads a body before it is sent, to compute a checksum that the request must
// send before the body.
package bodyhash

import (
	"context"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage/driver"
)

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Read calls write with all bytes of body, and returns to its start. source is the core's body that
// body wraps, or body itself. If reading fails, Read returns the body's error.
func Read(ctx context.Context, body io.ReadSeeker, source io.Reader, write func(p []byte)) error {
	var from io.Reader = body
	if peeker, ok := source.(driver.BodyPeeker); ok { // such a read does not count as progress
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

// A peekReader reads a body as an io.ReaderAt, without counting bytes as progress.
type peekReader struct{ driver.BodyPeeker }

func (r peekReader) ReadAt(p []byte, offset int64) (int, error) { return r.PeekAt(p, offset) }
