package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/journal"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/progress"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/metadata"
)

// An upload consists of a write, which has a checked request, and a source, which inspects the body
// (upload_body.go). A body that allows random access is read in place, and each attempt reads it
// again. Any other body is a stream, which is read once. The size of the body, or the first bytes
// of a stream, decide whether the upload is one Put or has parts.
//
// A multipart upload divides the body by a plan, and either completes or aborts (upload_parts.go).
// Its parts are sent concurrently. The parts of a stream are sent from buffers (upload_sender.go).
// With WithResume, a journal records which parts the store has, and the next call sends the others
// (upload_resume.go). In the end, finishWrite returns what was stored, even if the response was
// lost (reconcile.go).

const (
	// lookAhead is the number of bytes of a stream that are read before the choice between one Put
	// and parts. A body that ends within these bytes is sent with its size and checksum, and can be
	// sent again.
	lookAhead = buffer.TwoChunks

	// singleLimit is the size in bytes of the largest body that goes in one Put, if the provider
	// has parts and no option sets another limit.
	singleLimit = 8 << 20
)

// Upload stores the body as an object, and returns its attributes.
func (b bucket) Upload(
	ctx context.Context, key string, body io.Reader, opts *storage.UploadOptions,
) (*storage.Attrs, error) {
	// The operation and its write are one allocation.
	call := &struct {
		op    operation
		write write
	}{}
	call.write.op = &call.op
	checkErr := call.op.prepareWrite(b.engine, "Upload", key)
	if checkErr == nil {
		checkErr = call.write.resolve(body, opts)
	}
	return run(ctx, &call.op, checkErr, call.write.store)
}

// A write stores one object, from a checked request and a body. Upload makes a write from options.
// Copy and Compose make one if the bytes pass through this process.
type write struct {
	op       *operation
	req      driver.PutRequest
	transfer storage.Transfer
	src      source
	metadata map[string]string // the user's metadata; req.Metadata also has reserved keys
	writeID  string
	progress *progress.Counter
	journal  *journal.Journal // nil without WithResume
	content  sectionBody      // the body of a single Put
	first    buffer.Buffer    // the beginning of a stream
}

// resolve makes all checks of the options that need no request, and prepares the request and the body.
func (w *write) resolve(body io.Reader, opts *storage.UploadOptions) *storage.Error {
	req := &w.req
	e := w.op.engine

	if opts.Size < -1 || opts.MaxSize < 0 {
		return invalid("UploadOptions", "must have no negative Size (but for -1) or MaxSize")
	}
	if err := checkSet(&opts.Properties, opts.Set); err != nil {
		return err
	}

	// Prepare the request, and let resolveWrite check and complete it.
	setPut(req, opts)
	req.Key = w.op.key
	w.transfer = opts.Transfer

	err := e.resolveWrite(req.Key, writeFields{
		properties: &req.Properties,
		set:        opts.Set,
		controls:   &req.Controls,
		condition:  &req.Condition,
		native:     &req.Native,
		natives:    opts.Native,
	})
	if err != nil {
		return err
	}

	// The remaining options are for the transfer of the body.
	if err := e.checkPartSize("WithPartSize", w.transfer.PartSize); err != nil {
		return err
	}
	if err := checkTransfer(&w.transfer); err != nil {
		return err
	}
	return w.open(body)
}

// callerWriteID returns the id of [storage.WithWriteID], or "".
func (w *write) callerWriteID() string { return optionState(&w.transfer).WriteID }

// checkTransfer checks a value that a caller may have set without WithConcurrency.
func checkTransfer(transfer *storage.Transfer) *storage.Error {
	if transfer.Concurrency < 0 {
		return invalid("Concurrency", "must not be negative")
	}
	return nil
}

// setPut copies the options of an upload into req. It does not return a request, because that would
// copy the struct once more.
func setPut(req *driver.PutRequest, opts *storage.UploadOptions) {
	req.Size = opts.Size
	req.CRC32C = opts.CRC32C
	req.Properties = opts.Properties
	req.Controls = opts.Controls
	req.Condition = opts.Condition
}

// open prepares the body for reading, and fails if it is known to be too large for the provider.
func (w *write) open(body io.Reader) *storage.Error {
	if err := w.src.init(body, w.req.Size, w.singleBound()); err != nil {
		return err
	}
	// A body of unknown size is checked while it is read.
	if w.src.size >= 0 {
		return w.op.engine.checkSize(w.src.size)
	}
	return nil
}

// checkPartSize returns an error, which names the option, if the store does not permit parts of size
// bytes. The size is 0 if the option was not given.
func (e *engine) checkPartSize(option string, size int64) *storage.Error {
	desc := &e.desc
	if size == 0 {
		return nil
	}
	if err := e.need(storage.MultipartUploads, option); err != nil {
		return err
	}

	largest := cmp.Or(desc.MaxPartSize, desc.MaxSize) // no part is larger than an object
	isTooLarge := largest > 0 && size > largest
	if size < desc.MinPartSize || isTooLarge {
		bound := "any number of"
		if largest > 0 {
			bound = strconv.FormatInt(largest, 10)
		}
		return invalid(option, fmt.Sprintf("must be from %d to %s bytes on %s", desc.MinPartSize, bound, desc.Provider))
	}
	if desc.PartUnit > 0 && size%desc.PartUnit != 0 {
		return invalid(option, fmt.Sprintf("must be a multiple of %d bytes on %s", desc.PartUnit, desc.Provider))
	}
	return nil
}

// checkSize fails if the provider cannot store size bytes in one object.
func (e *engine) checkSize(size int64) *storage.Error {
	desc := &e.desc
	if desc.MaxSize > 0 && size > desc.MaxSize {
		return tooLarge(0)
	}

	// Without multipart uploads, one Put must send the object.
	if !e.has(storage.MultipartUploads) {
		if desc.MaxPutSize > 0 && size > desc.MaxPutSize {
			return tooLarge(0)
		}
		return nil
	}

	partsAreLimited := desc.MaxParts != 0 && desc.MaxPartSize != 0
	if !partsAreLimited {
		return nil
	}

	// The division comes first, because the product may overflow. A size with a smaller quotient fits
	// in any case.
	parts := int64(desc.MaxParts)
	if size/parts >= desc.MaxPartSize && size > parts*desc.MaxPartSize {
		return tooLarge(0)
	}
	return nil
}

// store stores the body, and returns the object's attributes as the user sees them.
func (w *write) store(ctx context.Context) (*storage.Attrs, *storage.Error) {
	req := &w.req
	w.metadata = req.Metadata // before reserved keys are added
	w.progress = progress.New(w.transfer.Progress, w.src.size)

	sniff := w.src.sniff
	if !w.op.engine.has(storage.ContentProperties) {
		// In such a store, the content type follows from the key's extension.
		sniff = nil
	}
	req.ContentType = contentType(req.ContentType, w.op.key, sniff)

	if w.transfer.ResumeFile != "" {
		return w.storeResumable(ctx)
	}
	return w.storeBody(ctx)
}

// storeBody stores the body by one Put or in parts.
func (w *write) storeBody(ctx context.Context) (*storage.Attrs, *storage.Error) {
	// If the response to a write with a condition is lost, its id shows whether it has stored the object.
	needsWriteID := w.req.Condition != (storage.Condition{}) || w.callerWriteID() != ""
	if needsWriteID && w.writeID == "" {
		w.writeID = w.op.engine.newWriteID(w.callerWriteID())
	}
	w.req.Metadata = w.op.engine.metadata.Encode(w.metadata, w.writeID)

	if w.src.readerAt == nil {
		return w.storeStream(ctx)
	}
	if w.src.size <= w.singleBound() {
		return w.putSection(ctx, w.src.readerAt, w.src.offset, w.src.size, storage.CRC32C{})
	}
	return w.storeParts(ctx, nil, nil)
}

// newWriteID returns the id of a write, which the stored object keeps in its metadata: that of the
// caller, or a random one. It returns "" if the store has no metadata.
func (e *engine) newWriteID(callerID string) string {
	if !e.has(storage.Metadata) {
		return ""
	}
	if callerID != "" {
		return callerID
	}
	return hexid.New(metadata.WriteIDLength / 2)
}

// singleBound returns the size in bytes of the largest body that goes in one Put.
func (w *write) singleBound() int64 {
	e := w.op.engine
	bound := int64(math.MaxInt64)
	if e.desc.MaxPutSize > 0 {
		bound = e.desc.MaxPutSize
	}
	if !e.has(storage.MultipartUploads) {
		return bound
	}

	// A larger body goes in parts.
	if w.transfer.PartSize > 0 {
		return min(bound, w.transfer.PartSize)
	}
	if e.has(driver.StreamingPut) {
		// One Put sends the body while it is read, so parts would save no memory.
		return bound
	}
	return min(bound, cmp.Or(e.partSize, singleLimit))
}

// storeStream stores a stream by one Put or in parts, which it decides after reading the beginning.
func (w *write) storeStream(ctx context.Context) (*storage.Attrs, *storage.Error) {
	first := &w.first
	first.Init(w.op.engine.bufferLimit, &w.op.overGrants)
	if !w.canStreamPut() {
		return w.storeFilled(ctx, first)
	}
	defer first.Free()

	// Fill returns io.EOF if the stream has ended before lookAhead bytes, which are then in memory.
	err := first.Fill(ctx, &w.src, lookAhead)
	isLonger := err == nil
	if isLonger {
		return w.putStream(ctx, first)
	}
	if err != io.EOF {
		return nil, readFailed(ctx, err)
	}
	if first.Size() > w.singleBound() {
		return nil, tooLarge(0)
	}
	return w.putBuffer(ctx, first)
}

// canStreamPut reports whether one Put may send the stream while it is read. It may not if the stream
// may be too long for one Put and the store supports parts.
func (w *write) canStreamPut() bool {
	e := w.op.engine
	if !e.has(driver.StreamingPut) || w.transfer.PartSize > 0 {
		return false
	}
	if !e.has(storage.MultipartUploads) || e.desc.MaxPutSize == 0 {
		return true
	}
	return w.src.size >= 0 && w.src.size <= e.desc.MaxPutSize
}

// storeFilled reads the first part of a stream into a buffer. If the stream ends there, it makes
// one Put. Otherwise it makes a multipart upload.
func (w *write) storeFilled(ctx context.Context, first *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	plan := w.plan()
	// next has the first byte of the second part, or is nil if the stream ends before it.
	next, err := w.fillPart(ctx, first, plan.size(1))
	if err != nil {
		first.Free()
		return nil, err
	}

	declared := w.src.size
	if declared >= 0 && first.Size() > declared {
		first.Free()
		next.Free()
		return nil, tooLong(declared)
	}

	// Choose between one Put and an upload in parts.
	streamEnded := next == nil
	if streamEnded && first.Size() <= w.singleBound() {
		defer first.Free()
		return w.putBuffer(ctx, first)
	}
	if !w.op.engine.has(storage.MultipartUploads) {
		first.Free()
		next.Free()
		return nil, tooLarge(0)
	}
	return w.storeParts(ctx, first, next)
}

// putBuffer stores a stream that is completely in the buffer b.
func (w *write) putBuffer(ctx context.Context, b *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	if declared := w.req.Size; declared >= 0 && declared != b.Size() {
		return nil, wrongLength(b.Size(), declared)
	}
	w.op.engine.bufferLimit.AddInFlight(1)
	defer w.op.engine.bufferLimit.AddInFlight(-1)
	return w.putSection(ctx, b, 0, b.Size(), storage.CRC32C{Sum: b.CRC32C(), Known: true})
}

// putSection stores a body that can be read more than once by one Put. If the driver needs the
// checksum before the bytes, putSection first reads the body to compute it, unless crc is known.
func (w *write) putSection(
	ctx context.Context, src io.ReaderAt, offset, length int64, crc storage.CRC32C,
) (*storage.Attrs, *storage.Error) {
	declared := w.req.CRC32C
	content := &w.content
	content.init(src, offset, length)
	content.body.progress = w.progress

	// A driver may read nothing of an empty body, so its checksum is set here, too.
	if length == 0 || !hashesWhileSending(w.op.engine) {
		var err *storage.Error
		crc, err = hashSection(&content.section, crc)
		if err != nil {
			return nil, err
		}
	}

	if crc.Known && declared.Known && crc != declared {
		return nil, mismatch(declared, crc)
	}

	req := &w.req
	req.CRC32C = crc
	req.Size = length
	req.Body = content
	if !crc.Known {
		// After its last byte, the body compares its checksum with the declared one, and sets it in the
		// request.
		content.body.want = declared
		content.body.sum = &req.CRC32C
	}
	return w.put(ctx, content, &content.body)
}

// putStream stores a stream by one Put of unknown size. The buffer first has the bytes that were
// read already.
func (w *write) putStream(ctx context.Context, first *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	req := &w.req
	content := w.newStreamBody(first, w.op.engine.desc.MaxPutSize, req.CRC32C)

	// The checksum is only known when the body has been read, which then sets it in req.
	content.sum = &req.CRC32C
	req.CRC32C = storage.CRC32C{}
	req.Size = -1
	req.Body = content
	return w.put(ctx, content, content)
}

// newStreamBody returns a body that can only be read once. It has the bytes of first, which were
// already read from the source, and then the rest of the source. Reading fails if the body has more
// than limit bytes, unless limit is 0, or does not have the checksum want, if that is known.
func (w *write) newStreamBody(first *buffer.Buffer, limit int64, want storage.CRC32C) *body {
	return &body{
		from:     io.MultiReader(io.NewSectionReader(first, 0, first.Size()), &w.src),
		size:     w.src.size,
		limit:    limit,
		want:     want,
		progress: w.progress,
	}
}

// put sends the Put request, with retries, and requires that the driver reads all of content.
func (w *write) put(ctx context.Context, replay replayable, content *body) (*storage.Attrs, *storage.Error) {
	var attrs *storage.Attrs
	err := w.op.send(ctx, replay, func(ctx context.Context) (err error) {
		attrs, err = w.op.engine.driver.Put(ctx, &w.req)
		return err
	})

	// A driver need not read an empty body.
	isEmpty := content.exact && content.size == 0
	if err == nil && !content.ended && !isEmpty {
		err = &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the driver stored the body without reading all of it"),
		}
	}
	return w.finish(ctx, attrs, err, content.read)
}

// finish returns the attributes of the stored object, or the error of the write, which has sent size
// bytes.
func (w *write) finish(
	ctx context.Context, attrs *storage.Attrs, err *storage.Error, size int64,
) (*storage.Attrs, *storage.Error) {
	// The stored object must have what the caller wanted to write.
	properties := w.req.Properties
	properties.Metadata = w.metadata // that of the caller, without reserved keys
	want := &intent{
		properties: properties,
		controls:   w.req.Controls,
		native:     w.req.Native,
		size:       size,
		crc:        w.req.CRC32C,
		condition:  w.req.Condition,
		writeID:    w.writeID,
		named:      w.callerWriteID() != "",
	}
	attrs, err = finishWrite(ctx, w.op, attrs, err, want)
	if err == nil {
		w.op.bytes.Store(size)
	}
	return attrs, err
}

// tooLarge returns a TooLarge error for a body that the provider cannot store. If the parts were too
// small for the body, usedParts is their number, and otherwise 0.
func tooLarge(usedParts int) *storage.Error {
	err := &storage.Error{
		Code: storage.TooLarge,
		Err:  errors.New("the body is larger than the provider stores in one object"),
	}
	if usedParts > 0 {
		err.Hint = fmt.Sprintf("all %d parts are used: give a larger WithPartSize, or WithSize", usedParts)
	}
	return err
}
