package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// A remover deletes objects in batches. If a version was not deleted, it finds out whether a lock
// keeps the version.
type remover struct {
	objects driver.Driver
	bucket  *bucket
}

// Delete sends one DeleteObject. A missing object is no error, but a missing bucket is.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	input := &awss3.DeleteObjectInput{
		Bucket:                    &d.bucket.name,
		Key:                       &r.Key,
		VersionId:                 httpheader.Optional(r.Version),
		IfMatch:                   httpheader.Optional(r.Condition.Revision),
		BypassGovernanceRetention: httpheader.Optional(r.BypassGovernance),
	}
	if err := d.account.customize(input, r.Native); err != nil {
		return err
	}
	if err := sdkcall.Exec(ctx, d.account.client.DeleteObject, input); err != nil {
		return d.deleteError(ctx, s3error.Of(err), r)
	}
	return nil
}

// deleteError returns the error of a removal that failed with storageErr, or nil if the reason is only that
// there is no object.
func (d *objectDriver) deleteError(ctx context.Context, storageErr *storage.Error, r *driver.DeleteRequest) error {
	// Some servers do not say that a lock is the reason for a refusal.
	if storageErr.Code == storage.PermissionDenied && d.remover.isLocked(ctx, r) {
		storageErr.Code = storage.Locked
		storageErr.Hint = ""
	}

	// A 404 with an unknown outcome may come from a gateway, and does not show that the object is missing.
	isNotFound := storageErr.Status == http.StatusNotFound && !storageErr.Unknown
	if !isNotFound {
		return storageErr
	}

	// Find out whether the object or the bucket is missing.
	missingErr := s3error.Of(d.bucket.notFound(ctx, storageErr.Err))
	if missingErr.Code == storage.ObjectNotFound {
		return nil
	}
	return missingErr
}

// DeleteBatch sends one DeleteObjects, whose response has a result for each object. If the server
// has no batches, the error of every object is Unsupported.
//
// Requests that do not fit a batch are sent one by one (see fitsBatch). Examples are keys that XML
// cannot contain, and conditions, which many servers ignore in a batch.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	if d.account.profile.Batch == BatchNone {
		return slices.Repeat([]error{storage.Unsupported}, len(r))
	}

	errs := make([]error, len(r))
	batch, indexes := newBatch(r)
	if len(batch) > 0 {
		input := &awss3.DeleteObjectsInput{Bucket: &d.bucket.name, Delete: &types.Delete{Objects: batch}}
		if err := d.remover.sendBatch(ctx, input, r, indexes, errs); err != nil {
			return slices.Repeat([]error{err}, len(r))
		}
	}

	// Send the others one by one.
	for i := range r {
		if !fitsBatch(&r[i]) {
			errs[i] = d.Delete(ctx, &r[i])
		}
	}
	return errs
}

// newBatch returns the objects of a DeleteObjects request, each once, and for each object the indexes
// of its requests in r. It omits the requests that do not fit a batch.
func newBatch(r []driver.DeleteRequest) (batch []types.ObjectIdentifier, indexes map[batchObject][]int) {
	indexes = map[batchObject][]int{}
	for i := range r {
		if !fitsBatch(&r[i]) {
			continue
		}
		object := batchObject{key: r[i].Key, version: r[i].Version}
		if indexes[object] == nil {
			batch = append(batch, types.ObjectIdentifier{
				Key:       &r[i].Key,
				VersionId: httpheader.Optional(r[i].Version),
			})
		}
		indexes[object] = append(indexes[object], i)
	}
	return batch, indexes
}

// A batchObject identifies an object in the response to a batch.
type batchObject struct{ key, version string }

// indexesFor returns the indexes of the requests to which a result belongs. The result has the given
// key and version. indexesFor uses the first of these rules that finds a request:
//
//   - The result belongs to the request with the same key and version.
//   - If the version is "null", the result belongs to the request with the key and no version.
//   - The result belongs to all requests with the key, because some servers omit the version.
//
// If no request has the key, indexesFor returns nil.
func indexesFor(key, version *string, indexes map[batchObject][]int) []int {
	object := batchObject{key: aws.ToString(key), version: aws.ToString(version)}
	if found := indexes[object]; found != nil {
		return found
	}
	if object.version == "null" {
		if found := indexes[batchObject{key: object.key}]; found != nil {
			return found
		}
	}
	// Several versions of the key may be in the batch.
	var all []int
	for requested, found := range indexes {
		if requested.key == object.key {
			all = append(all, found...)
		}
	}
	return all
}

// sendBatch sends a batch. It stores the failure of each object in errs, and returns that of the
// whole batch. Objects without a result are deleted one by one.
//
// If a failure names an object that was not in the batch, nobody knows which object failed.
// sendBatch then returns Unsupported, and all objects are deleted one by one.
func (rm *remover) sendBatch(
	ctx context.Context, input *awss3.DeleteObjectsInput, r []driver.DeleteRequest, indexes map[batchObject][]int,
	errs []error,
) error {
	hasResults := func(o *awss3.DeleteObjectsOutput) bool { return len(o.Deleted)+len(o.Errors) > 0 }
	account := rm.bucket.account
	output, err := sdkcall.Write(ctx, account.client.DeleteObjects, input, hasResults, account.withBatch)
	if err != nil {
		return batchError(err)
	}

	answered, err := readResults(output, indexes, errs)
	if err != nil {
		return err
	}

	// Delete the objects without a result one by one.
	for _, group := range indexes {
		for _, index := range group {
			if !answered[index] {
				errs[index] = rm.objects.Delete(ctx, &r[index])
			}
		}
	}
	return nil
}

// readResults stores the failure of each object in errs. It returns for each request of the batch
// whether the output has a result, or Unsupported if a failure is of an unknown object.
func readResults(
	output *awss3.DeleteObjectsOutput, indexes map[batchObject][]int, errs []error,
) (answered []bool, err error) {
	answered = make([]bool, len(errs)) // by index of the request
	for i := range output.Deleted {
		deleted := &output.Deleted[i]
		for _, index := range indexesFor(deleted.Key, deleted.VersionId, indexes) {
			answered[index] = true
		}
	}

	for i := range output.Errors {
		failure := &output.Errors[i]
		failed := indexesFor(failure.Key, failure.VersionId, indexes)
		// A missing object is no failure, and has no error.
		storageErr := objectError(failure)
		if storageErr != nil && len(failed) == 0 {
			// The failure belongs to an object of the batch, but nobody knows to which.
			return nil, &storage.Error{
				Code: storage.Unsupported,
				Err:  storageErr.Err,
				Hint: "the server reported failures of objects that the batch did not contain",
			}
		}
		for _, index := range failed {
			answered[index] = true
			if storageErr != nil {
				errs[index] = storageErr
			}
		}
	}
	return answered, nil
}

// withBatch sets the SDK's options for a batch.
func (a *account) withBatch(o *awss3.Options) {
	if a.profile.Batch == BatchMD5 {
		o.APIOptions = append(o.APIOptions, sdkcall.WithContentMD5)
	}
}

// batchError translates the error of a batch. It returns Unsupported, after which the objects are
// deleted one by one, if the server has no batches or requires a Content-MD5.
func batchError(err error) error {
	storageErr := s3error.Of(err)
	if s3error.IsCode(storageErr.Err, "MissingContentMD5") {
		storageErr.Code = storage.Unsupported
	}
	if storageErr.Code == storage.ObjectNotFound {
		storageErr.Code = storage.BucketNotFound
	}
	return storageErr
}

// objectError returns the error for one object of a batch, or nil if the object did not exist.
func objectError(failure *types.Error) *storage.Error {
	code := aws.ToString(failure.Code)
	message := aws.ToString(failure.Message)
	m := s3error.Meaning(code, message, 0) // an object of a batch has no HTTP status
	if m.Code == storage.ObjectNotFound {
		return nil
	}
	return m.NewError(0, nil, errors.New(strings.TrimSpace(code+": "+message)))
}

// fitsBatch reports whether a request can be part of a batch. A batch bypasses a governance
// retention for all of its objects or for none, and cannot have options for one object.
func fitsBatch(r *driver.DeleteRequest) bool {
	return r.Condition == (storage.Condition{}) && !r.BypassGovernance && len(r.Native) == 0 && fitsXML(r.Key)
}

// fitsXML reports whether XML 1.0 can contain the key. The server would refuse a whole batch with a
// key that XML cannot contain.
func fitsXML(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, func(c rune) bool {
		return c < 0x20 || c == 0x7F || c == 0xFFFE || c == 0xFFFF
	})
}

// isLocked reports whether a lock prevents the removal of a version. Delete calls it after a
// refusal, because some servers do not say that a lock is the reason.
func (rm *remover) isLocked(ctx context.Context, r *driver.DeleteRequest) bool {
	if r.Version == "" || !rm.bucket.account.profile.locks() {
		return false
	}
	attrs, err := rm.objects.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	needsCustomerKey := err != nil && s3error.Of(err).Status == http.StatusBadRequest
	if needsCustomerKey {
		// A HEAD needs the key with which the object is encrypted.
		attrs = rm.readLock(ctx, r)
		err = nil
	}
	if err != nil {
		return false
	}
	now := rm.bucket.account.clock.Time()
	return lifetime.CheckRemoval(attrs.Retention, attrs.LegalHold, r.BypassGovernance, now) != nil
}

// readLock returns the legal hold and the retention of a version, as far as the server reports
// them. Unlike a HEAD, its two requests need no customer's key. A failed request leaves its part of
// the result empty.
func (rm *remover) readLock(ctx context.Context, r *driver.DeleteRequest) *storage.Attrs {
	attrs := &storage.Attrs{}
	hold, err := rm.bucket.account.client.GetObjectLegalHold(ctx, &awss3.GetObjectLegalHoldInput{
		Bucket:    &rm.bucket.name,
		Key:       &r.Key,
		VersionId: &r.Version,
	})
	if err == nil && hold.LegalHold != nil {
		attrs.LegalHold = hold.LegalHold.Status == types.ObjectLockLegalHoldStatusOn
	}

	retention, err := rm.bucket.account.client.GetObjectRetention(ctx, &awss3.GetObjectRetentionInput{
		Bucket:    &rm.bucket.name,
		Key:       &r.Key,
		VersionId: &r.Version,
	})
	if err == nil && retention.Retention != nil {
		attrs.Retention = storage.Retention{
			Mode:  attributes.RetentionMode(string(retention.Retention.Mode)),
			Until: attributes.WholeSeconds(retention.Retention.RetainUntilDate),
		}
	}
	return attrs
}
