package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// UnimplementedCore is a struct with all methods of [Core], which fail with [Unsupported]. A type
// that embeds it, in place of a Core, refuses also the methods that later versions of this package
// add. Supports, Name and Native return zero values, and Close does nothing.
type UnimplementedCore = unimplementedCore

// The type has a name of its own so that documentation shows UnimplementedCore without its methods.
type unimplementedCore struct{}

var _ Core = unimplementedCore{}

func unimplemented(op, key string) *Error {
	err := unsupported("this Core does not implement "+op, "")
	err.Op = op
	err.Key = key
	return err
}

func (unimplementedCore) Upload(_ context.Context, key string, _ io.Reader, _ *UploadOptions) (*Attrs, error) {
	return nil, unimplemented("Upload", key)
}

func (unimplementedCore) Download(_ context.Context, key string, _ *DownloadOptions) (*Reader, error) {
	return nil, unimplemented("Download", key)
}

func (unimplementedCore) Attrs(_ context.Context, key string, _ *DownloadOptions) (*Attrs, error) {
	return nil, unimplemented("Attrs", key)
}

func (unimplementedCore) Exists(_ context.Context, key string, _ *DownloadOptions) (bool, error) {
	return false, unimplemented("Exists", key)
}

func (unimplementedCore) Remove(_ context.Context, key string, _ *RemoveOptions) error {
	return unimplemented("Remove", key)
}

// RemoveAll fails with Unsupported. It does not read the keys.
func (unimplementedCore) RemoveAll(context.Context, iter.Seq[string]) (int, error) {
	return 0, unimplemented("RemoveAll", "")
}

// RemoveVersions fails with Unsupported. It does not read the versions.
func (unimplementedCore) RemoveVersions(context.Context, iter.Seq[VersionEntry]) (int, error) {
	return 0, unimplemented("RemoveVersions", "")
}

func (unimplementedCore) List(context.Context, *ListOptions) iter.Seq2[ListEntry, error] {
	return failedListing[ListEntry](unimplemented("List", ""))
}

func (unimplementedCore) ListPage(context.Context, string, *ListOptions) (*Page, error) {
	return nil, unimplemented("ListPage", "")
}

func (unimplementedCore) Versions(context.Context, *ListOptions) iter.Seq2[VersionEntry, error] {
	return failedListing[VersionEntry](unimplemented("Versions", ""))
}

// Source returns a source that fails with Unsupported when it is read.
func (c unimplementedCore) Source(key string) CopySource { return NewCopySource(c, key) }

func (unimplementedCore) CopyFrom(_ context.Context, key string, _ CopySource, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Copy", key)
}

func (unimplementedCore) Compose(_ context.Context, key string, _ []string, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Compose", key)
}

func (unimplementedCore) Move(_ context.Context, _, to string, _ *CopyOptions) (*Attrs, error) {
	return nil, unimplemented("Move", to)
}

func (unimplementedCore) Tags(_ context.Context, key string, _ *DownloadOptions) (map[string]string, error) {
	return nil, unimplemented("Tags", key)
}

func (unimplementedCore) SetTags(_ context.Context, key string, _ map[string]string, _ *ChangeOptions) error {
	return unimplemented("SetTags", key)
}

func (unimplementedCore) SetRetention(_ context.Context, key string, _ Retention, _ *ChangeOptions) error {
	return unimplemented("SetRetention", key)
}

func (unimplementedCore) SetLegalHold(_ context.Context, key string, _ bool, _ *ChangeOptions) error {
	return unimplemented("SetLegalHold", key)
}

func (unimplementedCore) Restore(_ context.Context, key string, _ *ChangeOptions) error {
	return unimplemented("Restore", key)
}

func (unimplementedCore) SignedUploadURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedUploadURL", key)
}

func (unimplementedCore) SignedDownloadURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedDownloadURL", key)
}

func (unimplementedCore) SignedRemoveURL(_ context.Context, key string, _ *SignOptions) (*SignedURL, error) {
	return nil, unimplemented("SignedRemoveURL", key)
}

func (unimplementedCore) SignedUploadForm(
	_ context.Context, key string, _, _ int64, _ *SignOptions,
) (*SignedForm, error) {
	return nil, unimplemented("SignedUploadForm", key)
}

func (unimplementedCore) PublicURL(key string) (string, error) {
	return "", unimplemented("PublicURL", key)
}

func (unimplementedCore) Vend(
	_ context.Context, prefix string, _ Rights, _ time.Duration,
) (*VendedCredentials, error) {
	return nil, unimplemented("Vend", prefix)
}

func (unimplementedCore) BeginUpload(_ context.Context, key string, _ *UploadOptions) (MultipartUpload, error) {
	return nil, unimplemented("BeginUpload", key)
}

func (unimplementedCore) ContinueUpload(context.Context, string, *UploadOptions) (MultipartUpload, error) {
	return nil, unimplemented("ContinueUpload", "")
}

func (unimplementedCore) ContinueListedUpload(
	_ context.Context, entry UploadEntry, _ *UploadOptions,
) (MultipartUpload, error) {
	return nil, unimplemented("ContinueListedUpload", entry.Key)
}

func (unimplementedCore) ListUploads(context.Context, *ListOptions) iter.Seq2[UploadEntry, error] {
	return failedListing[UploadEntry](unimplemented("ListUploads", ""))
}

func (unimplementedCore) AbortUpload(_ context.Context, entry UploadEntry) error {
	return unimplemented("AbortUpload", entry.Key)
}

func (unimplementedCore) AbandonUpload(context.Context, string, string) error {
	return unimplemented("AbandonUpload", "")
}

func (unimplementedCore) PutSignedPart(
	_ context.Context, key, _ string, _ int, _ io.Reader, _ *PartOptions,
) (*UploadedPart, error) {
	return nil, unimplemented("PutPart", key)
}

func (unimplementedCore) Supports(Features) bool { return false }

func (unimplementedCore) Name() (provider, bucket string) { return "", "" }

func (unimplementedCore) Native() any { return nil }

func (unimplementedCore) Close() error { return nil }
