package gcs

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Delete makes one request. If the bucket keeps versions and r names no version, the object becomes
// a noncurrent version. To bypass a retention, Delete makes four requests. Google refuses the first
// one. Then Delete reads the attributes, ends the retention, and removes the object.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	object, err := d.bucket.objectVersion(r.Key, r.Version)
	if err != nil {
		return err
	}
	object, err = withCondition(object, r.Condition)
	if err != nil {
		return err
	}

	// With the token of repeatedDelete, Google recognizes another attempt of the same removal.
	tokenCtx := d.repeatedDelete(withCallOptions(ctx, newCallOptions(r.Native)), r)
	err = writes(tokenCtx, object.Delete)
	if err == nil {
		return nil
	}

	storageErr := translate(err)
	if r.BypassGovernance && storageErr.Code == storage.Locked {
		return d.deleteLocked(ctx, r, storageErr)
	}
	missing := d.bucket.missingError(ctx, storageErr, r.Key, r.Version, r.Condition)
	if missing == nil || missing.Unknown {
		// The object may exist, or a gateway has sent the 404.
		return storageErr
	}

	// The removal of an object that does not exist is a success, but not in a bucket that does not
	// exist.
	notFoundErr := d.bucket.notFound(ctx, missing)
	if notFoundErr.Code == storage.ObjectNotFound {
		return nil
	}
	return notFoundErr
}

// deleteLocked removes an object that only an unlocked retention keeps. If another lock also keeps the
// object, deleteLocked changes nothing and returns lockErr, the error of the first attempt.
func (d *objectDriver) deleteLocked(ctx context.Context, r *driver.DeleteRequest, lockErr error) error {
	attrs, err := d.bucket.find(ctx, &driver.GetRequest{
		Key:       r.Key,
		Version:   r.Version,
		Length:    -1,
		Condition: r.Condition,
		Native:    r.Native,
	})
	if err != nil {
		return err
	}
	if !isKeptOnlyByUnlocked(attrs) {
		return lockErr
	}
	return d.deleteGoverned(ctx, r, attrs)
}
