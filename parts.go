package storage

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/panics"
)

const (
	defaultPartSize    = 5 << 20 // S3's minimum
	maxInPlacePart     = 32 << 20
	equalPartSize      = 16 << 20
	defaultConcurrency = 12
	maxConcurrency     = 1000 // more connections than that make no upload faster
	// streamBuffers is about what the parts of one stream take in memory where
	// nothing was said, in bytes.
	streamBuffers = 64 << 20
	// Where parts may grow they double after each growthStep of them, so that
	// 10,000 parts reach S3's 5 TiB from 5 MiB on.
	growthStep = 1000

	// Parts that go one after the other wait for an answer each: of a stream they
	// double, after each sequentialStep, to four times what they begin with.
	sequentialStep = 8

	abortTimeout = 30 * time.Second
)

// firstPart is the size of an upload's first part, in bytes.
func (u *upload) firstPart() int64 {
	if u.resumed() {
		return u.req.set.journal.PartSize
	}
	d := &u.core.desc
	size := u.req.set.partSize
	if size == 0 {
		size = defaultPartSize
		if d.PartSize > 0 {
			size = d.PartSize
		}
		if u.src.at != nil { // read in place: a larger part costs no memory, and waves are even
			size = min(max(size, u.src.size/int64(u.concurrency())), maxInPlacePart)
		}
		if u.core.has(EqualParts) && u.src.size < 0 {
			size = equalPartSize
		}
		if u.src.size >= 0 && d.MaxParts > 0 {
			size = max(size, (u.src.size+int64(d.MaxParts)-1)/int64(d.MaxParts))
		}
		size = max(size, d.MinPartSize)
		if d.MaxPartSize > 0 {
			size = min(size, d.MaxPartSize)
		}
		if unit := d.PartUnit; unit > 0 {
			size = (size + unit - 1) / unit * unit
		}
	}
	return size
}

// partSize is the size of part number, from 1.
func (u *upload) partSize(number int) int64 {
	first, d := u.firstPart(), &u.core.desc
	size := first
	switch {
	case u.req.set.partSize > 0 || u.core.has(EqualParts) || u.src.at != nil:
	case u.core.has(SequentialParts):
		size = first << min((number-1)/sequentialStep, 2)
	case u.src.size < 0 && d.MaxParts > 0:
		size = first << min((number-1)/growthStep, 20)
	}
	if d.MaxPartSize > 0 {
		size = min(size, d.MaxPartSize)
	}
	return size
}

// checkSize refuses early what the provider cannot store in one object.
func (c *core) checkSize(size int64) *Error {
	d := &c.desc
	switch {
	case d.MaxSize > 0 && size > d.MaxSize:
		return tooLarge(0)
	case !c.has(UploadParts):
		if d.MaxPutSize > 0 && size > d.MaxPutSize {
			return tooLarge(0)
		}
	case d.MaxParts > 0 && d.MaxPartSize > 0 && size/int64(d.MaxParts) >= d.MaxPartSize && size > int64(d.MaxParts)*d.MaxPartSize:
		return tooLarge(0)
	}
	return nil
}

// storeParts stores the body in parts: of a random-access body in place, of a
// stream beginning with first and next, which is nil where no more follows.
func (u *upload) storeParts(ctx context.Context, first, next *buffer) (*Attrs, *Error) {
	var tried tries
	for {
		if u.writeID == "" {
			u.identify()
			u.req.Metadata = u.core.stored(u.metadata, u.writeID)
		}
		resumed := u.resumed()
		a, e := u.sendParts(ctx, first, next)
		if !conflict(e) || e.Unknown || u.src.at == nil || ctx.Err() != nil {
			return a, e
		}
		if !resumed {
			delay, again := u.core.retry.again(&tried, e)
			if !again {
				return a, e
			}
			if sleep(ctx, delay) != nil {
				return nil, u.gaveUp(ctx, e, false)
			}
		}
		u.writeID = ""
		u.progress.restart()
	}
}

// sendParts is one upload in parts, from BeginParts to its verdict.
func (u *upload) sendParts(ctx context.Context, first, next *buffer) (*Attrs, *Error) {
	p := &partUpload{upload: u}
	declared := u.req.CRC32C
	u.req.Body, u.req.Size, u.req.CRC32C = nil, u.src.size, nil
	defer func() { u.req.CRC32C = declared }()
	e := p.open(ctx)
	if e != nil {
		first.free()
		next.free()
		return nil, e
	}
	panicked := true
	defer func() {
		if panicked {
			p.abandon(ctx)
		}
	}()
	if first == nil {
		e = p.sendSections(ctx)
	} else {
		e = p.sendStream(ctx, first, next)
	}
	var a *Attrs
	if e == nil {
		a, e = p.complete(ctx, declared)
	}
	p.last.free()
	e = p.close(ctx, e)
	panicked = false
	p.group.Raise() // what a source did, now that nothing is left of the upload
	return a, e
}

// abandon ends an upload that a panic in the caller's goroutine has interrupted.
func (p *partUpload) abandon(ctx context.Context) {
	if p.cancel != nil {
		p.cancel()
	}
	p.group.Join()
	_ = p.close(ctx, errPanicked(""))
}

// errPanicked ends what a panic has interrupted, which the caller gets instead.
func errPanicked(op string) *Error {
	return &Error{Code: Internal, Op: op, Err: errors.New("it panicked")}
}

// A partUpload is an upload in parts under way. Parts are sent by at most
// WithConcurrency goroutines, all of which have ended when it has.
type partUpload struct {
	*upload
	name   string
	goesOn bool // with the upload of an earlier call

	offset int64     // of the next part
	last   *heldPart // with SequentialParts
	mu     sync.Mutex
	parts  []Part
	failed *Error // the first
	cancel context.CancelFunc
	slots  chan struct{} // for the parts that are sent
	room   chan struct{} // for those of a stream that are in memory
	group  panics.Group
}

// concurrency is how many parts are sent at once.
func (u *upload) concurrency() int {
	if u.core.has(SequentialParts) {
		return 1
	}
	if n := int(u.req.set.concurrency); n > 0 {
		return min(n, maxConcurrency)
	}
	if u.src.at == nil && u.req.set.partSize == 0 {
		return max(1, min(defaultConcurrency, int(streamBuffers/u.firstPart())))
	}
	return defaultConcurrency
}

func (p *partUpload) start(ctx context.Context) context.Context {
	p.slots = make(chan struct{}, p.concurrency())
	p.room = make(chan struct{}, max(2, p.concurrency())) // where one is sent, the next is filled
	ctx, p.cancel = context.WithCancel(ctx)
	return ctx
}

// wait waits for all parts; it answers what went wrong first.
func (p *partUpload) wait(ctx context.Context) *Error {
	p.group.Join()
	p.cancel()
	if p.failed == nil && ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	return p.failed
}

func (p *partUpload) fail(e *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = e
		p.cancel()
	}
}

// sendPart sends one part once there is a free slot; done is called when the
// part's bytes are no longer needed. False once the upload has failed.
func (p *partUpload) sendPart(ctx context.Context, number int, section *io.SectionReader, crc *uint32, done func()) bool {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		done()
		return false
	}
	offset := p.offset
	p.offset += section.Size()
	send := func() {
		defer func() { <-p.slots }()
		defer done()
		if ctx.Err() != nil {
			return
		}
		part, e := p.part(ctx, number, offset, section, crc)
		if e != nil {
			p.fail(e)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.parts = append(p.parts, part)
	}
	p.group.Go(send, func() { p.fail(errPanicked("")) })
	return true
}

// part is one part that the store has: sent now, or by an earlier call.
func (p *partUpload) part(ctx context.Context, number int, offset int64, section *io.SectionReader, crc *uint32) (Part, *Error) {
	if p.goesOn {
		part, found, e := p.has(number, section, crc)
		if found && p.progress != nil {
			p.progress.add()(part.Size)
		}
		if found || e != nil {
			return part, e
		}
	}
	part, e := p.put(ctx, number, offset, section, crc)
	if e == nil {
		e = p.record(part)
	}
	return part, e
}

// put is one PutPart.
func (p *partUpload) put(ctx context.Context, number int, offset int64, section *io.SectionReader, crc *uint32) (Part, *Error) {
	r, content, e := p.request(number, offset, section, crc)
	if e != nil {
		return Part{}, e
	}
	var part Part
	e = p.unlessLost(ctx, content, func(ctx context.Context) (err error) {
		part, err = p.core.driver.PutPart(ctx, r)
		return err
	})
	switch {
	case e != nil:
		e.Unknown = false // a part is not the object
		return Part{}, e
	case r.CRC32C == nil:
		return Part{}, &Error{Code: Internal, Err: errors.New("the driver stored a part without reading all of it")}
	case part.CRC32C != nil && *part.CRC32C != *r.CRC32C:
		return Part{}, mismatch(*r.CRC32C, *part.CRC32C)
	}
	part.Number, part.Size, part.CRC32C = number, section.Size(), r.CRC32C
	return part, nil
}

// request is what asks for a part. Where the driver wants the checksum before
// the bytes, it is computed first.
func (p *partUpload) request(number int, offset int64, section *io.SectionReader, crc *uint32) (*PartRequest, *sectionBody, *Error) {
	content := &sectionBody{}
	content.init(section.Outer())
	content.moved = p.progress.add()
	if crc == nil && (!p.core.has(StreamPut) || p.holds()) {
		sum, err := hashSection(section)
		if err != nil {
			return nil, nil, bodyFailed(err)
		}
		crc = &sum
	}
	r := &PartRequest{Key: p.key, Upload: p.name, Number: number, Offset: offset, Body: content, Size: section.Size(), CRC32C: crc}
	if crc == nil {
		content.sum = &r.CRC32C
	}
	return r, content, nil
}

// sendSections sends a random-access body's parts, read in place.
func (p *partUpload) sendSections(ctx context.Context) *Error {
	running := p.start(ctx)
	size := p.firstPart()
	number := 1
	for off := int64(0); off < p.src.size; off += size {
		section := p.src.section(off, min(size, p.src.size-off))
		if off+size >= p.src.size && p.holds() {
			p.hold(number, section, nil, func() {})
		} else if !p.sendPart(running, number, section, nil, func() {}) {
			break
		}
		number++
	}
	return p.wait(ctx)
}

// sendStream sends a stream's parts: one is filled while others are sent.
func (p *partUpload) sendStream(ctx context.Context, first, next *buffer) *Error {
	running := p.start(ctx)
	total := int64(0)
	current := first
	p.room <- struct{}{}
	for number := 1; ; number++ {
		total += current.size
		if declared := p.src.size; declared >= 0 && total > declared {
			p.fail(tooLong(declared))
		}
		if maximum := p.core.desc.MaxSize; maximum > 0 && total > maximum {
			p.fail(tooLarge(0))
		}
		crc := current.crc
		p.core.memory.move(1)
		if next == nil && p.holds() {
			p.hold(number, io.NewSectionReader(current, 0, current.size), &crc, p.give(current))
		} else if !p.sendPart(running, number, io.NewSectionReader(current, 0, current.size), &crc, p.give(current)) {
			break
		}
		if next == nil {
			if declared := p.src.size; declared >= 0 && total != declared {
				p.fail(wrongLength(total, declared))
			}
			break
		}
		if maximum := p.core.desc.MaxParts; maximum > 0 && number == maximum {
			p.fail(tooLarge(maximum))
			break
		}
		current = next
		var e *Error
		if next, e = p.fillNext(running, current, number+1); e != nil {
			p.fail(e)
			current.free()
			break
		}
	}
	next.free()
	return p.wait(ctx)
}

// fillNext is fillPart once there is room for one more.
func (p *partUpload) fillNext(ctx context.Context, current *buffer, number int) (*buffer, *Error) {
	select {
	case p.room <- struct{}{}:
		return p.fillPart(ctx, current, number)
	case <-ctx.Done():
		return nil, asError(ctx, ctx.Err())
	}
}

// fillPart fills part number, and the first byte of the one behind it; nil where
// there is none.
func (u *upload) fillPart(ctx context.Context, current *buffer, number int) (next *buffer, e *Error) {
	panicked := true
	defer func() {
		if panicked {
			current.free()
			next.free()
		}
	}()
	err := current.fill(ctx, &u.src, u.partSize(number))
	if err == nil {
		next = newBuffer(&u.operation)
		err = next.fill(ctx, &u.src, 1)
	}
	panicked = false
	if err == nil {
		return next, nil
	}
	next.free()
	if err == io.EOF {
		return nil, nil
	}
	return nil, u.readFailed(ctx, err)
}

// give ends a buffer's way to the store.
func (p *partUpload) give(b *buffer) func() {
	return func() {
		p.core.memory.move(-1)
		b.free()
		<-p.room
	}
}
