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

// A driver with FixedParts, such as one that encrypts, must know the place of a part in the object.
// It accepts parts only in order, and each part only once. Clients of S3 send parts in any order
// and may repeat them. For such a driver, parts are staged: each part is a private object, and
// completing the upload reads all parts and writes the object.

// stagedSuffix ends the name of the private object that holds a staged part. The rest of that name
// is the name of the part's record.
const stagedSuffix = ".body"

// A completion reads staged parts and sends them to the driver as larger parts. joinedPart is the
// minimum size of a larger part, in bytes.
const joinedPart = 64 << 20

// stages reports whether new uploads to the bucket stage their parts.
func (m *driverUploads) stages() bool { return m.bucket.description().FixedParts }

// stage stores a part as a private object of the server, for a driver to which a part must not be sent again with other
// bytes. The object's revision is the tag of the part.
func (m *driverUploads) stage(ctx context.Context, id string, number int, src io.Reader) (driver.Part, error) {
	const create = true
	records, err := m.bucket.openRecords(ctx, create)
	if err != nil {
		return driver.Part{}, err
	}

	// The size and the checksum must be known before the write.
	file, err := spool(src)
	if err != nil {
		return driver.Part{}, err
	}
	defer file.close()

	name := partRecordName(id, number) + stagedSuffix
	attrs, err := records.driver.Put(ctx, &driver.PutRequest{
		Key:    records.prefix + name,
		Body:   file.File,
		Size:   file.size,
		CRC32C: file.crc,
		Properties: storage.Properties{
			ContentType: "application/octet-stream",
			Metadata:    map[string]string{reservedName: records.fullName(name)},
		},
	})
	if err != nil {
		return driver.Part{}, err
	}
	return driver.Part{Number: number, Tag: attrs.Revision, Size: file.size, CRC32C: file.crc}, nil
}

// abort aborts the driver's upload, of which there is none if the server has staged the parts.
func (m *driverUploads) abort(ctx context.Context, u *state.Upload) error {
	record := u.Object.Data.(*uploadRecord)
	if record.Staged {
		return nil
	}
	return m.bucket.driver.AbortParts(ctx, m.bucket.naming().Escape(u.Key), record.Upload)
}

// complete writes the object that consists of these parts. The driver joins the parts that it stores itself. Staged
// parts are private objects, which the server joins.
func (m *driverUploads) complete(
	ctx context.Context, u *state.Upload, r *driver.PutRequest, parts []driver.Part,
) (*storage.Attrs, error) {
	record := u.Object.Data.(*uploadRecord)
	if !record.Staged {
		r.AnyOrder = record.AnyOrder
		return m.bucket.driver.CompleteParts(ctx, &driver.CompleteRequest{Put: r, Upload: record.Upload, Parts: parts})
	}

	const create = false
	records, err := m.bucket.openRecords(ctx, create)
	if err != nil {
		return nil, err
	}
	if records == nil {
		return nil, state.NoUpload(u.ID)
	}

	// With conditional writes, a repeated completion can be prevented from replacing a newer object.
	if m.bucket.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
		return m.joinDecided(ctx, records, u.ID, r, parts)
	}
	return m.joinStaged(ctx, records, u.ID, r, parts)
}

// joinDecided writes the object from its staged parts, such that a repeated completion cannot replace a newer object.
// It first decides which object the write may replace, and stores that decision in the upload's record. If the object
// changes before the write, joinDecided decides again.
func (m *driverUploads) joinDecided(
	ctx context.Context, records *records, id string, r *driver.PutRequest, parts []driver.Part,
) (*storage.Attrs, error) {
	// Each attempt begins with the client's own condition, which newDecision replaces.
	clientCondition := r.Condition
	previous := &decision{}
	for range maxDecisions {
		r.Condition = clientCondition
		d, err := m.newDecision(ctx, id, r, previous)
		if errors.Is(err, errDecided) {
			// Another completion has stored its decision in the meantime.
			continue
		}
		if err != nil {
			return nil, err
		}

		attrs, err := m.joinStaged(ctx, records, id, r, parts)
		if err == nil {
			return attrs, nil
		}
		// If this call or an earlier one may have written the object, the decision must stay.
		if !d.isFirst || mayBeWritten(err) {
			return nil, err
		}

		// The write had no effect. A condition of the client excludes any other object.
		hasChanged := isCode(err, storage.PreconditionFailed)
		mayDecideAgain := hasChanged && clientCondition == (storage.Condition{})
		if !mayDecideAgain {
			m.removeDecision(ctx, id, d)
			return nil, err
		}
		previous = d
	}

	// The object changes too often.
	return nil, storage.Unavailable
}

// mayBeWritten reports whether a failed write may have created the object.
func mayBeWritten(err error) bool {
	storageErr, ok := errors.AsType[*storage.Error](err)
	return ok && (storageErr.Unknown || storageErr.Retryable)
}

// joinStaged writes the object from its staged parts: a small object with one request, and a larger one as a multipart
// upload of the driver in larger parts, of at least joinedPart bytes.
func (m *driverUploads) joinStaged(
	ctx context.Context, records *records, id string, r *driver.PutRequest, parts []driver.Part,
) (*storage.Attrs, error) {
	body := &stagedBody{ctx: ctx, records: records, id: id, remaining: parts}
	defer body.close()

	d := m.bucket.description()
	partSize := max(joinedPart, d.MinPartSize)
	if r.Size <= partSize {
		// No metadata changes at the end of the body.
		onEnd := func(storage.CRC32C) {}
		return m.bucket.put(ctx, r, body, onEnd)
	}

	// The driver limits the number of parts, and may require multiples of a unit as their sizes.
	if d.MaxParts > 0 {
		smallest := divideUp(r.Size, int64(d.MaxParts))
		partSize = max(partSize, smallest)
	}
	unit := max(1, d.PartUnit)
	partSize = divideUp(partSize, unit) * unit
	return m.join(ctx, r, body, partSize)
}

// divideUp returns a/b, rounded up.
func divideUp(a, b int64) int64 { return (a + b - 1) / b }

// join writes a body as a multipart upload of the driver, in parts of size bytes. If it fails, it aborts the upload,
// even if the request was canceled.
func (m *driverUploads) join(
	ctx context.Context, r *driver.PutRequest, src io.Reader, size int64,
) (*storage.Attrs, error) {
	upload, err := m.bucket.driver.BeginParts(ctx, r)
	if err != nil {
		return nil, err
	}
	attrs, err := m.joinParts(ctx, r, upload, src, size)
	if err != nil {
		// The first error counts, not that of the abort.
		abortCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = m.bucket.driver.AbortParts(abortCtx, r.Key, upload)
		return nil, err
	}
	return attrs, nil
}

// joinParts sends the parts of an upload that join has begun, and completes the upload.
func (m *driverUploads) joinParts(
	ctx context.Context, r *driver.PutRequest, upload string, src io.Reader, size int64,
) (*storage.Attrs, error) {
	var parts []driver.Part
	for offset := int64(0); offset < r.Size; offset += size {
		req := &driver.PartRequest{
			Key:    r.Key,
			Upload: upload,
			Number: len(parts) + 1,
			Offset: offset,
			Size:   min(size, r.Size-offset),
			Final:  offset+size >= r.Size,
		}
		part, err := m.putPart(ctx, req, io.LimitReader(src, req.Size))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return m.bucket.driver.CompleteParts(ctx, &driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})
}

// A stagedBody is a reader of staged parts, one after the other.
type stagedBody struct {
	ctx       context.Context
	records   *records
	id        string // of the upload
	remaining []driver.Part
	open      io.ReadCloser // the part that is being read; nil between two parts
}

// Read reads from the open part, or opens the next one. If a part ends without bytes, it goes on to the next, because a
// reader must not return 0 bytes and no error.
func (b *stagedBody) Read(p []byte) (int, error) {
	for {
		if b.open == nil {
			if len(b.remaining) == 0 {
				return 0, io.EOF
			}
			if err := b.nextPart(); err != nil {
				return 0, err
			}
		}
		n, err := b.open.Read(p)
		if err == io.EOF {
			// The next pass opens the next part.
			err = b.close()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// nextPart opens the next part, or fails with Changed if it is not the one that its record describes.
func (b *stagedBody) nextPart() error {
	part := b.remaining[0]
	_, body, err := b.records.driver.Get(b.ctx, &driver.GetRequest{
		Key:       b.records.prefix + partRecordName(b.id, part.Number) + stagedSuffix,
		Length:    -1,
		Condition: storage.Condition{Revision: part.Tag},
	})

	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound:
		// The part was sent again in the meantime, or the upload has ended.
		return storage.Changed
	}
	if err != nil {
		return err
	}

	b.open = body
	b.remaining = b.remaining[1:]
	return nil
}

// close closes the open part, if there is one.
func (b *stagedBody) close() error {
	if b.open == nil {
		return nil
	}
	open := b.open
	b.open = nil
	return open.Close()
}

func isStaged(name string) bool { return strings.HasSuffix(name, stagedSuffix) }
