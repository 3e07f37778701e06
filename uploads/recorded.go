package uploads

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

const purposeName = "purpose"

// Records returns Config.Records.
func (s *Service) Records() Records { return s.config.Records }

// Download opens a file that has a record, or a range of it with [storage.WithRange]. The caller must close
// the Reader. If there is no such file, Download fails with NotFound. If the options ask for something that
// the file cannot give, it fails with InvalidValue, which wraps RangeNotSatisfiable, NotModified or
// PreconditionFailed.
func (s *Service) Download(
	ctx context.Context, id string, opts ...storage.DownloadOption,
) (*storage.Reader, *File, error) {
	if !timeid.Valid(id) || s.config.Records == nil {
		return nil, nil, invalid("id", "This is not the ID of a file.")
	}
	f, err := s.config.Records.Record(ctx, id)
	var r *storage.Reader
	if err == nil {
		r, err = s.bucket.Download(ctx, f.Key, opts...)
	}
	switch storage.CodeOf(err) {
	case "":
		return r, f, nil
	case storage.ObjectNotFound:
		return nil, nil, refuse("id", NotFound, "There is no such file.")
	case storage.RangeNotSatisfiable, storage.NotModified, storage.PreconditionFailed, storage.InvalidArgument:
		return nil, nil, &Error{
			Field: fileField, Code: InvalidValue, Message: "The file cannot be read in this way.", Err: err,
		}
	}
	return nil, nil, storeFailed(err)
}

// Remove removes a file that has a record, its record first. If f has no Key, such as after a call that
// removed only the record, Remove looks for the bytes. If there is no such file, it returns nil.
func (s *Service) Remove(ctx context.Context, f *File) error {
	if !timeid.Valid(f.ID) || s.config.Records == nil {
		return invalid("id", "This is not the ID of a file.")
	}
	if err := s.removeRecorded(ctx, f); err != nil {
		return storeFailed(err)
	}
	return nil
}

// deleteKey removes a file with its record. Without a record, it removes what a call that was interrupted has left.
func (s *Service) deleteKey(ctx context.Context, key string) error {
	if s.config.Records == nil {
		return s.removeBytes(ctx, key)
	}
	f, err := s.config.Records.Record(ctx, s.pattern.ID(key))
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return s.removeBytes(ctx, key)
	case err != nil || f.Key != key: // in the latter case, no file has the key, because an ID has one extension
		return err
	}
	return s.removeRecorded(ctx, f)
}

func (s *Service) removeRecorded(ctx context.Context, f *File) error {
	err := s.config.Records.Remove(ctx, f)
	switch before, _ := s.pattern.Ordered(); {
	case err != nil:
		return err
	case f.Key != "":
		return s.removeBytes(ctx, f.Key)
	default:
		for entry, err := range s.bucket.List(ctx, storage.WithPrefix(before+f.ID), storage.WithAnyOrder()) {
			if err == nil {
				err = s.removeBytes(ctx, entry.Key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// removeBytes removes the object of a file, after the objects that were derived from it.
func (s *Service) removeBytes(ctx context.Context, key string) error {
	if s.config.Removed != nil {
		if err := s.config.Removed(ctx, key); err != nil {
			return err
		}
	}
	return s.bucket.Remove(ctx, key)
}

// identify sets the fields of a file that its record has. Its name is the client's if that is safe
// to show.
func (s *Service) identify(f *File) {
	if s.config.Records == nil {
		return
	}
	f.ID = keypattern.IDIn(f.Key)
	f.Purpose = f.Metadata[purposeName] // an open upload may have the key of an earlier Config.Key
	if f.lifetime > 0 {
		f.Expires = timeid.Time(f.ID).Add(f.lifetime).Truncate(time.Millisecond)
	}
	if filename.LabelFlaw(f.Purpose) != "" {
		f.Purpose = ""
	}
	if filename.Flaw(f.ClaimedName) == "" {
		f.Name = f.ClaimedName
	}
}

// record creates the record of a file. If the response was lost, or if database/sql has repeated an
// attempt whose response was lost, record looks whether there is a record.
func (s *Service) record(ctx context.Context, f *File) error {
	f.Size, f.CRC32C = f.Attrs.Size, f.Attrs.CRC32C
	if kind := mediatype.ByExtension(path.Ext(f.Key)); kind != "" &&
		!storage.Supports(s.bucket, storage.ContentProperties) {
		f.ContentType = kind
	}
	f.ContentType = cmp.Or(f.ContentType, f.Attrs.ContentType, contentTypeOfPending)
	records := s.config.Records
	err := records.Create(ctx, f)
	there := storage.CodeOf(err) == storage.PreconditionFailed
	if there || errors.Is(err, storage.OutcomeUnknown) {
		switch _, look := records.Record(ctx, f.ID); {
		case look == nil, there && storage.CodeOf(look) == storage.ObjectNotFound: // removed since
			err = nil
		case there:
			err = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: look}
		}
	}
	if err != nil {
		f.recorded = errors.Is(err, storage.OutcomeUnknown) // a call that discards the bytes removes the record first
		return err
	}
	f.recorded = true
	late := s.config.Grace / 2
	if f.lifetime > 0 {
		late = min(late, f.lifetime/2)
	}
	if s.config.Now().Sub(timeid.Time(f.ID)) < late {
		return nil
	}
	// Sweep may have removed the bytes as orphans, or as those of a file that has expired.
	if removed, err := s.removeEmpty(ctx, f); !removed {
		return err
	}
	return &Error{
		Field: fileField, Code: StoreFailed, Status: http.StatusServiceUnavailable,
		Message: "The upload took too long. Try again.",
		Err: &storage.Error{
			Code: storage.Unavailable, Key: f.Key,
			Hint: "make Config.Grace and Target.Lifetime longer than the longest upload",
		},
	}
}

// removeEmpty removes a record without bytes. It returns false if they are there, or if that is not known.
func (s *Service) removeEmpty(ctx context.Context, f *File) (removed bool, err error) {
	there, err := s.bucket.Exists(ctx, f.Key)
	if err != nil || there {
		return false, err
	}
	err = s.config.Records.Remove(ctx, f)
	return err == nil, err
}

// whole returns the record of a file, or nil if there is none. It removes a record without bytes, which a slow call
// may have created again after the file was removed.
func (s *Service) whole(ctx context.Context, id string) (f *File, removed bool, err error) {
	f, err = s.config.Records.Record(ctx, id)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	if removed, err = s.removeEmpty(ctx, f); removed || err != nil {
		return nil, removed, err
	}
	return f, false, nil
}

// checked returns the application's Target for a file of this name, in a form that the bucket can keep; nil
// if the application gives none.
func (s *Service) checked(asked *Target, name string) (*Target, *Error) {
	if asked == nil {
		return nil, nil
	}
	t := *asked
	switch {
	case t.Key != "":
		return nil, invalid("key", "The Target must have no Key.")
	case t.Lifetime < 0, t.Lifetime > 0 && s.config.Records == nil:
		return nil, invalid("lifetime", "Target.Lifetime must not be negative, and needs Config.Records.")
	}
	if flaw := t.flaw(); flaw != nil {
		e := invalid("target", "The Target has what no object can have.")
		e.Err = flaw
		return nil, e
	}
	t.Overwrite = t.Overwrite || !s.guarded
	switch keeps := storage.Supports(s.bucket, storage.ContentProperties); {
	case !keeps && s.config.Records != nil:
		t.ContentType = "" // the record has a type
	case keeps && t.ContentType == "" && !s.judge.LooksAtContent():
		t.ContentType = mediatype.ByExtension(extensionOf(name))
	}
	return &t, nil
}
