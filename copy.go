package storage

import (
	"context"
	"slices"
)

// A ServerCopier is a bucket that copies and joins objects on the server: one from engine.New, or a type
// of your own, for which [Copy] with this destination and [Compose] call these methods.
type ServerCopier interface {
	CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error)
	Compose(ctx context.Context, key string, srcKeys []string, opts ...CopyOption) (*Attrs, error)
}

// Copy copies an object, between any two buckets: on the server if both ends allow
// it, else by streaming. Attributes and metadata are copied unless options replace
// them. A storage class is copied only within one provider. Attributes that the
// destination cannot keep (see [Metadata] and [ContentProperties]) are left out;
// Unsupported is only for those that an option sets. Tags are copied between buckets from engine.New, or
// [Unwrapper]s of such, that both have [ObjectTags]; a retention and a legal hold are not copied. If the credentials may
// not read the source's tags on Azure, the copy has none. Annotations of S3 are copied only if S3
// copies the object in one request.
//
// The source is pinned to one revision: if it changes meanwhile, Copy fails with
// Changed. [IfAbsent] and [IfRevision] guard the destination; [WithVersion] selects
// the version of the source. A copy of an object onto itself restores a version, or
// changes attributes. If the returned Attrs are not needed, [WithoutAttrs] saves a request on S3.
func Copy(ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	if to, ok := find[ServerCopier](dst); ok {
		return to.CopyFrom(ctx, dstKey, src, srcKey, opts...)
	}
	return copyToForeign(ctx, dst, dstKey, src, srcKey, opts)
}

// Compose makes one object of several objects of the same bucket, in order: on the
// server if the provider can, else by streaming. Options set its attributes; without
// [WithContentType], the content type is that of dstKey's extension, else that of the
// first source. Each source is pinned to one revision: if one changes meanwhile,
// Compose fails with Changed. A source may be dstKey itself.
func Compose(ctx context.Context, b interface {
	Uploader
	Downloader
}, dstKey string, srcKeys []string, opts ...CopyOption) (*Attrs, error) {
	if to, ok := find[ServerCopier](b); ok {
		return to.Compose(ctx, dstKey, srcKeys, opts...)
	}
	return composeForeign(ctx, b, b, dstKey, slices.Clone(srcKeys), opts)
}

// sourceFailed returns the error of a copy whose source failed with err. The Code is
// not the source's: PreconditionFailed would say that the destination exists.
func sourceFailed(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	source, e := ownError(err), bodyFailed(err)
	switch source.Code {
	case Changed, PreconditionFailed, ObjectNotFound, RangeNotSatisfiable: // it was there when it was opened
		e.Code = Changed
	}
	e.Hint, e.Status, e.RequestID = source.Hint, source.Status, source.RequestID
	e.Retryable, e.RetryAfter = source.Retryable, source.RetryAfter
	return e
}
