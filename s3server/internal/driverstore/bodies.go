package driverstore

import (
	"errors"
	"io"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/localfile"
)

// A summedBody computes the CRC32C of a body while it is read. At the end of the body, it calls the
// function ended.
type summedBody struct {
	src   io.Reader
	sum   uint32
	onEnd func(crc storage.CRC32C) // set to nil after the call
}

// Read reads from b.src. At the end, it passes the CRC32C of all bytes to onEnd, once.
func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.sum = crc32c.Update(b.sum, p[:n])
	if err == io.EOF && b.onEnd != nil {
		b.onEnd(storage.CRC32C{Sum: b.sum, Known: true})
		b.onEnd = nil
	}
	return n, err
}

// Seek always fails. A driver with StreamingPut never calls it.
func (b *summedBody) Seek(int64, int) (int64, error) {
	return 0, errors.New("the body of a request cannot be read again")
}

// A fileBody is a body in a temporary file. Some drivers must read a body twice, or need its size or
// checksum before they begin to send it.
type fileBody struct {
	*os.File
	size int64
	crc  storage.CRC32C
}

// spool copies a body to a temporary file. The caller must close the result.
func spool(src io.Reader) (*fileBody, error) {
	file, err := localfile.CreateTemp("s3server-")
	if err != nil {
		return nil, err
	}
	sum := crc32c.New()
	size, err := io.Copy(io.MultiWriter(file, sum), src)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = localfile.CloseTemp(file)
		return nil, err
	}
	return &fileBody{
		File: file,
		size: size,
		crc:  storage.CRC32C{Sum: sum.Sum32(), Known: true},
	}, nil
}

func (s *fileBody) close() { _ = localfile.CloseTemp(s.File) }
