package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// maxPage limits a page of List, and what is read from a Records at once.
const maxPage = 1000

// List returns one page of the client files that match f, oldest first. The page
// starts at token ("" is the start) and has at most size files, which must be at
// least 1; above 1,000 it is 1,000. A page may have fewer files, even none, and not
// be the last; only the last has no Token. A token may pass through a client, because
// it is valid for one filter and can only move the start. With [BucketRecords], only
// From and To narrow what is read; the other fields are compared record by record.
//
// If the token is invalid or of another filter, size is below 1, or From is not
// before To, List fails with InvalidValue.
func (s *Store) List(ctx context.Context, f ListFilter, token string, size int) (*Page, error) {
	if size < 1 {
		return nil, invalid(fieldPageSize, "A page must have at least one file.")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return nil, invalid(fieldFrom, "The time span ends before it begins.")
	}
	if err := validateLabel(fieldPurpose, f.Purpose); err != nil {
		return nil, err
	}
	if err := validateLabel(fieldUploadedBy, f.UploadedBy); err != nil {
		return nil, err
	}
	after, err := f.open(token)
	if err != nil {
		return nil, err
	}
	records, next, err := s.client.records.List(ctx, f, after, min(size, maxPage))
	if err != nil {
		return nil, toError(err)
	}
	return &Page{Records: records, Token: f.seal(next)}, nil
}

const markBytes = 8

// seal makes a token of the ID after which the next page starts, and the filter. It
// is not secret.
func (f ListFilter) seal(after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(f.mark(after) + after))
}

func (f ListFilter) open(token string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != markBytes+idLength || f.mark(string(raw[markBytes:])) != string(raw[:markBytes]) {
		return "", invalid(fieldPageToken, "This is not the token of a page of these files.")
	}
	return string(raw[markBytes:]), validateID(string(raw[markBytes:]))
}

func (f ListFilter) mark(after string) string {
	f.From, f.To = f.From.UTC(), f.To.UTC()
	text, _ := json.Marshal(struct {
		ListFilter
		After string
	}{f, after}) // all times whose year JSON cannot hold have the same mark
	sum := sha256.Sum256(text)
	return string(sum[:markBytes])
}
