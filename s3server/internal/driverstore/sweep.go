package driverstore

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
)

// SweepUploads removes the records that a killed server may have left of uploads that have ended. Uploads in progress
// stay, because their clients may continue them, and so do the records of a bucket that cannot be read.
func (s *Store) SweepUploads(ctx context.Context) {
	// A failure leaves buckets or records for the next sweep.
	var names []string
	for b, err := range s.ListBuckets(ctx, "") {
		if err != nil {
			break
		}
		names = append(names, b.Name)
	}
	for _, name := range names {
		b, _, err := s.bucketOf(ctx, name)
		if err != nil {
			continue
		}
		const create = false
		records, err := b.openRecords(ctx, create)
		if err != nil || records == nil {
			continue
		}
		_ = b.uploads.sweepUploads(ctx, records)
		_ = b.uploads.sweepParts(ctx, records)
	}
}

// sweepUploads removes the records of uploads that the driver no longer has. Such records remain if a server is killed
// between the end of the upload and the removal of its record.
func (m *driverUploads) sweepUploads(ctx context.Context, r *records) error {
	if !m.bucket.has(storage.OpenUploads) {
		return nil
	}
	for name, err := range r.list(ctx, "uploads/", "") {
		if err != nil {
			return err
		}
		u, err := m.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// The upload has ended, or its record cannot be read.
			continue
		}
		record := u.Object.Data.(*uploadRecord)
		if !m.canFind(record) {
			// The upload may still be in progress, so keep its record.
			continue
		}

		// A listing of the parts shows whether the driver still has the upload.
		_, err = m.bucket.driver.ListParts(ctx, &driver.ListPartsRequest{
			Key:    m.bucket.naming().Escape(u.Key),
			Upload: record.Upload,
			Limit:  1,
		})
		if storage.CodeOf(err) == storage.ObjectNotFound {
			if err := m.dropUpload(ctx, u.ID); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepParts removes the records of parts whose uploads have no record, and so have ended. It keeps records that were
// copied from another bucket, and objects that are no records, because this server did not write them here.
func (m *driverUploads) sweepParts(ctx context.Context, r *records) error {
	orphans, err := r.orphans(ctx)
	if err != nil {
		return err
	}

	// The listing has ended, so that removals cannot disturb it.
	return running.Each(ctx, len(orphans), maxPartRecords, func(ctx context.Context, i int) error {
		isOwn, err := r.isOwn(ctx, orphans[i])
		if err != nil {
			return err
		}
		if !isOwn {
			return nil
		}

		// The key of a staged part begins with the key of its record. removeAll removes all objects
		// with this prefix, which are the record and the staged part.
		return r.removeAll(ctx, orphans[i], m.bucket.keepsVersions())
	})
}

// orphans returns the names of the parts whose uploads have no record.
func (r *records) orphans(ctx context.Context) ([]string, error) {
	var orphans []string
	lastID := ""      // the upload of the previous part
	hasEnded := false // true if that upload has no record
	for name, err := range r.list(ctx, "parts/", "") {
		if err != nil {
			return nil, err
		}

		// The parts of an upload follow each other, so look up the upload before its first part.
		id, _, _ := strings.Cut(strings.TrimPrefix(name, "parts/"), "/")
		if id != lastID {
			hasEnded, err = r.isMissing(ctx, uploadName(id))
			if err != nil {
				return nil, err
			}
			lastID = id
		}
		if hasEnded {
			orphans = append(orphans, name)
		}
	}
	return orphans, nil
}

// isMissing reports whether there is no record with this name.
func (r *records) isMissing(ctx context.Context, name string) (bool, error) {
	_, err := r.revision(ctx, name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return true, nil
	}
	return false, err
}
