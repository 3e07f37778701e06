package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/invalid"
)

// ListVersions is one ListObjectVersions. A version that was written before the
// bucket kept any is named "null", and can be addressed so.
func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	key, id, err := readVersionToken(r.Token)
	if err != nil {
		return nil, err
	}
	limit := min(r.Limit, maxPage)
	in := &awss3.ListObjectVersionsInput{
		Bucket:          d.name(),
		Prefix:          httpheader.Optional(r.Prefix),
		Delimiter:       httpheader.Optional(r.Delimiter),
		MaxKeys:         aws.Int32(int32(limit)),
		KeyMarker:       httpheader.Optional(key),
		VersionIdMarker: httpheader.Optional(id),
		EncodingType:    types.EncodingTypeUrl,
	}
	if id != "" { // some servers begin with the marker's own version
		in.MaxKeys = aws.Int32(int32(min(limit+1, maxPage)))
	}
	p := &versionsPage{}
	step := &pageStep{result: &awss3.ListObjectVersionsOutput{}, decode: p.read}
	if _, err := d.client.ListObjectVersions(ctx, in, step.swap); err != nil {
		return nil, d.listFailed(err)
	}
	entries := p.entries
	if id != "" {
		entries = slices.DeleteFunc(entries, func(e storage.VersionEntry) bool { return e.Key == key && e.Version == id })
	}
	page := &storage.VersionPage{Entries: entries}
	switch {
	case len(entries) > limit:
		page.Entries = entries[:limit]
		page.Token = versionToken(entries[limit-1].Key, entries[limit-1].Version)
	case p.more:
		page.Token = versionToken(p.nextKey, p.nextID)
	}
	if page.Token != "" && page.Token == r.Token {
		return nil, &storage.Error{Code: storage.Internal, Err: errors.New("the listing goes on, and does not move")}
	}
	return page, nil
}

// A versionsPage is an answer of ListObjectVersions. Versions and delete markers
// stay in its order: within one second there is no other.
type versionsPage struct {
	pageFields
	entries         []storage.VersionEntry
	nextKey, nextID string
	more            bool
}

func (p *versionsPage) read(answer []byte) error {
	*p = versionsPage{pageFields: pageFields{xmlReader: xmlReader{doc: answer}}}
	if err := p.each(p.element); err != nil {
		return err
	}
	return p.finish()
}

func (p *versionsPage) element(name []byte) (err error) {
	switch {
	case is(name, "Version"):
		return p.entry(storage.VersionEntry{})
	case is(name, "DeleteMarker"):
		return p.entry(storage.VersionEntry{IsDelete: true})
	case is(name, "CommonPrefixes"):
		return p.entry(storage.VersionEntry{ListEntry: storage.ListEntry{IsPrefix: true}})
	case is(name, "NextKeyMarker"):
		p.nextKey, err = p.string()
	case is(name, "NextVersionIdMarker"):
		p.nextID, err = p.string()
	default:
		return p.common(name)
	}
	return err
}

func (p *versionsPage) entry(e storage.VersionEntry) error {
	if len(p.entries) == maxPageEntries {
		return errPageTooLong
	}
	err := p.children(func(name []byte) error { return p.fieldOf(&e, name) })
	p.entries = append(p.entries, e)
	return err
}

func (p *versionsPage) fieldOf(e *storage.VersionEntry, name []byte) (err error) {
	switch {
	case e.IsPrefix && is(name, "Prefix"):
		e.Key, err = p.string()
	case e.IsPrefix:
		err = p.skip()
	case is(name, "VersionId"):
		e.Version, err = p.string()
	case is(name, "IsLatest"):
		var latest flag
		latest, err = p.flag()
		e.Current = latest == yes
	default:
		err = p.field(&e.ListEntry, name)
	}
	return err
}

func (p *versionsPage) finish() (err error) {
	for i := range p.entries {
		e := &p.entries[i]
		if e.Key, err = p.key(e.Key); err != nil {
			return err
		}
	}
	if p.nextKey, err = p.key(p.nextKey); err != nil {
		return err
	}
	// Some servers have all versions first and all markers behind them; where
	// the answer was in order already, nothing moves.
	slices.SortStableFunc(p.entries, newestFirst)
	p.more, err = p.goesOn(p.nextKey)
	return err
}

func newestFirst(a, b storage.VersionEntry) int {
	if by := strings.Compare(a.Key, b.Key); by != 0 {
		return by
	}
	switch {
	case a.Current && !b.Current:
		return -1
	case b.Current && !a.Current:
		return 1
	}
	return b.Modified.Compare(a.Modified)
}

// A token is where the next page begins: a version and a key, which may hold
// any character that could part them.
func versionToken(key, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(id)) + "." + base64.RawURLEncoding.EncodeToString([]byte(key))
}

func readVersionToken(token string) (key, id string, err error) {
	if token == "" {
		return "", "", nil
	}
	rawID, rawKey, found := strings.Cut(token, ".")
	idBytes, err := base64.RawURLEncoding.DecodeString(rawID)
	keyBytes, err2 := base64.RawURLEncoding.DecodeString(rawKey)
	if err := errors.Join(err, err2); err != nil || !found || len(keyBytes) == 0 {
		return "", "", invalid.Argument("token", "must be one of this bucket's", "")
	}
	return string(keyBytes), string(idBytes), nil
}
