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

// commit ends every write, and does all of it or nothing. If an upload made the object, the
// upload ends, too.
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
		// Nothing is written if the condition does not hold.
	} else if err = b.swap(o, c); err == nil && from != nil {
		delete(b.uploads, from.name)
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o.attrs(versioned), nil
}
