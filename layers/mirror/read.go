package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// FailedOver reports whether attrs are from the second store, because the primary did not respond. The
// attributes, and the object that was read with them, may be older than the last write.
func FailedOver(attrs *storage.Attrs) bool { return attrs.ReplicationStatus == otherstore.FailedOver }

// read reads from the primary, or from the second store if the primary is down, with two exceptions:
//   - If a write or a removing job depends on the result, read uses only the primary.
//   - If r requires a revision of the second store, as a download from there does when it resumes,
//     read uses only the second store.
func read[T any](
	ctx context.Context, s *stores, r *driver.GetRequest, primary, second func(context.Context) (T, error),
) (T, error) {
	if r.Auxiliary || !driver.MayFailOver(ctx) {
		return primary(ctx)
	}
	if s.second.Has(r.Condition.Revision) {
		evidence.FailedOver(ctx)
		return bounded(ctx, s, second)
	}

	if s.primaryCircuit.allows() {
		return readPrimaryFirst(ctx, s, primary, second)
	}

	// The circuit of the primary is open after several failures, so read the second store at once.
	result, err := readSecond(ctx, s, second)
	if isFinal(err) {
		return result, err
	}
	// The second store has no result. The primary may be up again, even though its circuit is open.
	return callPrimary(ctx, s, primary)
}

// readPrimaryFirst reads from the primary, and from the second store only if the primary is down.
func readPrimaryFirst[T any](
	ctx context.Context, s *stores, primary, second func(context.Context) (T, error),
) (T, error) {
	result, primaryErr := callPrimary(ctx, s, primary)
	if !isDown(primaryErr) || ctx.Err() != nil {
		return result, primaryErr
	}
	result, secondErr := readSecond(ctx, s, second)
	if isFinal(secondErr) {
		return result, secondErr
	}
	return result, withSecondError(primaryErr, secondErr)
}

// readSecond reads from the second store because the primary is down, and records that if the result is
// final.
func readSecond[T any](ctx context.Context, s *stores, second func(context.Context) (T, error)) (T, error) {
	result, err := askSecond(ctx, s, second)
	if isFinal(err) {
		evidence.FailedOver(ctx)
		trace.SpanFromContext(ctx).SetAttributes(attribute.Bool("omnibucket.mirror.failed_over", true))
	}
	return result, err
}

// bounded calls the function do with a context that ends after Config.Stall.
func bounded[T any](ctx context.Context, s *stores, do func(context.Context) (T, error)) (T, error) {
	return watch(ctx, s.config.Stall, func(ctx context.Context, _ func()) (T, error) { return do(ctx) })
}

// callPrimary calls do, which makes a request to the primary, and records the result in the circuit of
// the primary.
func callPrimary[T any](ctx context.Context, s *stores, do func(context.Context) (T, error)) (T, error) {
	start := time.Now()
	result, err := bounded(ctx, s, do)
	s.primaryCircuit.record(ctx, start, err)
	return result, err
}

// isFinal reports whether the second store's result of a read is final. It is not if the second store
// lacks the object, because a write to the primary may not have been copied yet.
func isFinal(err error) bool {
	switch storage.CodeOf(err) {
	case "", storage.NotModified, storage.RangeNotSatisfiable:
		return true
	}
	return false
}

// withSecondError returns the error of the primary with the text of the second store's error, whose
// code is dropped.
func withSecondError(err, secondErr error) error {
	storageErr := &storage.Error{Code: storage.CodeOf(err), Retryable: true}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		*storageErr = *e
	}
	storageErr.Err = fmt.Errorf("%w; the second store: %v", err, secondErr)
	return storageErr
}

// condition translates the condition of r into an option for a read of the second store, whose copy of an object
// has another revision than the primary's. The option is nil if the second store has no condition to check.
//
//   - If r requires a revision of the primary, the option requires the copy of that revision. The result
//     revision is then the primary's, and "" in the other cases. If there is no copy, condition fails.
//   - If r excludes a revision of the primary, and the second store has the copy of that revision, condition
//     fails with NotModified.
func (s *stores) condition(
	ctx context.Context, r *driver.GetRequest,
) (option storage.ReadOption, revision string, err error) {
	// The condition is on a revision of the second store itself.
	if option := s.second.Condition(r.Condition); option != nil {
		return option, "", nil
	}

	// r requires a revision of the primary.
	if revision := r.Condition.Revision; revision != "" {
		attrs, err := s.findCopy(ctx, r.Key, revision)
		if err != nil {
			return nil, "", err
		}
		return storage.IfRevision(attrs.Revision), revision, nil
	}

	// r excludes a revision of the primary, or has no condition.
	if r.Condition.NotRevision == "" {
		return nil, "", nil
	}
	_, err = s.findCopy(ctx, r.Key, r.Condition.NotRevision)
	if errors.Is(err, storage.ObjectNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return nil, "", storage.NotModified
}

// findCopy returns the second store's object if it is a copy of the primary's object with the given revision. Otherwise
// it fails with ObjectNotFound.
func (s *stores) findCopy(ctx context.Context, key, revision string) (*storage.Attrs, error) {
	id := otherstore.CopyID(s.second.Public(revision))
	return s.second.Bucket.Attrs(ctx, key, storage.WithWriteID(id))
}

// Get reads from the primary, or from the second store if the primary is down.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	getPrimary := func(ctx context.Context) (*storage.Attrs, io.ReadCloser, error) {
		// The primary does not know revisions of the second store.
		return d.Driver.Get(ctx, d.stores.second.ForOwn(r))
	}
	getSecond := func(ctx context.Context) (*storage.Attrs, io.ReadCloser, error) {
		return d.stores.getSecond(ctx, r)
	}

	// watchedCtx ends if the store does not respond in time, and when the call of read ends. The body is
	// read later, so open gives its request a context of its own, which is derived from ctx.
	openPrimary := func(watchedCtx context.Context) (download, error) { return open(ctx, watchedCtx, getPrimary) }
	openSecond := func(watchedCtx context.Context) (download, error) { return open(ctx, watchedCtx, getSecond) }
	opened, err := read(ctx, d.stores, r, openPrimary, openSecond)
	return opened.attrs, opened.body, err
}

// getSecond reads an object from the second store, and makes [FailedOver] return true for the attributes.
// If r requires a revision of the primary, it reads the copy of this revision, and puts the required
// revision into the attributes.
func (s *stores) getSecond(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	condition, revision, err := s.condition(ctx, r)
	if err != nil {
		return nil, nil, err
	}

	attrs, body, err := s.second.Get(ctx, r, condition)
	if err != nil {
		return nil, nil, err
	}
	markFailedOver(attrs, revision)
	return attrs, body, nil
}

// Head returns the attributes of the object that Get would read. The engine also calls it to check
// whether a write has succeeded. With [Config].Sync, this check fails if the second store cannot get a
// copy of the object.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	// A test object is one with which a job finds out whether its other bucket is this mirror's second store.
	isTest := evidence.Asks(ctx, r.Key)
	attrs, err := d.headEither(ctx, r)
	if isTest && !r.Auxiliary && errors.Is(err, storage.ObjectNotFound) {
		// The job has written the object to its other bucket, so the primary does not have it.
		return askSecond(ctx, d.stores, func(ctx context.Context) (*storage.Attrs, error) {
			return d.stores.second.Head(ctx, r, nil)
		})
	}
	if err != nil {
		return attrs, err
	}

	isCheckOfWrite := r.Auxiliary
	if isCheckOfWrite && (isTest || d.stores.config.Sync) {
		err = d.stores.requireCopy(ctx, r.Key, attrs.Revision)
	}
	return attrs, err
}

// headEither returns the attributes in the primary, or those in the second store if the primary is down.
func (d *objectDriver) headEither(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	headPrimary := func(ctx context.Context) (*storage.Attrs, error) {
		return d.Driver.Head(ctx, d.stores.second.ForOwn(r))
	}
	headSecond := func(ctx context.Context) (*storage.Attrs, error) {
		return d.stores.headSecond(ctx, r)
	}
	return read(ctx, d.stores, r, headPrimary, headSecond)
}

// headSecond returns the attributes of the object that getSecond would read.
func (s *stores) headSecond(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	condition, revision, err := s.condition(ctx, r)
	if err != nil {
		return nil, err
	}

	attrs, err := s.second.Head(ctx, r, condition)
	if err != nil {
		return nil, err
	}
	markFailedOver(attrs, revision)
	return attrs, nil
}

// markFailedOver makes [FailedOver] return true for attributes from the second store. If the read has
// required a revision of the primary, the attributes get this revision in place of the second store's.
// Otherwise revision is "".
func markFailedOver(attrs *storage.Attrs, revision string) {
	attrs.ReplicationStatus = otherstore.FailedOver
	attrs.Revision = cmp.Or(revision, attrs.Revision)
}

// requireCopy copies a revision of the primary to the second store, unless the copy is there. It fails
// if the copy cannot be made.
func (s *stores) requireCopy(ctx context.Context, key, revision string) error {
	_, err := s.findCopy(ctx, key, revision)
	if err == nil {
		return nil
	}
	// Another process may make the copy at the same time.
	const compareFirst = true
	_, err = s.equalize(evidence.WithoutFailover(ctx), key, compareFirst)
	return err
}

// Tags returns the tags in the primary, or those in the second store if the primary is down.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	tagsInPrimary := func(ctx context.Context) (map[string]string, error) {
		return d.Driver.Tags(ctx, r)
	}
	tagsInSecond := func(ctx context.Context) (map[string]string, error) {
		return storage.Tags(ctx, d.stores.second.Bucket, r.Key)
	}
	return read(ctx, d.stores, r, tagsInPrimary, tagsInSecond)
}
