package bucketstore

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

// List returns the page of objects that begins after pos, the position in the request's token.
func (s *Store) List(ctx context.Context, r *driver.ListRequest, pos Position) (*storage.Page, error) {
	walker := &objectfile.Walker{
		Tree:      s.Tree,
		Reader:    s.Reader,
		Ctx:       ctx,
		Prefix:    r.Prefix,
		Delimiter: r.Delimiter,
		Start:     pos.Key,
		Skip:      pos.prefix(),
	}
	defer walker.Close()
	if err := walker.Open(); err != nil {
		return nil, err
	}

	// r.Entries is the memory of the previous page, or nil.
	page := &storage.Page{Entries: r.Entries[:0]}
	for {
		item, ok, err := walker.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		// The page is full and there is another item, so the page needs a token.
		if count := len(page.Entries); count == r.Limit {
			last := &page.Entries[count-1]
			page.Token = Position{Key: last.Key, IsPrefix: last.IsPrefix}.Token()
			return page, nil
		}
		if page.Entries == nil {
			page.Entries = make([]storage.ListEntry, 0, min(r.Limit, 64))
		}
		entry, err := s.Reader.ListEntry(item)
		if err != nil {
			return nil, err
		}
		page.Entries = append(page.Entries, entry)
	}

	if len(page.Entries) == 0 {
		// There may be no entries because the bucket is gone.
		return page, s.Tree.CheckPath()
	}
	return page, nil
}

// A Position is a place in a listing: after a key, after all keys of a common prefix, or
// after a version of a key.
type Position struct {
	Key      string
	IsPrefix bool
	Version  string // set only for ListVersions
}

// prefix returns the common prefix at the position, or "" if there is a key.
func (p Position) prefix() string {
	if p.IsPrefix {
		return p.Key
	}
	return ""
}

// Token returns the position as a page token. A token remains valid after the process has ended or
// the entry at the position was removed, because it contains the entry itself.
func (p Position) Token() string {
	var text string
	switch { // the first letter is the kind of the entry
	case p.IsPrefix:
		text = "p" + p.Key
	case p.Version != "":
		text = "v" + p.Version + "/" + p.Key
	default:
		text = "k" + p.Key
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

var errToken = argument.Invalid("token", "must be from a page of this listing", "")

// ParseToken returns the position after which the page of r begins. It fails with InvalidArgument if
// the token cannot be from an earlier page of the same listing.
func ParseToken(r *driver.ListRequest) (Position, error) {
	if r.Token == "" {
		return Position{Key: r.StartAfter}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(r.Token)
	if err != nil || len(b) < 2 {
		return Position{}, errToken
	}

	// The first byte of a token is the kind of its position.
	p := Position{Key: string(b[1:])}
	switch b[0] {
	case 'k': // only a key
	case 'p':
		p.IsPrefix = true
	case 'v':
		version, key, _ := strings.Cut(p.Key, "/")
		if !isVersionID(version, r.SoftDeleted) {
			return Position{}, errToken
		}
		p.Version = version
		p.Key = key
	default:
		return Position{}, errToken
	}

	// The token must fit the prefix and the delimiter.
	if p.Key == "" || !strings.HasPrefix(p.Key, r.Prefix) {
		return Position{}, errToken
	}
	_, isPrefix := objectkey.CommonPrefix(p.Key, r.Prefix, r.Delimiter)
	if p.IsPrefix != isPrefix {
		return Position{}, errToken
	}
	return p, nil
}

// isVersionID reports whether id is that of a version or, in a listing of soft-deleted files, that of
// such a file, which begins with its version.
func isVersionID(id string, softDeleted bool) bool {
	version := id
	if softDeleted {
		version, _, _ = strings.Cut(id, removedMark)
	}
	return objectfile.ValidVersion(version)
}
