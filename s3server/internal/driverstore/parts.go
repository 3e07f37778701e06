package driverstore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// A partRecord is the stored record of a part of an upload. The record's name is "parts/", the id
// of the upload, and the number of the part.
type partRecord struct {
	FullName  string `json:"Place"` // "" in the first stored form
	Number    int
	ETag      string
	Size      int64
	Kind, Sum string
	Modified  time.Time
	Stored    driver.Part // the driver's own data about the part
}

func partsPrefix(id string) string { return "parts/" + id + "/" }

func partRecordName(id string, number int) string {
	return fmt.Sprintf("%s%05d", partsPrefix(id), number)
}

func (s *Store) PutPart(ctx context.Context, u *state.Upload, number int, body *state.Body) (*state.Part, error) {
	return s.writePart(ctx, u, number, body, body.Size, body.Digest)
}

// CopyPart stores a range of a version as a part of an upload. The range begins at offset and has length bytes.
func (s *Store) CopyPart(
	ctx context.Context, u *state.Upload, number int, src *state.Version, offset, length int64,
) (*state.Part, error) {
	source, err := handleOf(src).open(ctx, offset, length)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	const needsSHA256 = false
	digest := checksum.NewDigest(u.Kind, needsSHA256)
	return s.writePart(ctx, u, number, io.TeeReader(source, digest), length, digest)
}

// writePart stores a part and its record. size is the number of bytes of src.
func (s *Store) writePart(
	ctx context.Context, u *state.Upload, number int, src io.Reader, size int64, d *checksum.Digest,
) (*state.Part, error) {
	b, _, err := s.bucketOf(ctx, u.Bucket)
	if err != nil {
		return nil, err
	}
	const create = true
	records, err := b.openRecords(ctx, create)
	if err != nil {
		return nil, err
	}

	// The record is locked, so that it always describes the stored part.
	name := partRecordName(u.ID, number)
	unlock, err := s.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()

	stored, err := b.uploads.storePart(ctx, u, number, src, size)
	if err != nil {
		return nil, b.uploads.partError(ctx, u, err)
	}

	// The driver has stored the bytes. Store what it does not know, such as the entity tag.
	part := state.NewPart(u, number, d, s.Now())
	part.Data = &stored

	// The upload may have ended in the meantime.
	if _, err := b.uploads.upload(ctx, u.ID); err != nil {
		return nil, err
	}
	record := newPartRecord(part, stored)
	record.FullName = records.fullName(name)
	_, err = records.put(ctx, name, record, storage.Condition{})
	return part, storageerror.ToS3(err, u.Key)
}

// newPartRecord returns the record of a part without its full name. stored is the driver's own data about the part.
func newPartRecord(part *state.Part, stored driver.Part) *partRecord {
	record := &partRecord{
		Number:   part.Number,
		ETag:     part.ETag,
		Size:     part.Size,
		Sum:      part.Sum.Value,
		Modified: part.Modified,
		Stored:   stored,
	}
	if part.Sum.Kind != nil {
		record.Kind = part.Sum.Kind.Name
	}
	return record
}

// partError returns the S3 error for a part that could not be stored because of err. If the upload is missing in the
// driver, partError also removes its records, as far as dropIfLost can find this out.
func (m *driverUploads) partError(ctx context.Context, u *state.Upload, err error) error {
	switch storage.CodeOf(err) {
	case storage.InvalidArgument:
		// The upload is missing.
		_ = m.dropIfLost(ctx, u)
		return state.NoUpload(u.ID)
	case storage.ObjectNotFound:
		// Either the upload is missing, or the source of a copied part.
		if m.dropIfLost(ctx, u) {
			return state.NoUpload(u.ID)
		}
	}
	return storageerror.ToS3(err, u.Key)
}

// storePart stores the bytes of a part in the driver's upload. If the upload stages its parts, storePart stores them as
// a private object of the server instead.
func (m *driverUploads) storePart(
	ctx context.Context, u *state.Upload, number int, src io.Reader, size int64,
) (driver.Part, error) {
	record := u.Object.Data.(*uploadRecord)
	if record.Staged {
		return m.stage(ctx, u.ID, number, src)
	}
	r := &driver.PartRequest{
		Key:      m.bucket.naming().Escape(u.Key),
		Upload:   record.Upload,
		AnyOrder: record.AnyOrder,
		Number:   number,
		Size:     size,
	}
	return m.putPart(ctx, r, src)
}

// putPart sends a part to the driver. For a driver that needs the checksum before the body, it first copies the body to
// a temporary file.
func (m *driverUploads) putPart(ctx context.Context, r *driver.PartRequest, src io.Reader) (driver.Part, error) {
	if m.bucket.has(driver.StreamingPut | driver.LateMetadata) {
		// At its end, the body completes the request with its checksum.
		r.Body = &summedBody{src: src, onEnd: func(crc storage.CRC32C) {
			r.CRC32C = crc
		}}
		return m.bucket.driver.PutPart(ctx, r)
	}

	file, err := spool(src)
	if err != nil {
		return driver.Part{}, err
	}
	defer file.close()
	if file.size != r.Size {
		return driver.Part{}, io.ErrUnexpectedEOF
	}
	r.Body = file.File
	r.CRC32C = file.crc
	return m.bucket.driver.PutPart(ctx, r)
}

// Parts returns at most limit parts of an upload, in order, whose numbers follow marker, and reports whether more
// follow.
func (s *Store) Parts(
	ctx context.Context, u *state.Upload, marker, limit int,
) (parts []*state.Part, hasMore bool, err error) {
	b, _, err := s.bucketOf(ctx, u.Bucket)
	if err != nil {
		return nil, false, err
	}
	const create = false
	records, err := b.openRecords(ctx, create)
	if err != nil || records == nil {
		return nil, false, err
	}

	var names []string
	for name, err := range records.list(ctx, partsPrefix(u.ID), partRecordName(u.ID, marker)) {
		if err != nil {
			return nil, false, storageerror.ToS3(err, u.Key)
		}
		// The name may be that of a part's content, not of its record.
		if isStaged(name) {
			continue
		}
		if len(names) == limit {
			hasMore = true
			break
		}
		names = append(names, name)
	}

	parts, err = records.parts(ctx, names)
	if err != nil {
		return nil, false, storageerror.ToS3(err, u.Key)
	}
	// If the upload has ended, parts may be missing.
	if _, err := b.uploads.upload(ctx, u.ID); err != nil {
		return nil, false, storageerror.ToS3(err, u.Key)
	}
	return parts, hasMore, nil
}

// maxPartRecords is the number of records that are read or removed concurrently.
const maxPartRecords = 16

// parts reads the records of parts, and omits those that no longer exist or were copied from another bucket.
func (r *records) parts(ctx context.Context, names []string) ([]*state.Part, error) {
	parts := make([]*state.Part, len(names))
	err := running.Each(ctx, len(names), maxPartRecords, func(ctx context.Context, i int) error {
		record := &partRecord{}
		if _, err := r.get(ctx, names[i], record); err != nil {
			return ignoreCode(err, storage.ObjectNotFound)
		}
		// In the first stored form, a record has no full name. Its upload is known to be this bucket's own.
		if record.FullName != "" && record.FullName != r.fullName(names[i]) {
			return nil
		}
		p := &state.Part{
			Number:   record.Number,
			ETag:     record.ETag,
			Size:     record.Size,
			Modified: record.Modified,
			Data:     &record.Stored,
		}
		if kind := checksum.ByName(record.Kind); kind != nil {
			p.Sum = checksum.Sum{Kind: kind, Value: record.Sum, Covers: checksum.FullObject}
		}
		parts[i] = p
		return nil
	})

	// A part without a record of its own has remained nil.
	return slices.DeleteFunc(parts, func(p *state.Part) bool { return p == nil }), err
}

// ignoreCode returns nil if err has this code, and err otherwise.
func ignoreCode(err error, code storage.Code) error {
	if storage.CodeOf(err) == code {
		return nil
	}
	return err
}
