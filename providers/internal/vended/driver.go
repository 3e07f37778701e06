package vended

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var _ driver.Driver = (*bucket)(nil)

// A bucket passes each request to the driver that has the credentials for its key.
type bucket struct {
	driver.Driver // describes the bucket, and makes no request
	keys          *keyring
}

// Native returns nil: no client of the SDK has the credentials of all keys.
func (b *bucket) Native() any { return nil }

// with makes a call by the driver for key.
func with[T any](ctx context.Context, b *bucket, key string, call func(driver.Driver) (T, error)) (T, error) {
	d, err := b.keys.driver(ctx, key)
	if err != nil {
		var none T
		return none, err
	}
	return call(d)
}

// do is with for a call without a result.
func (b *bucket) do(ctx context.Context, key string, call func(driver.Driver) error) error {
	_, err := with(ctx, b, key, func(d driver.Driver) (struct{}, error) { return struct{}{}, call(d) })
	return err
}

// among makes a call by the driver for key if it is also that of the objects which the store reads. Else the
// core moves the bytes.
func (b *bucket) among(ctx context.Context, key string, sources []driver.ObjectRef, call func(driver.Driver) (*storage.Attrs, error)) (*storage.Attrs, error) {
	return with(ctx, b, key, func(d driver.Driver) (*storage.Attrs, error) {
		for _, source := range sources {
			of, err := b.keys.driver(ctx, source.Key)
			switch {
			case err != nil:
				return nil, err
			case of != d, source.Bucket != b.Locate(key).Bucket:
				return nil, storage.Unsupported
			}
		}
		return call(d)
	})
}

func (b *bucket) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*storage.Attrs, error) { return d.Put(ctx, r) })
}

func (b *bucket) Get(ctx context.Context, r *driver.GetRequest) (attrs *storage.Attrs, body io.ReadCloser, err error) {
	err = b.do(ctx, r.Key, func(d driver.Driver) error {
		attrs, body, err = d.Get(ctx, r)
		return err
	})
	return attrs, body, err
}

func (b *bucket) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*storage.Attrs, error) { return d.Head(ctx, r) })
}

func (b *bucket) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return with(ctx, b, r.Prefix, func(d driver.Driver) (*storage.Page, error) { return d.List(ctx, r) })
}

func (b *bucket) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return b.do(ctx, r.Key, func(d driver.Driver) error { return d.Delete(ctx, r) })
}

// DeleteBatch makes one batch for the keys of each driver.
func (b *bucket) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	batches := map[driver.Driver][]int{}
	for i := range r {
		d, err := b.keys.driver(ctx, r[i].Key)
		if errs[i] = err; err == nil {
			batches[d] = append(batches[d], i)
		}
	}
	for d, places := range batches {
		batch := make([]driver.DeleteRequest, len(places))
		for i, place := range places {
			batch[i] = r[place]
		}
		for i, err := range d.DeleteBatch(ctx, batch) {
			errs[places[i]] = err
		}
	}
	return errs
}

func (b *bucket) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (string, error) { return d.BeginParts(ctx, r) })
}

func (b *bucket) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (driver.Part, error) { return d.PutPart(ctx, r) })
}

func (b *bucket) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	return with(ctx, b, r.Put.Key, func(d driver.Driver) (*storage.Attrs, error) { return d.CompleteParts(ctx, r) })
}

func (b *bucket) AbortParts(ctx context.Context, key, upload string) error {
	return b.do(ctx, key, func(d driver.Driver) error { return d.AbortParts(ctx, key, upload) })
}

func (b *bucket) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*driver.PartPage, error) { return d.ListParts(ctx, r) })
}

func (b *bucket) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	return with(ctx, b, r.Prefix, func(d driver.Driver) (*driver.UploadPage, error) { return d.ListUploads(ctx, r) })
}

func (b *bucket) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*storage.SignedURL, error) { return d.SignPart(ctx, r) })
}

func (b *bucket) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	return b.among(ctx, r.Key, []driver.ObjectRef{r.Source}, func(d driver.Driver) (*storage.Attrs, error) { return d.Copy(ctx, r) })
}

func (b *bucket) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	return b.among(ctx, r.Key, r.Sources, func(d driver.Driver) (*storage.Attrs, error) { return d.Compose(ctx, r) })
}

func (b *bucket) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	return b.among(ctx, r.Key, []driver.ObjectRef{b.Locate(r.From)}, func(d driver.Driver) (*storage.Attrs, error) { return d.Move(ctx, r) })
}

func (b *bucket) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	return with(ctx, b, r.Prefix, func(d driver.Driver) (*driver.VersionPage, error) { return d.ListVersions(ctx, r) })
}

func (b *bucket) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (map[string]string, error) { return d.Tags(ctx, r) })
}

func (b *bucket) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return b.do(ctx, r.Key, func(d driver.Driver) error { return d.SetTags(ctx, r) })
}

func (b *bucket) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return b.do(ctx, r.Key, func(d driver.Driver) error { return d.SetRetention(ctx, r) })
}

func (b *bucket) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return b.do(ctx, r.Key, func(d driver.Driver) error { return d.SetLegalHold(ctx, r) })
}

func (b *bucket) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	return b.do(ctx, r.Key, func(d driver.Driver) error { return d.Restore(ctx, r) })
}

func (b *bucket) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*storage.SignedURL, error) { return d.Sign(ctx, r) })
}

func (b *bucket) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return with(ctx, b, r.Key, func(d driver.Driver) (*storage.SignedForm, error) { return d.SignForm(ctx, r) })
}
