package driverstore

import (
	"errors"
	"io"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/tempfile"
)

// A summedBody computes the CRC32C of a body, and calls ended at its end.
type summedBody struct {
	from  io.Reader
	sum   uint32
	ended func(crc storage.CRC32C) // set to nil after the call
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.sum = crc32c.Update(b.sum, p[:n])
	if err == io.EOF && b.ended != nil {
		b.ended(storage.CRC32C{Sum: b.sum, Known: true})
		b.ended = nil
	}
	return n, err
}

// Seek fails: drivers that read a body only once never call it.
func (b *summedBody) Seek(int64, int) (int64, error) {
	return 0, errors.New("the body of a request cannot be read again")
}

// A spooled body is in a temporary file, because the driver must be able to read it again, or
// needs its size or checksum before it begins.
type spooled struct {
	*os.File
	size int64
	crc  storage.CRC32C
}

// spool reads a body to its end. The caller must close the result.
func spool(from io.Reader) (*spooled, error) {
	file, err := tempfile.Create("s3server-")
	if err != nil {
		return nil, err
	}
	sum := crc32c.New()
	size, err := io.Copy(io.MultiWriter(file, sum), from)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = tempfile.Close(file)
		return nil, err
	}
	return &spooled{file, size, storage.CRC32C{Sum: sum.Sum32(), Known: true}}, nil
}

func (s *spooled) close() { _ = tempfile.Close(s.File) }
