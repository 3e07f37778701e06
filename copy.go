package storage

import (
	"context"
	"slices"
)

// A ServerCopier is a bucket to which the server copies, and where it joins and moves.
type ServerCopier interface {
	CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error)
	Compose(ctx context.Context, key string, srcKeys []string, opts ...CopyOption) (*Attrs, error)
	Move(ctx context.Context, from, to string, opts ...CopyOption) (*Attrs, error)
}

// Copy copies an object between any two buckets: on the server if both ends allow it, else
// by streaming. The source is pinned to one revision: if it changes meanwhile, Copy fails
// with Changed. Conditions guard the destination. A copy onto itself restores a version, or
// changes attributes.
//
// Attributes and metadata are copied unless an option replaces them or the destination
// cannot keep them. A storage class is copied within one provider, and tags if both buckets
// are from engine.New, or unwrap to such, and have [ObjectTags]. A retention, a legal hold,
// and tags that the credentials may not read on Azure are not copied. S3's annotations are,
// if S3 needs one request.
func Copy(ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	if to, ok := find[ServerCopier](dst); ok {
		return to.CopyFrom(ctx, dstKey, src, srcKey, opts...)
	}
	return copyToForeign(ctx, dst, dstKey, src, srcKey, opts)
}

// Compose joins objects of b, in order: on the server if the provider can, else by
// streaming. A source may be dstKey itself; none may change meanwhile. Options set all
// attributes. The content type is by default that of dstKey's extension, else of the first
// source.
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
