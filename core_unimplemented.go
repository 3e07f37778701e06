package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// UnimplementedCore is a [Core] that supports nothing. Its methods fail with [Unsupported]. Embed it
// in a Core that must permit only what it has itself, for security: a method that a later version
// of this package adds is then refused, and not passed on. Supports, Place and Native return zero
// values, and Close does nothing.
//
//	type readsOnly struct {
//		storage.UnimplementedCore
//		core storage.Core
//	}
//
//	func (r readsOnly) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
//		return r.core.Download(ctx, key, o)
//	}
type UnimplementedCore struct{}

var _ Core = UnimplementedCore{}

func unimplemented(op, key string) *Error {
	e := unsupported("this Core does not implement "+op, "")
	e.Op = op
	e.Key = key
	return e
}

// Upload fails with Unsupported.
func (UnimplementedCore) Upload(_ context.Context, key string, _ io.Reader, _ *UploadOptions) (*Attrs, error) {
	return nil, unimplemented("Upload", key)
}

// Download fails with Unsupported.
func (UnimplementedCore) Download(_ context.Context, key string, _ *DownloadOptions) (*Reader, error) {
	return nil, unimplemented("Download", key)
}

// Attrs fails with Unsupported.
func (UnimplementedCore) Attrs(_ context.Context, key string, _ *DownloadOptions) (*Attrs, error) {
	return nil, unimplemented("Attrs", key)
}

// Exists fails with Unsupported.
func (UnimplementedCore) Exists(_ context.Context, key string, _ *DownloadOptions) (bool, error) {
	return false, unimplemented("Exists", key)
}

// Remove fails with Unsupported.
func (UnimplementedCore) Remove(_ context.Context, key string, _ *RemoveOptions) error {
	return unimplemented("Remove", key)
}

// RemoveAll fails with Unsupported. It does not read the keys.
func (UnimplementedCore) RemoveAll(context.Context, iter.Seq[string]) (int, error) {
	return 0, unimplemented("RemoveAll", "")
}

// RemoveVersions fails with Unsupported. It does not read the versions.
func (UnimplementedCore) RemoveVersions(context.Context, iter.Seq[VersionEntry]) (int, error) {
	return 0, unimplemented("RemoveVersions", "")
}

// List yields Unsupported.
func (UnimplementedCore) List(context.Context, *ListOptions) iter.Seq2[ListEntry, error] {
	return failing[ListEntry](unimplemented("List", ""))
}

// ListPage fails with Unsupported.
func (UnimplementedCore) ListPage(context.Context, string, *ListOptions) (*Page, error) {
	return nil, unimplemented("ListPage", "")
}

// Versions yields Unsupported.
func (UnimplementedCore) Versions(context.Context, *ListOptions) iter.Seq2[VersionEntry, error] {
	return failing[VersionEntry](unimplemented("Versions", ""))
}

// Source returns a source that fails with Unsupported when it is read.
func (c UnimplementedCore) Source(key string) CopySource { return NewCopySource(c, key) }

// CopyFrom fails with Unsupported.
func (UnimplementedCore) CopyFrom(_ context.Context, key string, _ CopySource, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Copy", key)
}

// Compose fails with Unsupported.
func (UnimplementedCore) Compose(_ context.Context, key string, _ []string, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Compose", key)
}

// Move fails with Unsupported.
func (UnimplementedCore) Move(_ context.Context, _, to string, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Move", to)
}

// Tags fails with Unsupported.
func (UnimplementedCore) Tags(_ context.Context, key string, _ *DownloadOptions) (map[string]string, error) {
	return nil, unimplemented("Tags", key)
}

// SetTags fails with Unsupported.
func (UnimplementedCore) SetTags(_ context.Context, key string, _ map[string]string, _ *ChangeOptions) error {
	return unimplemented("SetTags", key)
}

// SetRetention fails with Unsupported.
func (UnimplementedCore) SetRetention(_ context.Context, key string, _ Retention, _ *ChangeOptions) error {
	return unimplemented("SetRetention", key)
}

// SetLegalHold fails with Unsupported.
func (UnimplementedCore) SetLegalHold(_ context.Context, key string, _ bool, _ *ChangeOptions) error {
	return unimplemented("SetLegalHold", key)
}

// Restore fails with Unsupported.
func (UnimplementedCore) Restore(_ context.Context, key string, _ *ChangeOptions) error {
	return unimplemented("Restore", key)
}

// SignedUploadURL fails with Unsupported.
func (UnimplementedCore) SignedUploadURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedUploadURL", key)
}

// SignedDownloadURL fails with Unsupported.
func (UnimplementedCore) SignedDownloadURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedDownloadURL", key)
}

// SignedRemoveURL fails with Unsupported.
func (UnimplementedCore) SignedRemoveURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedRemoveURL", key)
}

// SignedUploadForm fails with Unsupported.
func (UnimplementedCore) SignedUploadForm(
	_ context.Context, key string, _, _ int64, _ *SignOptions,
) (*SignedForm, error) {
	return nil, unimplemented("SignedUploadForm", key)
}

// PublicURL fails with Unsupported.
func (UnimplementedCore) PublicURL(key string) (string, error) {
	return "", unimplemented("PublicURL", key)
}

// Vend fails with Unsupported.
func (UnimplementedCore) Vend(
	_ context.Context, prefix string, _ Rights, _ time.Duration,
) (*VendedCredentials, error) {
	return nil, unimplemented("Vend", prefix)
}

// BeginUpload fails with Unsupported.
func (UnimplementedCore) BeginUpload(_ context.Context, key string, _ *UploadOptions) (MultipartUpload, error) {
	return nil, unimplemented("BeginUpload", key)
}

// ContinueUpload fails with Unsupported.
func (UnimplementedCore) ContinueUpload(context.Context, string, *UploadOptions) (MultipartUpload, error) {
	return nil, unimplemented("ContinueUpload", "")
}

// ContinueListedUpload fails with Unsupported.
func (UnimplementedCore) ContinueListedUpload(
	_ context.Context, entry UploadEntry, _ *UploadOptions,
) (MultipartUpload, error) {
	return nil, unimplemented("ContinueListedUpload", entry.Key)
}

// ListUploads yields Unsupported.
func (UnimplementedCore) ListUploads(context.Context, *ListOptions) iter.Seq2[UploadEntry, error] {
	return failing[UploadEntry](unimplemented("ListUploads", ""))
}

// AbortUpload fails with Unsupported.
func (UnimplementedCore) AbortUpload(_ context.Context, entry UploadEntry) error {
	return unimplemented("AbortUpload", entry.Key)
}

// AbandonUpload fails with Unsupported.
func (UnimplementedCore) AbandonUpload(context.Context, string, string) error {
	return unimplemented("AbandonUpload", "")
}

// PutSignedPart fails with Unsupported.
func (UnimplementedCore) PutSignedPart(
	_ context.Context, key, _ string, _ int, _ io.Reader, _ *PartOptions,
) (*UploadedPart, error) {
	return nil, unimplemented("PutPart", key)
}

// Supports returns false.
func (UnimplementedCore) Supports(Features) bool { return false }

// Place returns the zero Place.
func (UnimplementedCore) Place() Place { return Place{} }

// Native returns nil.
func (UnimplementedCore) Native() any { return nil }

// Close does nothing.
func (UnimplementedCore) Close() error { return nil }
