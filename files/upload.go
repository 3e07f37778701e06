package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/internal/mediatype"
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
	return s.upload(ctx, s.client, body, &o)
}

// UploadTemp stores body as a temp file, like [Store.Upload]. [Store.DownloadTemp]
// reads it until [Store.ClearTemp] removes it.
func (s *Store) UploadTemp(ctx context.Context, body io.Reader, o UploadOptions) (*Record, error) {
	return s.upload(ctx, s.temp, body, &o)
}

// upload reads o.Purpose after body has ended, because it may follow the file in a
// form.
func (s *Store) upload(ctx context.Context, k kind, body io.Reader, o *UploadOptions) (*Record, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if body == nil {
		return nil, invalid(fieldFile, "There is no file.")
	}
	began := time.Now()
	r := s.newRecord(o)
	var opts []storage.UploadOption
	if s.creates {
		opts = append(opts, storage.IfAbsent())
	}
	if t := cmp.Or(o.MIMEType, mediatype.ByExtension(r.FileExt)); t != "" && storage.Supports(s.bucket, storage.ContentProperties) { // the record has it too
		opts = append(opts, storage.WithContentType(t))
	}
	if most := s.config.MaxSize; most > 0 {
		body = bodylimit.New(body, most, tooLargeError(most))
	}
	key := k.key(r)
	if s.inspects() {
		key = k.waitingKey()
		defer s.removeWaiting(ctx, key)
	}
	attrs, err := s.bucket.Upload(ctx, key, body, opts...)
	if err != nil {
		return nil, toError(err)
	}
	r.describe(attrs)
	r.Purpose = o.Purpose
	if s.inspects() {
		if attrs, _, err = s.admit(ctx, k, r, key); err != nil {
			return nil, toError(err)
		}
		r.describe(attrs)
	}
	if err := s.createRecord(ctx, k, r); err != nil {
		return nil, err
	}
	if time.Since(began) >= s.config.Grace/2 {
		if err := s.checkBytes(ctx, k, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newRecord returns a record with all that is known before the bytes are stored.
func (s *Store) newRecord(o *UploadOptions) *Record {
	created := s.config.Now().UTC().Truncate(time.Millisecond)
	return &Record{
		ID: NewID(created), FileExt: extension(o.OriginalFileName), MIMEType: o.MIMEType,
		OriginalFileName: o.OriginalFileName, UploadedBy: o.UploadedBy, Purpose: o.Purpose, Created: created,
	}
}

// describe sets what the stored bytes determine.
func (r *Record) describe(a *storage.Attrs) {
	r.OriginalLength, r.CRC32C = a.Size, a.CRC32C
	r.MIMEType = cmp.Or(r.MIMEType, a.ContentType)
}

// createRecord creates the record, the last step of an upload. If that certainly
// failed, it removes the bytes. If it may have succeeded, it leaves them for Sweep.
func (s *Store) createRecord(ctx context.Context, k kind, r *Record) error {
	err := k.records.Create(ctx, r)
	if err == nil {
		return nil
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// No other file has this ID: an attempt whose response was lost has created
		// the record, and database/sql or its driver has tried again.
		err = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: err}
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		if found, look := k.records.Record(ctx, r.ID); look == nil && found != nil {
			return nil
		}
		return toError(err)
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_ = s.bucket.Remove(after, k.key(r)) // otherwise Sweep removes it
	return toError(err)
}

// cleanupTimeout limits cleaning up after the caller's ctx may have ended.
const cleanupTimeout = 10 * time.Second

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
	return &Error{
		Field: fieldFile, Code: StoreFailed, Message: "The upload took too long. Try again.",
		Err: &storage.Error{Code: storage.Unavailable, Key: k.key(r), Hint: "make Config.Grace longer than the longest upload"},
	}
}
