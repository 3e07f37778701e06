package storage

import (
	"context"
)

// A ServerCopier is a bucket that copies and joins objects on the server: one from [New], or a type
// of your own, for which [Copy] with this destination and [Compose] call these methods.
type ServerCopier interface {
	CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error)
	Compose(ctx context.Context, key string, srcKeys []string, opts ...CopyOption) (*Attrs, error)
}

// Copy copies an object, between any two buckets: on the server if both ends allow
// it, else by streaming. Attributes and metadata are copied unless options replace
// them. A storage class is copied only within one provider. Attributes that the
// destination cannot keep (see [Metadata] and [ContentProperties]) are left out;
// Unsupported is only for those that an option sets. Tags are copied between buckets from [New], or
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
