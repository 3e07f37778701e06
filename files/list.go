package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// maxPage bounds a page of List, and what is read of a Records at once.
const maxPage = 1000

// List is one page of the client files that match f, oldest first: size of them
// (1 to 1,000; more is 1,000) at most, from token on ("" is the start). A page
// may have fewer, even none, and not be the last: the last is the one without a
// Token. A token may travel through a client: it belongs to one filter and can
// only move the start. With BucketRecords only From and To narrow what is read;
// the other fields are compared, record by record.
//
// InvalidValue for a token of another filter or none of ours, for a size below
// 1, and for a From that is not before To.
func (s *Store) List(ctx context.Context, f ListFilter, token string, size int) (*Page, error) {
	if size < 1 {
		return nil, invalid(fieldPageSize, "A page has to have at least one file.")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return nil, invalid(fieldFrom, "The span of time ends before it begins.")
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

// seal ties the ID to go on after to the filter. It is no secret.
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
	}{f, after}) // a time of a year that JSON does not hold has one mark, as if it were all
	sum := sha256.Sum256(text)
	return string(sum[:markBytes])
}
