package storage

import (
	"context"
	"errors"
	"io"
)

// ReadAll downloads a whole object into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = r.Close() }() // always nil
	_, length := r.Range()
	data := make([]byte, max(length, 0))
	n, err := io.ReadFull(r, data)
	if err == nil { // the checksum is verified at the end
		_, err = io.ReadFull(r, r.end[:])
	}
	switch err {
	case io.EOF:
		return data[:n], r.Attrs(), nil
	case nil:
		err = located(b, "ReadAll", key, &Error{Code: Internal, Err: errors.New("the reader delivers more than its range")})
	}
	return nil, nil, err
}
