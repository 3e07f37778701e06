package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// Copy copies an object. The kernel copies the bytes if it can, and some file systems share them. A
// hard link would be cheaper, but wrong: both names would share the attributes and the revision,
// and an editor would change both objects.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	parent, bucket := resolvedPath(d)
	if r.Source.Account != (account{parent}) {
		return nil, storage.Unsupported
	}
	if err := store.Settings.CheckControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	if r.Source.Bucket == bucket {
		return store.Objects.Copy(ctx, r, store.Objects)
	}

	src, done, err := openOnce(ctx, bucketDriver(parent, r.Source.Bucket, Config{NoSync: true}))
	if err != nil {
		return nil, bucketstore.MissingSource(r.Source, err)
	}
	defer done()
	return store.Objects.Copy(ctx, r, src.Objects)
}

// Move renames the file of an object to a key without an object. The object keeps its attributes,
// revision and time. If a rename is not enough, for example because the bucket keeps versions, Move
// fails with Unsupported.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return store.Objects.Move(ctx, r)
}
