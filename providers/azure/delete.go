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

// codeImmutable is the code for the removal of a version under retention.
const codeImmutable = "BlobImmutableDueToPolicy"

// deleteError returns the error for a failed removal. If the version is the
// current one, or under a retention that r bypasses, deleteError removes it in
// another way. It returns nil if the object did not exist.
func (d *driver) deleteError(ctx context.Context, e *storage.Error, r *storage.DeleteRequest) error {
	var err error = e
	switch {
	case r.Version == "":
	case isCode(e, codeCurrentVersion):
		err = d.deleteCurrent(ctx, r)
	case r.BypassGovernance && isCode(e, codeImmutable):
		err = d.deleteLocked(ctx, r)
	}
	if err == nil {
		return nil
	}
	return d.ignoreMissing(ctx, asError(err), r)
}

// deleteCurrent removes the current version in two steps. Removing the object
// makes the version noncurrent, and then the version can be removed. If another
// write has made it noncurrent meanwhile, the newer object stays. Snapshots stay
// too: an object that has any is Locked.
func (d *driver) deleteCurrent(ctx context.Context, r *storage.DeleteRequest) error {
	b, found, err := d.properties(ctx, r.Key, r.Version, r.Condition, r.Native)
	if err != nil {
		return err
	}
	if err := d.unlock(ctx, b, found, r.BypassGovernance); err != nil {
		return err // before the object is removed, which its locks do not prevent
	}
	asFound := &blob.DeleteOptions{AccessConditions: conditions(storage.Condition{Revision: quoted(found.ETag)})}
	apply(d.natives(r.Native), asFound, func(f Options) func(*blob.DeleteOptions) { return f.Delete })
	err = writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := d.blob(r.Key).Delete(ctx, asFound)
		return err
	})
	if err != nil {
		if e := asError(err); e.Code != storage.PreconditionFailed && e.Status != http.StatusNotFound {
			return e
		}
	}
	noncurrent := &blob.DeleteOptions{}
	apply(d.natives(r.Native), noncurrent, func(f Options) func(*blob.DeleteOptions) { return f.Delete })
	return writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, noncurrent)
		return err
	})
}

// deleteLocked removes a version under a retention that can be bypassed, in two
// steps: Azure has no bypass, but removes an unlocked policy. If the second step
// fails, the version stays without one.
func (d *driver) deleteLocked(ctx context.Context, r *storage.DeleteRequest) error {
	b, found, err := d.properties(ctx, r.Key, r.Version, r.Condition, r.Native)
	if err == nil {
		err = d.unlock(ctx, b, found, true)
	}
	if err != nil {
		return err
	}
	o, err := d.deleteOptions(r)
	if err != nil {
		return err
	}
	return writes(d.singleAttempt(ctx), func(ctx context.Context) error {
		_, err := b.Delete(ctx, o)
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
	if missing != nil && missing != e && missing.Retryable {
		return reads(missing) // nothing is known, and nothing was removed
	}
	if missing == nil || missing.Status != http.StatusNotFound || missing.Unknown { // a gateway's 404 proves nothing
		return e
	}
	if failed := d.notFound(ctx, missing); !errors.Is(failed, storage.ObjectNotFound) {
		return failed
	}
	return nil
}
