package azure

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
)

// Delete is one Delete Blob, with the blob's snapshots: one that has any could
// not be removed else. A version has none.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	b, err := d.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, deleteOptions(r))
		return err
	})
	if err == nil {
		return nil
	}
	return d.deleteError(ctx, asError(err), r)
}

func deleteOptions(r *storage.DeleteRequest) *blob.DeleteOptions {
	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if r.Version == "" {
		o.DeleteSnapshots = to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)
	}
	return o
}

// codeCurrent refuses to remove the version that is current.
const codeCurrentVersion = "OperationNotAllowedOnRootBlob"

// deleteFailed goes on where the version is the current one; it is nil for an
// object that was not there.
func (d *driver) deleteError(ctx context.Context, e *storage.Error, r *storage.DeleteRequest) error {
	if r.Version != "" && isCode(e, codeCurrentVersion) {
		err := d.deleteCurrent(ctx, r)
		if err == nil {
			return nil
		}
		e = asError(err)
	}
	return d.ignoreMissing(ctx, e, r)
}

// deleteCurrent removes the version that is current in two steps: once the
// object itself is removed, the version is an old one. Where another write has
// made an old one of it meanwhile, that write's is left alone. So are snapshots,
// which nobody asked to remove: an object that has any is Locked.
func (d *driver) deleteCurrent(ctx context.Context, r *storage.DeleteRequest) error {
	b, err := d.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	found, err := b.GetProperties(d.singleAttempt(ctx), &blob.GetPropertiesOptions{AccessConditions: conditions(r.Condition)})
	if err != nil {
		return reads(err)
	}
	asFound := &blob.DeleteOptions{AccessConditions: conditions(storage.Condition{Revision: quoted(found.ETag)})}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := d.blob(r.Key).Delete(ctx, asFound)
		return err
	})
	if err != nil {
		if e := asError(err); e.Code != storage.PreconditionFailed && e.Status != http.StatusNotFound {
			return e
		}
	}
	return writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, nil)
		return err
	})
}

// unlessMissing is nil for an object that was not there. A condition on one fails
// before it is looked for, on some servers: one look decides.
func (d *driver) ignoreMissing(ctx context.Context, e *storage.Error, r *storage.DeleteRequest) error {
	missing := e
	if e.Code == storage.PreconditionFailed && r.Condition.Revision != "" {
		missing = d.recheck(ctx, r.Key, r.Version)
	}
	if missing == nil || missing.Status != http.StatusNotFound {
		return e
	}
	if failed := d.notFound(ctx, missing); !errors.Is(failed, storage.ObjectNotFound) {
		return failed
	}
	return nil
}
