package memstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Put reads the body first; only then is the condition checked and the object
// put in place, under one lock.
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

// commit is how every write ends: all of it happens here, or nothing. An upload
// that made the object ends with it.
func (b *bucket) commit(ctx context.Context, o *object, c storage.Condition, from *upload) (*storage.Attrs, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	o.modified = b.account.time()
	if _, err := lock(b, nil); err != nil {
		return nil, err
	}
	versioned, err := b.info.Versioning, error(nil)
	if from != nil && b.uploads[from.name] != from {
		err = storage.ObjectNotFound // completed or aborted meanwhile
	} else if err = b.lockNew(o); err != nil {
		// nothing is written
	} else if err = b.swap(o, c); err == nil && from != nil {
		delete(b.uploads, from.name)
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o.attrs(versioned), nil
}
