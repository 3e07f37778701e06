package driverstore

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A driver with FixedParts takes parts only in order, and no part twice with different bytes: one
// that encrypts needs the place of a part in the object. Clients of S3 send parts in any order and
// again. Their parts are staged: each is a private object, and completing the upload writes the
// object.

// stagedSuffix ends the name of a staged part. Its record has the name without it.
const stagedSuffix = ".body"

// joinedPart is the least size in bytes of the parts of an object that is made from staged
// parts.
const joinedPart = 64 << 20

// stages reports whether the parts of new uploads are staged.
func (m *driverUploads) stages() bool { return m.bucket.description().FixedParts }

// stage stores a part. Its tag is the revision of the private object.
func (m *driverUploads) stage(ctx context.Context, id string, number int, from io.Reader) (driver.Part, error) {
	records, err := m.bucket.openRecords(ctx, true)
	if err != nil {
		return driver.Part{}, err
	}
	file, err := spool(from)
	if err != nil {
		return driver.Part{}, err
	}
	defer file.close()
	name := partRecordName(id, number) + stagedSuffix
	attrs, err := records.driver.Put(ctx, &driver.PutRequest{
		Key: records.prefix + name, Body: file.File, Size: file.size, CRC32C: file.crc,
		Properties: storage.Properties{
			ContentType: "application/octet-stream", Metadata: map[string]string{reservedName: records.place(name)},
		},
	})
	if err != nil {
		return driver.Part{}, err
	}
	return driver.Part{Number: number, Tag: attrs.Revision, Size: file.size, CRC32C: file.crc}, nil
}

// abort ends an upload of the driver, if there is one.
func (m *driverUploads) abort(ctx context.Context, u *state.Upload) error {
	record := u.Object.Data.(*uploadRecord)
	if record.Staged {
		return nil
	}
	return m.bucket.driver.AbortParts(ctx, m.bucket.naming().Escape(u.Key), record.Upload)
}

// complete makes the object of its parts.
func (m *driverUploads) complete(
	ctx context.Context, u *state.Upload, r *driver.PutRequest, parts []driver.Part,
) (*storage.Attrs, error) {
	record := u.Object.Data.(*uploadRecord)
	if !record.Staged {
		r.AnyOrder = record.AnyOrder
		return m.bucket.driver.CompleteParts(ctx, &driver.CompleteRequest{Put: r, Upload: record.Upload, Parts: parts})
	}
	records, err := m.bucket.openRecords(ctx, false)
	if err != nil || records == nil {
		return nil, err
	}
	if !m.bucket.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
		return m.joinStaged(ctx, records, u.ID, r, parts)
	}
	given, last := r.Condition, &decision{}
	for range maxDecisions {
		r.Condition = given
		d, err := m.decide(ctx, u.ID, r, last)
		switch {
		case errors.Is(err, errDecided):
			continue
		case err != nil:
			return nil, err
		}
		attrs, err := m.joinStaged(ctx, records, u.ID, r, parts)
		if err == nil || !d.first || mayBeMade(err) {
			return attrs, err
		}
		if last = d; given != (storage.Condition{}) || !isCode(err, storage.PreconditionFailed) {
			m.undecide(ctx, u.ID, d)
			return nil, err
		}
	}
	return nil, storage.Unavailable
}

// mayBeMade reports whether a write that failed may have made the object.
func mayBeMade(err error) bool {
	e, ok := errors.AsType[*storage.Error](err)
	return ok && (e.Unknown || e.Retryable)
}

// joinStaged writes the object.
func (m *driverUploads) joinStaged(
	ctx context.Context, records *records, id string, r *driver.PutRequest, parts []driver.Part,
) (*storage.Attrs, error) {
	body := &stagedBody{ctx: ctx, records: records, id: id, left: parts}
	defer body.close()
	d := m.bucket.description()
	size := max(joinedPart, d.MinPartSize)
	if r.Size <= size {
		return m.bucket.put(ctx, r, body, func(storage.CRC32C) {})
	}
	if d.MaxParts > 0 {
		size = max(size, (r.Size+int64(d.MaxParts)-1)/int64(d.MaxParts))
	}
	unit := max(1, d.PartUnit)
	return m.join(ctx, r, body, (size+unit-1)/unit*unit)
}

// join writes a body in parts of one size.
func (m *driverUploads) join(
	ctx context.Context, r *driver.PutRequest, from io.Reader, size int64,
) (*storage.Attrs, error) {
	upload, err := m.bucket.driver.BeginParts(ctx, r)
	if err != nil {
		return nil, err
	}
	all := &driver.CompleteRequest{Put: r, Upload: upload}
	for offset := int64(0); offset < r.Size && err == nil; offset += size {
		var part driver.Part
		own := &driver.PartRequest{
			Key: r.Key, Upload: upload, Number: len(all.Parts) + 1, Offset: offset, Size: min(size, r.Size-offset),
			Final: offset+size >= r.Size,
		}
		part, err = m.putPart(ctx, own, io.LimitReader(from, own.Size))
		all.Parts = append(all.Parts, part)
	}
	var attrs *storage.Attrs
	if err == nil {
		attrs, err = m.bucket.driver.CompleteParts(ctx, all)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = m.bucket.driver.AbortParts(ctx, r.Key, upload) // the client gets the first error
	}
	return attrs, err
}

// A stagedBody reads staged parts, one after the other.
type stagedBody struct {
	ctx     context.Context
	records *records
	id      string
	left    []driver.Part
	open    io.ReadCloser // nil between two parts
}

func (b *stagedBody) Read(p []byte) (int, error) {
	for {
		if b.open == nil {
			if len(b.left) == 0 {
				return 0, io.EOF
			}
			if err := b.next(); err != nil {
				return 0, err
			}
		}
		n, err := b.open.Read(p)
		if err == io.EOF {
			err = b.close()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// next opens the next part, if it is unchanged since its record was read.
func (b *stagedBody) next() error {
	r := &driver.GetRequest{Key: b.records.prefix + partRecordName(b.id, b.left[0].Number) + stagedSuffix, Length: -1}
	r.Condition.Revision = b.left[0].Tag
	_, body, err := b.records.driver.Get(b.ctx, r)
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound:
		return storage.Changed // another part with its number was sent meanwhile, or the upload has ended
	}
	if err == nil {
		b.open, b.left = body, b.left[1:]
	}
	return err
}

func (b *stagedBody) close() error {
	if b.open == nil {
		return nil
	}
	open := b.open
	b.open = nil
	return open.Close()
}

func isStaged(name string) bool { return strings.HasSuffix(name, stagedSuffix) }
