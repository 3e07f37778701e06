package files

import (
	"context"

	"github.com/omnibucket/storage"
)

// Download opens a client file for reading, a range of it with
// storage.WithRange; the Reader is for the caller to close. NotFound where there
// is none; InvalidValue where the options ask for what the file cannot give:
// storage.RangeNotSatisfiable, NotModified or PreconditionFailed is beneath.
func (s *Store) Download(ctx context.Context, id string, opts ...storage.DownloadOption) (*storage.Reader, *Record, error) {
	return s.download(ctx, s.client, id, opts)
}

// DownloadTemp opens a temp file for reading, as Download does.
func (s *Store) DownloadTemp(ctx context.Context, id string, opts ...storage.DownloadOption) (*storage.Reader, *Record, error) {
	return s.download(ctx, s.temp, id, opts)
}

func (s *Store) download(ctx context.Context, k kind, id string, opts []storage.DownloadOption) (*storage.Reader, *Record, error) {
	record, err := s.details(ctx, k, id)
	if err != nil {
		return nil, nil, err
	}
	reader, err := s.bucket.Download(ctx, k.key(record), opts...)
	if err != nil {
		return nil, nil, readError(err)
	}
	return reader, record, nil
}

// ofReading keeps apart what the caller's options ask for and the file cannot
// give.
func readError(err error) error {
	switch storage.CodeOf(err) {
	case storage.RangeNotSatisfiable, storage.NotModified, storage.PreconditionFailed, storage.InvalidArgument:
		return &Error{Field: fieldFile, Code: InvalidValue, Message: "This cannot be read of the file.", Err: err}
	}
	return fileError(err)
}
