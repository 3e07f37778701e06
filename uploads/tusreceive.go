package uploads

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
)

// pace is how long a receiver waits for a client.
type pace struct {
	tick time.Duration
	// checkpoint is how long a client may send nothing before the bytes in memory are stored,
	// and slow is how long bytes may be in memory.
	checkpoint, slow time.Duration
	// idle is how long a client may send less than minimum bytes.
	idle    time.Duration
	minimum int64
}

var defaultPace = pace{
	tick: 500 * time.Millisecond, checkpoint: 2 * time.Second, slow: 30 * time.Second, idle: intake.IdleFor,
	minimum: intake.IdleMinimum,
}

const (
	// maxSegments bounds the objects after the last part. If there are more, they are joined.
	maxSegments = 32
	// stopAfter is how long bytes that a client has sent are still received after the context of its
	// request has ended.
	stopAfter = 20 * time.Millisecond
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
	tus         *tus
	client      context.Context // context of the request, which the client may end
	ctx         context.Context // context of requests to the store
	s           *session
	interrupted <-chan struct{}         // closed when another request wants the upload
	owner       string                  // who takes memory, for the pool
	upload      storage.MultipartUpload // nil if the file fits one part
	sum         *checksum               // checksum of the body, until it is verified; nil means none

	buf      []byte // bytes have to n of the next part; Config.MemoryLimit counts all of buf
	have, n  int
	saved    int      // how many bytes of the part are in segments
	next     tusState // the state that the next save stores
	leaving  bool     // the next save ends the hold
	obsolete []string // segments that the saved state does not name any more
}

// newReceiver returns a receiver of the bytes after those of the state.
func (t *tus) newReceiver(ctx, client context.Context, s *session, owner string) *receiver {
	have := int(s.Tus.Offset - int64(s.Tus.Parts)*s.PartSize) // bytes in segments
	return &receiver{
		tus: t, client: client, ctx: ctx, s: s, owner: owner, next: *s.Tus, have: have, n: have, saved: have,
	}
}

// receive stores the body of a request that holds the session, and makes the object when
// all bytes have arrived.
func (t *tus) receive(c *call, s *session, sum *checksum) (*session, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	defer cancel()
	left := s.limit()
	if left >= 0 {
		left -= s.Tus.Offset
	}
	f, err := t.newFeed(c, left)
	if err != nil {
		t.handler.keeper.release(ctx, s, c.name)
		return nil, err
	}
	defer func() {
		if c.refused == nil {
			f.close()
		}
	}()
	done, err := t.receiveHeld(ctx, c, f, s, sum)
	if err != nil {
		t.handler.keeper.release(ctx, s, c.name)
		c.refused = f // the response is sent first
		return nil, err
	}
	return done, nil
}

func (t *tus) receiveHeld(ctx context.Context, c *call, f *feed, s *session, sum *checksum) (*session, error) {
	r := t.newReceiver(ctx, c.Context(), s, intake.Owner(c.Request, s.User))
	r.sum, r.interrupted = sum, c.interrupted
	defer r.drop()
	if s.Token != "" {
		var err error
		if r.upload, err = storage.ContinueUpload(ctx, t.handler.bucket, s.Token); err != nil {
			return nil, storeFailed(err)
		}
	}
	whole, err := r.body(f)
	if err == nil && !whole && sum != nil {
		err = refuse("body", Interrupted, "The bytes did not arrive completely.")
	}
	if err == nil {
		err = sum.verify()
	}
	switch {
	case err != nil && sum != nil:
		r.removeUncounted()
		return nil, err
	case err != nil:
		_ = r.checkpoint() // the bytes that have arrived count, if they can be stored
		return nil, err
	}
	r.sum = nil
	if whole && c.last && s.Size < 0 {
		s.Size = r.next.Offset
	}
	if !whole || s.Size < 0 || r.next.Offset < s.Size {
		r.leaving = true
		return s, r.checkpoint()
	}
	content, err := r.last()
	if err != nil {
		return nil, err
	}
	return t.finishTus(ctx, s, content)
}

// removeUncounted removes the segments that the state does not name.
func (r *receiver) removeUncounted() {
	for _, segment := range r.next.Tail {
		if !slices.Contains(r.s.Tus.Tail, segment) {
			r.tus.handler.keeper.removeKeys(r.ctx, r.s, segment.Name)
		}
	}
}

// body receives the body. whole is false if the client or its pace ended it early; then
// the bytes so far count.
func (r *receiver) body(f *feed) (whole bool, err error) {
	pace := &r.tus.handler.pace
	ticker := time.NewTicker(pace.tick)
	defer ticker.Stop()
	canceled, stopped := r.client.Done(), (<-chan time.Time)(nil)
	now := time.Now()
	lastByte, lastStored, windowBegan, windowBytes := now, now, now, int64(0)
	for {
		select {
		case p := <-f.pieces:
			parts, err := r.next.Parts, r.take(p.data)
			f.recycle(p)
			if err != nil {
				return false, err
			}
			now := time.Now()
			if parts != r.next.Parts {
				lastStored, windowBegan, windowBytes = now, now, 0
			}
			lastByte, windowBytes = now, windowBytes+int64(len(p.data))
			switch {
			case p.err == io.EOF:
				return true, nil
			case p.err != nil:
				return false, nil
			}
		case <-r.interrupted:
			return false, errTaken()
		case <-canceled: // the server stops, or the client has disconnected: receive what it has sent
			canceled, stopped = nil, time.After(stopAfter)
		case <-stopped:
			return false, storeFailed(context.Canceled)
		case now := <-ticker.C:
			stalled, held := now.Sub(lastByte) > pace.checkpoint, now.Sub(lastStored)
			if stalled || held > pace.slow || held > pace.checkpoint && r.tus.handler.memory.Parts.Contended(r.owner) {
				if err := r.giveBack(stalled); err != nil {
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

// giveBack stores the bytes of a slow client that are in memory. If the client has stalled, a
// newer request need not wait for this one.
func (r *receiver) giveBack(stalled bool) error {
	if r.n == r.saved && !(stalled && r.s.Tus.Holder != "") {
		r.drop()
		r.have = r.n
		return nil
	}
	r.leaving = stalled
	defer func() { r.leaving = false }()
	return r.checkpoint()
}

// take takes bytes of the body, unless they exceed the limit.
func (r *receiver) take(data []byte) error {
	if limit := r.s.limit(); limit >= 0 && int64(len(data)) > limit-r.next.Offset {
		return tooLarge("body", limit)
	}
	if r.sum != nil {
		_, _ = r.sum.Write(data) // never fails
	}
	for len(data) > 0 {
		if r.n == r.size() {
			if err := r.storePart(); err != nil {
				return err
			}
		}
		if err := r.grow(len(data)); err != nil {
			return err
		}
		n := copy(r.buf[r.n-r.have:], data)
		r.next.CRC = crc32c.Update(r.next.CRC, data[:n])
		r.n, r.next.Offset, data = r.n+n, r.next.Offset+int64(n), data[n:]
	}
	if r.n == r.size() && r.upload != nil && r.size() > 0 {
		return r.storePart()
	}
	return nil
}

func (r *receiver) size() int { return int(r.s.PartSize) }

// storePart stores the bytes in buf as the next part.
func (r *receiver) storePart() error {
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	if err := r.load(); err != nil {
		return err
	}
	if _, err := r.upload.PutPart(ctx, r.next.Parts+1, bytes.NewReader(r.buf[:r.n])); err != nil {
		return uploadFailed(err)
	}
	r.discardSegments()
	r.next.Parts++
	r.n, r.have, r.saved = 0, 0, 0
	if r.tus.handler.memory.Parts.Contended(r.owner) {
		r.drop()
	}
	return r.save()
}

// checkpoint stores the bytes in memory, so that the offset counts.
func (r *receiver) checkpoint() error {
	if err := r.store(); err != nil {
		return err
	}
	if r.next.Offset == r.s.Tus.Offset && !r.leaving {
		return nil
	}
	return r.save()
}

// save makes the offset count. If another request holds the session, it fails.
func (r *receiver) save() error {
	if r.sum != nil { // bytes count only after their checksum was verified
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	saved := *r.s.Tus
	*r.s.Tus = r.next
	r.s.Tus.Held = r.tus.handler.config.Now()
	if r.leaving {
		r.s.Tus.Holder = ""
	}
	if err := r.tus.handler.keeper.save(ctx, r.s); err != nil {
		*r.s.Tus = saved
		if errors.Is(err, errConflict) {
			return errTaken()
		}
		return err
	}
	if len(r.obsolete) > 0 {
		r.tus.handler.keeper.removeKeys(ctx, r.s, r.obsolete...)
		r.obsolete = nil
	}
	return nil
}

// last stores the last bytes of the file. If the content fits one part, it returns the content
// and does not store it.
func (r *receiver) last() ([]byte, error) {
	if r.upload == nil || r.next.Parts == 0 && r.n == 0 {
		if err := r.load(); err != nil {
			return nil, err
		}
		return r.buf[:r.n:r.n], nil
	}
	if r.n > 0 {
		return nil, r.storePart()
	}
	if r.next.Offset != r.s.Tus.Offset {
		return nil, r.save()
	}
	return nil, nil
}
