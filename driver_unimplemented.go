package storage

import "context"

// UnimplementedDriver implements everything that a driver may leave out: the methods
// return Unsupported. Embed it by value.
type UnimplementedDriver struct{}

// BeginParts returns Unsupported.
func (UnimplementedDriver) BeginParts(context.Context, *PutRequest) (string, error) {
	return "", Unsupported
}

// PutPart returns Unsupported.
func (UnimplementedDriver) PutPart(context.Context, *PartRequest) (Part, error) {
	return Part{}, Unsupported
}

// CompleteParts returns Unsupported.
func (UnimplementedDriver) CompleteParts(context.Context, *CompleteRequest) (*Attrs, error) {
	return nil, Unsupported
}

// AbortParts returns Unsupported.
func (UnimplementedDriver) AbortParts(context.Context, string, string) error { return Unsupported }

// ListParts returns Unsupported.
func (UnimplementedDriver) ListParts(context.Context, *ListPartsRequest) (*PartPage, error) {
	return nil, Unsupported
}

// ListUploads returns Unsupported.
func (UnimplementedDriver) ListUploads(context.Context, *ListUploadsRequest) (*UploadPage, error) {
	return nil, Unsupported
}

// SignPart returns Unsupported.
func (UnimplementedDriver) SignPart(context.Context, *SignPartRequest) (*SignedURL, error) {
	return nil, Unsupported
}

// DeleteBatch returns Unsupported for every request.
func (UnimplementedDriver) DeleteBatch(_ context.Context, r []DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range errs {
		errs[i] = Unsupported
	}
	return errs
}

// Locate returns nowhere.
func (UnimplementedDriver) Locate(string) ObjectRef { return ObjectRef{} }

// Copy returns Unsupported.
func (UnimplementedDriver) Copy(context.Context, *CopyRequest) (*Attrs, error) {
	return nil, Unsupported
}

// Compose returns Unsupported.
func (UnimplementedDriver) Compose(context.Context, *ComposeRequest) (*Attrs, error) {
	return nil, Unsupported
}

// ListVersions returns Unsupported.
func (UnimplementedDriver) ListVersions(context.Context, *ListRequest) (*VersionPage, error) {
	return nil, Unsupported
}

// Tags returns Unsupported.
func (UnimplementedDriver) Tags(context.Context, *GetRequest) (map[string]string, error) {
	return nil, Unsupported
}

// SetTags returns Unsupported.
func (UnimplementedDriver) SetTags(context.Context, *ChangeRequest) error { return Unsupported }

// SetRetention returns Unsupported.
func (UnimplementedDriver) SetRetention(context.Context, *ChangeRequest) error { return Unsupported }

// SetLegalHold returns Unsupported.
func (UnimplementedDriver) SetLegalHold(context.Context, *ChangeRequest) error { return Unsupported }

// Restore returns Unsupported.
func (UnimplementedDriver) Restore(context.Context, *ChangeRequest) error { return Unsupported }

// Sign returns Unsupported.
func (UnimplementedDriver) Sign(context.Context, *SignRequest) (*SignedURL, error) {
	return nil, Unsupported
}

// SignForm returns Unsupported.
func (UnimplementedDriver) SignForm(context.Context, *SignRequest) (*SignedForm, error) {
	return nil, Unsupported
}

// Native returns nil.
func (UnimplementedDriver) Native() any { return nil }

// Close does nothing.
func (UnimplementedDriver) Close() error { return nil }
