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

// Get returns a range of the file, which consists of the header and the stored bytes. To find the
// range, Get reads the object from its start. It skips the bytes of the file before the range.
func (d *fileDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	// Read the whole file, because the range counts from the start of the header.
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

// fileRange returns the range of a file that a request asks for. The file consists of the header in
// the attributes, and the body. fileRange changes the attributes, so that they describe the file.
func fileRange(attrs *storage.Attrs, body io.Reader, r *driver.GetRequest) (io.Reader, error) {
	header, err := encrypt.Header(attrs.Metadata)
	if err != nil {
		return nil, err
	}
	if len(header) > 0 {
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
