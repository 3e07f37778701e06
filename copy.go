package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/scope"
)

// Copy copies an object between any two buckets: on the server if both ends allow it, else
// by streaming. The source is pinned to one revision: if it changes meanwhile, Copy fails
// with Changed. Conditions guard the destination. A copy onto itself restores a version, or
// changes attributes.
//
// Attributes and metadata are copied unless an option replaces them or the destination
// cannot keep them. A storage class is copied within one provider, and tags if both ends have
// [ObjectTags]; neither is from a type of your own, or from a Core whose Source streams. A
// retention, a legal hold, and tags that the credentials may not read on Azure are not copied.
// S3's annotations are, if S3 needs one request.
func Copy(
	ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption,
) (*Attrs, error) {
	f, e := need(dst, "Copy", dstKey)
	if e != nil {
		return nil, e
	}
	given := copyPool.get()
	defer copyPool.put(given)
	if err := f.check(scope.Upload, "Copy", dstKey, given.Apply(opts...)); err != nil {
		return nil, err
	}
	given.View = f.scope.Prefix
	source, ok := src.(*front)
	switch {
	case src == nil:
		return nil, located(f, "Copy", dstKey, invalid("src", "must not be nil"))
	case !ok:
		a, err := f.core.CopyFrom(ctx, f.scope.Key(dstKey), CopySource{other: src, key: srcKey}, given)
		return f.attrs(a), f.eitherOutward(err, dstKey, nil, "")
	}
	if err := source.check(scope.Download, "Copy", srcKey, nil); err != nil {
		return nil, err
	}
	a, err := f.core.CopyFrom(ctx, f.scope.Key(dstKey), source.core.Source(source.scope.Key(srcKey)), given)
	return f.attrs(a), f.eitherOutward(err, dstKey, source, srcKey)
}

// Compose joins objects of b, in order: on the server if the provider can, else by
// streaming. A source may be dstKey itself; none may change meanwhile. Options set all
// attributes. The content type is by default that of dstKey's extension, else of the first
// source.
func Compose(ctx context.Context, b interface {
	Uploader
	Downloader
}, dstKey string, srcKeys []string, opts ...CopyOption) (*Attrs, error) {
	f, e := need(b, "Compose", dstKey)
	if e != nil {
		return nil, e
	}
	given := copyPool.get()
	defer copyPool.put(given)
	applied := given.ApplyCompose(srcKeys, opts...)
	if err := f.check(scope.Upload|scope.Download, "Compose", dstKey, applied); err != nil {
		return nil, err
	}
	given.View = f.scope.Prefix
	sources := make([]string, len(srcKeys))
	for i, key := range srcKeys {
		sources[i] = f.scope.Key(key)
	}
	a, err := f.core.Compose(ctx, f.scope.Key(dstKey), sources, given)
	return f.attrs(a), f.outward(err)
}
