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

// minBuffer is the size of the first buffer. It is small, so that a slow client uses little memory.
const minBuffer = 4 * intake.PieceBytes

// growBuffer makes space for n more bytes, at most up to the end of the part. If there is no memory for a larger
// buffer, it replaces the buffer by a new one.
func (r *receiver) growBuffer(n int) error {
	// The buffer holds the bytes of the part after those in segments, which end at r.start.
	maxSize := r.partSize() - r.start
	needed := min(len(r.held())+n, maxSize)
	if needed <= len(r.buf) {
		return nil
	}

	// Double the buffer, so that it is seldom copied.
	size := min(maxSize, max(needed, 2*len(r.buf), minBuffer))
	hasMemory := r.handler.Memory.Parts.Try(r.owner, int64(size-len(r.buf)))
	if !hasMemory {
		return r.replaceBuffer(n)
	}
	larger := make([]byte, size)
	copy(larger, r.held())
	r.buf = larger
	return nil
}

// replaceBuffer stores the bytes of the buffer as a segment, frees the buffer, and waits for memory for a new one with
// space for n bytes.
func (r *receiver) replaceBuffer(n int) error {
	if err := r.storeSegment(); err != nil {
		return err
	}

	// The new buffer begins after the segment.
	size := min(r.partSize()-r.start, max(n, minBuffer))
	if err := r.waitForMemory(size); err != nil {
		return err
	}
	r.buf = make([]byte, size)
	return nil
}

// held returns the bytes of the next part that are in memory.
func (r *receiver) held() []byte { return r.buf[:r.end-r.start] }

// unsaved returns the bytes in memory that are in no segment yet.
func (r *receiver) unsaved() []byte { return r.held()[r.saved-r.start:] }

// waitForMemory waits for memory. The receiver must not hold any, because otherwise receivers could wait
// for each other forever.
func (r *receiver) waitForMemory(bytes int) error {
	if r.handler.Memory.Parts.Acquire(r.client, r.owner, int64(bytes)) {
		return nil
	}
	return refusal.Busy(intake.ErrBusy)
}

// freeBuffer frees the memory of the receiver, and drops the bytes that are not in a segment.
func (r *receiver) freeBuffer() {
	r.handler.Memory.Parts.Release(r.owner, int64(len(r.buf)))
	r.buf = nil
}

// loadSegments reads the stored segments of the current part back into memory, so that buf has the part from
// its beginning. Segments are bytes of the part that were stored to free memory.
func (r *receiver) loadSegments() error {
	if r.start == 0 {
		return nil
	}

	// The new buffer must hold all bytes of the part. Take only the memory that the old buffer lacks.
	added := max(0, r.end-len(r.buf))
	hasMemory := r.handler.Memory.Parts.Try(r.owner, int64(added))
	if !hasMemory {
		// Store the bytes in memory as a segment, too. This frees the old buffer, so wait for all of the memory.
		if err := r.storeSegment(); err != nil {
			return err
		}
		added = r.end
		if err := r.waitForMemory(added); err != nil {
			return err
		}
	}

	// Put the segments in front of the bytes that are in memory.
	larger := make([]byte, len(r.buf)+added)
	if err := r.readSegments(larger[:r.start]); err != nil {
		r.handler.Memory.Parts.Release(r.owner, int64(added))
		return err
	}
	copy(larger[r.start:], r.held())
	r.buf = larger
	r.start = 0
	return nil
}

// readSegments reads all segments into buf, one after the other.
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

// readSegment reads the segment with this name into buf, whose length it must have.
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

// storeBuffer stores the bytes in memory as a segment, and joins the segments if there are too many.
func (r *receiver) storeBuffer() error {
	if err := r.storeSegment(); err != nil {
		return err
	}
	if len(r.next.Tail) <= maxSegments {
		return nil
	}

	// Read all segments, and store their bytes as one.
	if err := r.loadSegments(); err != nil {
		return err
	}
	r.discardSegments()
	r.saved = 0 // no byte of the buffer is in a segment any more
	return r.storeSegment()
}

// storeSegment stores the bytes in memory as a segment, and frees the memory. Bytes that are in a segment already
// are not stored again.
func (r *receiver) storeSegment() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()

	unsaved := r.unsaved()
	if len(unsaved) > 0 {
		name := session.TailPrefix + rand.Text()
		key := r.handler.Store.Key(r.s, name)
		_, err := r.handler.Store.Bucket.Upload(ctx, key, bytes.NewReader(unsaved))
		if err != nil {
			return refusal.UploadFailed(err)
		}
		r.next.Tail = append(r.next.Tail, session.Segment{Name: name, Size: int64(len(unsaved))})
		r.saved = r.end
	}

	// A new buffer will begin after the bytes in segments.
	r.freeBuffer()
	r.start = r.end
	return nil
}

// discardSegments drops the segments, whose bytes are now stored elsewhere. The next save removes their
// objects.
func (r *receiver) discardSegments() {
	for _, segment := range r.next.Tail {
		r.obsolete = append(r.obsolete, segment.Name)
	}
	r.next.Tail = nil
}
