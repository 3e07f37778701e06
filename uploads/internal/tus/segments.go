package tus

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// grow makes space for n more bytes, at most up to the end of the part. The buffer is small at
// first, so that a slow client uses little memory. If there is no memory, grow stores all bytes of
// the buffer as a segment, and frees the buffer. Then it waits for new memory.
func (r *receiver) grow(n int) error {
	remaining := r.size() - r.start
	needed := min(r.n-r.start+n, remaining)
	if needed <= len(r.buf) {
		return nil
	}
	space := min(remaining, max(needed, 2*len(r.buf), 4*intake.PieceBytes))
	if !r.handler.Memory.Parts.Try(r.owner, int64(space-len(r.buf))) {
		if err := r.spill(); err != nil {
			return err
		}
		space = min(r.size()-r.start, max(n, 4*intake.PieceBytes))
		if err := r.waitFor(space); err != nil {
			return err
		}
	}
	larger := make([]byte, space)
	copy(larger, r.buf[:r.n-r.start])
	r.buf = larger
	return nil
}

// waitFor waits for memory. The receiver must hold none when it calls waitFor, because otherwise
// receivers could wait for each other forever.
func (r *receiver) waitFor(bytes int) error {
	if r.handler.Memory.Parts.Acquire(r.client, r.owner, int64(bytes)) {
		return nil
	}
	return refusal.Busy(intake.ErrBusy)
}

// drop frees the memory of the receiver. Bytes that are not in a segment are lost.
func (r *receiver) drop() {
	r.handler.Memory.Parts.Release(r.owner, int64(len(r.buf)))
	r.buf = nil
}

// load reads the segments into buf, so that buf has all bytes of the part from its beginning.
func (r *receiver) load() error {
	if r.start == 0 {
		return nil
	}
	n := max(0, r.n-len(r.buf))
	if !r.handler.Memory.Parts.Try(r.owner, int64(n)) {
		if err := r.spill(); err != nil {
			return err
		}
		if err := r.waitFor(r.n); err != nil {
			return err
		}
		n = r.n
	}
	data := make([]byte, len(r.buf)+n)
	if err := r.readSegments(data[:r.start]); err != nil {
		r.handler.Memory.Parts.Release(r.owner, int64(n))
		return err
	}
	copy(data[r.start:], r.buf[:r.n-r.start])
	r.buf = data
	r.start = 0
	return nil
}

// readSegments reads all segments into the buffer of the caller, one segment after the other.
func (r *receiver) readSegments(buf []byte) error {
	for _, segment := range r.next.Tail {
		if err := r.readSegment(buf[:segment.Size], segment.Name); err != nil {
			return refusal.UploadFailed(err)
		}
		buf = buf[segment.Size:]
	}
	return nil
}

var errSegment = &storage.Error{
	Code: storage.Internal,
	Err:  errors.New("a segment of an upload has another size than its state says"),
}

// readSegment reads one segment into the buffer of the caller.
func (r *receiver) readSegment(buf []byte, name string) error {
	reader, err := r.handler.Store.Bucket.Download(r.ctx, r.handler.Store.Key(r.s, name))
	if err != nil {
		return err
	}
	defer reader.Close()
	if reader.Attrs().Size != int64(len(buf)) {
		return errSegment
	}
	_, err = io.ReadFull(reader, buf)
	return err
}

// store stores the bytes in memory as a segment. If there are too many segments, it joins them into
// one.
func (r *receiver) store() error {
	if err := r.spill(); err != nil || len(r.next.Tail) <= maxSegments {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	r.discardSegments()
	r.saved = 0
	return r.spill()
}

// spill stores the bytes in memory as a segment, and frees the memory.
func (r *receiver) spill() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	if r.n > r.saved {
		name := session.TailPrefix + rand.Text()
		if _, err := r.handler.Store.Bucket.Upload(ctx, r.handler.Store.Key(r.s, name), bytes.NewReader(r.buf[r.saved-r.start:r.n-r.start])); err != nil {
			return refusal.UploadFailed(err)
		}
		r.next.Tail = append(r.next.Tail, session.Segment{Name: name, Size: int64(r.n - r.saved)})
		r.saved = r.n
	}
	r.start = r.n
	r.drop()
	return nil
}

// discardSegments removes the segments from r.next, because their bytes are now stored elsewhere.
// The next save removes the objects of these segments.
func (r *receiver) discardSegments() {
	for _, segment := range r.next.Tail {
		r.obsolete = append(r.obsolete, segment.Name)
	}
	r.next.Tail = nil
}
