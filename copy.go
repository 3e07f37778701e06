package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/core/scope"
)

// Copy copies one revision of an object between any two buckets. If both ends permit it, the server
// makes the copy, and otherwise Copy streams it. If the source changes meanwhile, Copy fails with
// [Changed]. Conditions guard the destination. To restore an old version or change attributes, copy
// an object onto itself. If another writer replaces that object meanwhile, Copy fails with Changed,
// too. A server that ignores conditions on copies, such as MinIO, or a store without
// [ConditionalUpdate] may lose that write instead.
//
// Attributes and metadata are copied unless an option replaces them or the destination cannot keep
// them. A storage class is copied within one provider, and tags if both ends have [ObjectTags].
// Neither is copied if the source is a type of your own, or has a [Core] of your own whose Source
// returns NewCopySource with that Core. Copy does not copy retentions and legal holds, nor on Azure
// tags that the credentials may not read. It copies annotations on S3 only if one request makes the
// copy.
func Copy(
	ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption,
) (*Attrs, error) {
	// Only the destination must be a bucket of this library.
	f, err := frontOf(dst, "Copy", dstKey)
	if err != nil {
		return nil, err
	}
	o := copyPool.get()
	defer copyPool.put(o)
	source, isFront := src.(*front)

	// Check the destination and the options, and that there is a source.
	argErr := o.Apply(opts...)
	if argErr == nil && src == nil {
		argErr = invalid("src", "must not be nil")
	}
	if err := f.checkAllowed(scope.Upload, argErr); err != nil {
		return nil, f.refuseCopy(ctx, dstKey, source, srcKey, locateError(f, "Copy", dstKey, err))
	}

	// A source of another type is read by its method Download.
	from := CopySource{other: src, key: srcKey}
	if isFront {
		if err := source.checkSource(ctx, srcKey); err != nil {
			return nil, f.refuseCopy(ctx, dstKey, source, srcKey, err)
		}
		from = source.core.Source(source.scope.Key(srcKey))
	}
	o.state.View = f.scope.Prefix
	attrs, err := f.core.CopyFrom(ctx, f.scope.Key(dstKey), from, o)
	return f.copyResult(attrs, err, "Copy", dstKey, source, srcKey)
}

// checkSource returns an error if the caller of Copy may not read from f, the bucket of the source. The
// hooks of f then see a refused Download.
func (f *front) checkSource(ctx context.Context, key string) *Error {
	err := f.checkAllowed(scope.Download, nil)
	if err == nil {
		return nil
	}
	err = locateError(f, "Copy", key, err)
	f.callHooks(ctx, Operation{Name: "Download", Key: f.scope.Key(key)}, err)
	return err
}

// refuseCopy tells the hooks of the destination that a Copy fails with err, and returns err. source is
// nil if it is not a bucket of this library.
func (f *front) refuseCopy(ctx context.Context, dstKey string, source *front, srcKey string, err *Error) error {
	if source != nil {
		srcKey = source.scope.Key(srcKey)
	}
	return f.refuse(ctx, Operation{Name: "Copy", Key: f.scope.Key(dstKey), Keys: []string{srcKey}}, err)
}

// Compose concatenates the objects srcKeys of b, in this order, to one object. It does so on the server
// if the provider can, and otherwise by streaming. A source may be dstKey itself. If a source
// changes meanwhile, Compose fails with Changed. The new object has only the attributes that
// options set. Its default content type is that of dstKey's extension, or otherwise that of the
// first source.
func Compose(ctx context.Context, b Updater, dstKey string, srcKeys []string, opts ...CopyOption) (*Attrs, error) {
	f, err := frontOf(b, "Compose", dstKey)
	if err != nil {
		return nil, err
	}
	o := copyPool.get()
	defer copyPool.put(o)
	optsErr := o.ApplyCompose(srcKeys, opts...)

	// The Core gets whole keys, which have the prefix of b.
	wholeDst := f.scope.Key(dstKey)
	wholeSrcs := make([]string, len(srcKeys))
	for i, key := range srcKeys {
		wholeSrcs[i] = f.scope.Key(key)
	}

	if err := f.checkAllowed(scope.Upload|scope.Download, optsErr); err != nil {
		op := Operation{Name: "Compose", Key: wholeDst, Keys: wholeSrcs}
		return nil, f.refuse(ctx, op, locateError(f, "Compose", dstKey, err))
	}

	o.state.View = f.scope.Prefix
	attrs, err := f.core.Compose(ctx, wholeDst, wholeSrcs, o)
	return f.attrsOrError(attrs, err, "Compose", dstKey)
}
