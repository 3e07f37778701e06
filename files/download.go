package files

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// Download opens a client file for reading, or a range of it with
// [storage.WithRange]. The caller must close the Reader. If there is no such file,
// Download fails with NotFound. If the options ask for something that the file cannot
// give, it fails with InvalidValue, which wraps RangeNotSatisfiable, NotModified or
// PreconditionFailed.
func (s *Store) Download(ctx context.Context, id string, opts ...storage.DownloadOption) (*storage.Reader, *Record, error) {
	return s.download(ctx, s.client, id, opts)
}

// DownloadTemp opens a temp file for reading, like [Store.Download].
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

// readError converts the error of a download. An error of the caller's options is
// InvalidValue.
func readError(err error) error {
	switch storage.CodeOf(err) {
	case storage.RangeNotSatisfiable, storage.NotModified, storage.PreconditionFailed, storage.InvalidArgument:
		return &uploads.Error{Field: fieldFile, Code: uploads.InvalidValue, Message: "The file cannot be read in this way.", Err: err}
	}
	return fileError(err)
}
