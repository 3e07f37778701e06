package driverstore

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// ListUploads calls show with each upload, or common prefix, of the page that follows a position. It reads the records
// of all uploads, of which a bucket has only few.
func (s *Store) ListUploads(
	ctx context.Context, bucket string, l state.Listing, pos state.UploadPosition,
	show func(u *state.Upload, common string),
) (hasMore bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	const create = false
	records, err := b.openRecords(ctx, create)
	if err != nil || records == nil {
		return false, err
	}

	// The page sorts the uploads, because their records are in another order.
	page := &state.UploadPage{Listing: l, After: pos}
	for name, err := range records.list(ctx, "uploads/", "") {
		if err != nil {
			return false, storageerror.ToS3(err, bucket)
		}
		u, err := b.uploads.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if s3error.Is(err, "NoSuchUpload") {
			// The upload has ended since it was listed.
			continue
		}
		if err != nil {
			return false, storageerror.ToS3(err, bucket)
		}
		page.Add(u)
	}
	return page.Show(show), nil
}
