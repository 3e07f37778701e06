package driverstore

import (
	"context"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// An uploadRecord is the stored record of an upload. The record's name is "uploads/" and the id of
// the upload.
type uploadRecord struct {
	FullName     string `json:"Place"` // "" in the first stored form
	Key          string
	Initiated    time.Time
	Initiator    string
	Upload       string // the driver's id of the upload
	AnyOrder     bool   `json:",omitempty"` // driver.PutRequest.AnyOrder
	Staged       bool   `json:",omitempty"` // true if the parts are private objects until Complete
	Properties   storage.Properties
	Tags         map[string]string `json:",omitempty"`
	Retention    storage.Retention
	LegalHold    bool `json:",omitempty"`
	Kind         string
	Covers       string
	HasAlgorithm bool      `json:"Asked"`
	Decision     *decision `json:",omitempty"` // only for staged parts
}

// uploadName returns the name of the record of an upload.
func uploadName(id string) string { return "uploads/" + id }

// BeginUpload begins a multipart upload and stores its record. The upload begins in the driver, too, unless the server
// stages the parts itself.
func (s *Store) BeginUpload(ctx context.Context, u *state.Upload) error {
	b, settings, err := s.bucketOf(ctx, u.Bucket)
	if err != nil {
		return err
	}
	if err := b.requireFeature(storage.MultipartUploads, "multipart upload"); err != nil {
		return err
	}

	isStaged := b.uploads.stages()
	anyOrder := !isStaged && b.usesAnyOrder()
	needsOrder := !isStaged && !anyOrder && b.has(driver.SequentialParts)
	if needsOrder {
		return s3error.New("NotImplemented").
			WithMessage("The store behind this server takes the parts of an upload only one after the other")
	}

	// The object's properties are those of the request that begins the upload.
	u.Begin(s.Now())
	w := &state.Write{Bucket: u.Bucket, Key: u.Key, Object: u.Object}
	w.Object.Upload = u.ID
	r, values, err := b.putRequest(ctx, w, settings)
	if err != nil {
		return err
	}
	r.Metadata[reservedName] = values.Encode()
	r.AnyOrder = anyOrder

	// The record must be possible before the driver begins the upload.
	const create = true
	records, err := b.openRecords(ctx, create)
	if err != nil {
		return err
	}
	driverID, err := b.uploads.begin(ctx, r, isStaged)
	if err != nil {
		return storageerror.ToS3(err, u.Key)
	}

	record := newUploadRecord(u, r)
	record.FullName = records.fullName(uploadName(u.ID))
	record.Upload = driverID
	record.AnyOrder = anyOrder
	record.Staged = isStaged
	_, err = records.put(ctx, uploadName(u.ID), record, storage.Condition{})
	return storageerror.ToS3(err, u.Key)
}

// usesAnyOrder reports whether uploads begin with AnyOrder, so that the driver accepts parts in any order and can list
// them. This library's own stores do not need it, because they accept any order anyway, and the server's records list
// the parts.
func (b *driverBucket) usesAnyOrder() bool { return b.has(storage.OpenUploads) && !b.ownStore() }

// newUploadRecord returns the record of an upload. r is the request with which the upload begins in the driver.
func newUploadRecord(u *state.Upload, r *driver.PutRequest) *uploadRecord {
	return &uploadRecord{
		Key:          u.Key,
		Initiated:    u.Initiated,
		Initiator:    u.Initiator,
		Properties:   r.Properties,
		Tags:         r.Tags,
		Retention:    r.Retention,
		LegalHold:    r.LegalHold,
		Kind:         u.Kind.Name,
		Covers:       u.Covers,
		HasAlgorithm: u.HasAlgorithm,
	}
}

// begin begins an upload in the driver, and returns the driver's id of it. For an upload whose parts the server stages
// itself, begin only checks that the driver accepts the properties, and returns "".
func (m *driverUploads) begin(ctx context.Context, r *driver.PutRequest, isStaged bool) (id string, err error) {
	id, err = m.bucket.driver.BeginParts(ctx, r)
	if err != nil {
		return "", err
	}
	if isStaged {
		return "", m.bucket.driver.AbortParts(ctx, r.Key, id)
	}
	return id, nil
}

// driverUploads manages the multipart uploads of a bucket.
type driverUploads struct{ bucket *driverBucket }

// Upload returns an upload, or fails with NoSuchUpload if it does not exist or has another key.
func (s *Store) Upload(ctx context.Context, bucket, key, id string) (*state.Upload, error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return nil, err
	}
	u, err := b.uploads.upload(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.Key != key {
		return nil, state.NoUpload(id)
	}
	return u, nil
}

// upload returns an upload from its record. It fails with NoSuchUpload if there is no record, or one that was copied
// from another bucket, or if the upload has expired.
func (m *driverUploads) upload(ctx context.Context, id string) (*state.Upload, error) {
	const create = false
	records, err := m.bucket.openRecords(ctx, create)
	if err != nil {
		return nil, err
	}

	// An id that this server cannot have made must not become a part of a record's name.
	isID := state.IsVersionText(id) && !strings.Contains(id, ".")
	if records == nil || !isID {
		return nil, state.NoUpload(id)
	}

	record := &uploadRecord{}
	_, err = records.get(ctx, uploadName(id), record)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, state.NoUpload(id)
	}
	if err != nil {
		return nil, storageerror.ToS3(err, id)
	}

	// A copied bucket has the records of another bucket's uploads, too.
	isOwn, err := m.owns(ctx, records, id, record)
	if err != nil {
		return nil, storageerror.ToS3(err, id)
	}
	if !isOwn {
		return nil, state.NoUpload(id)
	}

	isDropped, err := m.dropIfExpired(ctx, records, id, record)
	if err != nil {
		return nil, storageerror.ToS3(err, id)
	}
	if isDropped {
		return nil, state.NoUpload(id)
	}

	return m.uploadOf(id, record), nil
}

// uploadOf returns the upload that a record describes. Its object has the properties that the later object will have.
func (m *driverUploads) uploadOf(id string, record *uploadRecord) *state.Upload {
	attrs := &storage.Attrs{
		Properties: record.Properties,
		Retention:  record.Retention,
		LegalHold:  record.LegalHold,
	}
	u := &state.Upload{
		Bucket:       m.bucket.name,
		Key:          record.Key,
		ID:           id,
		Initiated:    record.Initiated,
		Initiator:    record.Initiator,
		Object:       m.bucket.version(record.Key, attrs, record.Tags).Object,
		Kind:         checksum.ByName(record.Kind),
		Covers:       record.Covers,
		HasAlgorithm: record.HasAlgorithm,
	}
	u.Object.Data = record
	return u
}

// owns reports whether the record of an upload was written for this bucket, and not copied from another one.
func (m *driverUploads) owns(ctx context.Context, r *records, id string, u *uploadRecord) (bool, error) {
	if u.FullName != "" {
		return u.FullName == r.fullName(uploadName(id)), nil
	}

	// Older servers wrote records without a full name. No program copies private objects to another bucket.
	if r.arePrivate() {
		return true, nil
	}

	// Only the bucket in which the upload began has the upload itself.
	if !m.canFind(u) {
		return false, nil
	}
	_, err := m.bucket.driver.ListParts(ctx, &driver.ListPartsRequest{
		Key:    m.bucket.naming().Escape(u.Key),
		Upload: u.Upload,
		Limit:  1,
	})
	return err == nil, ignoreCode(err, storage.ObjectNotFound)
}

// canFind reports whether ListParts of the driver finds an upload that is in progress. If the parts are
// staged, they are objects of this server, and the driver has no upload. In other stores than this
// library's own, ListParts finds only uploads with AnyOrder.
func (m *driverUploads) canFind(u *uploadRecord) bool {
	return !u.Staged && (u.AnyOrder || m.bucket.ownStore())
}

// dropIfExpired aborts an upload and removes its records if no part was sent for a long time, and reports whether it
// has done so. Uploads of Amazon S3, staged ones and those with AnyOrder never expire.
func (m *driverUploads) dropIfExpired(ctx context.Context, r *records, id string, u *uploadRecord) (bool, error) {
	// An upload to which nothing was sent after this time is idle.
	limit := m.bucket.store.Now().Add(-lifetime.IdleUpload)
	neverExpires := u.AnyOrder || u.Staged || m.bucket.description().Provider == "s3"
	if neverExpires || u.Initiated.After(limit) {
		return false, nil
	}

	// The listing of the parts' records may be stale, so isIdle looks at the driver's parts, too.
	newest, err := r.latest(ctx, partsPrefix(id))
	if err != nil {
		return false, err
	}
	if newest.After(limit) {
		return false, nil
	}
	isIdle, err := m.isIdle(ctx, r, id, u, limit)
	if err != nil || !isIdle {
		return false, err
	}

	// If this fails, the records stay, and a sweep can remove them later.
	if err := m.bucket.driver.AbortParts(ctx, m.bucket.naming().Escape(u.Key), u.Upload); err != nil {
		return false, err
	}
	return true, m.dropUpload(ctx, id)
}

// isIdle reports whether no part of an upload was sent after limit. A part's record is written when the part is sent.
// isIdle looks up the record of each part that the driver lists, because a listing of the records may be stale.
func (m *driverUploads) isIdle(
	ctx context.Context, r *records, id string, u *uploadRecord, limit time.Time,
) (bool, error) {
	if !m.bucket.has(storage.OpenUploads) {
		// The driver lists no parts, and the caller has looked at the records.
		return true, nil
	}

	request := &driver.ListPartsRequest{Key: m.bucket.naming().Escape(u.Key), Upload: u.Upload, Limit: pageLimit}
	for {
		page, err := m.bucket.driver.ListParts(ctx, request)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// The driver no longer has the upload.
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for _, p := range page.Parts {
			request.After = p.Number
			wasSentLater, err := r.isModifiedAfter(ctx, partRecordName(id, p.Number), limit)
			if err != nil {
				return false, err
			}
			if wasSentLater {
				return false, nil
			}
		}

		if !page.More {
			return true, nil
		}
	}
}

// Complete makes the object of an upload from its parts. It returns the object's version, and the id
// that the response shows.
func (s *Store) Complete(
	ctx context.Context, w *state.Write, u *state.Upload, parts []*state.Part,
) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, u.Bucket)
	if err != nil {
		return nil, "", err
	}
	unlock, err := s.lock(ctx, "complete "+u.ID)
	if err != nil {
		return nil, "", err
	}
	defer unlock()

	if err := b.uploads.checkOpen(ctx, u); err != nil {
		return nil, "", err
	}

	w.Object.Upload = u.ID
	r, values, err := b.putRequest(ctx, w, settings)
	if err != nil {
		return nil, "", err
	}
	sources, crc := driverParts(parts)
	r.Size = w.Object.Size
	r.CRC32C = storage.CRC32C{Sum: crc, Known: true}
	if b.has(driver.LateMetadata) {
		b.addContent(values, &w.Object, r.CRC32C)
	}
	r.Metadata[reservedName] = values.Encode()

	attrs, completeErr := b.uploads.complete(ctx, u, r, sources)
	if completeErr != nil {
		// The driver may have written the object nevertheless.
		attrs, err = b.uploads.resolveFailure(ctx, w, u, completeErr)
		if err != nil {
			return nil, "", err
		}
	}
	b.uploads.removeUpload(ctx, u)
	v, versionID := b.writtenVersion(ctx, w, settings, attrs)
	return v, versionID, nil
}

// isModifiedAfter reports whether a record was written after a time. A missing record was not.
func (r *records) isModifiedAfter(ctx context.Context, name string, t time.Time) (bool, error) {
	attrs, err := r.driver.Head(ctx, &driver.GetRequest{Key: r.prefix + name, Length: -1})
	if err != nil {
		return false, ignoreCode(err, storage.ObjectNotFound)
	}
	return attrs.Modified.After(t), nil
}

// checkOpen fails with NoSuchUpload if the upload has ended, because another completion was faster.
func (m *driverUploads) checkOpen(ctx context.Context, u *state.Upload) error {
	if _, err := m.upload(ctx, u.ID); err != nil {
		return err
	}
	written, err := m.recoverObject(ctx, u)
	if err != nil {
		return err
	}
	if written != nil {
		return state.NoUpload(u.ID)
	}
	return nil
}

// driverParts returns the driver's own data about the parts, and the CRC32C of the object that consists of them.
func driverParts(parts []*state.Part) (sources []driver.Part, crc uint32) {
	sources = make([]driver.Part, len(parts))
	for i, part := range parts {
		sources[i] = *part.Data.(*driver.Part)
		crc = crc32c.Join(crc, sources[i].CRC32C.Sum, part.Size)
	}
	return sources, crc
}

// resolveFailure decides what a completion that has failed with cause means for the client. It returns the object if
// the completion has written it nevertheless, and otherwise the error for the client.
func (m *driverUploads) resolveFailure(
	ctx context.Context, w *state.Write, u *state.Upload, cause error,
) (*storage.Attrs, error) {
	// If the current object cannot be read, the upload counts as not complete.
	current, _ := m.recoverObject(ctx, u)
	if current != nil && mayBeWritten(cause) {
		// Only the response of the driver was lost.
		return current, nil
	}
	if current != nil || m.dropIfLost(ctx, u) {
		// Another server has completed the upload, or another program has removed the upload.
		return nil, state.NoUpload(u.ID)
	}

	switch storage.CodeOf(cause) {
	case storage.InvalidArgument, storage.ObjectNotFound, storage.Changed:
		// A part was replaced in the meantime.
		return nil, s3error.New("InvalidPart", "UploadId", u.ID)
	}
	return nil, conditionError(storageerror.ToS3(cause, w.Key), w.Condition)
}

// dropIfLost removes the records of an upload if another program has removed it from the driver, and reports whether
// so. Without AnyOrder, this cannot be found out, and dropIfLost returns false.
func (m *driverUploads) dropIfLost(ctx context.Context, u *state.Upload) bool {
	record := u.Object.Data.(*uploadRecord)
	if !record.AnyOrder {
		return false
	}
	_, err := m.bucket.driver.ListParts(ctx, &driver.ListPartsRequest{
		Key:    m.bucket.naming().Escape(u.Key),
		Upload: record.Upload,
		Limit:  1,
	})
	return storage.CodeOf(err) == storage.ObjectNotFound && m.dropUpload(ctx, u.ID) == nil
}

// recoverObject returns the current object of the key if the upload has written it, or else nil. It then also removes
// the upload, which has remained because the server was interrupted after it had written the object.
func (m *driverUploads) recoverObject(ctx context.Context, u *state.Upload) (*storage.Attrs, error) {
	v, err := m.bucket.find(ctx, u.Key, "")
	if err != nil || v == nil {
		return nil, err
	}
	defer handleOf(v).close()
	if v.Object.Upload != u.ID {
		return nil, nil
	}

	// The records remain if the upload itself cannot be removed, so that a later call tries again.
	err = m.abort(ctx, u)
	if err == nil {
		m.removeUpload(ctx, u)
	}
	return handleOf(v).attrs, nil
}

// dropUpload removes the records of an upload and of its parts.
func (m *driverUploads) dropUpload(ctx context.Context, id string) error {
	const create = false
	records, err := m.bucket.openRecords(ctx, create)
	if err != nil || records == nil {
		return err // the bucket has no records if there is no error
	}

	// This removes no other upload, because no id is the beginning of another id.
	if err := records.removeAll(ctx, uploadName(id), m.bucket.keepsVersions()); err != nil {
		return err
	}
	return records.removeAll(ctx, partsPrefix(id), m.bucket.keepsVersions())
}

// Abort aborts an upload, after it has waited for a completion in progress. If the completion succeeds, Abort fails
// with NoSuchUpload.
func (s *Store) Abort(ctx context.Context, u *state.Upload) error {
	b, _, err := s.bucketOf(ctx, u.Bucket)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx, "complete "+u.ID)
	if err != nil {
		return err
	}
	defer unlock()

	if _, err := b.uploads.upload(ctx, u.ID); err != nil {
		return err
	}
	if err := b.uploads.abort(ctx, u); err != nil {
		return storageerror.ToS3(err, u.Key)
	}
	return storageerror.ToS3(b.uploads.dropUpload(ctx, u.ID), u.Key)
}

// abortUploads aborts all uploads that the driver lists, even those without a record, before the bucket is removed.
func (m *driverUploads) abortUploads(ctx context.Context) error {
	if !m.bucket.has(storage.ListedUploads) {
		return nil
	}
	r := &driver.ListUploadsRequest{Limit: pageLimit}
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
		r.Token = page.Token
		if r.Token == "" {
			return nil
		}
	}
}
