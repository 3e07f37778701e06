package filesapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads"
)

// maxPage limits a page of the list.
const maxPage = 1000

// list returns one page of the client files that match f, oldest first. A page may have fewer files than
// size, even none, and not be the last; only the last has no token.
func (s store) list(ctx context.Context, f uploads.Filter, token string, size int) (*page, error) {
	if size < 1 {
		return nil, invalid(fieldPageSize, "A page must have at least one file.")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return nil, invalid(fieldFrom, "The time span ends before it begins.")
	}
	if err := validateLabel(fieldPurpose, f.Purpose); err != nil {
		return nil, err
	}
	if err := validateLabel(fieldUser, f.User); err != nil {
		return nil, err
	}
	after, err := openToken(f, token)
	if err != nil {
		return nil, err
	}
	files, next, err := s.service.Records().List(ctx, f, after, min(size, maxPage))
	if err != nil {
		return nil, told(err)
	}
	found := &page{Items: []*Record{}, NextPageToken: sealToken(f, next)} // "[]", not "null"
	for _, f := range files {
		found.Items = append(found.Items, recordOf(f))
	}
	return found, nil
}

const markBytes = 8

// sealToken makes a token of the ID after which the next page starts, and the filter. It is not secret: it
// can only move the start.
func sealToken(f uploads.Filter, after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(mark(f, after) + after))
}

func openToken(f uploads.Filter, token string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != markBytes+timeid.Length || mark(f, string(raw[markBytes:])) != string(raw[:markBytes]) {
		return "", invalid(fieldPageToken, "This is not the token of a page of these files.")
	}
	return string(raw[markBytes:]), validateID(string(raw[markBytes:]))
}

func mark(f uploads.Filter, after string) string {
	f.From, f.To = f.From.UTC(), f.To.UTC()
	text, _ := json.Marshal(struct {
		uploads.Filter
		After string
	}{f, after}) // all times whose year JSON cannot hold have the same mark
	sum := sha256.Sum256(text)
	return string(sum[:markBytes])
}
