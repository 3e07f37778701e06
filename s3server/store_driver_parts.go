package s3server

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/s3server/internal/checksum"
)

// A partRecord is how a part is stored, under "parts/", the id of the upload, and the number.
type partRecord struct {
	Number    int
	ETag      string
	Size      int64
	Kind, Sum string
	Modified  time.Time
	Stored    storage.Part // for the driver
}

func partsPrefix(id string) string { return "parts/" + id + "/" }

func partRecordName(id string, number int) string {
	return fmt.Sprintf("%s%05d", partsPrefix(id), number)
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
	d := checksum.NewDigest(u.kind, false)
	return s.writePart(ctx, u, number, io.TeeReader(source, d), length, d)
}

// writePart stores a part and its record.
func (s *driverStore) writePart(ctx context.Context, u *upload, number int, from io.Reader, size int64, d *checksum.Digest) (*part, error) {
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
	begun := u.object.data.(*uploadRecord)
	r := &storage.PartRequest{Key: b.naming().Escape(u.key), Upload: begun.Upload, AnyOrder: begun.AnyOrder, Number: number, Size: size}
	stored, err := b.uploads.putPart(ctx, r, from)
	switch code := storage.CodeOf(err); code {
	case storage.ObjectNotFound, storage.InvalidArgument: // or the source of a copy is not there
		if b.uploads.isLost(ctx, u) || code == storage.InvalidArgument {
			return nil, noUpload(u.id)
		}
	}
	if err != nil {
		return nil, driverError(err, u.key)
	}
	p := newPart(u, number, d, s.now())
	p.data = &stored
	record := &partRecord{Number: number, ETag: p.etag, Size: p.size, Sum: p.sum.Value, Modified: p.modified, Stored: stored}
	if p.sum.Kind != nil {
		record.Kind = p.sum.Kind.Name
	}
	if _, err := b.uploads.upload(ctx, u.id); err != nil {
		return nil, err // it has ended meanwhile
	}
	_, err = records.put(ctx, name, record, storage.Condition{})
	return p, driverError(err, u.key)
}

func (m *driverUploads) putPart(ctx context.Context, r *storage.PartRequest, from io.Reader) (storage.Part, error) {
	if m.bucket.has(storage.StreamingPut | storage.LateMetadata) {
		r.Body = newSummedBody(from, func(crc storage.CRC32C) error {
			r.CRC32C = crc
			return nil
		})
		return m.bucket.driver.PutPart(ctx, r)
	}
	file, err := spool(from)
	if err != nil {
		return storage.Part{}, err
	}
	defer file.close()
	r.Body, r.Size, r.CRC32C = file.File, file.size, file.crc
	return m.bucket.driver.PutPart(ctx, r)
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
	var names []string
	err = records.each(ctx, partsPrefix(u.id), partRecordName(u.id, after), func(name string) (bool, error) {
		if more = len(names) == most; !more {
			names = append(names, name)
		}
		return !more, nil
	})
	if err == nil {
		parts, err = records.parts(ctx, names)
	}
	if err == nil {
		_, err = b.uploads.upload(ctx, u.id) // else parts may be missing, because it has ended meanwhile
	}
	return parts, more, driverError(err, u.key)
}

// maxPartReads is the number of records of parts that are read at a time.
const maxPartReads = 16

// parts reads the records of parts. It leaves out those that are gone.
func (r *records) parts(ctx context.Context, names []string) ([]*part, error) {
	parts := make([]*part, len(names))
	err := parallel.Each(ctx, len(names), maxPartReads, func(ctx context.Context, i int) error {
		record := &partRecord{}
		if _, err := r.get(ctx, names[i], record); err != nil {
			return unless(err, storage.ObjectNotFound)
		}
		p := &part{number: record.Number, etag: record.ETag, size: record.Size, modified: record.Modified, data: &record.Stored}
		if kind := checksum.ByName(record.Kind); kind != nil {
			p.sum = checksum.Sum{Kind: kind, Value: record.Sum, Covers: checksum.FullObject}
		}
		parts[i] = p
		return nil
	})
	return slices.DeleteFunc(parts, func(p *part) bool { return p == nil }), err
}

// unless returns err, or nil if it has the code.
func unless(err error, code storage.Code) error {
	if storage.CodeOf(err) == code {
		return nil
	}
	return err
}
