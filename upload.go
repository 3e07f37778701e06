package storage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"sync"
)

const (
	// lookAhead is how much of a stream is read before it is decided how to
	// store it: a body that ends within is sent whole, with its size and
	// checksum known, and can be sent again.
	lookAhead = firstChunk + secondChunk

	// singleLimit is the largest body that goes in one request where the
	// provider has parts and nothing was said.
	singleLimit = 8 << 20
)

// upload is one call of Upload.
type upload struct {
	operation
	req      PutRequest
	src      source
	writeID  string
	metadata map[string]string // the user's
	progress *progress
	content  sectionBody // of one Put
	first    buffer      // of a stream
}

var uploads = sync.Pool{New: func() any { return new(upload) }}

func newUpload(c *core) *upload {
	if c.recycles() {
		return uploads.Get().(*upload)
	}
	return &upload{}
}

// recycle leaves u to another call, where nothing can be left that reads it.
func (u *upload) recycle() {
	if u.core.recycles() {
		*u = upload{}
		uploads.Put(u)
	}
}

// Upload stores all of body under key.
func (b *bucket) Upload(ctx context.Context, key string, body io.Reader, opts ...UploadOption) (*Attrs, error) {
	u := newUpload(b.core)
	a, err := u.upload(ctx, b, key, body, opts)
	u.recycle()
	return a, err
}

func (u *upload) upload(ctx context.Context, b *bucket, key string, body io.Reader, opts []UploadOption) (*Attrs, error) {
	e := u.prepare(b, mayUpload, "Upload", key)
	if e == nil {
		e = u.resolve(body, opts)
	}
	if e != nil {
		return nil, u.end(e)
	}
	ctx, e = u.begin(ctx)
	if e != nil {
		return nil, u.end(e)
	}
	a, e := u.store(ctx)
	if e != nil {
		return nil, u.end(e)
	}
	return a, u.end(nil)
}

// resolve checks everything that can be checked before a request.
func (u *upload) resolve(body io.Reader, opts []UploadOption) *Error {
	r := &u.req
	if err := r.Apply(opts...); err != nil {
		return ownError(err)
	}
	if e := checkWriteKey(u.key); e != nil {
		return e
	}
	r.Key = u.key
	if e := u.core.resolveWrite(&r.Properties, r.PublicRead, &r.Condition, &r.set); e != nil {
		return e
	}
	native, e := u.core.natives(r.set.natives)
	if e != nil {
		return e
	}
	r.Native = native
	if e := u.checkPartSize(); e != nil {
		return e
	}
	if e := u.src.init(body, r.Size); e != nil {
		return e
	}
	if u.src.size >= 0 {
		return u.core.checkSize(u.src.size)
	}
	return nil
}

// resolveWrite checks what all writes have in common.
func (c *core) resolveWrite(p *Properties, publicRead bool, cond *Condition, set *settings) *Error {
	if e := checkProperties(p, set.given); e != nil {
		return e
	}
	if p.StorageClass != "" {
		if e := c.need(StorageClasses, "WithStorageClass"); e != nil {
			return e
		}
	}
	if publicRead {
		if e := c.need(ObjectACL, "WithPublicRead"); e != nil {
			return e
		}
	}
	return c.condition(cond, ConditionalUpdate)
}

func (u *upload) checkPartSize() *Error {
	size, d := u.req.set.partSize, &u.core.desc
	if size == 0 {
		return nil
	}
	if e := u.core.need(UploadParts, "WithPartSize"); e != nil {
		return e
	}
	largest := cmp.Or(d.MaxPartSize, d.MaxSize) // no part is larger than an object
	if size < d.MinPartSize || largest > 0 && size > largest {
		most := "any number of"
		if largest > 0 {
			most = strconv.FormatInt(largest, 10)
		}
		return invalid("WithPartSize", fmt.Sprintf("must be from %d to %s bytes on %s", d.MinPartSize, most, d.Provider))
	}
	if d.PartUnit > 0 && size%d.PartUnit != 0 {
		return invalid("WithPartSize", fmt.Sprintf("must be a multiple of %d bytes on %s", d.PartUnit, d.Provider))
	}
	return nil
}

// store stores the body; what is known of it decides between one Put and parts.
func (u *upload) store(ctx context.Context) (*Attrs, *Error) {
	r := &u.req
	u.metadata = r.Metadata
	u.progress = newProgress(r.set.progress, u.src.size)
	r.ContentType = contentType(r.ContentType, u.key, u.src.sniff)
	if r.set.journal != nil {
		return u.storeResumed(ctx)
	}
	return u.storeBody(ctx)
}

func (u *upload) storeBody(ctx context.Context) (*Attrs, *Error) {
	r := &u.req
	if r.Condition != (Condition{}) && u.writeID == "" {
		u.identify()
	}
	r.Metadata = u.core.stored(u.metadata, u.writeID)
	if u.src.at == nil {
		return u.storeStream(ctx)
	}
	if u.src.size <= u.singleBound() {
		return u.putSection(ctx, u.src.at, u.src.off, u.src.size, nil)
	}
	return u.storeParts(ctx, nil, nil)
}

// identify gives the write an id by which it can be told from another's.
func (u *upload) identify() {
	var id [writeIDBytes / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	u.writeID = hex.EncodeToString(id[:])
}

// singleBound is the largest body that goes in one Put.
func (u *upload) singleBound() int64 {
	bound := int64(math.MaxInt64)
	if u.core.desc.MaxPutSize > 0 {
		bound = u.core.desc.MaxPutSize
	}
	switch {
	case !u.core.has(UploadParts):
	case u.req.set.partSize > 0:
		bound = min(bound, u.req.set.partSize)
	case !u.core.has(StreamPut):
		bound = min(bound, singleLimit)
	}
	return bound
}

// storeStream reads ahead, and knows more then.
func (u *upload) storeStream(ctx context.Context) (*Attrs, *Error) {
	first := &u.first
	first.init(&u.operation)
	if !u.streams() {
		next, e := u.fillPart(ctx, first, 1)
		if e == nil && u.src.size >= 0 && first.size > u.src.size {
			next.free()
			e = tooLong(u.src.size)
		}
		switch {
		case e != nil:
			first.free()
			return nil, e
		case next == nil && first.size <= u.singleBound():
			defer first.free()
			return u.putBuffer(ctx, first)
		case !u.core.has(UploadParts):
			first.free()
			next.free()
			return nil, tooLarge(0)
		}
		return u.storeParts(ctx, first, next)
	}
	defer first.free()
	err := first.fill(ctx, &u.src, lookAhead)
	switch {
	case err == nil:
		return u.putStream(ctx, first)
	case err == io.EOF && first.size <= u.singleBound():
		return u.putBuffer(ctx, first)
	case err == io.EOF:
		return nil, tooLarge(0)
	}
	return nil, u.readFailed(ctx, err)
}

// streams reports whether a stream goes in one Put of unknown size.
func (u *upload) streams() bool {
	maximum := u.core.desc.MaxPutSize
	return u.core.has(StreamPut) && u.req.set.partSize == 0 &&
		(maximum == 0 || u.src.size <= maximum || !u.core.has(UploadParts))
}

// readFailed is why a part could not be read: ctx, or the caller's reader.
func (u *upload) readFailed(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return asError(ctx, err)
	}
	return bodyFailed(err)
}

// putBuffer stores a stream that has ended within a buffer.
func (u *upload) putBuffer(ctx context.Context, b *buffer) (*Attrs, *Error) {
	if declared := u.req.Size; declared >= 0 && declared != b.size {
		return nil, wrongLength(b.size, declared)
	}
	u.core.memory.move(1)
	defer u.core.memory.move(-1)
	return u.putSection(ctx, b, 0, b.size, &b.crc)
}

// putSection stores a body that can be read again. Where the driver wants the
// checksum before the bytes, it is computed first.
func (u *upload) putSection(ctx context.Context, at io.ReaderAt, off, length int64, crc *uint32) (*Attrs, *Error) {
	r, want, content := &u.req, u.req.CRC32C, &u.content
	content.init(at, off, length)
	content.moved = u.progress.add()
	if crc == nil && (length == 0 || !u.core.has(StreamPut)) {
		sum, err := hashSection(&content.section)
		if err != nil {
			return nil, bodyFailed(err)
		}
		crc = &sum
	}
	if crc != nil && want != nil && *crc != *want {
		return nil, mismatch(*want, *crc)
	}
	r.CRC32C, r.Size, r.Body = crc, length, content
	if memory, ok := content.inMemory(); ok && u.core.recycles() {
		r.Body = memory
	}
	if crc == nil {
		content.want, content.sum = want, &r.CRC32C
	}
	return u.put(ctx, content, &content.body)
}

// putStream stores a stream in one request: what was read ahead, and the rest.
func (u *upload) putStream(ctx context.Context, first *buffer) (*Attrs, *Error) {
	r := &u.req
	content := &body{
		from:  io.MultiReader(io.NewSectionReader(first, 0, first.size), &u.src),
		size:  r.Size,
		limit: u.core.desc.MaxPutSize,
		want:  r.CRC32C,
		sum:   &r.CRC32C,
		moved: u.progress.add(),
	}
	r.CRC32C, r.Size, r.Body = nil, -1, content
	return u.put(ctx, content, content)
}

// put is one Put and its verdict.
func (u *upload) put(ctx context.Context, rewind replayable, content *body) (*Attrs, *Error) {
	var a *Attrs
	e := u.send(ctx, rewind, func(ctx context.Context) (err error) {
		a, err = u.core.driver.Put(ctx, &u.req)
		return err
	})
	if e == nil && !content.ended && !(content.exact && content.size == 0) {
		e = &Error{Code: Internal, Err: errors.New("the driver stored the body without reading all of it")}
	}
	return u.verdict(ctx, a, e, content.read)
}

// verdict ends a write: settled, counted, and described as the user sees it.
func (u *upload) verdict(ctx context.Context, a *Attrs, e *Error, size int64) (*Attrs, *Error) {
	settled := false
	if e != nil {
		if a, e = u.settle(ctx, e, u.req.Condition, u.writeID); e != nil {
			return nil, e
		}
		settled = true
	}
	if crc := u.req.CRC32C; crc != nil {
		if a.CRC32C == nil {
			kept := *crc // crc points into the upload, which would live as long as a
			a.CRC32C = &kept
		}
		if *a.CRC32C != *crc {
			return nil, mismatch(*crc, *a.CRC32C)
		}
	}
	u.bytes.Store(size)
	if settled {
		return u.present(a), nil
	}
	class := a.StorageClass
	a.Size, a.Properties = size, u.req.Properties
	a.Metadata = u.metadata
	if class != "" {
		a.StorageClass = class
	}
	return u.presentWritten(a), nil
}

// presentWritten is present for Attrs whose metadata is the user's already.
func (o *operation) presentWritten(a *Attrs) *Attrs {
	metadata := a.Metadata
	a.Metadata = nil
	a = o.present(a)
	a.Metadata = maps.Clone(metadata) // a driver may keep the one that it was given
	return a
}

func hashSection(section *io.SectionReader) (uint32, error) {
	chunk := takeChunk(secondChunk)
	defer giveChunk(chunk)
	var crc uint32
	for off := int64(0); off < section.Size(); {
		n, err := section.ReadAt(chunk, off)
		crc = updateCRC(crc, chunk[:n])
		off += int64(n)
		if err != nil && off < section.Size() {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	return crc, nil
}

func tooLarge(parts int) *Error {
	e := &Error{Code: TooLarge, Err: errors.New("the body is larger than what the provider stores in one object")}
	if parts > 0 {
		e.Hint = fmt.Sprintf("all %d parts are used: a larger WithPartSize, or WithSize, makes room for more", parts)
	}
	return e
}
