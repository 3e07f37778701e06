package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/progress"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// PutPart sends the part with this number, and returns it.
func (u *multipartUpload) PutPart(
	ctx context.Context, number int, body io.Reader, opts ...storage.PartOption,
) (*storage.UploadedPart, error) {
	o := &operation{}
	checkErr := u.prepare(o, "PutPart")
	p := &partUpload{upload: u, number: number}
	if checkErr == nil {
		checkErr = ownError(p.options.Apply(opts...))
	}
	return u.putPart(ctx, o, checkErr, p, body)
}

// PutSignedPart sends one part of an upload that another process has begun, for the signed requests
// that package serve answers. upload is the store's name for the upload.
func (b bucket) PutSignedPart(
	ctx context.Context, key, upload string, number int, body io.Reader, opts *storage.PartOptions,
) (*storage.UploadedPart, error) {
	// This is not the whole upload, but all that sending a part needs.
	u := &multipartUpload{
		engine: b.engine,
		record: uploadtoken.Record{Key: key, Upload: upload},
		put:    driver.PutRequest{Key: key, AnyOrder: true},
	}
	p := &partUpload{
		upload:  u,
		number:  number,
		options: *opts,
	}
	o := &operation{}
	checkErr := o.prepareSignedPart(b.engine, key)
	return u.putPart(ctx, o, checkErr, p, body)
}

// prepareSignedPart prepares PutSignedPart and checks its key. It fails if the bucket has no open
// uploads, whose parts may come from any process.
func (o *operation) prepareSignedPart(e *engine, key string) *storage.Error {
	if err := o.prepare(e, "PutPart", key); err != nil {
		return err
	}
	if rule := objectkey.WriteRule(o.key); rule != "" {
		return invalid("key", rule)
	}
	return e.need(storage.MultipartUploads|storage.OpenUploads, "open uploads")
}

// putPart runs the operation that sends a part, unless checkErr, the error of earlier checks, is not nil.
// The operation is not a write, because a part does not change the object.
func (u *multipartUpload) putPart(
	ctx context.Context, o *operation, checkErr *storage.Error, p *partUpload, body io.Reader,
) (*storage.UploadedPart, error) {
	if checkErr == nil {
		checkErr = p.resolve(o, body)
	}
	return run(ctx, o, checkErr, func(ctx context.Context) (*storage.UploadedPart, *storage.Error) {
		part, err := p.send(ctx)
		if err != nil {
			return nil, u.goneError(ctx, o, err)
		}
		o.bytes.Store(part.Size)
		u.keepSent(part)
		uploaded := uploadedPart(&part)
		return &uploaded, nil
	})
}

// keepSent keeps a part that was sent, because some stores list parts without the checksums that
// Complete needs.
func (u *multipartUpload) keepSent(part driver.Part) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sent == nil {
		u.sent = map[int]driver.Part{}
	}
	u.sent[part.Number] = part
}

// A partUpload holds the state of one call of PutPart.
type partUpload struct {
	upload  *multipartUpload
	number  int
	options storage.PartOptions
	write   write
}

// resolve checks everything that can be checked before the body is read, and prepares the body.
func (p *partUpload) resolve(o *operation, body io.Reader) *storage.Error {
	if err := p.upload.checkPart(p.number, p.options.Size); err != nil {
		return err
	}

	w := &p.write
	w.op = o
	w.req = p.upload.put
	if err := w.src.init(body, p.options.Size, math.MaxInt64); err != nil {
		return err
	}

	// A stream must fit into memory, unless the driver accepts streams.
	isStream := w.src.readerAt == nil
	maxMemory := o.engine.bufferLimit.Max
	exceedsMemory := w.src.size > maxMemory
	if isStream && exceedsMemory && !o.engine.has(driver.StreamingPut) {
		return partTooLarge(maxMemory)
	}
	w.progress = progress.New(p.options.Progress, w.src.size)

	// Without WithSize, the size may be known only now.
	return p.upload.checkPart(p.number, w.src.size)
}

// checkPart checks the number of a part, and its size in bytes, which is -1 if it is not known yet.
func (u *multipartUpload) checkPart(number int, size int64) *storage.Error {
	limits := u.Limits()
	if limits.MaxParts > 0 && (number < 1 || number > limits.MaxParts) {
		return invalid("part number", fmt.Sprintf("must be from 1 to %d", limits.MaxParts))
	}
	if number < 1 {
		return invalid("part number", "must be at least 1")
	}
	if limits.MaxSize > 0 && size > limits.MaxSize {
		return invalid("part", fmt.Sprintf("must have at most %d bytes", limits.MaxSize))
	}
	return nil
}

// partTooLarge returns a TooLarge error for a part that does not fit into memory.
func partTooLarge(limit int64) *storage.Error {
	return &storage.Error{
		Code: storage.TooLarge,
		Err:  fmt.Errorf("the part has more than the %d bytes of the BufferLimit", limit),
		Hint: "give a body that is read in place, such as a file, or smaller parts",
	}
}

// send stores the part. It reads the beginning of a stream into memory. If the driver accepts
// streams, the rest is sent as it is read. Otherwise the whole stream is read into memory first.
func (p *partUpload) send(ctx context.Context) (driver.Part, *storage.Error) {
	w := &p.write
	// A random-access body is read in place.
	if w.src.readerAt != nil {
		unknownCRC := storage.CRC32C{}
		return p.put(ctx, w.src.section(0, w.src.size), unknownCRC)
	}

	content := newBuffer(w.op)
	// Free is deferred, because the body may panic.
	defer content.Free()
	ended, err := p.fill(ctx, content)
	if err != nil {
		return driver.Part{}, err
	}
	if !ended {
		// Only a driver that accepts streams gets here.
		return p.stream(ctx, content)
	}

	// The whole part is in memory.
	limit := w.op.engine.bufferLimit
	limit.AddInFlight(1)
	defer limit.AddInFlight(-1)
	crc := storage.CRC32C{Sum: content.CRC32C(), Known: true}
	return p.put(ctx, io.NewSectionReader(content, 0, content.Size()), crc)
}

// put stores a part that can be read more than once.
func (p *partUpload) put(
	ctx context.Context, section *io.SectionReader, crc storage.CRC32C,
) (driver.Part, *storage.Error) {
	crc, err := p.verify(section, crc)
	if err != nil {
		return driver.Part{}, err
	}

	// This is not the whole upload, but all that putPart needs.
	m := &multipart{w: &p.write, id: p.upload.record.Upload}
	return m.putPart(ctx, &partToSend{
		number:  p.number,
		section: section,
		crc:     crc,
	})
}

// stream stores a part that can only be read once: the bytes of first, which were read already, and
// then the rest of the stream.
func (p *partUpload) stream(ctx context.Context, first *buffer.Buffer) (driver.Part, *storage.Error) {
	w := &p.write
	content := w.newStreamBody(first, p.upload.Limits().MaxSize, p.options.CRC32C)
	req := &driver.PartRequest{
		Key:       w.op.key,
		Upload:    p.upload.record.Upload,
		Number:    p.number,
		Body:      readOnce{content},
		Size:      w.src.size,
		Native:    w.req.Native,
		AnyOrder:  w.req.AnyOrder,
		Unchecked: w.req.UncheckedParts,
	}
	// The driver needs the checksum only after the last byte. The body then sets it in the request.
	content.sum = &req.CRC32C
	part, err := w.op.requestPart(ctx, req, content)
	part.Size = content.read
	return part, err
}

// A readOnce is the body of a part that can only be read once. Its Seek fails, and drivers with
// StreamingPut do not call Seek.
type readOnce struct{ body *body }

func (r readOnce) Read(p []byte) (int, error) { return r.body.Read(p) }

func (readOnce) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// fill reads a stream into memory. For a driver that accepts streams, it reads only the beginning, and
// ended is false if the stream is longer.
func (p *partUpload) fill(ctx context.Context, content *buffer.Buffer) (ended bool, _ *storage.Error) {
	// Find out how many bytes the part may have.
	w := &p.write
	declared := w.src.size // -1 if WithSize was not given
	maximum := w.op.engine.bufferLimit.Max
	if declared >= 0 {
		maximum = declared
	}
	if limit := p.upload.Limits().MaxSize; limit > 0 {
		maximum = min(maximum, limit)
	}

	// For a driver that accepts streams, only the beginning is necessary. Fill below then reads exactly
	// lookAhead bytes.
	isBeginning := w.op.engine.has(driver.StreamingPut) && maximum >= lookAhead
	if isBeginning {
		maximum = lookAhead - 1
	}

	// One byte more than the maximum shows that the stream is longer. If the stream ends before, Fill
	// returns io.EOF.
	err := content.Fill(ctx, &w.src, maximum+1)
	size := content.Size()
	if err == nil {
		// The stream is longer than the maximum.
		switch {
		case isBeginning:
			return false, nil
		case declared >= 0 && size > declared:
			return false, tooLong(declared)
		default:
			return false, partTooLarge(maximum)
		}
	}
	if err != io.EOF {
		return false, readFailed(ctx, err)
	}

	// The stream has ended within the maximum.
	if declared >= 0 && size != declared {
		return false, wrongLength(size, declared)
	}
	return true, nil
}

// verify compares the part with the declared checksum, if there is one, and returns the checksum of
// the part, if it is known then.
func (p *partUpload) verify(section *io.SectionReader, crc storage.CRC32C) (storage.CRC32C, *storage.Error) {
	want := p.options.CRC32C
	if !want.Known {
		return crc, nil
	}
	crc, err := hashSection(section, crc)
	if err != nil {
		return crc, err
	}
	if crc != want {
		return crc, mismatch(want, crc)
	}
	return crc, nil
}

// goneError returns err, the error of a request for the upload, or, if the upload no longer exists, an
// error that says so.
func (u *multipartUpload) goneError(ctx context.Context, o *operation, err *storage.Error) *storage.Error {
	if err.Code == storage.ObjectNotFound {
		return errUploadGone(err)
	}
	mayBeGone := err.Code == storage.InvalidArgument || mustRestart(err)
	if !mayBeGone {
		return err
	}

	// Stores also return these errors for other reasons, so ask for the upload itself.
	_, listErr := request(ctx, o, func(ctx context.Context) (*driver.PartPage, error) {
		return o.engine.driver.ListParts(ctx, &driver.ListPartsRequest{
			Key:    u.put.Key,
			Upload: u.record.Upload,
			Limit:  1,
			Native: u.put.Native,
		})
	})
	if listErr != nil && listErr.Code == storage.ObjectNotFound {
		return errUploadGone(err)
	}
	return err
}

// quotedETag returns the driver's tag of a part in quotes, as an ETag is written in HTTP.
func quotedETag(tag string) string {
	if tag == "" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}
