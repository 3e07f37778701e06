package driverstore

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// SweepUploads removes the records that a killed server has left of uploads that have ended. An
// upload that has not ended stays: its client may continue it. A bucket that cannot be read is left
// to the next start.
func (s *Store) SweepUploads(ctx context.Context) {
	var names []string
	_ = s.ListBuckets(ctx, "", func(b *state.Bucket) bool {
		names = append(names, b.Name)
		return true
	})
	for _, name := range names {
		b, _, err := s.bucketOf(ctx, name)
		if err != nil {
			continue
		}
		if records, err := b.openRecords(ctx, false); err == nil && records != nil {
			_ = b.uploads.sweepUploads(ctx, records)
			_ = b.uploads.sweepParts(ctx, records)
		}
	}
}

// sweepUploads removes the records of uploads that the driver no longer has: the server was
// killed after it had completed or aborted them.
func (m *driverUploads) sweepUploads(ctx context.Context, r *records) error {
	if !m.bucket.has(storage.OpenUploads) {
		return nil
	}
	return r.each(ctx, "uploads/", "", func(name string) (bool, error) {
		u, err := m.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if err != nil {
			return ctx.Err() == nil, nil // the upload has ended, or the record cannot be read
		}
		record := u.Object.Data.(*uploadRecord)
		if record.Staged || !record.AnyOrder && !m.bucket.ownStore() {
			return true, nil // no driver knows the upload, or only the driver that began it
		}
		_, err = m.bucket.driver.ListParts(
			ctx, &driver.ListPartsRequest{Key: m.bucket.naming().Escape(u.Key), Upload: record.Upload, Limit: 1},
		)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			err = m.dropUpload(ctx, u.ID)
		}
		return err == nil, err
	})
}

// sweepParts removes the records of parts whose upload has no record. It leaves all other objects, and the
// records of a bucket that was copied.
func (m *driverUploads) sweepParts(ctx context.Context, r *records) error {
	var orphans []string
	last, ended := "", false // last is the id of an upload
	err := r.each(ctx, "parts/", "", func(name string) (bool, error) {
		if id, _, _ := strings.Cut(strings.TrimPrefix(name, "parts/"), "/"); id != last {
			_, err := r.revision(ctx, uploadName(id))
			last, ended = id, storage.CodeOf(err) == storage.ObjectNotFound
			if err != nil && !ended {
				return false, err
			}
		}
		if ended {
			orphans = append(orphans, name)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return parallel.Each(ctx, len(orphans), maxPartRecords, func(ctx context.Context, i int) error {
		if own, err := r.isOwn(ctx, orphans[i]); err != nil || !own {
			return err
		}
		return r.removeAll(
			ctx, orphans[i], m.bucket.keepsVersions(),
		) // a staged part has the name of its record, and more
	})
}
