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

// Delete makes one Delete Blob request. Unless it removes a version, the request includes the
// blob's snapshots, because Azure does not remove a blob without its snapshots.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	b, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return err
	}
	o, err := deleteOptions(r)
	if err != nil {
		return err
	}
	if _, err = write(ctx, d.account, b.Delete, o); err == nil {
		return nil
	}
	return d.remover.deleteError(ctx, asError(err), r)
}

func deleteOptions(r *driver.DeleteRequest) (*blob.DeleteOptions, error) {
	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if r.Version == "" {
		o.DeleteSnapshots = new(blob.DeleteSnapshotsOptionTypeInclude)
	}
	return o, mustApply(newNatives(r.Native), o, "Delete", func(f Options) func(*blob.DeleteOptions) { return f.Delete })
}

// codeCurrentVersion is the code if Azure refuses to remove a version because it is current.
const codeCurrentVersion = "OperationNotAllowedOnRootBlob"

// codeImmutable is the code if Azure refuses to remove a version because of its retention.
const codeImmutable = "BlobImmutableDueToPolicy"

// deleteError returns the error for a failed removal, or nil if the object did not exist. Azure
// does not remove a current version, or a version under retention, by one request. If the version
// is current, or r bypasses its retention, deleteError calls deleteInSteps.
func (rm *remover) deleteError(ctx context.Context, e *storage.Error, r *driver.DeleteRequest) error {
	var err error = e
	switch {
	case r.Version == "":
	case isCode(e, codeCurrentVersion):
		err = rm.deleteInSteps(ctx, r, true)
	case r.BypassGovernance && isCode(e, codeImmutable):
		err = rm.deleteInSteps(ctx, r, false)
	}
	if err == nil {
		return nil
	}
	return rm.ignoreMissing(ctx, asError(err), r)
}

// deleteInSteps removes a version that one request cannot remove. It makes these steps:
//
//   - It removes the version's unlocked policy, because Azure has no bypass.
//   - If the version is current, it removes the object, which makes the version noncurrent.
//   - It removes the version.
//
// If a later step fails, the version remains without a policy. If another write has made the
// version noncurrent meanwhile, the newer object remains. If the object has snapshots,
// deleteInSteps fails with Locked, and the snapshots remain.
func (rm *remover) deleteInSteps(ctx context.Context, r *driver.DeleteRequest, current bool) error {
	b, props, err := rm.container.properties(ctx, r.Key, r.Version, r.Condition, r.Native)
	if err == nil {
		// Check the version's locks first. They would not prevent the next request, which removes
		// the object.
		err = rm.unlock(ctx, b, props, r.BypassGovernance)
	}
	if err != nil {
		return err
	}

	o := &blob.DeleteOptions{AccessConditions: conditions(r.Condition)}
	if current {
		opts := &blob.DeleteOptions{AccessConditions: conditions(storage.Condition{Revision: quoteETag(props.ETag)})}
		apply(newNatives(r.Native), opts, func(f Options) func(*blob.DeleteOptions) { return f.Delete })
		if _, err := write(ctx, rm.container.account, rm.container.client.NewBlobClient(r.Key).Delete, opts); err != nil {
			e := asError(err)
			isGone := e.Status == http.StatusNotFound && e.Code != storage.Unauthenticated
			if e.Code != storage.PreconditionFailed && !isGone {
				return e
			}
		}
		o.AccessConditions = nil
	}

	apply(newNatives(r.Native), o, func(f Options) func(*blob.DeleteOptions) { return f.Delete })
	_, err = write(ctx, rm.container.account, b.Delete, o)
	return err
}

// ignoreMissing returns nil if the object did not exist, and e otherwise.
func (rm *remover) ignoreMissing(ctx context.Context, e *storage.Error, r *driver.DeleteRequest) error {
	missing := rm.container.missingError(ctx, e, r.Key, r.Version, r.Condition)
	if missing == nil || missing.Unknown {
		// A gateway's 404 proves nothing.
		return e
	}
	if err := rm.container.notFound(ctx, missing); !errors.Is(err, storage.ObjectNotFound) {
		return err
	}
	return nil
}

// DeleteBatch makes one Blob Batch request. A key that a batch cannot contain has its own error. If
// the account cannot send batches or the service does not accept them, every error is Unsupported.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	if !d.account.canBatch() {
		return slices.Repeat([]error{storage.Unsupported}, len(r))
	}

	batch, err := d.container.client.NewBatchBuilder()
	if err != nil {
		return slices.Repeat([]error{storage.Unsupported}, len(r))
	}
	var slots []int // indexes in r of the requests in the batch

	for i := range r {
		errs[i] = checkName(r[i].Key, r[i].Version)
		if errs[i] != nil {
			continue
		}
		deleted, err := deleteOptions(&r[i])
		errs[i] = err
		if err != nil {
			continue
		}
		o := &container.BatchDeleteOptions{DeleteOptions: *deleted, VersionID: httpheader.Optional(r[i].Version)}
		if err := batch.Delete(r[i].Key, o); err != nil {
			errs[i] = reads(err)
			continue
		}
		slots = append(slots, i)
	}

	if len(slots) == 0 {
		return errs
	}
	responses, err := d.remover.submit(ctx, batch)
	if err != nil {
		for _, slot := range slots {
			errs[slot] = err
		}
		return errs
	}

	d.remover.assignResponses(ctx, responses, slots, r, errs)
	return errs
}
