package tus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Pace says how long a receiver waits for a client that sends slowly.
type Pace struct {
	Tick time.Duration
	// If a client sends nothing for the time in checkpoint, the bytes in memory are stored. If the
	// client still sends, bytes stay in memory for at most the time in slow.
	Checkpoint, slow time.Duration
	// If a client sends fewer than minimum bytes in a period of the length Idle, it is disconnected.
	Idle    time.Duration
	minimum int64
}

// DefaultPace is the pace of a handler, except in tests.
var DefaultPace = Pace{
	Tick:       500 * time.Millisecond,
	Checkpoint: 2 * time.Second,
	slow:       30 * time.Second,
	Idle:       intake.IdleFor,
	minimum:    intake.IdleMinimum,
}

const (
	// maxSegments limits the number of segments of an upload. A segment is a small object with
	// bytes that do not fill a part. If there are more segments, the receiver joins them.
	maxSegments = 32
	// stopAfter is how long a receiver continues to read after the context of the request has
	// ended. In this time, the receiver reads the bytes that have already arrived.
	stopAfter = 20 * time.Millisecond
	// storeTimeout limits each step that stores received bytes. Such a step continues if the client
	// disconnects.
	storeTimeout = 5 * time.Minute
)

// A receiver receives and stores the bytes of one request.
//
// It sends parts of PartSize bytes to the multipart upload in the store. Sometimes bytes must be
// stored before they fill a part. They become a segment, which is a small object. When later bytes
// fill the part, the receiver reads the segment again, and sends the whole part. Two processes may
// store the same part, but they always store the same bytes. The state is saved after each part and
// each segment. The client learns only from the saved state which bytes are stored.
type receiver struct {
	handler     *Handler
	client      context.Context // context of the request, which ends if the client disconnects
	ctx         context.Context // context of requests to the store, which continue if the client disconnects
	s           *session.Session
	interrupted <-chan struct{}         // closed when another request wants to continue the upload
	owner       string                  // owner of the memory in the pool
	upload      storage.MultipartUpload // nil if the file fits one part
	sum         *checksum               // checksum of the body; nil if there is none or it is verified

	// buf has the bytes of the next part that are in memory. They begin at the position start of
	// that part, and end before the position end. The whole length of buf counts toward
	// Config.MemoryLimit.
	buf   []byte
	start int
	end   int
	saved int              // number of bytes of the next part that are in segments
	next  session.TusState // state that the next save will store
	// leaving is true if this request is no longer the holder of the session after the next save.
	leaving  bool
	obsolete []string // segments to remove after the next save
}

// newReceiver returns a receiver for the bytes that follow the offset in the state. It uses ctx for
// requests to the store, while client is the context of the client's request.
func (t *Handler) newReceiver(ctx, client context.Context, s *session.Session, owner string) *receiver {
	inSegments := int(s.Tus.Offset - int64(s.Tus.Parts)*s.PartSize) // bytes
	return &receiver{
		handler: t,
		client:  client,
		ctx:     ctx,
		s:       s,
		owner:   owner,
		next:    *s.Tus,
		start:   inSegments,
		end:     inSegments,
		saved:   inSegments,
	}
}

// receive stores the body of the request, which is the holder of the session. When all bytes of the file have
// arrived, it makes the object.
func (t *Handler) receive(c *call, s *session.Session, sum *checksum) (*session.Session, error) {
	// The bytes that have arrived are stored even if the client disconnects.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	defer cancel()

	// The body may have as many bytes as the file still lacks, or any number if remaining is -1.
	remaining := s.Limit()
	if remaining >= 0 {
		remaining -= s.Tus.Offset
	}

	f, err := t.newFeed(c, remaining)
	if err != nil {
		t.Store.Release(ctx, s, c.name)
		return nil, err
	}
	// The caller closes the feed of a refused body, before it writes the response.
	defer func() {
		isRefused := c.Refused != nil
		if !isRefused {
			f.Close()
		}
	}()

	final, err := t.receiveHeld(ctx, c, f, s, sum)
	if err != nil {
		// Another request may continue the upload, so let it become the holder.
		t.Store.Release(ctx, s, c.name)
		c.Refused = f
		return nil, err
	}
	return final, nil
}

// receiveHeld stores the bytes of a body in a session that this request holds. With the last byte of the
// file, it makes the object.
func (t *Handler) receiveHeld(
	ctx context.Context, c *call, f *feed, s *session.Session, sum *checksum,
) (*session.Session, error) {
	r := t.newReceiver(ctx, c.Context(), s, intake.Owner(c.Request, s.User))
	r.sum = sum
	r.interrupted = c.interrupted
	defer r.freeBuffer()

	// Continue the multipart upload, if there is one.
	if s.Token != "" {
		var err error
		r.upload, err = storage.ContinueUpload(ctx, t.Store.Bucket, s.Token)
		if err != nil {
			return nil, refusal.StoreFailed(err)
		}
	}

	isWholeBody, err := r.verifiedBody(f)
	if err != nil {
		r.keepReceived()
		return nil, err
	}
	// The checksum is verified. Without it, the receiver may save the new offset.
	r.sum = nil

	if isWholeBody && c.last && s.Size < 0 {
		// The client sends the last bytes of the file, which show how long it is.
		s.Size = r.next.Offset
	}
	isComplete := isWholeBody && s.Size >= 0 && r.next.Offset >= s.Size
	if !isComplete {
		// More bytes must follow, so only save what has arrived.
		r.leaving = true
		return s, r.checkpoint()
	}

	content, err := r.storeLastPart()
	if err != nil {
		return nil, err
	}
	return t.finish(ctx, s, content)
}

// keepReceived saves the bytes that have arrived of a body that failed, if they can be stored. With a checksum, only
// a whole and valid body counts, so it then removes them.
func (r *receiver) keepReceived() {
	if r.sum != nil {
		r.removeUncounted()
		return
	}
	_ = r.checkpoint()
}

// verifiedBody receives the body, and verifies its checksum if it has one. It reports whether the body
// is whole, which a body with a checksum must be.
func (r *receiver) verifiedBody(f *feed) (whole bool, err error) {
	whole, err = r.receiveBody(f)
	if err != nil || r.sum == nil {
		return whole, err
	}
	if !whole {
		return false, refusal.New("body", refusal.CodeInterrupted, "The bytes did not arrive completely.")
	}
	return true, r.sum.verify()
}

// removeUncounted removes the segments that this request has stored, but not saved in the state.
func (r *receiver) removeUncounted() {
	for _, segment := range r.next.Tail {
		if !slices.Contains(r.s.Tus.Tail, segment) {
			r.handler.Store.RemoveKeys(r.ctx, r.s, segment.Name)
		}
	}
}

// receiveBody receives the body of the request, and reports whether it is whole. If the client disconnects or
// is too slow, the bytes so far are kept.
func (r *receiver) receiveBody(f *feed) (whole bool, err error) {
	// The ticker makes the loop look at the pace of the client even if no bytes arrive.
	ticker := time.NewTicker(r.handler.Pace.Tick)
	defer ticker.Stop()
	canceled := r.client.Done()
	var stopped <-chan time.Time // nil until the context of the request has ended

	now := time.Now()
	progress := progress{lastByte: now, lastStored: now, window: idleWindow{began: now}}
	for {
		select {
		case p := <-f.pieces:
			err := r.addPiece(p, &progress)
			f.recycle(p)
			if err != nil {
				return false, err
			}
			// The last piece has the error that ended the body, which is io.EOF at its end.
			if p.err != nil {
				return p.err == io.EOF, nil
			}

		case <-r.interrupted:
			return false, errTaken()

		case <-canceled:
			// The server stops, or the client has disconnected. Read what has arrived.
			canceled = nil
			stopped = time.After(stopAfter)

		case <-stopped:
			return false, refusal.StoreFailed(context.Canceled)

		case now := <-ticker.C:
			isTooSlow, err := r.checkPace(now, &progress)
			if isTooSlow || err != nil {
				return false, err
			}
		}
	}
}

// A progress says when bytes of a body have arrived and were stored.
type progress struct {
	lastByte   time.Time // when the last byte arrived
	lastStored time.Time // when bytes were last stored
	window     idleWindow
}

// addPiece adds a piece of the body to the next part.
func (r *receiver) addPiece(p chunk, progress *progress) error {
	oldParts := r.next.Parts
	if err := r.add(p.data); err != nil {
		return err
	}

	now := time.Now()
	if r.next.Parts != oldParts {
		// A part was stored, which may have taken long.
		progress.lastStored = now
		progress.window = idleWindow{began: now}
	}
	progress.lastByte = now
	progress.window.bytes += int64(len(p.data))
	return nil
}

// checkPace is called from time to time while the client sends. It stores what has arrived if the client has stalled or
// shouldStore says so. It then reports whether the client is too slow.
func (r *receiver) checkPace(now time.Time, progress *progress) (isTooSlow bool, err error) {
	hasStalled := now.Sub(progress.lastByte) > r.handler.Pace.Checkpoint
	if hasStalled || r.shouldStore(now.Sub(progress.lastStored)) {
		if err := r.freeMemory(hasStalled); err != nil {
			return false, err
		}
		progress.lastStored = time.Now()
	}
	return r.isTooSlow(now, progress), nil
}

// isTooSlow reports whether a period of Pace.Idle has ended in which too few bytes have arrived. After the end of a
// period, it begins the next one.
func (r *receiver) isTooSlow(now time.Time, progress *progress) bool {
	pace := &r.handler.Pace
	isPeriodOver := now.Sub(progress.window.began) > pace.Idle
	if !isPeriodOver {
		return false
	}
	received := progress.window.bytes
	progress.window = idleWindow{began: now}
	return received < pace.minimum
}

// An idleWindow counts the bytes of a client in a period that ends after Pace.Idle.
type idleWindow struct {
	began time.Time
	bytes int64
}

// shouldStore reports whether the bytes in memory must be stored although the client still sends,
// because the last ones were stored so long ago or others need the memory.
func (r *receiver) shouldStore(sinceLast time.Duration) bool {
	pace := &r.handler.Pace
	if sinceLast > pace.slow {
		return true
	}
	return sinceLast > pace.Checkpoint && r.handler.Memory.Parts.Contended(r.owner)
}

// freeMemory stores the bytes of a slow client, and frees their memory. If the client has stalled, the
// request also stops being the holder, so that a newer request need not wait for it.
func (r *receiver) freeMemory(stalled bool) error {
	stopsHolding := stalled && r.s.Tus.Holder != ""
	if len(r.unsaved()) == 0 && !stopsHolding {
		// Segments have all bytes of the part until now, and none of them is in memory any more.
		r.freeBuffer()
		r.start = r.end
		return nil
	}

	// With leaving, the next save ends the role of this request as holder.
	r.leaving = stalled
	err := r.checkpoint()
	r.leaving = false
	return err
}

// add adds data to the next part, and stores each part that is full. It fails if the file would become too
// large.
func (r *receiver) add(data []byte) error {
	limit := r.s.Limit()
	if limit >= 0 && int64(len(data)) > limit-r.next.Offset {
		return refusal.TooLarge("body", limit)
	}
	if r.sum != nil {
		_, _ = r.sum.Write(data) // never fails
	}

	for len(data) > 0 {
		// The part is full, and more bytes follow it.
		if r.end == r.partSize() {
			if err := r.storePart(); err != nil {
				return err
			}
		}
		if err := r.growBuffer(len(data)); err != nil {
			return err
		}

		// Add what fits into the buffer.
		n := copy(r.buf[len(r.held()):], data)
		r.next.CRC = crc32c.Update(r.next.CRC, data[:n])
		r.end += n
		r.next.Offset += int64(n)
		data = data[n:]
	}

	// Store a full part at once. Without a multipart upload, the file fits one part, and is stored at the end.
	isFull := r.end == r.partSize() && r.partSize() > 0
	if isFull && r.upload != nil {
		return r.storePart()
	}
	return nil
}

// partSize returns the size of a part.
func (r *receiver) partSize() int { return int(r.s.PartSize) }

// storePart stores the bytes of the next part, in segments and in memory, as a part.
func (r *receiver) storePart() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()

	// Store the part, which buf holds from its beginning after loadSegments.
	if err := r.loadSegments(); err != nil {
		return err
	}
	_, err := r.upload.PutPart(ctx, r.next.Parts+1, bytes.NewReader(r.buf[:r.end]))
	if err != nil {
		return refusal.UploadFailed(err)
	}

	// Begin the part that follows, of which no bytes have arrived.
	r.discardSegments()
	r.next.Parts++
	r.start = 0
	r.end = 0
	r.saved = 0

	isAwaited := r.handler.Memory.Parts.Contended(r.owner)
	if isAwaited {
		// Another request waits for memory.
		r.freeBuffer()
	}
	return r.save()
}

// checkpoint stores the bytes in memory as a segment, and then saves the new offset.
func (r *receiver) checkpoint() error {
	if err := r.storeBuffer(); err != nil {
		return err
	}
	if r.next.Offset == r.s.Tus.Offset && !r.leaving {
		// The saved state is the current one.
		return nil
	}
	return r.save()
}

// save saves the session with the new offset in r.next, and fails if another request is the holder. A body with a
// checksum must be verified before, so save then does nothing.
func (r *receiver) save() error {
	if r.sum != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()

	// Put the new state into the session.
	oldState := *r.s.Tus
	*r.s.Tus = r.next
	r.s.Tus.Held = r.handler.Store.Now()
	if r.leaving {
		r.s.Tus.Holder = ""
	}
	if err := r.handler.Store.Save(ctx, r.s); err != nil {
		// The session must describe what is stored.
		*r.s.Tus = oldState
		if errors.Is(err, session.ErrConflict) {
			return errTaken()
		}
		return err
	}

	// The saved state no longer names the obsolete segments.
	if len(r.obsolete) > 0 {
		r.handler.Store.RemoveKeys(ctx, r.s, r.obsolete...)
		r.obsolete = nil
	}
	return nil
}

// storeLastPart stores the bytes that are still in memory after the last one has arrived, and returns nil. If the
// whole file fits into one part, it returns the content instead, for the caller to store.
func (r *receiver) storeLastPart() ([]byte, error) {
	fitsOnePart := r.upload == nil
	isEmpty := r.next.Parts == 0 && r.end == 0 // a multipart upload was begun because the length was unknown
	if fitsOnePart || isEmpty {
		if err := r.loadSegments(); err != nil {
			return nil, err
		}
		return r.buf[:r.end:r.end], nil
	}

	if r.end > 0 {
		return nil, r.storePart()
	}
	if r.next.Offset != r.s.Tus.Offset {
		// All bytes are stored, but the saved offset is an earlier one.
		return nil, r.save()
	}
	return nil, nil
}
