package resumable

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/omnibucket/storage"
)

// pace is how long a receiver waits for a client.
type pace struct {
	tick time.Duration
	// checkpoint is how long a client sends nothing before the bytes that are in memory
	// are stored, and slow how long they are in memory at most.
	checkpoint, slow time.Duration
	// idle is how long a client may send less than minimum bytes.
	idle    time.Duration
	minimum int64
}

var defaultPace = pace{tick: 500 * time.Millisecond, checkpoint: 2 * time.Second, slow: 30 * time.Second, idle: idleFor, minimum: idleMinimum}

const (
	// maxSegments bounds the objects after the last part. More are joined.
	maxSegments = 32
	// storeTimeout bounds the requests that store what has arrived, which continue if the
	// client disconnects.
	storeTimeout = 5 * time.Minute
)

// A receiver stores the bytes of one request.
//
// Parts of PartSize bytes go to the store's upload. Bytes that do not fill a part when the
// request ends are stored as a segment. They are read again when later bytes fill the part.
// So each part number always has the same bytes, whoever stores it. The state is saved after
// each part and segment; only then are the bytes acknowledged.
type receiver struct {
	h      *Handler
	c      *call
	ctx    context.Context // of requests to the store
	s      *session
	upload *storage.MultipartUpload // nil if the file fits one part
	sum    *checksum                // nil: none

	buf      []byte // of the next part; its bytes from have to n are in memory
	have, n  int
	saved    int // the bytes of the part that segments have
	segments []segment
	parts    int
	offset   int64 // of the next byte
	holder   string
	leaving  bool // the next save ends the hold
	crc      uint32
	obsolete []string // segments that the saved state does not name any more
}

// receive stores the body of a request that holds the session, and makes the object when
// all bytes have arrived.
func (h *Handler) receive(c *call, s *session, sum *checksum) (*session, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	defer cancel()
	f := newFeed(c)
	defer f.close()
	c.bodyRead = true
	done, err := h.receiveHeld(ctx, c, f, s, sum)
	if err != nil {
		h.letGo(ctx, s)
		f.drain()
		return nil, err
	}
	return done, nil
}

func (h *Handler) receiveHeld(ctx context.Context, c *call, f *feed, s *session, sum *checksum) (*session, error) {
	if !h.memory.acquire(c.Context(), s.PartSize) {
		return nil, refuse("", Busy, "Too many files arrive at once. Try again in a moment.")
	}
	defer h.memory.release(s.PartSize)
	t := s.Tus
	r := &receiver{
		h: h, c: c, ctx: ctx, s: s, sum: sum, holder: t.Holder, segments: slices.Clone(t.Tail), parts: t.Parts, offset: t.Offset, crc: t.CRC,
	}
	r.have = int(t.tailSize())
	r.n, r.saved = r.have, r.have
	if s.Token != "" {
		var err error
		if r.upload, err = storage.ContinueUpload(ctx, h.bucket, s.Token); err != nil {
			return nil, storeFailed(err)
		}
	}
	whole, err := r.body(f)
	if err != nil {
		if r.sum == nil {
			err = errors.Join(err, r.checkpoint())
		}
		return nil, firstError(err)
	}
	if err := sum.verify(); err != nil {
		return nil, err
	}
	if !whole || s.Size < 0 || r.offset < s.Size {
		if !whole && sum != nil {
			return nil, refuse("body", Interrupted, "The bytes did not arrive completely.")
		}
		r.leaving = true
		return s, r.checkpoint()
	}
	content, err := r.last()
	if err != nil {
		return nil, err
	}
	return h.finishTus(ctx, s, content)
}

// firstError returns the first of joined errors.
func firstError(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// limit returns how many bytes the file may have, or -1.
func (r *receiver) limit() int64 {
	if r.s.Size >= 0 {
		return r.s.Size
	}
	if most := r.s.Target.MaxSize; most > 0 {
		return most
	}
	return -1
}

// body receives the body. whole is false if the client or its pace ended it early; then
// the bytes so far count.
func (r *receiver) body(f *feed) (whole bool, err error) {
	interrupted, done := r.h.hold(r.s.name)
	defer done()
	pace := &r.h.pace
	ticker := time.NewTicker(pace.tick)
	defer ticker.Stop()
	now := time.Now()
	lastByte, lastStored, windowBegan, windowBytes := now, now, now, int64(0)
	for {
		select {
		case p := <-f.pieces:
			parts, err := r.parts, r.take(p.data)
			f.recycle(p)
			if err != nil {
				return false, err
			}
			now := time.Now()
			if parts != r.parts {
				lastStored, windowBegan, windowBytes = now, now, 0
			}
			lastByte, windowBytes = now, windowBytes+int64(len(p.data))
			switch {
			case p.err == io.EOF:
				return true, nil
			case p.err != nil:
				return false, nil
			}
		case <-interrupted:
			return false, errTaken()
		case now := <-ticker.C:
			stalled := now.Sub(lastByte) > pace.checkpoint
			if r.sum == nil && (stalled && r.s.Tus.Holder != "" || r.n > r.saved && now.Sub(lastStored) > pace.slow) {
				r.leaving = stalled // a newer request need not wait
				err := r.checkpoint()
				r.leaving = false
				if err != nil {
					return false, err
				}
				lastStored = time.Now()
			}
			if now.Sub(windowBegan) > pace.idle {
				if windowBytes < pace.minimum {
					return false, nil
				}
				windowBegan, windowBytes = now, 0
			}
		}
	}
}

// take takes bytes of the body, unless they exceed the limit.
func (r *receiver) take(data []byte) error {
	if limit := r.limit(); limit >= 0 && int64(len(data)) > limit-r.offset {
		return tooLarge("body", limit)
	}
	return r.add(data)
}

// add adds bytes to the part.
func (r *receiver) add(data []byte) error {
	if r.sum != nil {
		_, _ = r.sum.Write(data) // never fails
	}
	for len(data) > 0 {
		if r.n == r.size() {
			if err := r.storePart(); err != nil {
				return err
			}
		}
		r.grow(r.n + len(data))
		n := copy(r.buf[r.n:], data)
		r.crc = crc32.Update(r.crc, castagnoli, data[:n])
		r.n, r.offset, data = r.n+n, r.offset+int64(n), data[n:]
	}
	if r.n == r.size() && r.upload != nil && r.size() > 0 {
		return r.storePart()
	}
	return nil
}

func (r *receiver) size() int { return int(r.s.PartSize) }

// grow makes space for n bytes, at most a part.
func (r *receiver) grow(n int) {
	n = min(n, r.size())
	if n <= len(r.buf) {
		return
	}
	larger := make([]byte, min(r.size(), max(n, 2*len(r.buf), 4*pieceBytes)))
	copy(larger[r.have:], r.buf[min(r.have, len(r.buf)):])
	r.buf = larger
}

// load reads the segments, so that buf has all bytes of the part.
func (r *receiver) load() error {
	if r.have == 0 {
		return nil
	}
	r.grow(r.n)
	at := 0
	for _, segment := range r.segments {
		if at == r.have {
			break
		}
		data, _, err := storage.ReadAll(r.ctx, r.h.bucket, r.h.objectKey(r.s, segment.Name))
		if err != nil {
			return r.storeFailed(err)
		}
		if int64(len(data)) != segment.Size || at+len(data) > r.have {
			return &storage.Error{Code: storage.Internal, Err: errors.New("a segment of an upload has another size than its state says")}
		}
		at += copy(r.buf[at:], data)
	}
	r.have = 0
	return nil
}

// storePart stores the bytes in buf as the next part.
func (r *receiver) storePart() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	if err := r.load(); err != nil {
		return err
	}
	if _, err := r.upload.PutPart(ctx, r.parts+1, bytes.NewReader(r.buf[:r.n])); err != nil {
		return r.storeFailed(err)
	}
	for _, segment := range r.segments {
		r.obsolete = append(r.obsolete, segment.Name)
	}
	r.parts, r.segments = r.parts+1, nil
	r.n, r.have, r.saved = 0, 0, 0
	if r.sum != nil { // nothing counts before the checksum is verified
		return nil
	}
	return r.save()
}

// checkpoint stores what is in memory, so that the offset counts.
func (r *receiver) checkpoint() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	if r.n > r.saved {
		from := r.saved
		if len(r.segments) >= maxSegments {
			if err := r.load(); err != nil {
				return err
			}
			for _, segment := range r.segments {
				r.obsolete = append(r.obsolete, segment.Name)
			}
			r.segments, from = nil, 0
		}
		name := tailPrefix + rand.Text()
		if _, err := r.h.bucket.Upload(ctx, r.h.objectKey(r.s, name), bytes.NewReader(r.buf[from:r.n])); err != nil {
			return r.storeFailed(err)
		}
		r.segments = append(r.segments, segment{name, int64(r.n - from)})
		r.saved = r.n
	}
	if r.offset == r.s.Tus.Offset && !r.leaving {
		return nil
	}
	return r.save()
}

// save makes the offset count. If another request holds the session, it fails.
func (r *receiver) save() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	t := *r.s.Tus
	r.s.Tus.Offset, r.s.Tus.Parts, r.s.Tus.Tail, r.s.Tus.CRC = r.offset, r.parts, slices.Clone(r.segments), r.crc
	r.s.Tus.Holder, r.s.Tus.Held = r.holder, r.h.config.Now()
	if r.leaving {
		r.s.Tus.Holder = ""
	}
	if err := r.h.save(ctx, r.s); err != nil {
		*r.s.Tus = t
		if errors.Is(err, errConflict) {
			return errTaken()
		}
		return err
	}
	if len(r.obsolete) > 0 {
		r.h.removeKeys(ctx, r.s, r.obsolete...)
		r.obsolete = nil
	}
	return nil
}

// last stores the last bytes of the file. It returns the content if that fits one part and
// is not stored.
func (r *receiver) last() ([]byte, error) {
	if r.upload == nil || r.parts == 0 && r.n == 0 {
		r.grow(r.n)
		if err := r.load(); err != nil {
			return nil, err
		}
		return r.buf[:r.n:r.n], nil
	}
	if r.n > 0 {
		sum := r.sum
		r.sum = nil // it is verified
		defer func() { r.sum = sum }()
		return nil, r.storePart()
	}
	if r.offset != r.s.Tus.Offset {
		return nil, r.save()
	}
	return nil, nil
}

// letGo ends the hold of a request that failed.
func (h *Handler) letGo(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(ctx, cleanUpFor)
	defer cancel()
	holder := s.Tus.Holder
	if holder == "" {
		return
	}
	_, _ = h.update(ctx, s, func(s *session) (bool, error) {
		if s.Tus.Holder != holder {
			return false, nil
		}
		s.Tus.Holder = ""
		return true, nil
	})
}

// storeFailed returns an error of the store. If the upload is gone, it was removed.
func (r *receiver) storeFailed(err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return notFound()
	}
	return storeFailed(err)
}

// finishTus makes the object. content is the whole file, if it is not stored yet.
func (h *Handler) finishTus(ctx context.Context, s *session, content []byte) (*session, error) {
	if s.Kind == kindFinal {
		return h.finish(ctx, s, h.joinPieces(s))
	}
	t := *s.Tus
	token := s.Token
	if content != nil {
		t.CRC = crc32.Checksum(content, castagnoli)
	}
	done, err := h.finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		if token == "" || t.Parts == 0 {
			return h.storeWhole(ctx, s, key, content, t.CRC)
		}
		upload, err := storage.ContinueUpload(ctx, h.bucket, token)
		if err != nil {
			return nil, err
		}
		opts := []storage.CompleteOption{storage.WithParts(numbered(t.Parts)...), storage.WithSize(s.Size)}
		attrs, err := upload.Complete(ctx, append(opts, storage.WithCRC32C(t.CRC))...)
		if storage.CodeOf(err) == storage.Unsupported { // the store does not tell the checksums of parts
			attrs, err = upload.Complete(ctx, opts...)
		}
		return attrs, err
	})
	if err == nil && token != "" && t.Parts == 0 {
		if upload, err := storage.ContinueUpload(ctx, h.bucket, token); err == nil {
			h.abandon(ctx, upload)
		}
	}
	return done, err
}

// storeWhole stores a file that fits one part.
func (h *Handler) storeWhole(ctx context.Context, s *session, key string, content []byte, crc uint32) (*storage.Attrs, error) {
	if content == nil { // an earlier call stored it as segments
		r := &receiver{h: h, ctx: ctx, s: s, segments: s.Tus.Tail, have: int(s.Tus.tailSize())}
		r.n = r.have
		if err := r.load(); err != nil {
			return nil, err
		}
		content = r.buf[:r.n]
	}
	opts := []storage.UploadOption{storage.WithSize(int64(len(content))), storage.WithCRC32C(crc)}
	for _, o := range h.writeOptions(s) {
		opts = append(opts, o)
	}
	attrs, err := h.bucket.Upload(ctx, key, bytes.NewReader(content), opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed { // by an earlier call?
		return &storage.Attrs{Size: int64(len(content)), CRC32C: storage.KnownCRC32C(crc)}, err
	}
	return attrs, err
}
