package objectfile

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ListEntry returns the entry of a listing for an item of a walk.
func (r *Reader) ListEntry(item Item) (storage.ListEntry, error) {
	if item.IsPrefix {
		return storage.ListEntry{Key: item.Key, IsPrefix: true}, nil
	}
	tag, err := r.tagOfItem(item)
	if err != nil {
		return storage.ListEntry{}, err
	}
	return entryOf(item.Key, item.File.Meta, tag), nil
}

// tagOfItem returns the tag of an item's file. It opens the file, for its attributes, only if the
// times of the disk are coarse.
func (r *Reader) tagOfItem(item Item) (Tag, error) {
	if !r.Tree.Coarse.Load() {
		return MakeTag(item.File.Meta), nil
	}
	// The key is from the disk, so it has a location.
	loc, _ := r.Tree.Names().Locate(item.Key)
	f, err := r.OpenCurrent(loc)
	if err != nil {
		return "", err
	}
	if f == nil {
		// The object was removed meanwhile.
		return MakeTag(item.File.Meta), nil
	}
	defer f.Close()
	attrs, err := r.AttrsOfFile(f)
	if err != nil {
		return "", err
	}
	return r.TagOf(f.Meta, attrs), nil
}

// entryOf returns the listing entry of a file.
func entryOf(key string, meta osdir.Meta, t Tag) storage.ListEntry {
	e := storage.ListEntry{Key: key, Size: meta.Size, Modified: meta.Time()}
	e.ETag, e.Revision = t.split()
	return e
}

// EntryIn returns the entry of a listing for a version of key, which is the file base in d. found is
// false if the file does not exist.
func (r *Reader) EntryIn(dir *osdir.Dir, base, key string) (entry storage.ListEntry, found bool, err error) {
	file, err := r.StatObject(dir, base)
	if err != nil || !file.Found() {
		return storage.ListEntry{}, false, err
	}
	tag, err := r.tagAt(file)
	return entryOf(key, file.Meta, tag), err == nil, err
}
