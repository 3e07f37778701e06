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
	if e := m.begin(ctx); e != nil {
		return e
	}
	running := m.start(ctx)
	size := m.plan.first
	src := &m.w.src
	number := 1
	for off := int64(0); off < src.size; off += size {
		section := src.section(off, min(size, src.size-off))
		last := off+size >= src.size
		if last && m.sequential() {
			m.final = &finalPart{number: number, section: section, done: func() {}}
		} else if !m.sendPart(running, number, last, section, storage.CRC32C{}, func() {}) {
			break
		}
		number++
	}
	return m.wait(ctx)
}

// sendStream sends the parts of a stream. While parts are sent, the next part is read into a
// buffer. The first parts are read while the upload begins.
func (m *multipart) sendStream(ctx context.Context, first, next *buffer.Buffer) *storage.Error {
	running := m.start(ctx)
	m.group.Go(func() {
		// If the source fails meanwhile, this request is not canceled: without its response, nobody
		// could abort the upload.
		if e := m.begin(ctx); e != nil {
			m.fail(e)
		}
	}, func() {
		m.fail(errPanicked())
	})
	m.held = 1

	total := int64(0)
	current := first
	for number := 1; ; number++ {
		total += current.Size()
		e := m.checkStream(number, total, next == nil)
		if e != nil {
			m.fail(e)
			current.Free()
			break
		}
		crc := storage.CRC32C{Sum: current.CRC32C(), Known: true}
		section := io.NewSectionReader(current, 0, current.Size())
		m.w.op.engine.bufferLimit.AddInFlight(1)
		if next == nil && m.sequential() {
			m.final = &finalPart{number: number, section: section, crc: crc, done: m.release(current)}
			break
		}
		if !m.sendPart(running, number, next == nil, section, crc, m.release(current)) || next == nil {
			break
		}
		current = next
		next, e = m.fillNext(running, current, number+1)
		if e != nil {
			m.fail(e)
			current.Free()
			break
		}
	}
	next.Free()
	return m.wait(ctx)
}

// checkStream returns an error if the stream is known to be too long or too short. number is the
// number of the latest part. total is the number of bytes in all parts so far. last is true if the
// stream ends after the latest part.
func (m *multipart) checkStream(number int, total int64, last bool) *storage.Error {
	desc := &m.w.op.engine.desc
	declared := m.w.src.size
	if declared >= 0 && total > declared {
		return tooLong(declared)
	}
	if desc.MaxSize > 0 && total > desc.MaxSize {
		return tooLarge(0)
	}
	if last && declared >= 0 && total < declared {
		return wrongLength(total, declared)
	}
	if !last && desc.MaxParts > 0 && number == desc.MaxParts {
		return tooLarge(desc.MaxParts)
	}
	return nil
}

// fillNext waits until there is memory for one more part, and then calls fillPart.
func (m *multipart) fillNext(ctx context.Context, current *buffer.Buffer, number int) (*buffer.Buffer, *storage.Error) {
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

// fillPart reads a part of size bytes into current, and the first byte after it into next. If the
// stream ends with the part, next is nil.
func (w *write) fillPart(
	ctx context.Context, current *buffer.Buffer, size int64,
) (next *buffer.Buffer, e *storage.Error) {
	panicked := true
	defer func() {
		if panicked {
			current.Free()
			next.Free()
		}
	}()
	err := current.Fill(ctx, &w.src, size)
	if err == nil {
		next = newBuffer(w.op)
		err = next.Fill(ctx, &w.src, 1)
	}
	panicked = false
	if err == nil {
		return next, nil
	}
	next.Free()
	if err == io.EOF {
		return nil, nil
	}
	return nil, readFailed(ctx, err)
}

// release returns a function that frees the buffer b. It is called when the bytes of b were sent.
func (m *multipart) release(b *buffer.Buffer) func() {
	return func() {
		m.w.op.engine.bufferLimit.AddInFlight(-1)
		b.Free()
		m.freed <- struct{}{}
	}
}

// start creates the limit of concurrent parts, and a context that ends when a part fails.
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

func (m *multipart) fail(e *storage.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = e
		m.cancel()
	}
}

// sendPart waits for a free slot, and sends one part in a goroutine. last is true for the last
// part. sendPart calls the function done when the bytes of the part are no longer needed. It
// returns false if the upload has failed.
func (m *multipart) sendPart(
	ctx context.Context, number int, last bool, section *io.SectionReader, crc storage.CRC32C, done func(),
) bool {
	if m.slots.Acquire(ctx) != nil || ctx.Err() != nil {
		done()
		return false
	}
	offset := m.offset
	m.offset += section.Size()
	send := func() {
		defer m.slots.Release()
		defer done()
		<-m.ready
		if !m.begun || ctx.Err() != nil {
			return
		}
		part, e := m.part(ctx, number, last, offset, section, crc)
		if e != nil {
			m.fail(e)
			return
		}
		m.slots.Moved(part.Size)
		m.slots.Ended()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.parts = append(m.parts, part)
	}
	m.group.Go(send, func() { m.fail(errPanicked()) })
	return true
}

// part ensures that the store has the part with the given number, and returns the part. If an
// earlier call of Upload has sent the part, this method does not send the part again.
func (m *multipart) part(
	ctx context.Context, number int, last bool, offset int64, section *io.SectionReader, crc storage.CRC32C,
) (driver.Part, *storage.Error) {
	if m.resumed {
		part, ok, e := m.storedPart(number, section, crc)
		if ok {
			m.w.progress.Add(part.Size)
		}
		if ok || e != nil {
			return part, e
		}
	}

	if m.w.journal != nil && m.w.op.engine.desc.FixedParts {
		// The part must not be sent again with other bytes. Record its checksum before it is sent.
		// If this process is killed, a later call compares its bytes with the checksum.
		var e *storage.Error
		crc, e = hashSection(section, crc)
		if e == nil {
			// Record the part without a tag, because the part has not been sent yet.
			e = m.record(driver.Part{Number: number, Size: section.Size(), CRC32C: crc})
		}
		if e != nil {
			return driver.Part{}, e
		}
	}

	part, e := m.putPart(ctx, number, last, offset, section, crc)
	if e == nil {
		e = m.record(part)
	}
	return part, e
}

// putPart sends one part, with retries.
func (m *multipart) putPart(
	ctx context.Context, number int, last bool, offset int64, section *io.SectionReader, crc storage.CRC32C,
) (driver.Part, *storage.Error) {
	r, content, e := m.partRequest(number, last, offset, section, crc)
	if e != nil {
		return driver.Part{}, e
	}
	part, e := m.w.op.requestPart(ctx, r, content)
	part.Size = section.Size()
	return part, e
}

// requestPart sends a part, with retries. The caller sets the Size of the result.
func (o *operation) requestPart(
	ctx context.Context, r *driver.PartRequest, content replayable,
) (driver.Part, *storage.Error) {
	part, e := requestUnlessRestart(ctx, o, content, func(ctx context.Context) (driver.Part, error) {
		return o.engine.driver.PutPart(ctx, r)
	})
	if e != nil {
		withoutEffect(e)
		return driver.Part{}, e
	}
	if !r.CRC32C.Known {
		return driver.Part{}, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the driver stored a part without reading all of it"),
		}
	}
	if part.CRC32C.Known && part.CRC32C != r.CRC32C {
		return driver.Part{}, mismatch(r.CRC32C, part.CRC32C)
	}
	part.Number = r.Number
	part.CRC32C = r.CRC32C
	return part, nil
}

// partRequest returns the request that sends a part. If the driver needs the checksum before the
// bytes, partRequest first reads the part to compute the checksum.
func (m *multipart) partRequest(
	number int, last bool, offset int64, section *io.SectionReader, crc storage.CRC32C,
) (*driver.PartRequest, *sectionBody, *storage.Error) {
	content := &sectionBody{}
	content.init(section.Outer())
	content.body.progress = m.w.progress
	if c := m.w.op.engine; !hashesWhileSending(c) && !c.desc.PartChecksumWhileSending || m.sequential() {
		var e *storage.Error
		crc, e = hashSection(section, crc)
		if e != nil {
			return nil, nil, e
		}
	}

	r := &driver.PartRequest{
		Key:       m.w.op.key,
		Upload:    m.id,
		Number:    number,
		Offset:    offset,
		Body:      content,
		Size:      section.Size(),
		CRC32C:    crc,
		Native:    m.w.req.Native,
		AnyOrder:  m.w.req.AnyOrder,
		Unchecked: m.w.req.UncheckedParts,
		Final:     last,
	}
	if !crc.Known {
		content.body.sum = &r.CRC32C
	}
	return r, content, nil
}

// A finalPart is the last part of an upload whose driver takes parts in sequence. CompleteParts
// sends this part, because the request with the last part also completes the object.
type finalPart struct {
	number  int
	section *io.SectionReader
	crc     storage.CRC32C
	done    func()
}

// sequential reports whether the driver takes parts in sequence, the last one in CompleteParts.
func (m *multipart) sequential() bool {
	return m.w.op.engine.has(driver.SequentialParts) && !m.w.req.AnyOrder
}

// finalRequest returns the request that sends the final part, and the part's body. It returns nil
// if there is no final part.
func (m *multipart) finalRequest() (*driver.PartRequest, replayable, *storage.Error) {
	if m.final == nil {
		return nil, nil, nil
	}
	r, content, e := m.partRequest(m.final.number, true, m.offset, m.final.section, m.final.crc)
	if e != nil {
		return nil, nil, e
	}
	return r, content, nil
}

// free frees the memory of the part. f may be nil.
func (f *finalPart) free() {
	if f != nil {
		f.done()
	}
}

// requestUnlessRestart makes a driver call for an upload, with retries. If the error means that the
// upload must begin again, it does not retry.
func requestUnlessRestart[T any](
	ctx context.Context, o *operation, replay replayable, do func(context.Context) (T, error),
) (result T, e *storage.Error) {
	var last *storage.Error
	e = o.send(ctx, replay, func(ctx context.Context) (err error) {
		if result, err = do(ctx); err != nil {
			last = asError(ctx, err)
			if mustRestart(last) {
				return storage.Internal
			}
		}
		return err
	})
	if e != nil && mustRestart(last) {
		last.Unknown, state(last).Repeated = last.Unknown ||
			e.Unknown, state(
			e,
		// The 409 may come from a gateway, although the store has already done what was asked.
		).Repeated
		return result, last
	}
	return result, e
}

// mustRestart reports whether the upload must begin again with all its parts. It returns true if
// the store has dropped the upload. It also returns true if S3 responds to the completion with
// ConditionalRequestConflict, because S3 asks clients to start the upload over after this error.
func mustRestart(e *storage.Error) bool {
	return e != nil && e.Code == storage.Unavailable && e.Status == http.StatusConflict
}

// objectSum returns the size in bytes and the CRC32C of the object that r makes. The CRC32C is
// known only if that of each part is known.
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
