package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Copy makes an object that shares the bytes of its source. It fails with Unsupported if the source
// is in another account.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	srcAccount, isOurs := r.Source.Account.(*account)
	if !isOurs || srcAccount != d.account {
		return nil, storage.Unsupported
	}
	dst, err := d.open(ctx)
	if err != nil {
		return nil, err
	}

	// Find the source, which may be in another bucket of the account.
	src, err := d.account.find(r.Source.Bucket)
	if err != nil {
		return nil, missingSource(r.Source, err)
	}
	sources, err := src.sources([]driver.ObjectRef{r.Source})
	if err != nil {
		return nil, err
	}

	// The bytes are never changed, so both objects can share them.
	source := sources[0]
	o := newObject(r.Key, source.data, source.Properties, &r.Controls, source.crc32c)
	if r.Replace {
		o.Properties = r.Properties
	}
	return dst.commit(ctx, o, r.Condition, nil)
}

// Move changes the key of an object in one step: each reader sees exactly one of the two keys.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	now := d.account.time()
	if err := b.lock(); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()

	// Store the object with its new key.
	src := b.live.get(r.From)
	if src == nil {
		return nil, storage.ObjectNotFound
	}
	controls := &storage.Controls{Tags: src.copyExtra().tags}
	o := newObject(r.Key, src.data, src.Properties, controls, src.crc32c)
	o.modified = now
	if err := b.applyLockRules(o); err != nil {
		return nil, err
	}
	if err := b.setCurrent(o, r.Condition); err != nil {
		return nil, err
	}

	// Remove the old key, under the same lock.
	if !b.info.Versioning {
		// With soft delete, b.remove would keep the source.
		b.live.remove(r.From)
		return o.attrs(false), nil
	}
	const noVersion = 0 // removes the current object
	if err := b.remove(&driver.DeleteRequest{Key: r.From}, noVersion, now); err != nil {
		return nil, err
	}
	return o.attrs(true), nil
}

// sources returns the objects that refs name, as they all are at one moment. It fails if one of them
// is missing, changed or archived.
func (b *bucket) sources(refs []driver.ObjectRef) ([]*object, error) {
	objects, err := b.findSources(refs)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if err := b.account.checkReadable(o); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// findSources returns the objects that refs name, all as they are at one moment. It fails if one of
// them is missing, or is not the revision that its ref names.
func (b *bucket) findSources(refs []driver.ObjectRef) ([]*object, error) {
	objects := make([]*object, len(refs))
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()

	for i, ref := range refs {
		revision, err := parseVersion(ref.Version)
		if err != nil {
			return nil, err
		}
		o := b.find(ref.Key, revision)
		if o == nil {
			return nil, missingSource(ref, storage.ObjectNotFound)
		}
		if ref.Revision != "" && ref.Revision != o.revisionText() {
			return nil, storage.Changed
		}
		objects[i] = o
	}
	return objects, nil
}

// missingSource returns the error for a source that was not found. If ref names a revision, the
// source existed before, and the error is Changed. Otherwise it is err.
func missingSource(ref driver.ObjectRef, err error) error {
	if ref.Revision != "" {
		return storage.Changed
	}
	return err
}
