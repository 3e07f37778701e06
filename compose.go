package storage

import (
	"context"
	"slices"
)

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
