package uploads

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

const purposeName = "purpose"

// Records returns Config.Records, or nil if files have no records.
func (s *Service) Records() Records { return s.config.Records }

// Download opens a file that has a record. With [storage.WithRange], it reads only a part of the
// file. The caller must close the Reader. If the file does not exist, Download fails with NotFound.
// If the options cannot be met, it fails with InvalidValue, which wraps RangeNotSatisfiable,
// NotModified or PreconditionFailed.
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
			Field:   fileField,
			Code:    InvalidValue,
			Message: "The file cannot be read in this way.",
			Err:     err,
		}
	}
	return nil, nil, storeFailed(err)
}

// Remove removes the record of a file, and then its bytes. If f has no Key, Remove finds the bytes
// by the ID. That also removes bytes that an interrupted call has left without a record. If the
// file does not exist, Remove returns nil. If f expires, a transaction may have made the file
// permanent after f was read. In that case, Remove fails with an error that wraps
// [storage.PreconditionFailed].
func (s *Service) Remove(ctx context.Context, f *File) error {
	if !timeid.Valid(f.ID) || s.config.Records == nil {
		return invalid("id", "This is not the ID of a file.")
	}
	if err := s.removeCounted(ctx, f); err != nil {
		return storeFailed(err)
	}
	return nil
}

// deleteKey removes the file with this key, and its record. If the record is missing, it removes
// the bytes that an interrupted call may have left.
func (s *Service) deleteKey(ctx context.Context, key string, user User) error {
	if s.config.Records == nil {
		return s.removeCounted(ctx, &File{Key: key, User: user})
	}
	f, err := s.config.Records.Record(ctx, s.pattern.ID(key))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s.removeBytes(ctx, key)
	}
	if err != nil || f.Key != key { // the ID has a record with another key, so there is no file with this key
		return err
	}
	return s.removeCounted(ctx, f)
}

// removeCounted removes a file and its record, if any, and subtracts the file from the count of its
// user.
func (s *Service) removeCounted(ctx context.Context, f *File) error {
	if s.config.Records == nil {
		remove := func(ctx context.Context) error { return s.removeBytes(ctx, f.Key) }
		nothing := func(context.Context) error { return nil }
		return s.counter.countOff(ctx, s.counter.lookAt(f.Key, f.User), remove, nothing)
	}
	remove := func(ctx context.Context) error { return s.removeRecorded(ctx, f) }
	leave := func(ctx context.Context) error { return s.removeContent(ctx, f) }
	return s.counter.countOff(ctx, s.counter.lookUp(f.ID), remove, leave)
}

// errKept means that a file was not removed, because a transaction has made the file permanent. The
// transaction did that after the record of the file was read.
var errKept = &storage.Error{Code: storage.PreconditionFailed, Err: errors.New("the file was kept since it was read")}

func (s *Service) removeRecorded(ctx context.Context, f *File) error {
	err := s.config.Records.Remove(ctx, f)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return errKept
	}
	if err != nil {
		return err
	}
	return s.removeContent(ctx, f)
}

// removeContent removes the bytes of a file that has no record. If f has no Key, it finds the bytes by
// the ID.
func (s *Service) removeContent(ctx context.Context, f *File) error {
	if f.Key != "" {
		return s.removeBytes(ctx, f.Key)
	}
	prefix, _ := s.pattern.Ordered()
	for entry, err := range s.bucket.List(ctx, storage.WithPrefix(prefix+f.ID), storage.WithAnyOrder()) {
		if err == nil {
			err = s.removeBytes(ctx, entry.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeBytes calls Config.Removed, which removes what was derived from the file, and then removes
// the file's object.
func (s *Service) removeBytes(ctx context.Context, key string) error {
	if s.config.Removed != nil {
		if err := s.config.Removed(ctx, key); err != nil {
			return err
		}
	}
	return s.bucket.Remove(ctx, key)
}

// identify sets the fields of f that the record stores. If the client's name for the file is safe
// to show, it becomes the Name.
func (s *Service) identify(f *File) {
	if s.config.Records == nil {
		return
	}
	f.ID = keypattern.IDIn(f.Key) // the upload may have begun with another Config.Key
	f.Purpose = f.Metadata[purposeName]
	f.lifetime = cmp.Or(f.lifetime, s.config.Lifetime)
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

func tookTooLong(f *File) *Error {
	return &Error{
		Field:   fileField,
		Code:    StoreFailed,
		Status:  http.StatusServiceUnavailable,
		Message: "The upload took too long. Try again.",
		Err: &storage.Error{
			Code: storage.Unavailable,
			Key:  f.Key,
			Hint: "make Config.Grace, Config.Lifetime and Target.Lifetime longer than the longest upload",
		},
	}
}

// removeEmpty removes a record whose bytes are missing. If the bytes exist, or if that cannot be
// determined, it returns false.
func (s *Service) removeEmpty(ctx context.Context, f *File) (removed bool, err error) {
	exists, err := s.bucket.Exists(ctx, f.Key)
	if err != nil || exists {
		return false, err
	}
	err = s.config.Records.Remove(ctx, f)
	return err == nil, err
}

// whole returns the record of a file, if the bytes of the file exist. If there is no record, f is
// nil. If there is a record without bytes, whole removes the record. A slow call may have created
// the record after the file was removed.
func (s *Service) whole(ctx context.Context, id string) (f *File, removed bool, err error) {
	f, err = s.config.Records.Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	exists, err := s.bucket.Exists(ctx, f.Key)
	if err != nil || exists {
		return f, false, err
	}
	remove := func(ctx context.Context) error { return s.config.Records.Remove(ctx, f) }
	err = s.counter.countAgain(ctx, f, remove)
	return nil, err == nil, err
}

// checkTarget checks the Target that the application has set, and returns a copy. The copy has only
// the properties that the bucket can keep. name is the client's name for the file. If
// the application has set no Target, checkTarget returns nil.
func (s *Service) checkTarget(target *Target, name string) (*Target, *Error) {
	if target == nil {
		return nil, nil
	}
	t := *target
	if t.Key != "" {
		return nil, invalid("key", "The Target must have no Key.")
	}
	if t.Lifetime < 0 || t.Lifetime > 0 && s.config.Records == nil {
		return nil, invalid("lifetime", "Target.Lifetime must not be negative, and needs Config.Records.")
	}
	if flaw := t.flaw(); flaw != nil {
		e := invalid("target", "The Target has what no object can have.")
		e.Err = flaw
		return nil, e
	}
	t.Overwrite = t.Overwrite || !s.guarded
	keeps := storage.Supports(s.bucket, storage.ContentProperties)
	if !keeps && s.config.Records != nil {
		t.ContentType = "" // the record keeps the type instead of the bucket
	} else if keeps && t.ContentType == "" && !s.judge.LooksAtContent() {
		t.ContentType = mediatype.ByExtension(extensionOf(name))
	}
	return &t, nil
}
