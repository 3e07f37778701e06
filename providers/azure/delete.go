package azure

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
)

// Delete makes one Delete Blob request. It includes the blob's snapshots, because
// a blob with snapshots could not be removed otherwise. A version has none.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	b, err := d.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	o, err := d.deleteOptions(r)
	if err != nil {
		return err
	}
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, o)
		return err
	})
	if err == nil {
		return nil
	}
	return d.deleteError(ctx, asError(err), r)
}

func (d *driver) deleteOptions(r *storage.DeleteRequest) (*blob.DeleteOptions, error) {
	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if r.Version == "" {
		o.DeleteSnapshots = to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)
	}
	return o, mustApply(d.natives(r.Native), o, "Delete", func(f Options) func(*blob.DeleteOptions) { return f.Delete })
}

// codeCurrentVersion is the code for the removal of the current version.
const codeCurrentVersion = "OperationNotAllowedOnRootBlob"

// deleteError returns the error for a failed removal. If the version is the
// current one, deleteError removes it in another way. It returns nil if the
// object did not exist.
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

// deleteCurrent removes the current version in two steps. Removing the object
// makes the version noncurrent, and then the version can be removed. If another
// write has made it noncurrent meanwhile, the newer object stays. Snapshots stay
// too: an object that has any is Locked.
func (d *driver) deleteCurrent(ctx context.Context, r *storage.DeleteRequest) error {
	b, err := d.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	found, err := b.GetProperties(d.singleAttempt(ctx), d.propertiesOptions(r.Condition, r.Native))
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

// ignoreMissing returns nil if the object did not exist, and e otherwise. On some
// servers, a condition on a missing object fails first, so ignoreMissing then
// requests the object.
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
