package objectfile

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// AttrsOf returns the attributes of a file for the caller. If a is nil, another program has created
// the file, and the engine derives the content type from the key.
func (r *Reader) AttrsOf(key string, m osdir.Meta, a *Attrs) *storage.Attrs {
	attrs := &storage.Attrs{Key: key, Size: m.Size, Modified: m.Time()}
	attrs.ETag, attrs.Revision = r.TagOf(m, a).split()
	if r.Tree.KeepsVersions() {
		attrs.Version = VersionOf(m)
	}
	if a != nil {
		attrs.Properties = a.Properties
		attrs.TagCount = len(a.Tags)
		attrs.Retention = a.Retention
		attrs.LegalHold = a.LegalHold
	}
	if a.Matches(m) {
		attrs.CRC32C = a.CRC32C
	}
	return attrs
}

// CheckRead checks the condition of a read. If the condition does not hold, it fails with
// PreconditionFailed or NotModified.
func CheckRead(revision string, c storage.Condition) error {
	if c.Revision != "" && c.Revision != revision {
		return storage.PreconditionFailed
	}
	if c.NotRevision != "" && c.NotRevision == revision {
		return storage.NotModified
	}
	return nil
}

// CheckRemovable fails with Locked if the file is under a legal hold, or under a retention. If the
// parameter bypass is true, a retention in the mode Governance does not count. The caller holds the
// lock of the key.
func (r *Reader) CheckRemovable(file ObjectFile, bypass bool) error {
	a, _, err := r.attrsAt(file)
	if a == nil || err != nil {
		return err
	}
	return lifetime.CheckRemoval(a.Retention, a.LegalHold, bypass, r.Tree.Clock.Now())
}

// CheckWrite checks the condition of a write against the existing file.
func (r *Reader) CheckWrite(old ObjectFile, c storage.Condition) error {
	if c.Absent && old.Found() {
		return storage.PreconditionFailed
	}
	if c.Revision == "" {
		return nil
	}
	if !old.Found() {
		return storage.PreconditionFailed
	}
	t, err := r.tagAt(old)
	if err != nil {
		return err
	}
	if t.Revision() != c.Revision {
		return storage.PreconditionFailed
	}
	return nil
}

// tagAt returns the tag of a file. The tag contains the file's ETag and its revision.
func (r *Reader) tagAt(file ObjectFile) (Tag, error) {
	if !r.Tree.Coarse.Load() {
		return MakeTag(file.Meta), nil
	}
	a, meta, err := r.attrsAt(file)
	if err != nil {
		return "", err
	}
	return r.TagOf(meta, a), nil
}

// TagOf returns the tag of a file. If the times of the disk are too coarse, the tag has a random
// revision, which each write stores in the attributes. Otherwise the tag is the result of MakeTag.
func (r *Reader) TagOf(m osdir.Meta, a *Attrs) Tag {
	if r.Tree.Coarse.Load() && a.Matches(m) && a.Unique != "" {
		return Tag(`"` + a.Unique + `"` + revisionTag + a.Unique)
	}
	return MakeTag(m)
}

// attrsAt reads the attributes of a file that was found, and its current stat result.
func (r *Reader) attrsAt(file ObjectFile) (*Attrs, osdir.Meta, error) {
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return nil, osdir.Meta{}, r.Tree.PathLostError(err)
	}
	defer f.Close()
	a, err := r.AttrsOfFile(f)
	return a, f.Meta, err
}

// AttrsOfFile reads the attributes of an open file. If the file has none, it returns nil.
func (r *Reader) AttrsOfFile(f *osdir.File) (*Attrs, error) {
	if !r.NoXattr {
		b, err := f.Xattr()
		if err == nil && b != nil {
			return decodeAttrs(b)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, bucketdir.Failure(err)
		}
	}
	b, err := r.Tree.Root.ReadFile(sidecarPath(f.Meta))
	if osdir.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, bucketdir.Failure(err)
	}
	a, err := decodeAttrs(b)
	if err != nil || !a.Matches(f.Meta) {
		return nil, err
	}
	return a, nil
}
