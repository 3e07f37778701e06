package program

import (
	"bytes"
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/encrypt"
)

// asFile is a layer for "cat --raw". It returns an encrypted object as a file in the age format:
// the header, and then the stored bytes. It does not change other objects.
func asFile(next driver.Driver) driver.Driver { return &fileDriver{next} }

type fileDriver struct{ driver.Driver }

// Get returns a range of the file that consists of the header and the stored bytes of an object. It
// reads the object from its start and skips what is before the range.
func (d *fileDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	// The range counts from the start of the header, so it is not that of the stored bytes.
	req := *r
	req.Offset = 0
	req.Length = -1
	req.Suffix = 0
	attrs, body, err := d.Driver.Get(ctx, &req)
	if err != nil {
		return nil, nil, err
	}

	file, err := fileRange(attrs, body, r)
	if err != nil {
		_ = body.Close()
		return nil, nil, err
	}
	return attrs, struct {
		io.Reader
		io.Closer
	}{file, body}, nil
}

// fileRange returns a range of the file that consists of the header in attrs and then body. r says which
// range. fileRange also changes attrs, so that they describe this file.
func fileRange(attrs *storage.Attrs, body io.Reader, r *driver.GetRequest) (io.Reader, error) {
	header, err := encrypt.Header(attrs.Metadata)
	if err != nil {
		return nil, err
	}
	if len(header) > 0 {
		// The checksums are those of the stored bytes without the header.
		attrs.Size += int64(len(header))
		attrs.CRC32C = storage.CRC32C{}
		attrs.MD5 = nil
	}

	start, end, err := r.Span(attrs.Size)
	if err != nil {
		return nil, err
	}

	file := io.MultiReader(bytes.NewReader(header), body)
	if _, err := io.CopyN(io.Discard, file, start); err != nil {
		return nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	}
	return io.LimitReader(file, end-start), nil
}
