package files

import (
	"context"

	"github.com/omnibucket/storage"
)

// Details is the record of a client file; NotFound where there is none, also for
// a temp file's ID.
func (s *Store) Details(ctx context.Context, id string) (*Record, error) {
	return s.details(ctx, s.client, id)
}

// SetPurpose changes a client file's purpose ("": none) and answers with the
// record as it is then. NotFound where there is no such file; InvalidValue for
// the ID or a purpose that is too long or holds control characters.
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

// ofFile is the error of what is done to one file.
func fileError(err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return notFoundError()
	}
	return toError(err)
}
