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
	err = writes(d.once(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, deleteOptions(r))
		return err
	})
	if err == nil {
		return nil
	}
	return d.deleteFailed(ctx, asError(err), r)
}

func deleteOptions(r *storage.DeleteRequest) *blob.DeleteOptions {
	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if r.Version == "" {
		o.DeleteSnapshots = to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)
	}
	return o
}

// deleteFailed is nil for an object that was not there. A condition on one fails
// before it is looked for, on some servers: one look decides.
func (d *driver) deleteFailed(ctx context.Context, e *storage.Error, r *storage.DeleteRequest) error {
	missing := e
	if e.Code == storage.PreconditionFailed && r.Condition.Revision != "" {
		missing = d.lookAgain(ctx, r.Key, r.Version)
	}
	if missing == nil || missing.Status != http.StatusNotFound {
		return e
	}
	if failed := d.notFound(ctx, missing); !errors.Is(failed, storage.ObjectNotFound) {
		return failed
	}
	return nil
}
