package azure

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

type remover struct{ container *blobContainer }

// Delete makes one Delete Blob request. Unless it removes a version, it includes the blob's
// snapshots, without which Azure does not remove a blob.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	b, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	opts, err := deleteOptions(r)
	if err != nil {
		return err
	}
	if _, err := write(ctx, d.account, b.Delete, opts); err != nil {
		return d.remover.deleteError(ctx, asError(err), r)
	}
	return nil
}

// deleteOptions returns the options of Delete Blob. Only the removal of a blob, and not that of a
// version, has the header for snapshots.
func deleteOptions(r *driver.DeleteRequest) (*blob.DeleteOptions, error) {
	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if r.Version == "" {
		o.DeleteSnapshots = new(blob.DeleteSnapshotsOptionTypeInclude)
	}
	return o, newNativeOptions(r.Native).applyOrFail(o, "Delete")
}

// codeCurrentVersion is the code if Azure refuses to remove a version because it is current.
const codeCurrentVersion = "OperationNotAllowedOnRootBlob"

// codeImmutable is the code if Azure refuses to remove a version because of its retention.
const codeImmutable = "BlobImmutableDueToPolicy"

// deleteError returns the error for a removal that failed with e, or nil if the object did not exist.
// It calls deleteInSteps for a current version, and for a version whose retention r bypasses, because
// Azure removes neither by one request.
func (rm *remover) deleteError(ctx context.Context, storageErr *storage.Error, r *driver.DeleteRequest) error {
	if !needsSteps(storageErr, r) {
		return rm.ignoreMissing(ctx, storageErr, r)
	}
	isCurrent := isCode(storageErr, codeCurrentVersion)
	if err := rm.deleteInSteps(ctx, r, isCurrent); err != nil {
		return rm.ignoreMissing(ctx, asError(err), r)
	}
	return nil
}

// needsSteps reports whether the removal that failed with e is that of a version which only
// deleteInSteps can remove.
func needsSteps(err *storage.Error, r *driver.DeleteRequest) bool {
	if r.Version == "" {
		return false
	}
	if isCode(err, codeCurrentVersion) {
		return true
	}
	return r.BypassGovernance && isCode(err, codeImmutable)
}

// deleteInSteps removes a version that one request cannot remove, in these steps:
//
//   - It removes the version's unlocked policy, because Azure has no bypass.
//   - If the version is current, it removes the object, which makes the version noncurrent.
//   - It removes the version.
//
// If a later step fails, the version remains without a policy. If another write has made the version
// noncurrent meanwhile, the newer object remains. If the object has snapshots, which then remain,
// deleteInSteps fails with Locked.
func (rm *remover) deleteInSteps(ctx context.Context, r *driver.DeleteRequest, isCurrent bool) error {
	version, props, err := rm.container.properties(ctx, r.Key, r.Version, r.Condition, r.Native)
	if err != nil {
		return err
	}

	// The version's locks are checked first, because they would not prevent the removal of the object.
	if err := rm.unlock(ctx, version, props, r.BypassGovernance); err != nil {
		return err
	}

	condition := r.Condition
	if isCurrent {
		if err := rm.deleteRevision(ctx, r, quoteETag(props.ETag)); err != nil {
			return err
		}
		// The request for the properties had the condition. A noncurrent version never changes.
		condition = storage.Condition{}
	}

	// Without a policy, and no longer current, the version can be removed. The user's functions of
	// WithOptions may change the request.
	opts := &blob.DeleteOptions{AccessConditions: conditions(condition)}
	newNativeOptions(r.Native).apply(opts)
	_, err = write(ctx, rm.container.account, version.Delete, opts)
	return err
}

// deleteRevision removes the object if it has this revision, which makes its version noncurrent. If it
// is missing or has another revision, the version is noncurrent already, and deleteRevision returns nil.
func (rm *remover) deleteRevision(ctx context.Context, r *driver.DeleteRequest, revision string) error {
	opts := &blob.DeleteOptions{AccessConditions: conditions(storage.Condition{Revision: revision})}
	newNativeOptions(r.Native).apply(opts)

	_, err := write(ctx, rm.container.account, rm.container.client.NewBlobClient(r.Key).Delete, opts)
	if err == nil {
		return nil
	}

	storageErr := asError(err)
	isMissing := storageErr.Status == http.StatusNotFound && storageErr.Code != storage.Unauthenticated
	if isMissing || storageErr.Code == storage.PreconditionFailed {
		return nil
	}
	return storageErr
}

// ignoreMissing returns nil if the object did not exist, because its removal then succeeds. Otherwise it
// returns the error for a removal that failed with e.
func (rm *remover) ignoreMissing(ctx context.Context, storageErr *storage.Error, r *driver.DeleteRequest) error {
	missing := rm.container.missingError(ctx, storageErr, r.Key, r.Version, r.Condition)
	if missing == nil || missing.Unknown {
		// A gateway's 404 proves nothing.
		return storageErr
	}
	if err := rm.container.notFound(ctx, missing); !errors.Is(err, storage.ObjectNotFound) {
		return err
	}
	return nil
}

// DeleteBatch makes one Blob Batch request. A key that a batch cannot contain gets an error of its
// own. Every error is Unsupported if the account cannot send batches, or the service does not
// accept them.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	if !d.account.canBatch() {
		return slices.Repeat([]error{storage.Unsupported}, len(r))
	}
	batch, err := d.container.client.NewBatchBuilder()
	if err != nil {
		return slices.Repeat([]error{storage.Unsupported}, len(r))
	}

	// Collect the requests that a batch can contain.
	errs := make([]error, len(r))
	var indexes []int // the index in r of each request of the batch
	for i := range r {
		if err := addDelete(batch, &r[i]); err != nil {
			errs[i] = err
			continue
		}
		indexes = append(indexes, i)
	}
	if len(indexes) == 0 {
		return errs
	}

	// If the whole batch fails, each of its requests fails.
	responses, err := d.remover.submit(ctx, batch)
	if err != nil {
		for _, index := range indexes {
			errs[index] = err
		}
		return errs
	}
	d.remover.assignResponses(ctx, responses, indexes, r, errs)
	return errs
}

// addDelete adds a removal to a batch, or returns an error if a batch cannot contain it.
func addDelete(batch *container.BatchBuilder, r *driver.DeleteRequest) error {
	if err := checkName(r.Key, r.Version); err != nil {
		return err
	}
	opts, err := deleteOptions(r)
	if err != nil {
		return err
	}
	return translateRead(batch.Delete(r.Key, &container.BatchDeleteOptions{
		DeleteOptions: *opts,
		VersionID:     httpheader.Optional(r.Version),
	}))
}
