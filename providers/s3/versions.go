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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/httpheader"
)

// ListVersions is one ListObjectVersions. A version that was written before the
// bucket kept any is named "null", and can be addressed so. Some servers begin a
// page with the marker's own version: one of a single entry then needs a second
// request. The next page begins where the server says, for its order alone is
// the one that it goes on in.
func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	key, id, err := readVersionToken(r.Token)
	if err != nil {
		return nil, err
	}
	limit := min(r.Limit, maxPage)
	for {
		p, err := d.versionsPage(ctx, r, key, id, limit)
		if err != nil {
			return nil, err
		}
		page := &storage.VersionPage{Entries: p.entries}
		if p.more {
			page.Token = versionToken(p.nextKey, p.nextID)
		}
		if page.Token == "" || page.Token != r.Token {
			return page, nil
		}
		if limit > 1 {
			return nil, &storage.Error{Code: storage.Internal, Err: errors.New("the listing goes on, and does not move")}
		}
		limit++
	}
}

// versionsPage is a page without the marker's own version.
func (d *driver) versionsPage(ctx context.Context, r *storage.ListRequest, key, id string, limit int) (*versionsPage, error) {
	p := &versionsPage{marksApart: !d.amazon()}
	step := &pageStep{result: &awss3.ListObjectVersionsOutput{}, decode: p.read}
	_, err := d.client.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{
		Bucket:          d.name(),
		Prefix:          httpheader.Optional(r.Prefix),
		Delimiter:       httpheader.Optional(r.Delimiter),
		MaxKeys:         aws.Int32(int32(limit)),
		KeyMarker:       httpheader.Optional(key),
		VersionIdMarker: httpheader.Optional(id),
		EncodingType:    types.EncodingTypeUrl,
	}, step.swap)
	if err != nil {
		return nil, d.listFailed(err)
	}
	if id != "" {
		p.entries = slices.DeleteFunc(p.entries, func(e storage.VersionEntry) bool { return e.Key == key && e.Version == id })
	}
	return p, nil
}

// A versionsPage is an answer of ListObjectVersions. Versions stay in its order,
// which times do not tell: Amazon's of an object in parts is when its upload was
// begun, and its place is by when it ended.
type versionsPage struct {
	pageFields
	entries         []storage.VersionEntry
	nextKey, nextID string
	more            bool
	marked          bool // a delete marker was read
	marksApart      bool // all delete markers may stand behind all versions: the server is not Amazon's, and none was found elsewhere
}

func (p *versionsPage) read(answer []byte) error {
	*p = versionsPage{pageFields: pageFields{xmlReader: xmlReader{doc: answer}}, marksApart: p.marksApart}
	if err := p.each(p.element); err != nil {
		return err
	}
	return p.finish()
}

func (p *versionsPage) element(name []byte) (err error) {
	switch {
	case is(name, "Version"):
		if p.marked {
			p.marksApart = false
		}
		return p.entry(storage.VersionEntry{})
	case is(name, "DeleteMarker"):
		p.marked = true
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
	p.mergeKinds()
	if p.marked && p.marksApart {
		p.placeMarkers()
	}
	p.more, err = p.goesOn(p.nextKey)
	return err
}

// mergeKinds puts versions, delete markers and common prefixes, which some
// servers send apart, in one sequence. It only merges: if one kind does not
// ascend, the server lists in another order, which the core must see.
func (p *versionsPage) mergeKinds() {
	var last [3]string
	for i := range p.entries {
		kind := 0
		switch e := &p.entries[i]; {
		case e.IsDelete:
			kind = 1
		case e.IsPrefix:
			kind = 2
		}
		if p.entries[i].Key < last[kind] {
			return
		}
		last[kind] = p.entries[i].Key
	}
	slices.SortStableFunc(p.entries, func(a, b storage.VersionEntry) int { return strings.Compare(a.Key, b.Key) })
}

// placeMarkers has each key's delete markers, which stand behind its versions,
// where their time says. Neither kind changes its own order.
func (p *versionsPage) placeMarkers() {
	placed := make([]storage.VersionEntry, 0, len(p.entries))
	for rest := p.entries; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(e storage.VersionEntry) bool { return e.Key != rest[0].Key })
		if n < 0 {
			n = len(rest)
		}
		of := rest[:n]
		rest = rest[n:]
		first := slices.IndexFunc(of, func(e storage.VersionEntry) bool { return e.IsDelete })
		if first < 0 {
			first = n
		}
		versions, markers := of[:first], of[first:]
		for len(versions) > 0 && len(markers) > 0 {
			if goesBefore(&markers[0], &versions[0]) {
				placed, markers = append(placed, markers[0]), markers[1:]
			} else {
				placed, versions = append(placed, versions[0]), versions[1:]
			}
		}
		placed = append(append(placed, versions...), markers...)
	}
	p.entries = placed
}

// goesBefore reports whether a delete marker is newer than a version.
func goesBefore(marker, version *storage.VersionEntry) bool {
	if marker.Current || version.Current {
		return marker.Current
	}
	return marker.Modified.After(version.Modified)
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
		return "", "", argument.Invalid("token", "must be one of this bucket's", "")
	}
	return string(keyBytes), string(idBytes), nil
}
