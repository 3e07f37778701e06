package local

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// List returns a page of objects. It reads the directories that can have a key of the
// page, and stats the files of the page.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	after, err := parseToken(r)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	w := &walker{
		tree: s.tree, reader: s.reader, ctx: ctx, prefix: r.Prefix, delimiter: r.Delimiter, start: after.key,
		skip: after.prefix(),
	}
	defer w.close()
	if err := w.open(); err != nil {
		return nil, err
	}
	page := &storage.Page{Entries: r.Entries[:0]}
	for {
		found, ok, err := w.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if n := len(page.Entries); n == r.Limit {
			last := &page.Entries[n-1]
			page.Token = position{key: last.Key, isPrefix: last.IsPrefix}.token()
			return page, nil
		}
		if page.Entries == nil {
			page.Entries = make([]storage.ListEntry, 0, min(r.Limit, 64))
		}
		e, err := s.reader.listEntry(found)
		if err != nil {
			return nil, err
		}
		page.Entries = append(page.Entries, e)
	}
	if len(page.Entries) == 0 {
		return page, s.tree.checkPlace()
	}
	return page, nil
}

func (r *reader) listEntry(found item) (storage.ListEntry, error) {
	if found.isPrefix {
		return storage.ListEntry{Key: found.key, IsPrefix: true}, nil
	}
	t := makeTag(found.at.meta)
	if r.tree.coarse.Load() {
		l, _ := r.tree.names().locate(found.key)
		f, err := r.openCurrent(l)
		if err != nil {
			return storage.ListEntry{}, err
		}
		if f != nil {
			a, err := r.attrsOfFile(f)
			_ = f.Close()
			if err != nil {
				return storage.ListEntry{}, err
			}
			t = r.tagOf(f.Meta, a)
		}
	}
	return entryOf(found.key, found.at.meta, t), nil
}

// entryOf returns the entry of a file.
func entryOf(key string, m osdir.Meta, t tag) storage.ListEntry {
	e := storage.ListEntry{Key: key, Size: m.Size, Modified: m.Time()}
	e.ETag, e.Revision = t.split()
	return e
}

// A position is a place in a listing: after a key, after all keys of a common prefix, or
// after a version of a key.
type position struct {
	key      string
	isPrefix bool
	version  string // set only for ListVersions
}

func (p position) prefix() string {
	if p.isPrefix {
		return p.key
	}
	return ""
}

// token returns the position as a page token. It names the last entry of a page, so that
// it stays valid after the process ends or the entry changes.
func (p position) token() string {
	kind := "k"
	switch {
	case p.isPrefix:
		kind = "p"
	case p.version != "":
		kind = "v" + p.version + "/"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(kind + p.key))
}

var errToken = argument.Invalid("token", "must be from a page of this listing", "")

// parseToken returns the position after which a page begins. If no listing like r can
// have returned the token, it fails with InvalidArgument.
func parseToken(r *driver.ListRequest) (position, error) {
	if r.Token == "" {
		return position{key: r.StartAfter}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(r.Token)
	if err != nil || len(b) < 2 {
		return position{}, errToken
	}
	p := position{key: string(b[1:])}
	switch b[0] {
	case 'k':
	case 'p':
		p.isPrefix = true
	case 'v':
		version, key, _ := strings.Cut(p.key, "/")
		p.version, p.key = version, key
		if r.SoftDeleted {
			version, _, _ = strings.Cut(version, removedMark)
		}
		if !validVersion(version) {
			return position{}, errToken
		}
	default:
		return position{}, errToken
	}
	if p.key == "" || !strings.HasPrefix(p.key, r.Prefix) {
		return position{}, errToken
	}
	if _, rolled := keyrule.CommonPrefix(p.key, r.Prefix, r.Delimiter); rolled != p.isPrefix {
		return position{}, errToken
	}
	return p, nil
}
