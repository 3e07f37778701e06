package objectfile

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ListEntry returns the entry of an item in a listing.
func (r *Reader) ListEntry(found Item) (storage.ListEntry, error) {
	if found.IsPrefix {
		return storage.ListEntry{Key: found.Key, IsPrefix: true}, nil
	}
	t := MakeTag(found.At.Meta)
	if r.Tree.Coarse.Load() {
		l, _ := r.Tree.Names().Locate(found.Key)
		f, err := r.OpenCurrent(l)
		if err != nil {
			return storage.ListEntry{}, err
		}
		if f != nil {
			a, err := r.AttrsOfFile(f)
			_ = f.Close()
			if err != nil {
				return storage.ListEntry{}, err
			}
			t = r.TagOf(f.Meta, a)
		}
	}
	return entryOf(found.Key, found.At.Meta, t), nil
}

// entryOf returns the listing entry of a file.
func entryOf(key string, m osdir.Meta, t Tag) storage.ListEntry {
	e := storage.ListEntry{Key: key, Size: m.Size, Modified: m.Time()}
	e.ETag, e.Revision = t.split()
	return e
}

// EntryIn returns the listing entry for a version of key. The version is the file with the name
// base in d. If the file does not exist, EntryIn returns false.
func (r *Reader) EntryIn(d *osdir.Dir, base, key string) (e storage.ListEntry, found bool, err error) {
	at, err := r.StatObject(d, base)
	if err != nil || !at.Found() {
		return e, false, err
	}
	t, err := r.tagAt(at)
	return entryOf(key, at.Meta, t), err == nil, err
}
