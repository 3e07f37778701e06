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

// commit stores the object of a write, or fails and changes nothing. If o was made by a multipart
// upload, that upload is the last parameter, and commit ends it.
func (b *bucket) commit(ctx context.Context, o *object, c storage.Condition, up *upload) (*storage.Attrs, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	o.modified = b.account.time()
	if _, err := lock(b, nil); err != nil {
		return nil, err
	}
	isVersioned := b.info.Versioning
	var err error
	if up != nil && b.uploads[up.name] != up {
		// The upload was completed or aborted meanwhile.
		err = storage.ObjectNotFound
	} else if err = b.lockNew(o); err != nil {
		// If the condition does not hold, swap writes nothing.
	} else if err = b.swap(o, c); err == nil && up != nil {
		delete(b.uploads, up.name)
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o.attrs(isVersioned), nil
}
