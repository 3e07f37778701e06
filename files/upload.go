package files

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/uploads"
)

// UploadOptions describe a file.
type UploadOptions struct {
	// OriginalFileName is required: 1 to 1,000 characters of text, without path
	// separators, control characters and characters that change the direction of
	// text. uploads.CleanName makes such a name of any other.
	OriginalFileName string
	MIMEType         string // type/subtype; "": by the name's extension, else by the first bytes
	UploadedBy       string // the user's ID, at most 256 characters; "": not known
	Purpose          string // the application's category, at most 256 characters
}

// Upload stores body as a client file, in bounded memory, and returns its record.
// After an error there is no file. If errors.Is(err, [storage.OutcomeUnknown]), there
// may be one, with an ID that nobody knows.
//
// InvalidValue names a field. TooLarge, Interrupted and StoreFailed are as in the
// package's table.
func (s *Store) Upload(ctx context.Context, body io.Reader, o UploadOptions) (*Record, error) {
	return s.upload(ctx, s.client, body, o, o.metadata())
}

// UploadTemp stores body as a temp file, like [Store.Upload]. [Store.DownloadTemp]
// reads it until [Store.ClearTemp] removes it.
func (s *Store) UploadTemp(ctx context.Context, body io.Reader, o UploadOptions) (*Record, error) {
	return s.upload(ctx, s.temp, body, o, o.metadata())
}

// upload stores a file. The metadata may change until body has ended.
func (s *Store) upload(ctx context.Context, k kind, body io.Reader, o UploadOptions, metadata map[string]string) (*Record, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if body == nil {
		return nil, invalid(fieldFile, "There is no file.")
	}
	began := time.Now()
	f, err := k.uploads.Store(ctx, uploads.Upload{
		Body: body, Name: o.OriginalFileName, ClaimedType: o.MIMEType, User: uploads.User{ID: o.UploadedBy},
		Metadata: metadata, Target: s.target(&o),
	})
	if err != nil {
		return nil, s.uploadError(err)
	}
	r := k.recordOf(f)
	r.describe(f.Attrs)
	if time.Since(began) >= s.config.Grace/2 {
		if err := s.checkBytes(ctx, k, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// target says how a file is stored. The record has its type if the bucket keeps none.
func (s *Store) target(o *UploadOptions) *uploads.Target {
	t := &uploads.Target{Overwrite: !s.creates}
	if storage.Supports(s.bucket, storage.ContentProperties) {
		t.ContentType = cmp.Or(o.MIMEType, mediatype.ByExtension(extension(o.OriginalFileName)))
	}
	return t
}

// metadataPurpose has the purpose among the metadata of an upload.
const metadataPurpose = "purpose"

func (o *UploadOptions) metadata() map[string]string {
	return map[string]string{metadataPurpose: o.Purpose}
}

// describe sets what the stored bytes determine.
func (r *Record) describe(a *storage.Attrs) {
	r.OriginalLength, r.CRC32C = a.Size, a.CRC32C
	r.MIMEType = cmp.Or(r.MIMEType, a.ContentType)
}

// checkBytes checks the bytes of a record that was created late, because Sweep may
// have removed them as orphans.
func (s *Store) checkBytes(ctx context.Context, k kind, r *Record) error {
	there, err := s.hasBytes(ctx, k, r)
	if err != nil {
		return toError(err)
	}
	if there {
		return nil
	}
	if err := k.records.Remove(ctx, r.ID); err != nil {
		return toError(err)
	}
	return &uploads.Error{
		Field: fieldFile, Code: uploads.StoreFailed, Message: "The upload took too long. Try again.",
		Err: &storage.Error{Code: storage.Unavailable, Key: k.key(r), Hint: "make Config.Grace longer than the longest upload"},
	}
}
