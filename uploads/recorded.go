package uploads

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// Records returns Config.Records, or nil if files have no records.
func (s *Service) Records() Records { return s.setup.config.Records }

// Download opens a file that has a record. With [storage.WithRange], it reads only a part of the
// file. The caller must close the Reader. If the file does not exist, Download fails with NotFound.
// If the options cannot be met, it fails with InvalidValue, which wraps RangeNotSatisfiable,
// NotModified or PreconditionFailed.
func (s *Service) Download(
	ctx context.Context, id string, opts ...storage.DownloadOption,
) (*storage.Reader, *File, error) {
	if !timeid.Valid(id) || s.setup.config.Records == nil {
		return nil, nil, publicError(refusal.Invalid("id", "This is not the ID of a file."))
	}
	f, err := s.setup.config.Records.Record(ctx, id)
	if err != nil {
		return nil, nil, downloadError(err)
	}
	reader, err := s.setup.bucket.Download(ctx, f.Key, opts...)
	if err != nil {
		return nil, nil, downloadError(err)
	}
	return reader, f, nil
}

// downloadError converts an error of the records or of the bucket to an error of Download.
func downloadError(err error) error {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		return publicError(refusal.New("id", refusal.CodeNotFound, "There is no such file."))
	case storage.RangeNotSatisfiable, storage.NotModified, storage.PreconditionFailed, storage.InvalidArgument:
		return &Error{
			Field:   refusal.FileField,
			Code:    InvalidValue,
			Message: "The file cannot be read in this way.",
			Err:     err,
		}
	}
	return publicError(refusal.StoreFailed(err))
}

// Remove removes the record of a file, and then its bytes. If f has no Key, Remove finds the bytes
// by the ID. That also removes bytes that an interrupted call has left without a record. If the
// file does not exist, Remove returns nil. If f.Expires is set, a transaction may have made the
// file permanent after f was read. In that case, Remove fails with an error that wraps
// [storage.PreconditionFailed].
func (s *Service) Remove(ctx context.Context, f *File) error {
	if !timeid.Valid(f.ID) || s.setup.config.Records == nil {
		return publicError(refusal.Invalid("id", "This is not the ID of a file."))
	}
	if err := s.files.removeCounted(ctx, f); err != nil {
		return publicError(refusal.StoreFailed(err))
	}
	return nil
}

// Delete removes a file of a user. If the file does not exist, Delete returns nil. If Config.Key
// cannot make this key for this user, Delete fails with NotAllowed.
//
// Some patterns, such as [DefaultKey], contain neither {user} nor other values. The key of a file
// then does not say who owns the file. The caller must check the owner before the call.
func (s *Service) Delete(ctx context.Context, key string, user User) error {
	if err := s.setup.checkUser(user); err != nil {
		return publicError(err)
	}
	if !s.setup.pattern.Matches(key, user.values()) {
		return publicError(refusal.New("key", refusal.CodeNotAllowed, "This file is not yours, or is not stored here."))
	}
	if err := s.files.deleteKey(ctx, key, user); err != nil {
		refused := refusal.StoreFailed(err)
		refused.Field = "key"
		refused.Message = "The file could not be removed. Try again in a moment."
		return publicError(refused)
	}
	return nil
}
