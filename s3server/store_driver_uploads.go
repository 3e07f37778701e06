package s3server

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/staleupload"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// An uploadRecord is how an upload is stored, under "uploads/" and its id.
type uploadRecord struct {
	Key        string
	Initiated  time.Time
	Initiator  string
	Upload     string // the driver's name
	AnyOrder   bool   `json:",omitempty"` // storage.PutRequest.AnyOrder
	Properties storage.Properties
	Tags       map[string]string `json:",omitempty"`
	Retention  storage.Retention
	LegalHold  bool `json:",omitempty"`
	Kind       string
	Covers     string
	Asked      bool
}

func uploadName(id string) string { return "uploads/" + id }

func (s *driverStore) beginUpload(ctx context.Context, u *upload) error {
	b, settings, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return err
	}
	if err := b.need(storage.MultipartUploads, "multipart upload"); err != nil {
		return err
	}
	anyOrder := b.uploads.takesOpenUploads()
	if b.has(storage.SequentialParts) && !anyOrder {
		return s3error.New("NotImplemented").WithMessage("The store behind this server takes the parts of an upload only one after the other")
	}
	u.id, u.initiated = rand.Text()+rand.Text(), s.now()
	w := &write{bucket: u.bucket, key: u.key, object: u.object}
	w.object.upload = u.id
	r, err := b.uploads.uploadRequest(ctx, w, settings, s)
	if err != nil {
		return err
	}
	records, err := b.openRecords(ctx, true)
	if err != nil {
		return err
	}
	r.AnyOrder = anyOrder
	name, err := b.driver.BeginParts(ctx, r)
	if err != nil {
		return driverError(err, u.key)
	}
	record := &uploadRecord{
		Key: u.key, Initiated: u.initiated, Initiator: u.initiator, Upload: name, AnyOrder: anyOrder, Properties: r.Properties, Tags: r.Tags, Retention: r.Retention, LegalHold: r.LegalHold,
		Kind: u.kind.Name, Covers: u.covers, Asked: u.asked,
	}
	_, err = records.put(ctx, uploadName(u.id), record, storage.Condition{})
	return driverError(err, u.key)
}

// driverUploads has the open uploads of a bucket.
type driverUploads struct{ bucket *driverBucket }

// takesOpenUploads reports whether uploads are those of storage.BeginUpload. On this machine, all
// uploads take parts in any order, and the records list them.
func (m *driverUploads) takesOpenUploads() bool {
	return m.bucket.has(storage.OpenUploads) && !m.bucket.description().Local
}

// uploadRequest returns the request of a write by parts.
func (m *driverUploads) uploadRequest(ctx context.Context, w *write, settings *bucket, s *driverStore) (*storage.PutRequest, error) {
	r, kept, err := m.bucket.putRequest(ctx, w, settings, s)
	if err != nil {
		return nil, err
	}
	kept.Set(keptUpload, w.object.upload)
	r.Metadata[reservedName] = kept.Encode()
	return r, nil
}

func (s *driverStore) upload(ctx context.Context, bucket, key, id string) (*upload, error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return nil, err
	}
	u, err := b.uploads.upload(ctx, id)
	if err == nil && u.key != key {
		err = noUpload(id)
	}
	return u, err
}

func (m *driverUploads) upload(ctx context.Context, id string) (*upload, error) {
	records, err := m.bucket.openRecords(ctx, false)
	if err != nil {
		return nil, err
	}
	if records == nil || !isVersionText(id) || strings.Contains(id, ".") {
		return nil, noUpload(id)
	}
	record := &uploadRecord{}
	if _, err := records.get(ctx, uploadName(id), record); err != nil {
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil, noUpload(id)
		}
		return nil, driverError(err, id)
	}
	if dropped, err := m.isDropped(ctx, records, id, record); dropped || err != nil {
		return nil, cmp.Or(driverError(err, id), noUpload(id))
	}
	a := &storage.Attrs{Properties: record.Properties, Retention: record.Retention, LegalHold: record.LegalHold}
	v := m.bucket.version(record.Key, a, record.Tags)
	u := &upload{
		bucket: m.bucket.name, key: record.Key, id: id, initiated: record.Initiated, initiator: record.Initiator, object: v.object,
		kind: checksum.ByName(record.Kind), covers: record.Covers, asked: record.Asked,
	}
	u.object.data = record
	return u, nil
}

// isDropped reports whether the driver has discarded the upload, because nobody has sent a part for
// long. It then removes the records. Amazon keeps uploads, and so do stores whose uploads are open.
func (m *driverUploads) isDropped(ctx context.Context, r *records, id string, u *uploadRecord) (bool, error) {
	limit := m.bucket.now().Add(-staleupload.Idle)
	if u.Initiated.After(limit) || u.AnyOrder || m.bucket.description().Provider == "s3" {
		return false, nil
	}
	newest, err := r.newest(ctx, partsPrefix(id))
	if err != nil || newest.After(limit) {
		return false, err
	}
	if err := m.bucket.driver.AbortParts(ctx, m.bucket.naming().Escape(u.Key), u.Upload); err != nil { // a sweep may come later
		return false, err
	}
	return true, m.dropUpload(ctx, id)
}

func (s *driverStore) complete(ctx context.Context, w *write, u *upload, parts []*part) (*version, string, error) {
	b, settings, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return nil, "", err
	}
	defer s.keys.lock("complete " + u.id)()
	if _, err := b.uploads.upload(ctx, u.id); err != nil {
		return nil, "", err // another completion was faster
	}
	if b.uploads.isCompleted(ctx, u) {
		return nil, "", noUpload(u.id)
	}
	w.object.upload = u.id
	r, kept, err := b.putRequest(ctx, w, settings, s)
	if err != nil {
		return nil, "", err
	}
	stored, crc := make([]storage.Part, len(parts)), uint32(0)
	for i, p := range parts {
		stored[i] = *p.data.(*storage.Part)
		crc = crc32c.Join(crc, stored[i].CRC32C.Sum, p.size)
	}
	r.Size, r.CRC32C = w.object.size, storage.KnownCRC32C(crc)
	kept.Set(keptUpload, u.id)
	if b.has(storage.LateMetadata) {
		b.keepContent(kept, &w.object, r.CRC32C)
	}
	r.Metadata[reservedName] = kept.Encode()
	record := u.object.data.(*uploadRecord)
	r.AnyOrder = record.AnyOrder
	attrs, err := b.driver.CompleteParts(ctx, &storage.CompleteRequest{Put: r, Upload: record.Upload, Parts: stored})
	if err != nil && (b.uploads.isCompleted(ctx, u) || b.uploads.isLost(ctx, u)) {
		return nil, "", noUpload(u.id) // another server was faster, or another program has removed it
	}
	switch storage.CodeOf(err) {
	case storage.InvalidArgument, storage.Changed:
		return nil, "", s3error.New("InvalidPart", "UploadId", u.id) // it was replaced meanwhile
	}
	if err != nil {
		return nil, "", lost(driverError(err, w.key), w.condition)
	}
	b.uploads.dropUpload(ctx, u.id) // if this fails, the upload is listed until it is aborted
	v, shown := b.written(ctx, w, settings, attrs, s)
	return v, shown, nil
}

// isLost reports whether the store has an upload no more, because another program has removed it.
// It then removes the records.
func (m *driverUploads) isLost(ctx context.Context, u *upload) bool {
	record := u.object.data.(*uploadRecord)
	if !record.AnyOrder {
		return false
	}
	_, err := m.bucket.driver.ListParts(ctx, &storage.ListPartsRequest{Key: m.bucket.naming().Escape(u.key), Upload: record.Upload, Limit: 1})
	return storage.CodeOf(err) == storage.ObjectNotFound && m.dropUpload(ctx, u.id) == nil
}

// isCompleted reports whether the upload made the current object of its key, and was interrupted
// before it was removed. It removes the upload.
func (m *driverUploads) isCompleted(ctx context.Context, u *upload) bool {
	v, err := m.bucket.find(ctx, u.key, "")
	if err != nil || v == nil {
		return false
	}
	defer held(v).close()
	if v.object.upload != u.id {
		return false
	}
	return m.bucket.driver.AbortParts(ctx, m.bucket.naming().Escape(u.key), u.object.data.(*uploadRecord).Upload) == nil && m.dropUpload(ctx, u.id) == nil
}

// dropUpload removes the records of an upload.
func (m *driverUploads) dropUpload(ctx context.Context, id string) error {
	records, err := m.bucket.openRecords(ctx, false)
	if err != nil || records == nil {
		return err
	}
	if err := records.removeAll(ctx, uploadName(id), m.bucket.keepsVersions()); err != nil { // ids have one length
		return err
	}
	return records.removeAll(ctx, partsPrefix(id), m.bucket.keepsVersions())
}

// abort waits for a completion in progress: after that, there is no such upload.
func (s *driverStore) abort(ctx context.Context, u *upload) error {
	b, _, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return err
	}
	defer s.keys.lock("complete " + u.id)()
	if _, err := b.uploads.upload(ctx, u.id); err != nil {
		return err
	}
	if err := b.driver.AbortParts(ctx, b.naming().Escape(u.key), u.object.data.(*uploadRecord).Upload); err != nil {
		return driverError(err, u.key)
	}
	return driverError(b.uploads.dropUpload(ctx, u.id), u.key)
}

// abortUploads ends all uploads of a bucket that is removed, also those that have no record.
func (m *driverUploads) abortUploads(ctx context.Context) error {
	if !m.bucket.has(storage.ListedUploads) {
		return nil
	}
	r := &storage.ListUploadsRequest{Limit: pageLimit}
	for {
		page, err := m.bucket.driver.ListUploads(ctx, r)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if err := m.bucket.driver.AbortParts(ctx, u.Key, u.Upload); err != nil {
				return err
			}
		}
		if r.Token = page.Token; r.Token == "" {
			return nil
		}
	}
}
