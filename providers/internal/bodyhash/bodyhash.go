// Package bodyhash reads a body before the request is sent, because some requests send the checksum
// of the body first.
package bodyhash

import (
	"context"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage/driver"
)

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Read passes all bytes of body to write, and then seeks to the start of body, so that the request
// can send them. source is the body that the engine passed to the driver, which is body itself or
// the one that body wraps.
func Read(ctx context.Context, body io.ReadSeeker, source io.Reader, write func(p []byte)) error {
	// Only the later read that sends the bytes counts as progress of the upload.
	src := withoutProgress(body, source)
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)

	for ctx.Err() == nil {
		n, err := src.Read(buffer[:])
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

// withoutProgress returns a reader of the bytes of body that do not count as progress of the upload,
// if source can read them so. Otherwise it returns body.
func withoutProgress(body, source io.Reader) io.Reader {
	peeker, ok := source.(driver.BodyPeeker)
	if !ok {
		return body
	}
	return io.NewSectionReader(peekReader{peeker}, 0, math.MaxInt64)
}

// A peekReader is an io.ReaderAt for a body. The bytes that it reads do not count as progress.
type peekReader struct{ driver.BodyPeeker }

func (r peekReader) ReadAt(p []byte, offset int64) (int, error) { return r.PeekAt(p, offset) }
