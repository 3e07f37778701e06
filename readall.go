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
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, nil, err
	}
	if err := checkEnd(b, "ReadAll", key, r); err != nil {
		return nil, nil, err
	}
	return data, r.Attrs(), nil
}

// checkEnd fails unless r, whose bytes were all read, ends there: the checksum of a whole object
// is verified at the end.
func checkEnd(b Downloader, op, key string, r *Reader) error {
	switch _, err := io.ReadFull(r, r.end[:]); err {
	case io.EOF:
		return nil
	case nil:
		return located(b, op, key, &Error{Code: Internal, Err: errors.New("the reader delivers more than its range")})
	default:
		return err
	}
}
