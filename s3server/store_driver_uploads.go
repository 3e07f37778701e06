package s3server

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/staleupload"
)

// An uploadRecord is how an upload is stored, under "uploads/" and its id.
type uploadRecord struct {
	Key        string
	Initiated  time.Time
	Initiator  string
	Upload     string // the driver's name
	Properties storage.Properties
	Tags       map[string]string `json:",omitempty"`
	Retention  storage.Retention
	LegalHold  bool `json:",omitempty"`
	Kind       string
	Covers     string
	Asked      bool
}

// A partRecord is how a part is stored, under "parts/", the id of the upload, and the number.
type partRecord struct {
	Number    int
	ETag      string
	Size      int64
	Kind, Sum string
	Modified  time.Time
	Stored    storage.Part // for the driver
}

func uploadName(id string) string { return "uploads/" + id }

func partsPrefix(id string) string { return "parts/" + id + "/" }

func partRecordName(id string, number int) string {
	return fmt.Sprintf("%s%05d", partsPrefix(id), number)
}

func (s *driverStore) beginUpload(ctx context.Context, u *upload) error {
	b, settings, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return err
	}
	if err := b.need(storage.MultipartUploads, "multipart upload"); err != nil {
		return err
	}
	if b.has(storage.SequentialParts) {
		return newError("NotImplemented").withMessage("The store behind this server takes the parts of an upload only one after the other")
	}
	u.id, u.initiated = rand.Text()+rand.Text(), s.now()
	w := &write{bucket: u.bucket, key: u.key, object: u.object}
	w.object.upload = u.id
	r, err := b.uploadRequest(ctx, w, settings, s)
	if err != nil {
		return err
	}
	records, err := b.openRecords(ctx, true)
	if err != nil {
		return err
	}
	name, err := b.driver.BeginParts(ctx, r)
	if err != nil {
		return driverError(err, u.key)
	}
	record := &uploadRecord{
		Key: u.key, Initiated: u.initiated, Initiator: u.initiator, Upload: name, Properties: r.Properties, Tags: r.Tags, Retention: r.Retention, LegalHold: r.LegalHold,
		Kind: u.kind.name, Covers: u.covers, Asked: u.asked,
	}
	_, err = records.put(ctx, uploadName(u.id), record, storage.Condition{})
	return driverError(err, u.key)
}

// uploadRequest returns the request of a write by parts.
func (b *driverBucket) uploadRequest(ctx context.Context, w *write, settings *bucket, s *driverStore) (*storage.PutRequest, error) {
	r, kept, err := b.putRequest(ctx, w, settings, s)
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
	u, err := b.upload(ctx, id)
	if err == nil && u.key != key {
		err = noUpload(id)
	}
	return u, err
}

func (b *driverBucket) upload(ctx context.Context, id string) (*upload, error) {
	records, err := b.openRecords(ctx, false)
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
	if dropped, err := b.isDropped(ctx, records, id, record); dropped || err != nil {
		return nil, cmp.Or(driverError(err, id), noUpload(id))
	}
	a := &storage.Attrs{Properties: record.Properties, Retention: record.Retention, LegalHold: record.LegalHold}
	v := b.version(record.Key, a, record.Tags)
	u := &upload{
		bucket: b.name, key: record.Key, id: id, initiated: record.Initiated, initiator: record.Initiator, object: v.object,
		kind: kindByName(record.Kind), covers: record.Covers, asked: record.Asked,
	}
	u.data = record
	return u, nil
}

// isDropped reports whether the driver has discarded the upload, because nobody has sent a part for
// long. It then removes the records. Amazon keeps uploads.
func (b *driverBucket) isDropped(ctx context.Context, r *records, id string, u *uploadRecord) (bool, error) {
	limit := b.now().Add(-staleupload.Idle)
	if u.Initiated.After(limit) || b.description().Provider == "s3" {
		return false, nil
	}
	newest, err := r.newest(ctx, partsPrefix(id))
	if err != nil || newest.After(limit) {
		return false, err
	}
	if err := b.driver.AbortParts(ctx, escapeKey(u.Key), u.Upload); err != nil { // a sweep may come later
		return false, err
	}
	return true, b.dropUpload(ctx, id)
}

func (s *driverStore) putPart(ctx context.Context, u *upload, number int, body *body) (*part, error) {
	return s.writePart(ctx, u, number, body, body.size, body.digest)
}

func (s *driverStore) copyPart(ctx context.Context, u *upload, number int, from *version, offset, length int64) (*part, error) {
	source, err := held(from).open(ctx, offset, length)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	d := newDigest(u.kind, false)
	return s.writePart(ctx, u, number, io.TeeReader(source, d), length, d)
}

// writePart stores a part and its record.
func (s *driverStore) writePart(ctx context.Context, u *upload, number int, from io.Reader, size int64, d *digest) (*part, error) {
	b, _, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return nil, err
	}
	records, err := b.openRecords(ctx, true)
	if err != nil {
		return nil, err
	}
	name := partRecordName(u.id, number)
	defer s.keys.lock(name)() // so that the record is that of the part
	r := &storage.PartRequest{Key: escapeKey(u.key), Upload: u.data.(*uploadRecord).Upload, Number: number, Size: size}
	stored, err := b.putPart(ctx, r, from)
	if storage.CodeOf(err) == storage.InvalidArgument {
		return nil, noUpload(u.id)
	}
	if err != nil {
		return nil, driverError(err, u.key)
	}
	p := newPart(u, number, d, s.now())
	if !b.keepsETags() {
		p.etag = b.etagOf(stored.Tag, stored.Tag)
	}
	p.data = &stored
	record := &partRecord{Number: number, ETag: p.etag, Size: p.size, Sum: p.sum.value, Modified: p.modified, Stored: stored}
	if p.sum.kind != nil {
		record.Kind = p.sum.kind.name
	}
	if _, err := b.upload(ctx, u.id); err != nil {
		return nil, err // it has ended meanwhile
	}
	_, err = records.put(ctx, name, record, storage.Condition{})
	return p, driverError(err, u.key)
}

func (b *driverBucket) putPart(ctx context.Context, r *storage.PartRequest, from io.Reader) (storage.Part, error) {
	if b.has(storage.StreamingPut | storage.LateMetadata) {
		r.Body = newSummedBody(from, func(crc storage.CRC32C) error {
			r.CRC32C = crc
			return nil
		})
		return b.driver.PutPart(ctx, r)
	}
	file, err := spool(from)
	if err != nil {
		return storage.Part{}, err
	}
	defer file.close()
	r.Body, r.Size, r.CRC32C = file.File, file.size, file.crc
	return b.driver.PutPart(ctx, r)
}

func (s *driverStore) parts(ctx context.Context, u *upload, after, most int) (parts []*part, more bool, err error) {
	b, _, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return nil, false, err
	}
	records, err := b.openRecords(ctx, false)
	if err != nil || records == nil {
		return nil, false, err
	}
	err = records.each(ctx, partsPrefix(u.id), partRecordName(u.id, after), func(name string) (bool, error) {
		if more = len(parts) == most; more {
			return false, nil
		}
		record := &partRecord{}
		if _, err := records.get(ctx, name, record); err != nil {
			return true, unless(err, storage.ObjectNotFound)
		}
		p := &part{number: record.Number, etag: record.ETag, size: record.Size, modified: record.Modified, data: &record.Stored}
		if kind := kindByName(record.Kind); kind != nil {
			p.sum = checksum{kind, record.Sum, fullObject}
		}
		parts = append(parts, p)
		return true, nil
	})
	if err == nil {
		_, err = b.upload(ctx, u.id) // else parts may be missing, because it has ended meanwhile
	}
	return parts, more, driverError(err, u.key)
}

// unless returns err, or nil if it has the code.
func unless(err error, code storage.Code) error {
	if storage.CodeOf(err) == code {
		return nil
	}
	return err
}

func (s *driverStore) complete(ctx context.Context, w *write, u *upload, parts []*part) (*version, string, error) {
	b, settings, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return nil, "", err
	}
	defer s.keys.lock("complete " + u.id)()
	if _, err := b.upload(ctx, u.id); err != nil {
		return nil, "", err // another completion was faster
	}
	if b.isCompleted(ctx, u) {
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
	record := u.data.(*uploadRecord)
	attrs, err := b.driver.CompleteParts(ctx, &storage.CompleteRequest{Put: r, Upload: record.Upload, Parts: stored})
	if storage.CodeOf(err) == storage.InvalidArgument {
		return nil, "", newError("InvalidPart", "UploadId", u.id)
	}
	if err != nil {
		return nil, "", lost(driverError(err, w.key), w.condition)
	}
	b.dropUpload(ctx, u.id) // if this fails, the upload is listed until it is aborted
	v, shown := b.written(ctx, w, settings, attrs, s)
	return v, shown, nil
}

// isCompleted reports whether the upload made the current object of its key, and was interrupted
// before it was removed. It removes the upload.
func (b *driverBucket) isCompleted(ctx context.Context, u *upload) bool {
	v, err := b.find(ctx, u.key, "")
	if err != nil || v == nil {
		return false
	}
	defer held(v).close()
	if v.upload != u.id {
		return false
	}
	return b.driver.AbortParts(ctx, escapeKey(u.key), u.data.(*uploadRecord).Upload) == nil && b.dropUpload(ctx, u.id) == nil
}

// dropUpload removes the records of an upload.
func (b *driverBucket) dropUpload(ctx context.Context, id string) error {
	records, err := b.openRecords(ctx, false)
	if err != nil || records == nil {
		return err
	}
	if err := records.removeAll(ctx, uploadName(id), b.keepsVersions()); err != nil { // ids have one length
		return err
	}
	return records.removeAll(ctx, partsPrefix(id), b.keepsVersions())
}

func (s *driverStore) abort(ctx context.Context, u *upload) error {
	b, _, err := s.bucketOf(ctx, u.bucket)
	if err != nil {
		return err
	}
	if err := b.driver.AbortParts(ctx, escapeKey(u.key), u.data.(*uploadRecord).Upload); err != nil {
		return driverError(err, u.key)
	}
	return driverError(b.dropUpload(ctx, u.id), u.key)
}

// listUploads reads the records of all uploads, of which there are few, and keeps one page of them.
func (s *driverStore) listUploads(ctx context.Context, bucket string, l listing, after uploadPosition, show func(u *upload, common string)) (more bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	records, err := b.openRecords(ctx, false)
	if err != nil || records == nil {
		return false, err
	}
	page := &uploadPage{most: l.max + 1}
	var marker *upload
	if after.id != "" {
		if marker, err = b.upload(ctx, after.id); asErrorCode(err, "NoSuchUpload") {
			err = nil
		}
	}
	if err != nil {
		return false, err
	}
	err = records.each(ctx, "uploads/", "", func(name string) (bool, error) {
		u, err := b.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if err != nil {
			if asErrorCode(err, "NoSuchUpload") {
				err = nil
			}
			return true, err
		}
		common, rolled := l.commonPrefix(u.key)
		later := u.key > after.key || marker != nil && u.key == after.key && compareUploads(u, marker) > 0
		if strings.HasPrefix(u.key, l.prefix) && later && !(rolled && common == after.key) {
			page.add(u, common)
		}
		return true, nil
	})
	if err != nil {
		return false, driverError(err, bucket)
	}
	for i, item := range page.items {
		if i == l.max {
			return true, nil
		}
		if item.common != "" {
			show(nil, item.common)
		} else {
			show(item.upload, "")
		}
	}
	return false, nil
}

func compareUploads(a, b *upload) int {
	return cmp.Or(strings.Compare(a.key, b.key), a.initiated.Compare(b.initiated), strings.Compare(a.id, b.id))
}

// An uploadPage keeps the first of the uploads and common prefixes that are added.
type uploadPage struct {
	most  int
	items []uploadItem
}

type uploadItem struct {
	upload *upload
	common string // not "": the item is this prefix
}

func (p *uploadPage) add(u *upload, common string) {
	item := uploadItem{u, common}
	i, found := slices.BinarySearchFunc(p.items, item, compareItems)
	if found {
		return
	}
	p.items = slices.Insert(p.items, i, item)
	p.items = p.items[:min(len(p.items), p.most)]
}

func compareItems(a, b uploadItem) int {
	if a.common != "" || b.common != "" {
		return cmp.Or(strings.Compare(cmp.Or(a.common, a.upload.key), cmp.Or(b.common, b.upload.key)))
	}
	return compareUploads(a.upload, b.upload)
}
