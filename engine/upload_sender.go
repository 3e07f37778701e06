package engine

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/buffer"
)

// sendSections sends the parts of a random-access body, which is read in place.
func (m *multipart) sendSections(ctx context.Context) *storage.Error {
	if err := m.begin(ctx); err != nil {
		return err
	}

	// Send the parts one after another, as free slots permit.
	sending := m.start(ctx)
	src := &m.w.src
	size := m.plan.first
	number := 1
	for offset := int64(0); offset < src.size; offset += size {
		isLast := offset+size >= src.size
		p := &partToSend{
			number:  number,
			isLast:  isLast,
			section: src.section(offset, min(size, src.size-offset)),
			done:    func() {}, // the body needs no memory that must be freed
		}
		number++
		if !m.sendOrKeep(sending, p) {
			break
		}
	}
	return m.wait(ctx)
}

// sendOrKeep sends the part in a goroutine. If the driver takes parts in sequence, it keeps the last
// part instead, which the method complete sends. It returns false if no part may follow.
func (m *multipart) sendOrKeep(ctx context.Context, p *partToSend) bool {
	if p.isLast && m.sequential() {
		m.final = p
		return false
	}
	return m.sendPart(ctx, p) && !p.isLast
}

// sendStream sends the parts of a stream. While the upload begins and parts are sent, the next part
// is read into a buffer. first has the first part, and next, which may be nil, the beginning of the
// second one. sendStream frees both.
func (m *multipart) sendStream(ctx context.Context, first, next *buffer.Buffer) *storage.Error {
	// Begin the upload in a goroutine, while this one reads the stream. If the source fails meanwhile,
	// that request is not canceled, because without its response nobody could abort the upload.
	sending := m.start(ctx)
	m.beginWhileReading(ctx)
	m.held = 1 // first is in memory

	// Send each part, and read the part that follows it.
	total := int64(0)
	current := first
	for number := 1; ; number++ {
		// next has the first byte of the next part. It is nil if the stream has ended.
		isLast := next == nil
		total += current.Size()
		if err := m.checkStream(number, total, isLast); err != nil {
			m.fail(err)
			current.Free()
			break
		}

		p := m.bufferedPart(current, number)
		p.isLast = isLast
		if !m.sendOrKeep(sending, p) {
			break
		}

		// Read the next part while others are sent.
		current = next
		var err *storage.Error
		next, err = m.fillNext(sending, current, number+1)
		if err != nil {
			m.fail(err)
			current.Free()
			break
		}
	}

	// Free what was read beyond the last part that was sent.
	next.Free()
	return m.wait(ctx)
}

// beginWhileReading begins the upload in a goroutine, so that the caller can read the stream meanwhile.
// If the beginning fails, the upload fails.
func (m *multipart) beginWhileReading(ctx context.Context) {
	begin := func() {
		if err := m.begin(ctx); err != nil {
			m.fail(err)
		}
	}
	m.group.Go(begin, func() {
		m.fail(errPanicked())
	})
}

// bufferedPart returns the part whose bytes are in the buffer b. After the part was sent, b is freed.
func (m *multipart) bufferedPart(b *buffer.Buffer, number int) *partToSend {
	bufferLimit := m.w.op.engine.bufferLimit
	bufferLimit.AddInFlight(1)
	return &partToSend{
		number:  number,
		section: io.NewSectionReader(b, 0, b.Size()),
		crc:     storage.CRC32C{Sum: b.CRC32C(), Known: true},
		done: func() {
			bufferLimit.AddInFlight(-1)
			b.Free()
			m.freed <- struct{}{}
		},
	}
}

// checkStream returns an error if the stream is too long or too short. The part with the number was
// read last, all parts so far have total bytes, and isLast is true if the stream ends there.
func (m *multipart) checkStream(number int, total int64, isLast bool) *storage.Error {
	desc := &m.w.op.engine.desc
	declared := m.w.src.size
	if declared >= 0 && total > declared {
		return tooLong(declared)
	}
	if desc.MaxSize > 0 && total > desc.MaxSize {
		return tooLarge(0)
	}
	if isLast && declared >= 0 && total < declared {
		return wrongLength(total, declared)
	}
	if !isLast && desc.MaxParts > 0 && number == desc.MaxParts {
		return tooLarge(desc.MaxParts)
	}
	return nil
}

// fillNext waits until there is memory for the part with this number, and then fills it as fillPart
// does.
func (m *multipart) fillNext(ctx context.Context, current *buffer.Buffer, number int) (*buffer.Buffer, *storage.Error) {
	// Each part that was sent frees its memory.
	for m.held >= m.plan.inMemory(number) {
		select {
		case <-m.freed:
			m.held--
		case <-ctx.Done():
			return nil, asError(ctx, ctx.Err())
		}
	}
	m.held++
	return m.w.fillPart(ctx, current, m.plan.size(number))
}

// fillPart reads a part of size bytes into current, and the first byte of the following part into
// next. That byte shows whether the part is the last one. next is nil if the stream ends before it.
func (w *write) fillPart(
	ctx context.Context, current *buffer.Buffer, size int64,
) (next *buffer.Buffer, failure *storage.Error) {
	// If the source panics, the memory must be freed.
	hasRead := false
	defer func() {
		if !hasRead {
			current.Free()
			next.Free()
		}
	}()

	err := current.Fill(ctx, &w.src, size)
	if err == nil {
		next = newBuffer(w.op)
		err = next.Fill(ctx, &w.src, 1)
	}
	hasRead = true
	if err == nil {
		return next, nil
	}

	// There is no next part, so no memory is needed for it. Fill returns io.EOF at the end of the stream.
	next.Free()
	if err == io.EOF {
		return nil, nil
	}
	return nil, readFailed(ctx, err)
}

// start creates the limits of parts in progress and in memory, and returns a context that ends when a
// part fails.
func (m *multipart) start(ctx context.Context) context.Context {
	m.slots = m.w.newLimit(m.plan.concurrency)
	m.freed = make(chan struct{}, m.plan.inMemory(1))
	ctx, m.cancel = context.WithCancel(ctx)
	return ctx
}

// wait waits for all parts, and returns the first failure.
func (m *multipart) wait(ctx context.Context) *storage.Error {
	m.group.Join()
	m.cancel()
	if m.err == nil && ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	return m.err
}

// fail records err if it is the first failure of the upload, and cancels the parts in progress.
func (m *multipart) fail(err *storage.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		m.cancel()
	}
}

// A partToSend is one part of the body, before it was sent.
type partToSend struct {
	number  int
	isLast  bool
	offset  int64 // where the part begins in the body; set when the part is sent
	section *io.SectionReader
	crc     storage.CRC32C // not Known if the bytes were not read yet
	done    func()         // is called when the bytes are no longer needed
}

// sendPart waits for a free slot, and sends the part in a goroutine. It returns false if the upload
// has failed.
func (m *multipart) sendPart(ctx context.Context, p *partToSend) bool {
	if m.slots.Acquire(ctx) != nil || ctx.Err() != nil {
		p.done()
		return false
	}

	p.offset = m.offset
	m.offset += p.section.Size()
	send := func() {
		defer m.slots.Release()
		defer p.done()
		// Wait until the upload has begun. If that fails, its error is recorded already.
		<-m.ready
		if m.begun && ctx.Err() == nil {
			m.sendNow(ctx, p)
		}
	}
	m.group.Go(send, func() {
		m.fail(errPanicked())
	})
	return true
}

// sendNow sends the part, and records it or the failure.
func (m *multipart) sendNow(ctx context.Context, p *partToSend) {
	part, err := m.part(ctx, p)
	if err != nil {
		m.fail(err)
		return
	}

	// The measured throughput decides how many parts are sent at the same time.
	m.slots.Moved(part.Size)
	m.slots.Ended()

	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, part)
}

// part sends the part, unless an earlier call of Upload has sent it already, and returns it.
func (m *multipart) part(ctx context.Context, p *partToSend) (driver.Part, *storage.Error) {
	if m.resumed {
		part, found, err := m.storedPart(p.number, p.section, p.crc)
		if err != nil {
			return driver.Part{}, err
		}
		if found {
			m.w.progress.Add(part.Size)
			return part, nil
		}
	}

	if err := m.recordBefore(p); err != nil {
		return driver.Part{}, err
	}
	part, err := m.putPart(ctx, p)
	if err != nil {
		return driver.Part{}, err
	}
	return part, m.record(part)
}

// recordBefore records the checksum of a part before it is sent, if the store does not permit sending
// it again with other bytes. After a crash, a later call compares its bytes with the checksum.
func (m *multipart) recordBefore(p *partToSend) *storage.Error {
	if m.w.journal == nil || !m.w.op.engine.desc.FixedParts {
		return nil
	}
	crc, err := hashSection(p.section, p.crc)
	if err != nil {
		return err
	}
	p.crc = crc
	// The part has no tag, because it has not been sent yet.
	return m.record(driver.Part{
		Number: p.number,
		Size:   p.section.Size(),
		CRC32C: crc,
	})
}

// putPart sends one part, with retries, and returns it.
func (m *multipart) putPart(ctx context.Context, p *partToSend) (driver.Part, *storage.Error) {
	req, content, err := m.partRequest(p)
	if err != nil {
		return driver.Part{}, err
	}
	part, err := m.w.op.requestPart(ctx, req, content)
	part.Size = p.section.Size()
	return part, err
}

// requestPart sends a part, with retries, and checks the checksum that the driver returns. The caller
// sets the Size of the result.
func (o *operation) requestPart(
	ctx context.Context, req *driver.PartRequest, content replayable,
) (driver.Part, *storage.Error) {
	part, err := requestUnlessRestart(ctx, o, content, func(ctx context.Context) (driver.Part, error) {
		return o.engine.driver.PutPart(ctx, req)
	})
	if err != nil {
		withoutEffect(err)
		return driver.Part{}, err
	}

	// The checksum is known when the driver has read the whole part.
	if !req.CRC32C.Known {
		return driver.Part{}, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the driver stored a part without reading all of it"),
		}
	}
	if part.CRC32C.Known && part.CRC32C != req.CRC32C {
		return driver.Part{}, mismatch(req.CRC32C, part.CRC32C)
	}
	part.Number = req.Number
	part.CRC32C = req.CRC32C
	return part, nil
}

// partRequest returns the request that sends a part, and its body. If the driver needs the checksum
// before the bytes, partRequest reads the part to compute it.
func (m *multipart) partRequest(p *partToSend) (*driver.PartRequest, *sectionBody, *storage.Error) {
	w := m.w
	engine := w.op.engine

	// The body reads the part, reports progress, and may hash the bytes.
	content := &sectionBody{}
	content.init(p.section.Outer())
	content.body.progress = w.progress

	// Hash the part first, unless its checksum may follow the bytes.
	checksumMayFollow := hashesWhileSending(engine) || engine.desc.PartChecksumWhileSending
	crc := p.crc
	if !checksumMayFollow || m.sequential() {
		var err *storage.Error
		crc, err = hashSection(p.section, crc)
		if err != nil {
			return nil, nil, err
		}
	}

	req := &driver.PartRequest{
		Key:       w.op.key,
		Upload:    m.id,
		Number:    p.number,
		Offset:    p.offset,
		Body:      content,
		Size:      p.section.Size(),
		CRC32C:    crc,
		Native:    w.req.Native,
		AnyOrder:  w.req.AnyOrder,
		Unchecked: w.req.UncheckedParts,
		Final:     p.isLast,
	}
	if !crc.Known {
		// The body sets the checksum when all bytes were read.
		content.body.sum = &req.CRC32C
	}
	return req, content, nil
}

// freeFinal frees the memory of the final part, if there is one.
func (m *multipart) freeFinal() {
	if m.final != nil {
		m.final.done()
	}
}

// sequential reports whether the driver takes parts in sequence, the last one in CompleteParts.
func (m *multipart) sequential() bool {
	return m.w.op.engine.has(driver.SequentialParts) && !m.w.req.AnyOrder
}

// finalRequest returns the request that sends the final part, and its body, or nil if there is no
// final part.
func (m *multipart) finalRequest() (*driver.PartRequest, replayable, *storage.Error) {
	if m.final == nil {
		return nil, nil, nil
	}
	m.final.offset = m.offset
	req, content, err := m.partRequest(m.final)
	if err != nil {
		// A nil *sectionBody must not become a replayable that is not nil.
		return nil, nil, err
	}
	return req, content, nil
}

// requestUnlessRestart makes a driver call for an upload, with retries, unless its error means that
// the upload must begin again.
func requestUnlessRestart[T any](
	ctx context.Context, o *operation, replay replayable, do func(context.Context) (T, error),
) (result T, err *storage.Error) {
	// refusal is the error of the attempt after which the upload must begin again, or nil.
	var refusal *storage.Error
	attempt := func(ctx context.Context) error {
		var err error
		result, err = do(ctx)
		if err == nil {
			return nil
		}
		attemptErr := asError(ctx, err)
		if !mustRestart(attemptErr) {
			return err
		}

		// A retry cannot succeed, so end the attempts: send never retries Internal. The caller gets the
		// refusal instead.
		refusal = attemptErr
		return storage.Internal
	}
	err = o.send(ctx, replay, attempt)
	if refusal == nil {
		return result, err
	}

	// The refusal may come from a gateway after an earlier attempt has taken effect.
	refusal.Unknown = refusal.Unknown || err.Unknown
	state(refusal).Repeated = state(err).Repeated
	return result, refusal
}

// mustRestart reports whether the upload must begin again with all its parts. It returns true if
// the store has dropped the upload. It also returns true if S3 responds to the completion with
// ConditionalRequestConflict, because S3 asks clients to start the upload over after this error.
func mustRestart(err *storage.Error) bool {
	return err != nil && err.Code == storage.Unavailable && err.Status == http.StatusConflict
}

// objectSum returns the size in bytes and the CRC32C of the object that r makes from parts. The CRC32C
// is known only if that of each part is.
func objectSum(r *driver.CompleteRequest) (size int64, crc storage.CRC32C) {
	crc.Known = true
	for _, part := range r.Parts {
		crc = driver.JoinCRC32C(crc, part.CRC32C, part.Size)
		size += part.Size
	}
	if last := r.Last; last != nil {
		crc = driver.JoinCRC32C(crc, last.CRC32C, last.Size)
		size += last.Size
	}
	return size, crc
}
