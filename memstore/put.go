package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Put reads the whole body first. Then it checks the condition and stores the object under one
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

// commit stores the object of a write, or fails and changes nothing. up is the multipart upload that
// made o, which commit ends, or nil.
func (b *bucket) commit(ctx context.Context, o *object, c storage.Condition, up *upload) (*storage.Attrs, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	o.modified = b.account.time()
	if err := b.lock(); err != nil {
		return nil, err
	}
	isVersioned := b.info.Versioning
	err := b.commitLocked(o, c, up)
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o.attrs(isVersioned), nil
}

// commitLocked does the part of commit for which the caller holds the write lock.
func (b *bucket) commitLocked(o *object, c storage.Condition, up *upload) error {
	if up != nil && b.uploads[up.name] != up {
		// The upload was completed or aborted meanwhile.
		return storage.ObjectNotFound
	}
	if err := b.lockNew(o); err != nil {
		return err
	}
	if err := b.swap(o, c); err != nil {
		return err
	}
	if up != nil {
		delete(b.uploads, up.name)
	}
	return nil
}
