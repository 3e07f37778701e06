package files

import (
	"context"

	"github.com/omnibucket/storage"
)

// Details returns the record of a client file. If there is none, or it is a temp
// file, it fails with NotFound.
func (s *Store) Details(ctx context.Context, id string) (*Record, error) {
	return s.details(ctx, s.client, id)
}

// SetPurpose changes a client file's purpose ("": none) and returns the new record.
// If there is no such file, it fails with NotFound. If the ID is malformed, or the
// purpose is too long or has control characters, it fails with InvalidValue.
func (s *Store) SetPurpose(ctx context.Context, id, purpose string) (*Record, error) {
	if err := validateID(id); err != nil {
		return nil, err
	}
	if err := validateLabel(fieldPurpose, purpose); err != nil {
		return nil, err
	}
	r, err := s.client.records.SetPurpose(ctx, id, purpose)
	return r, fileError(err)
}

func (s *Store) details(ctx context.Context, k kind, id string) (*Record, error) {
	if err := validateID(id); err != nil {
		return nil, err
	}
	r, err := k.records.Record(ctx, id)
	return r, fileError(err)
}

// fileError converts the error of an operation on one file.
func fileError(err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return notFoundError()
	}
	return toError(err)
}
