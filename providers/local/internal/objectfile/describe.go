package objectfile

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// AttrsOf returns the attributes of an object from those that are stored with its file. stored is nil
// if another program has created the file.
func (r *Reader) AttrsOf(key string, meta osdir.Meta, stored *Attrs) *storage.Attrs {
	attrs := &storage.Attrs{Key: key, Size: meta.Size, Modified: meta.Time()}
	attrs.ETag, attrs.Revision = r.TagOf(meta, stored).split()
	if r.Tree.KeepsVersions() {
		attrs.Version = VersionOf(meta)
	}
	if stored != nil {
		attrs.Properties = stored.Properties
		attrs.TagCount = len(stored.Tags)
		attrs.Retention = stored.Retention
		attrs.LegalHold = stored.LegalHold
	}
	attrs.CRC32C = stored.SumOf(meta)
	return attrs
}

// SumOf returns the checksum of the file that had these attributes and now has the stat result meta. It
// is unknown if a is nil, or if another program has changed the file.
func (a *Attrs) SumOf(meta osdir.Meta) storage.CRC32C {
	if !a.Matches(meta) {
		return storage.CRC32C{}
	}
	return a.CRC32C
}

// CheckRead fails with PreconditionFailed or NotModified if an object with the revision does not meet
// the condition of a read.
func CheckRead(revision string, c storage.Condition) error {
	if c.Revision != "" && c.Revision != revision {
		return storage.PreconditionFailed
	}
	if c.NotRevision != "" && c.NotRevision == revision {
		return storage.NotModified
	}
	return nil
}

// CheckRemovable fails with Locked if the file is under a legal hold or a retention, except one in
// the mode Governance if bypassGovernance is true. The caller must hold the lock of the key.
func (r *Reader) CheckRemovable(file ObjectFile, bypassGovernance bool) error {
	attrs, _, err := r.attrsAt(file)
	if attrs == nil || err != nil {
		return err
	}
	return lifetime.CheckRemoval(attrs.Retention, attrs.LegalHold, bypassGovernance, r.Tree.Clock.Now())
}

// CheckWrite fails with PreconditionFailed if the current object does not meet the condition of a write.
// old is the file of the object, or the zero value if there is none.
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
	tag, err := r.tagAt(old)
	if err != nil {
		return err
	}
	if tag.Revision() != c.Revision {
		return storage.PreconditionFailed
	}
	return nil
}

// tagAt returns the tag of a file: its ETag and its revision. It reads the file's attributes only if
// the times of the disk are coarse.
func (r *Reader) tagAt(file ObjectFile) (Tag, error) {
	if !r.Tree.Coarse.Load() {
		return MakeTag(file.Meta), nil
	}
	attrs, meta, err := r.attrsAt(file)
	if err != nil {
		return "", err
	}
	return r.TagOf(meta, attrs), nil
}

// TagOf returns the tag of a file with the attributes attrs, which may be nil. On a disk with coarse
// times, which cannot tell two writes apart, the tag has the random revision in the attributes.
func (r *Reader) TagOf(meta osdir.Meta, attrs *Attrs) Tag {
	if r.Tree.Coarse.Load() && attrs.Matches(meta) && attrs.Unique != "" {
		return Tag(`"` + attrs.Unique + `"` + revisionTag + attrs.Unique)
	}
	return MakeTag(meta)
}

// attrsAt opens a file that exists, and returns its attributes, which are nil if it has none, and its
// current stat result.
func (r *Reader) attrsAt(file ObjectFile) (*Attrs, osdir.Meta, error) {
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return nil, osdir.Meta{}, r.Tree.PathLostError(err)
	}
	defer f.Close()
	attrs, err := r.AttrsOfFile(f)
	return attrs, f.Meta, err
}

// AttrsOfFile reads the attributes of an open file from its extended attribute or its sidecar. It
// returns nil if the file has none.
func (r *Reader) AttrsOfFile(f *osdir.File) (*Attrs, error) {
	if !r.NoXattr {
		value, err := f.Xattr()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, bucketdir.WrapError(err)
		}
		if value != nil {
			return decodeAttrs(value)
		}
	}

	// Without an extended attribute, the attributes may be in a sidecar.
	value, err := r.Tree.Root.ReadFile(sidecarPath(f.Meta))
	if osdir.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}
	attrs, err := decodeAttrs(value)
	if err != nil {
		return nil, err
	}
	if !attrs.Matches(f.Meta) {
		// The sidecar belongs to an earlier content of the file.
		return nil, nil
	}
	return attrs, nil
}
