package vended

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A bucket is a driver that puts the key of each operation into the context. So each request gets
// the credentials for that key.
type bucket[C any] struct {
	driver.Driver
	keys *Keyring[C]
}

// New wraps d. For each request, d must get its credentials from [Keyring.Credentials].
func New[C any](d driver.Driver, keys *Keyring[C]) driver.Driver {
	return &bucket[C]{Driver: d, keys: keys}
}

// Native returns nil, because no client of the SDK has the credentials of all keys.
func (b *bucket[C]) Native() any { return nil }

// Describe returns the description of the wrapped driver, without the features that temporary
// credentials cannot have.
func (b *bucket[C]) Describe() driver.Description {
	desc := b.Driver.Describe()
	desc.Features &^= storage.Vending | storage.StableURLs
	return desc
}

// callWithGrant makes one call of the wrapped driver, whose requests use the credentials for key.
func callWithGrant[C, R, T any](
	ctx context.Context, b *bucket[C], key string, call func(context.Context, R) (T, error), r R,
) (T, error) {
	opCtx, op, err := b.begin(ctx, key)
	if err != nil {
		var none T
		return none, err
	}
	result, err := call(opCtx, r)
	return result, op.checkError(err)
}

// begin begins an operation on key as withOperation does. It fails early if there are no credentials for
// key, although each request gets its own from Credentials.
func (b *bucket[C]) begin(ctx context.Context, key string) (context.Context, *operation[C], error) {
	if _, err := b.keys.get(ctx, key); err != nil {
		return nil, nil, err
	}
	opCtx, op := b.withOperation(ctx, key)
	return opCtx, op, nil
}

// withOperation returns a new operation on key, and the context for its requests. Credentials finds the
// operation in that context.
func (b *bucket[C]) withOperation(ctx context.Context, key string) (context.Context, *operation[C]) {
	op := &operation[C]{key: key}
	return context.WithValue(ctx, b.keys, op), op
}

// doWithGrant does what callWithGrant does, for a call that returns only an error.
func doWithGrant[C, R any](ctx context.Context, b *bucket[C], key string, call func(context.Context, R) error, r R) error {
	callWithoutResult := func(ctx context.Context, r R) (struct{}, error) {
		return struct{}{}, call(ctx, r)
	}
	_, err := callWithGrant(ctx, b, key, callWithoutResult, r)
	return err
}

// callWithSources makes one call in which the store itself reads source objects. A request can have only
// one set of credentials. So if a source needs other credentials than key, callWithSources fails with
// Unsupported, and the engine copies the bytes.
func callWithSources[C, R any](
	ctx context.Context, b *bucket[C], key string, sources []driver.ObjectRef,
	call func(context.Context, R) (*storage.Attrs, error), r R,
) (*storage.Attrs, error) {
	isShared, err := b.sharesGrant(ctx, key, sources)
	if err != nil {
		return nil, err
	}
	if !isShared {
		return nil, storage.Unsupported
	}
	return callWithGrant(ctx, b, key, call, r)
}

// sharesGrant reports whether the credentials for key are also those for all sources.
func (b *bucket[C]) sharesGrant(ctx context.Context, key string, sources []driver.ObjectRef) (bool, error) {
	dstGrant, err := b.keys.get(ctx, key)
	if err != nil {
		return false, err
	}
	dstBucket := b.Locate(key).Bucket
	for _, source := range sources {
		srcGrant, err := b.keys.get(ctx, source.Key)
		if err != nil {
			return false, err
		}
		if srcGrant != dstGrant || source.Bucket != dstBucket {
			return false, nil
		}
	}
	return true, nil
}

// Get reads an object with the credentials for its key. It does what callWithGrant does, but has two
// results.
func (b *bucket[C]) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	opCtx, op, err := b.begin(ctx, r.Key)
	if err != nil {
		return nil, nil, err
	}
	attrs, body, err := b.Driver.Get(opCtx, r)
	return attrs, body, op.checkError(err)
}

// DeleteBatch removes objects in one batch for each set of credentials that their keys need. The
// errors are in the order of the requests.
func (b *bucket[C]) DeleteBatch(ctx context.Context, reqs []driver.DeleteRequest) []error {
	errs := make([]error, len(reqs))
	indexesByGrant := map[*Grant[C]][]int{} // indexes in reqs, by credentials
	for i := range reqs {
		grant, err := b.keys.get(ctx, reqs[i].Key)
		if err != nil {
			errs[i] = err
			continue
		}
		indexesByGrant[grant] = append(indexesByGrant[grant], i)
	}

	for _, indexes := range indexesByGrant {
		batch := make([]driver.DeleteRequest, len(indexes))
		for i, index := range indexes {
			batch[i] = reqs[index]
		}

		// All keys of the batch have the same credentials, so the first key stands for them.
		opCtx, op := b.withOperation(ctx, batch[0].Key)
		for i, err := range b.Driver.DeleteBatch(opCtx, batch) {
			errs[indexes[i]] = op.checkError(err)
		}
	}
	return errs
}

// AbortParts ends an upload.
func (b *bucket[C]) AbortParts(ctx context.Context, key, upload string) error {
	abort := func(ctx context.Context, key string) error { return b.Driver.AbortParts(ctx, key, upload) }
	return doWithGrant(ctx, b, key, abort, key)
}

func (b *bucket[C]) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.Put, r)
}
func (b *bucket[C]) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.Head, r)
}
func (b *bucket[C]) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return callWithGrant(ctx, b, r.Prefix, b.Driver.List, r)
}
func (b *bucket[C]) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return doWithGrant(ctx, b, r.Key, b.Driver.Delete, r)
}
func (b *bucket[C]) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.BeginParts, r)
}
func (b *bucket[C]) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.PutPart, r)
}
func (b *bucket[C]) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	return callWithGrant(ctx, b, r.Put.Key, b.Driver.CompleteParts, r)
}
func (b *bucket[C]) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.ListParts, r)
}
func (b *bucket[C]) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	return callWithGrant(ctx, b, r.Prefix, b.Driver.ListUploads, r)
}
func (b *bucket[C]) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.SignPart, r)
}
func (b *bucket[C]) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	return callWithSources(ctx, b, r.Key, []driver.ObjectRef{r.Source}, b.Driver.Copy, r)
}
func (b *bucket[C]) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	return callWithSources(ctx, b, r.Key, r.Sources, b.Driver.Compose, r)
}
func (b *bucket[C]) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	return callWithSources(ctx, b, r.Key, []driver.ObjectRef{b.Locate(r.From)}, b.Driver.Move, r)
}
func (b *bucket[C]) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	return callWithGrant(ctx, b, r.Prefix, b.Driver.ListVersions, r)
}
func (b *bucket[C]) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.Tags, r)
}
func (b *bucket[C]) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return doWithGrant(ctx, b, r.Key, b.Driver.SetTags, r)
}
func (b *bucket[C]) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return doWithGrant(ctx, b, r.Key, b.Driver.SetRetention, r)
}
func (b *bucket[C]) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return doWithGrant(ctx, b, r.Key, b.Driver.SetLegalHold, r)
}
func (b *bucket[C]) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	return doWithGrant(ctx, b, r.Key, b.Driver.Restore, r)
}
func (b *bucket[C]) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.Sign, r)
}
func (b *bucket[C]) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return callWithGrant(ctx, b, r.Key, b.Driver.SignForm, r)
}
