package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
)

// Copy copies an object of this bucket, or of another one in the same parent directory. It makes no
// hard link, because both objects would then share attributes and revision, and later changes.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)

	parent, bucket := resolvedPath(d)
	isInParent := r.Source.Account == account{parent}
	if !isInParent {
		return nil, storage.Unsupported
	}
	if err := store.Settings.CheckControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	if r.Source.Bucket == bucket {
		return store.Objects.Copy(ctx, r, store.Objects)
	}

	// The other bucket is only read, so it has nothing to sync.
	src, closeSrc, err := openOnce(ctx, bucketDriver(parent, r.Source.Bucket, Config{NoSync: true}))
	if err != nil {
		return nil, bucketstore.MissingSource(r.Source, err)
	}
	defer closeSrc()
	return store.Objects.Copy(ctx, r, src.Objects)
}

// Move moves an object with its attributes, revision and time to a key without an object, by a rename
// of its file. It fails with Unsupported if that is not enough, as in a bucket that keeps versions.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	store, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(store)
	return store.Objects.Move(ctx, r)
}
