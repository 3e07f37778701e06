package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Put reads the whole body, and then checks the condition and stores the object while it holds the
// lock.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	data, err := readBody(ctx, r.Body, r.Size)
	if err != nil {
		return nil, err
	}
	o := newObject(r.Key, data, r.Properties, &r.Controls, r.CRC32C)
	return b.commit(ctx, o, r.Condition, nil)
}

// commit stores the object of a write if the condition holds. If the object comes from a multipart
// upload, commit ends that upload, and otherwise u is nil.
func (b *bucket) commit(
	ctx context.Context, o *object, condition storage.Condition, u *upload,
) (*storage.Attrs, error) {
	if err := contextErr(ctx); err != nil {
		return nil, err
	}
	o.modified = b.account.time()
	if err := b.lock(); err != nil {
		return nil, err
	}
	isVersioned := b.info.Versioning
	err := b.commitLocked(o, condition, u)
	b.mu.Unlock()

	if err != nil {
		return nil, err
	}
	return o.attrs(isVersioned), nil
}

// commitLocked stores the object and removes the upload u, if it is not nil. The caller holds the write
// lock.
func (b *bucket) commitLocked(o *object, condition storage.Condition, u *upload) error {
	if u != nil && b.uploads[u.name] != u {
		// The upload was completed or aborted meanwhile.
		return storage.ObjectNotFound
	}
	if err := b.applyLockRules(o); err != nil {
		return err
	}
	if err := b.setCurrent(o, condition); err != nil {
		return err
	}
	if u != nil {
		delete(b.uploads, u.name)
	}
	return nil
}
