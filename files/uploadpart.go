package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// PartOptions describe one part of a file.
type PartOptions struct {
	// Token names the upload: 8 to 128 ASCII letters, digits, "-", "_" and ".",
	// chosen at random by the client, such as a UUID. Uploads of different UploadedBy
	// never share one, whatever their tokens.
	Token string
	Count int // how many parts there are, 1 to 10,000; the same in every call
	Part  int // this one's number, 1 to Count
	// UploadOptions describe the whole file, and are the same in every call.
	UploadOptions
}

// UploadPart stores one part of a client file. The record is nil until all parts are
// there. Then every call that finds them complete joins them and returns the same
// record. A part may be empty. If the provider joins only parts of some size (S3: at
// least 5 MiB, except for the last), smaller ones are joined by streaming.
//
// InvalidValue names a field. If Count or an option differs from the earlier parts,
// UploadPart fails with PartsChanged. If the token has made its file already, it
// returns that record and the error Completed; the record is nil if it was deleted. If the bucket does not support
// [storage.ConditionalCreate] and [storage.ConditionalUpdate], and the records are no
// [uploads.States], it fails with StoreFailed, which wraps Unsupported. After any other
// error, send the part again.
func (s *Store) UploadPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.client, body, o)
}

// UploadTempPart stores one part of a temp file, like [Store.UploadPart].
func (s *Store) UploadTempPart(ctx context.Context, body io.Reader, o PartOptions) (*Record, error) {
	return s.uploadPart(ctx, s.temp, body, o)
}

func (s *Store) uploadPart(ctx context.Context, k kind, body io.Reader, o PartOptions) (*Record, error) {
	if !s.takesParts {
		return nil, &uploads.Error{
			Code: uploads.StoreFailed, Message: "Files cannot be uploaded in parts here.",
			Err: &storage.Error{Code: storage.Unsupported, Op: "UploadPart", Hint: "keep the records in a database (package sqlrecords), or use a bucket that enforces IfAbsent and IfRevision"},
		}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if body == nil {
		return nil, invalid(fieldFile, "There is no file.")
	}
	f, err := k.uploads.PutPiece(ctx, uploads.Piece{
		Token: o.Token, Count: o.Count, Number: o.Part, Body: body, User: uploads.User{ID: o.UploadedBy},
		Name: o.OriginalFileName, Type: o.MIMEType, Metadata: o.metadata(), Target: s.target(&o.UploadOptions),
	})
	if f == nil {
		return nil, s.uploadError(err)
	}
	r, failure := s.made(ctx, k, f.Key)
	switch {
	case failure != nil:
		return nil, toError(failure)
	case err != nil || r == nil: // made by an earlier call, or deleted meanwhile
		return r, refuse(fieldToken, uploads.Completed, "All parts of this file have been received already.")
	}
	return r, nil
}

// made returns the record of a file that was made of parts, or nil if it was deleted since. A call
// that was slow may have created the record again: made removes it then.
func (s *Store) made(ctx context.Context, k kind, key string) (*Record, error) {
	id, _ := k.id(key)
	r, err := k.records.Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := s.hasBytes(ctx, k, r)
	if err != nil || there {
		return r, err
	}
	return nil, k.records.Remove(ctx, id)
}

// fieldsOfPieces are the names that fields of a piece have here.
var fieldsOfPieces = map[string]string{"name": fieldName, "type": fieldType, "metadata": fieldPurpose}

// uploadError converts an error of a [uploads.Service].
func (s *Store) uploadError(err error) error {
	e, ok := errors.AsType[*uploads.Error](err)
	if !ok {
		return toError(err)
	}
	if own, ok := errors.AsType[*uploads.Error](e.Err); ok {
		return own
	}
	switch e.Code {
	case uploads.TooLarge:
		return tooLargeError(s.config.MaxSize)
	case uploads.PartsChanged, uploads.NotFound, uploads.InvalidValue:
		field := e.Field
		if here, ok := fieldsOfPieces[field]; ok {
			field = here
		}
		return refuse(field, e.Code, e.Message)
	}
	return toError(e.Err)
}

// newUploads returns the service that takes the parts of files of one kind.
func (s *Store) newUploads(k kind, states uploads.States) (*uploads.Service, error) {
	c := uploads.Config{
		Rules: rules.Any(s.config.MaxSize), Key: k.bytes + "{id}{ext}", Prefix: k.parts, States: states, TTL: s.config.PartsTTL,
		Unguarded: true, Now: s.config.Now,
		Stored: func(ctx context.Context, f *uploads.File) error { return s.record(ctx, k, f) },
	}
	if s.config.Inspect != nil {
		c.Inspect = func(ctx context.Context, f *uploads.File, content *storage.ReaderAt) error {
			r := k.recordOf(f)
			r.CRC32C = content.Attrs().CRC32C
			err := s.config.Inspect(ctx, r, content)
			if own, refused := errors.AsType[*uploads.Error](err); refused {
				return &uploads.Error{Field: own.Field, Code: uploads.Refused, Message: own.Message, Err: own}
			}
			return err
		}
	}
	return uploads.New(s.bucket, c)
}

// record creates the record of a file, the last step of an upload. If the response was lost, or
// database/sql has repeated an attempt whose response was, record looks whether there is one.
func (s *Store) record(ctx context.Context, k kind, f *uploads.File) error {
	r := k.recordOf(f)
	if f.Attrs == nil { // joined by an earlier call, and perhaps deleted since
		attrs, err := s.bucket.Attrs(ctx, f.Key)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		f.Attrs = attrs
	}
	r.describe(f.Attrs)
	err := k.records.Create(ctx, r)
	there := storage.CodeOf(err) == storage.PreconditionFailed
	if !there && !errors.Is(err, storage.OutcomeUnknown) {
		return err
	}
	_, look := k.records.Record(ctx, r.ID)
	switch {
	case look == nil, there && storage.CodeOf(look) == storage.ObjectNotFound: // deleted since
		return nil
	case there:
		return &storage.Error{Code: storage.Unavailable, Unknown: true, Err: look}
	}
	return err
}

// recordOf returns what is known of a file before its bytes are.
func (k kind) recordOf(f *uploads.File) *Record {
	id, _ := k.id(f.Key)
	return &Record{
		ID: id, FileExt: strings.TrimPrefix(f.Key, k.bytes+id), MIMEType: cmp.Or(f.ClaimedType, f.ContentType), OriginalFileName: f.ClaimedName,
		OriginalLength: f.Size, UploadedBy: f.User.ID, Purpose: f.Metadata[metadataPurpose], Created: timeid.Time(id),
	}
}
