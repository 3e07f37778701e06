package objectfile

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ListEntry returns the entry of an item in a listing.
func (r *Reader) ListEntry(item Item) (storage.ListEntry, error) {
	if item.IsPrefix {
		return storage.ListEntry{Key: item.Key, IsPrefix: true}, nil
	}
	t, err := r.tagOfItem(item)
	if err != nil {
		return storage.ListEntry{}, err
	}
	return entryOf(item.Key, item.At.Meta, t), nil
}

// tagOfItem returns the tag of an item's file. If the times of the disk are too coarse, it opens the
// object to read the tag from the attributes.
func (r *Reader) tagOfItem(item Item) (Tag, error) {
	if !r.Tree.Coarse.Load() {
		return MakeTag(item.At.Meta), nil
	}
	// The key is from the disk, so it has a location.
	l, _ := r.Tree.Names().Locate(item.Key)
	f, err := r.OpenCurrent(l)
	if err != nil {
		return "", err
	}
	if f == nil {
		// The object was removed meanwhile.
		return MakeTag(item.At.Meta), nil
	}
	defer f.Close()
	a, err := r.AttrsOfFile(f)
	if err != nil {
		return "", err
	}
	return r.TagOf(f.Meta, a), nil
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
	file, err := r.StatObject(d, base)
	if err != nil || !file.Found() {
		return e, false, err
	}
	t, err := r.tagAt(file)
	return entryOf(key, file.Meta, t), err == nil, err
}
