package gcs

import (
	"context"
	"errors"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
)

// undelete copies a soft-deleted generation to a new, current generation of the object: the
// generation in the request or, if the request names none, the newest one in a listing. It does not
// use a bulk restore, because that takes minutes and does not report single objects.
// https://cloud.google.com/storage/docs/json_api/v1/objects/restore
func (d *objectDriver) undelete(ctx context.Context, r *driver.ChangeRequest) error {
	version := r.Version
	if version == "" {
		newest, err := d.newestRemoved(ctx, r.Key)
		if err != nil {
			return err
		}
		if newest == "" {
			return d.undeleteError(ctx, r, storage.ObjectNotFound)
		}
		version = newest
	}

	object, err := d.bucket.objectVersion(r.Key, version)
	if err != nil {
		return err
	}

	// A current object must not be replaced.
	object = object.If(gcs.Conditions{DoesNotExist: true})
	_, err = write(
		withIdempotencyToken(ctx, "restore", d.bucket.name, r.Key, version),
		func(ctx context.Context) (*gcs.ObjectAttrs, error) {
			return object.Restore(ctx, &gcs.RestoreOptions{})
		},
	)
	if err != nil {
		storageErr := translate(err)
		if storageErr.Unknown {
			// The response may come from a gateway, so the object may have been restored, even after a 404.
			return storageErr
		}
		return d.undeleteError(ctx, r, d.bucket.notFound(ctx, storageErr))
	}
	return nil
}

// newestRemoved returns the newest soft-deleted version of a key, or "" if there is none.
func (d *objectDriver) newestRemoved(ctx context.Context, key string) (string, error) {
	page, err := d.ListVersions(ctx, &driver.ListRequest{Prefix: key, Limit: 1, SoftDeleted: true})
	if err != nil {
		return "", err
	}
	if len(page.Entries) == 0 || page.Entries[0].Key != key {
		return "", nil
	}
	// The page has all generations of the key, newest first.
	return page.Entries[0].Version, nil
}

// undeleteError returns the error for a failed restore. Google does not document which error it
// returns if the key has a current object, so undeleteError requests the current object after an
// ObjectNotFound, and returns PreconditionFailed if it exists.
func (d *objectDriver) undeleteError(ctx context.Context, r *driver.ChangeRequest, failure error) error {
	if !errors.Is(failure, storage.ObjectNotFound) {
		return failure
	}
	_, err := d.bucket.find(ctx, &driver.GetRequest{Key: r.Key, Length: -1})
	if err == nil {
		return storage.PreconditionFailed
	}
	if errors.Is(err, storage.ObjectNotFound) {
		return failure
	}
	return translate(err)
}

// These are the limits of a soft-delete policy: https://cloud.google.com/storage/docs/soft-delete
const (
	minSoftDelete = 7 * 24 * time.Hour
	maxSoftDelete = 90 * 24 * time.Hour
)

// checkSoftDelete fails with InvalidArgument if Google does not permit the retention of soft-deleted
// objects.
func checkSoftDelete(retention *time.Duration) error {
	if retention == nil || *retention == 0 {
		return nil
	}
	isWholeSeconds := *retention%time.Second == 0
	if *retention < minSoftDelete || *retention > maxSoftDelete || !isWholeSeconds {
		return argument.Invalid("WithSoftDelete", "must be 0, or whole seconds from 7 to 90 days", "")
	}
	return nil
}

// softDeletePolicy returns a policy in the form of the SDK, or nil if retention is nil, which leaves
// the bucket's policy unchanged.
func softDeletePolicy(retention *time.Duration) *gcs.SoftDeletePolicy {
	if retention == nil {
		return nil
	}
	return &gcs.SoftDeletePolicy{RetentionDuration: *retention}
}
