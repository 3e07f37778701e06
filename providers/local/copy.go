package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Copy copies an object. The kernel copies the bytes if it can, and on some file systems
// shares them. A hard link would be cheaper but wrong: both names would share attributes
// and revision, and a change by an editor.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	parent, bucket := d.resolve()
	if r.Source.Account != (account{parent}) {
		return nil, storage.Unsupported
	}
	if err := s.settings.checkControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	from := s
	if r.Source.Bucket != bucket {
		other := bucketDriver(parent, r.Source.Bucket, Config{NoSync: true})
		other.managed = true
		if from, err = other.acquire(ctx); err != nil {
			return nil, missingSource(r.Source, err)
		}
		defer func() {
			other.release(from)
			_ = other.Close()
		}()
	}
	source, old, err := from.objects.source(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	st, err := s.staging.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer s.staging.discard(st)
	if err := st.append(ctx, source.OSFile(r.Source.Key), 0, source.Meta.Size); err != nil {
		return nil, err
	}
	if err := checkUnchanged(source); err != nil {
		return nil, err
	}
	st.attrs = newAttrs(r.Properties, &r.Controls, storage.CRC32C{})
	if old.matches(source.Meta) {
		st.attrs.crc = old.crc
	}
	if err := source.Close(); err != nil { // it may be the file to be replaced
		return nil, failure(err)
	}
	return s.objects.save(ctx, r.Key, st, r.Condition)
}

// source opens the source of a copy. If it is not the revision that the caller has seen,
// it fails with Changed.
func (o *objects) source(ctx context.Context, ref driver.ObjectRef) (*osdir.File, *attrs, error) {
	f, a, err := o.openObject(ctx, ref.Key, ref.Version)
	if err != nil {
		return nil, nil, missingSource(ref, err)
	}
	if ref.Revision != "" && ref.Revision != o.reader.tagOf(f.Meta, a).revision() {
		_ = f.Close()
		return nil, nil, storage.Changed
	}
	return f, a, nil
}

// missingSource returns the error for a missing source: Changed, if the core has seen the
// source, and otherwise err.
func missingSource(ref driver.ObjectRef, err error) error {
	if code := storage.CodeOf(err); ref.Revision != "" && (code == storage.ObjectNotFound || code == storage.BucketNotFound) {
		return storage.Changed
	}
	return err
}

// checkUnchanged fails with Changed if another program has edited the file in place.
func checkUnchanged(source *osdir.File) error {
	now, err := source.Stat()
	if err != nil {
		return failure(err)
	}
	if now.MTime != source.Meta.MTime || now.Size != source.Meta.Size {
		return storage.Changed
	}
	return nil
}
