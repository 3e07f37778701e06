//go:build objstore_conditions

package objstore

import (
	"context"
	"errors"
	"io"

	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
)

// SupportedObjectUploadOptions returns the options that Upload supports, with the conditions that the
// store guarantees.
func (b *bucket) SupportedObjectUploadOptions() []thanos.ObjectUploadOptionType {
	supported := []thanos.ObjectUploadOptionType{thanos.ContentType}
	if storage.Supports(b.bucket, storage.ConditionalCreate) {
		supported = append(supported, thanos.IfNotExists)
	}
	if storage.Supports(b.bucket, storage.ConditionalUpdate) {
		supported = append(supported, thanos.IfMatch)
	}
	return supported
}

// Upload stores an object. If r is a file, its parts are read and sent in parallel.
func (b *bucket) Upload(ctx context.Context, name string, r io.Reader, options ...thanos.ObjectUploadOption) error {
	if err := thanos.ValidateUploadOptions(b.SupportedObjectUploadOptions(), options...); err != nil {
		return err
	}

	params := thanos.ApplyObjectUploadOptions(options...)
	opts := contentType(params)
	if params.IfNotExists {
		opts = append(opts, storage.IfAbsent())
	} else if params.Condition != nil {
		return b.uploadIfMatch(ctx, name, r, params.Condition, opts)
	}
	_, err := b.bucket.Upload(ctx, name, r, opts...)
	return err
}

// uploadIfMatch replaces an object that has the given version. If it has another one or does not
// exist, uploadIfMatch fails with PreconditionFailed.
func (b *bucket) uploadIfMatch(
	ctx context.Context, name string, r io.Reader, version *thanos.ObjectVersion, opts []storage.UploadOption,
) error {
	if version.Type != thanos.ETag {
		return preconditionFailed(name, errors.New("the versions of this bucket are of type ETag"))
	}

	_, err := b.bucket.Upload(ctx, name, r, append(opts, storage.IfRevision(version.Value))...)
	if !errors.Is(err, storage.InvalidArgument) {
		return err
	}

	// Upload also fails with InvalidArgument if the version has not the form of this store's revisions. No object has
	// such a version, so the condition is not met.
	attrs, attrsErr := b.bucket.Attrs(ctx, name)
	isMissing := errors.Is(attrsErr, storage.ObjectNotFound)
	hasOtherVersion := attrsErr == nil && attrs.Revision != version.Value
	if isMissing || hasOtherVersion {
		return preconditionFailed(name, err)
	}
	return err
}

// preconditionFailed returns the error of an upload whose condition is not met.
func preconditionFailed(name string, cause error) error {
	return &storage.Error{Code: storage.PreconditionFailed, Op: "Upload", Key: name, Err: cause}
}

// convertAttributes converts attributes to those of Thanos. They have a version only if the store can
// use it in a condition.
func (b *bucket) convertAttributes(attrs *storage.Attrs) thanos.ObjectAttributes {
	converted := thanos.ObjectAttributes{Size: attrs.Size, LastModified: attrs.Modified}
	if storage.Supports(b.bucket, storage.ConditionalUpdate) {
		converted.Version = &thanos.ObjectVersion{Type: thanos.ETag, Value: attrs.Revision}
	}
	return converted
}
