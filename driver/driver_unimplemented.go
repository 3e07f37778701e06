package driver

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
)

// UnimplementedDriver implements every method that a driver may leave out. Each method returns
// Unsupported. Embed UnimplementedDriver by value.
type UnimplementedDriver struct{}

// BeginParts returns Unsupported.
func (UnimplementedDriver) BeginParts(context.Context, *PutRequest) (string, error) {
	return "", storage.Unsupported
}

// PutPart returns Unsupported.
func (UnimplementedDriver) PutPart(context.Context, *PartRequest) (Part, error) {
	return Part{}, storage.Unsupported
}

// CompleteParts returns Unsupported.
func (UnimplementedDriver) CompleteParts(context.Context, *CompleteRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

// AbortParts returns Unsupported.
func (UnimplementedDriver) AbortParts(context.Context, string, string) error {
	return storage.Unsupported
}

// ListParts returns Unsupported.
func (UnimplementedDriver) ListParts(context.Context, *ListPartsRequest) (*PartPage, error) {
	return nil, storage.Unsupported
}

// ListUploads returns Unsupported.
func (UnimplementedDriver) ListUploads(context.Context, *ListUploadsRequest) (*UploadPage, error) {
	return nil, storage.Unsupported
}

// SignPart returns Unsupported.
func (UnimplementedDriver) SignPart(context.Context, *SignPartRequest) (*storage.SignedURL, error) {
	return nil, storage.Unsupported
}

// DeleteBatch returns Unsupported for every request.
func (UnimplementedDriver) DeleteBatch(_ context.Context, r []DeleteRequest) []error {
	return slices.Repeat([]error{storage.Unsupported}, len(r))
}

// Locate returns the zero ObjectRef, which means that no server can copy the object.
func (UnimplementedDriver) Locate(string) ObjectRef { return ObjectRef{} }

// Copy returns Unsupported.
func (UnimplementedDriver) Copy(context.Context, *CopyRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

// Compose returns Unsupported.
func (UnimplementedDriver) Compose(context.Context, *ComposeRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

// Move returns Unsupported.
func (UnimplementedDriver) Move(context.Context, *MoveRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

// ListVersions returns Unsupported.
func (UnimplementedDriver) ListVersions(context.Context, *ListRequest) (*VersionPage, error) {
	return nil, storage.Unsupported
}

// Tags returns Unsupported.
func (UnimplementedDriver) Tags(context.Context, *GetRequest) (map[string]string, error) {
	return nil, storage.Unsupported
}

// SetTags returns Unsupported.
func (UnimplementedDriver) SetTags(context.Context, *ChangeRequest) error { return storage.Unsupported }

// SetRetention returns Unsupported.
func (UnimplementedDriver) SetRetention(context.Context, *ChangeRequest) error {
	return storage.Unsupported
}

// SetLegalHold returns Unsupported.
func (UnimplementedDriver) SetLegalHold(context.Context, *ChangeRequest) error {
	return storage.Unsupported
}

// Restore returns Unsupported.
func (UnimplementedDriver) Restore(context.Context, *ChangeRequest) error { return storage.Unsupported }

// Sign returns Unsupported.
func (UnimplementedDriver) Sign(context.Context, *SignRequest) (*storage.SignedURL, error) {
	return nil, storage.Unsupported
}

// SignForm returns Unsupported.
func (UnimplementedDriver) SignForm(context.Context, *SignRequest) (*storage.SignedForm, error) {
	return nil, storage.Unsupported
}

// Vend returns Unsupported.
func (UnimplementedDriver) Vend(context.Context, *VendRequest) (*storage.VendedCredentials, error) {
	return nil, storage.Unsupported
}

// Native returns nil.
func (UnimplementedDriver) Native() any { return nil }

// Close does nothing.
func (UnimplementedDriver) Close() error { return nil }
