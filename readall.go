package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// claimedBytes is how much memory a size gets that only a response has claimed. More follows
// as the bytes come.
const claimedBytes = 256 << 20

// ReadAll downloads a whole object into memory.
func ReadAll(ctx context.Context, b Downloader, key string, opts ...DownloadOption) ([]byte, *Attrs, error) {
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = r.Close() }() // always nil
	_, length := r.Range()
	if e := checkFitsSlice(length); e != nil {
		return nil, nil, located(b, "ReadAll", key, e)
	}
	data, err := readClaimed(r, length, claimedBytes)
	if err != nil {
		return nil, nil, err
	}
	if err := checkEnd(b, "ReadAll", key, r); err != nil {
		return nil, nil, err
	}
	return data, r.Attrs(), nil
}

// checkFitsSlice refuses a length that no slice can have on a system with 32 bits.
func checkFitsSlice(length int64) *Error {
	if length > math.MaxInt {
		return &Error{Code: Internal, Err: fmt.Errorf("%d bytes are too many for the memory of this system", length)}
	}
	return nil
}

// readClaimed reads length bytes. Before they come, it makes memory for claimed bytes, and then
// for at most as many as have come.
func readClaimed(r io.Reader, length, claimed int64) ([]byte, error) {
	data := make([]byte, min(max(length, 0), claimed))
	for have := int64(0); ; {
		if _, err := io.ReadFull(r, data[have:]); err != nil {
			return nil, err
		}
		if have = int64(len(data)); have >= length {
			return data, nil
		}
		more := make([]byte, have+min(have, length-have))
		copy(more, data)
		data = more
	}
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
