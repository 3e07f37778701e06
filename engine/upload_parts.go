package engine

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/journal"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	defaultPartSize    = 5 << 20 // S3's minimum
	maxInPlacePart     = 32 << 20
	equalPartSize      = 16 << 20
	defaultConcurrency = 16   // parts sent at once if WithConcurrency is not given
	maxInPlaceParts    = 32   // parts sent at once that are read in place, after growth
	maxConcurrency     = 1000 // more connections than that make no upload or file faster
	// streamBuffers bounds what the parts of one stream take in memory without options, in
	// bytes: 12 parts of 5 MiB. Two larger parts take more.
	streamBuffers = 64 << 20
	// If parts may grow, they double after each growthStep parts, or a tenth of all if that is less, so
	// that 10,000 parts that begin with 5 MiB reach S3's 5 TiB.
	growthStep = 1000
	// Each sequential part waits for a response. Those of a stream double after each
	// sequentialStep parts, to four times the size of the first.
	sequentialStep = 8
	// With WithResume, the parts sent at once have at most lossBytes together, or one in lossShare of
	// the body. A killed process loses those that the file has not recorded.
	lossBytes = 16 << 20
	lossShare = 10
	// abortTimeout bounds how long an abort may take.
	abortTimeout = 30 * time.Second
	// beginTimeout bounds how long the beginning of an upload outlives the caller's context.
	beginTimeout = 2 * time.Second
)

// A partPlan decides into which parts a body is cut.
type partPlan struct {
	first       int64 // bytes of the first part
	maximum     int64 // bytes of the largest part; 0 if there is no limit
	doubleAfter int   // parts after which the size doubles; 0 if it never does
	doublings   int   // how often the size doubles at most
	concurrency int   // how many parts are sent at once at most
	memory      int64 // bytes of all parts of a stream that are in memory, unless two take more; 0 if there is no limit
}

// plan returns the plan for w's body.
func (w *write) plan() partPlan {
	c, given, inPlace := w.op.core, w.transfer.PartSize, w.src.readerAt != nil
	p := partPlan{maximum: c.desc.MaxPartSize, first: w.firstPart()}
	switch {
	case given > 0 || c.has(driver.EqualParts) || inPlace:
	case c.has(driver.SequentialParts) && c.partSize > 0:
	case c.has(driver.SequentialParts):
		p.doubleAfter, p.doublings = sequentialStep, 2
	case w.src.size < 0 && c.desc.MaxParts > 0:
		p.doubleAfter, p.doublings = max(1, min(growthStep, c.desc.MaxParts/10)), 20
	}
	p.concurrency = w.maxConcurrency()
	if w.transfer.Concurrency == 0 && !inPlace && given == 0 && p.concurrency > 1 {
		p.memory = streamBuffers
		p.concurrency = max(1, min(p.concurrency, int(p.memory/p.first)))
	}
	if loss := w.loss(); loss > 0 {
		p.concurrency = int(max(1, min(int64(p.concurrency), loss/p.first)))
		if c.has(driver.SequentialParts) { // others grow with what was sent
			p.doublings = min(p.doublings, bits.Len64(uint64(max(1, loss/p.first)))-1)
		}
	}
	return p
}

// loss returns how many bytes may be in parts that are sent at once; 0 if there is no limit, because the upload is not
// recorded or its user has chosen the size of parts.
func (w *write) loss() int64 {
	if w.journal == nil || w.transfer.PartSize > 0 {
		return 0
	}
	return max(lossBytes, w.src.size/lossShare)
}

// inMemory returns how many parts of a stream may be in memory with part number: while one is sent, the next
// is filled.
func (p *partPlan) inMemory(number int) int {
	most := p.concurrency
	if p.memory > 0 {
		most = min(most, int(p.memory/p.size(number)))
	}
	return max(2, most)
}

// size returns the size in bytes of part number, from 1.
func (p *partPlan) size(number int) int64 {
	size := p.first
	if p.doubleAfter > 0 {
		size <<= min((number-1)/p.doubleAfter, p.doublings)
	}
	if p.maximum > 0 {
		size = min(size, p.maximum)
	}
	return size
}

// firstPart returns the size in bytes of the first part.
func (w *write) firstPart() int64 {
	if w.journal.Begun() {
		return w.journal.Header().PartSize
	}
	if given := w.transfer.PartSize; given > 0 {
		return given
	}
	c, body := w.op.core, w.src.size
	d := &c.desc
	size := cmp.Or(c.partSize, d.PartSize, defaultPartSize)
	switch {
	case c.partSize > 0:
	case w.src.readerAt != nil: // a larger part costs no memory
		size = min(max(size, w.inPlacePart()), maxInPlacePart)
	case c.has(driver.EqualParts) && body < 0:
		size = equalPartSize
	}
	if body >= 0 && d.MaxParts > 0 {
		size = max(size, (body+int64(d.MaxParts)-1)/int64(d.MaxParts))
	}
	size = max(size, d.MinPartSize)
	if d.MaxPartSize > 0 {
		size = min(size, d.MaxPartSize)
	}
	if unit := d.PartUnit; unit > 0 {
		size = (size + unit - 1) / unit * unit
	}
	return size
}

// maxConcurrency returns how many parts may be sent at once.
func (w *write) maxConcurrency() int {
	switch n := int(w.transfer.Concurrency); {
	case w.op.core.has(driver.SequentialParts):
		return 1
	case n > 0:
		return min(n, maxConcurrency)
	case w.src.readerAt != nil:
		return maxInPlaceParts
	}
	return defaultConcurrency
}

// inPlaceParts returns into how many parts a random-access body is cut, so that they end
// together. Sequential parts are few, because each waits for a response.
func (w *write) inPlaceParts() int {
	if w.transfer.Concurrency > 0 || w.op.core.has(driver.SequentialParts) {
		return w.maxConcurrency()
	}
	return defaultConcurrency
}

// inPlacePart returns the size in bytes of the parts of a random-access body, if limits allow it.
func (w *write) inPlacePart() int64 {
	if loss := w.loss(); loss > 0 {
		return min(loss/int64(w.maxConcurrency()), w.src.size/int64(w.inPlaceParts()))
	}
	return w.src.size / int64(w.inPlaceParts())
}

// newLimit returns the limit of parts sent at once. Without WithConcurrency, the limit of parts
// that are read in place grows: they take no memory.
func (w *write) newLimit(highest int) *concurrency.Limit {
	if w.transfer.Concurrency > 0 || w.src.readerAt == nil {
		return concurrency.Fixed(highest)
	}
	return concurrency.Growing(defaultConcurrency, highest, 0)
}

// A multipart is one multipart upload in progress: from BeginParts to
// CompleteParts or AbortParts. Its parts are sent by at most WithConcurrency
// goroutines, which have all ended when it has.
type multipart struct {
	w       *write
	plan    partPlan
	ready   chan struct{} // closed when the upload has begun, or could not
	begun   bool
	id      string // the driver's name for the upload
	resumed bool   // whether an earlier call has begun it

	offset int64      // where the next part begins in the body
	final  *finalPart // the last part, if parts are sequential; else nil
	mu     sync.Mutex
	parts  []driver.Part
	failed *storage.Error // the first failure
	cancel context.CancelFunc
	slots  *concurrency.Limit // one slot for each part that is being sent
	held   int                // parts of a stream that are in memory, but for those in freed
	freed  chan struct{}      // one item for each of them that was sent
	group  panics.Group
}

// storeParts stores the body in parts: a random-access body in place, a stream
// from first and next on. next is nil if there is nothing after first.
func (w *write) storeParts(ctx context.Context, first, next *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	var tried backoff.Tries
	for {
		if w.writeID == "" {
			w.writeID = w.op.core.newWriteID(w.transfer.WriteID)
			w.req.Metadata = w.op.core.metadata.Encode(w.metadata, w.writeID)
		}
		resumed := w.journal.Begun()
		a, e := w.sendParts(ctx, first, next)
		if !mustRestart(e) || e.Unknown || w.src.readerAt == nil || ctx.Err() != nil {
			return a, e
		}
		if !resumed {
			delay, again := w.op.core.retry.allow(&tried, e)
			if !again {
				return a, e
			}
			if ctxtime.Sleep(ctx, delay) != nil {
				return nil, w.op.waitError(ctx, e, false)
			}
		}
		w.writeID = ""
		w.progress.Restart()
	}
}

// sendParts makes one multipart upload.
func (w *write) sendParts(ctx context.Context, first, next *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	m := &multipart{w: w, plan: w.plan(), ready: make(chan struct{})}
	declared := w.req.CRC32C
	w.req.Body, w.req.Size, w.req.CRC32C = nil, w.src.size, storage.CRC32C{}
	defer func() { w.req.CRC32C = declared }()
	panicked := true
	defer func() {
		if panicked {
			m.abandon(ctx)
		}
	}()
	var e *storage.Error
	if first == nil {
		e = m.sendSections(ctx)
	} else {
		e = m.sendStream(ctx, first, next)
	}
	var a *storage.Attrs
	if e == nil {
		a, e = m.complete(ctx, declared)
	}
	m.final.free()
	e = m.end(ctx, e)
	panicked = false
	m.group.Raise() // if a source has panicked, now that nothing is left of the upload
	return a, e
}

// begin begins the upload, unless an earlier call has.
func (m *multipart) begin(ctx context.Context) *storage.Error {
	defer close(m.ready)
	w := m.w
	if w.journal.Begun() {
		m.id, m.resumed, m.begun = w.journal.Header().Upload, true, true
		return nil
	}
	id, e := beginParts(ctx, w.op, &w.req)
	if e != nil {
		return e
	}
	m.id = id
	if w.journal != nil {
		if e = journalFailed(w.journal.Start(w.journalHeader(m))); e != nil {
			w.op.abortParts(ctx, m.id, e)
			return e
		}
	}
	m.begun = true
	return nil
}

// beginParts begins a multipart upload. Without the response, nobody could abort it: if ctx ends
// meanwhile, the response is waited for a moment longer.
func beginParts(ctx context.Context, o *operation, r *driver.PutRequest) (string, *storage.Error) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		_ = ctxtime.Sleep(longer, beginTimeout)
		cancel()
	})
	defer stop()
	id, e := request(ctx, o, func(context.Context) (string, error) { return o.core.driver.BeginParts(longer, r) })
	if e != nil {
		withoutEffect(e)
		state(e).Absent = e.Code == storage.PreconditionFailed && r.Condition.Absent
	}
	return id, e
}

// complete has the store make the object of the parts.
func (m *multipart) complete(ctx context.Context, declared storage.CRC32C) (*storage.Attrs, *storage.Error) {
	w := m.w
	slices.SortFunc(m.parts, func(a, b driver.Part) int { return a.Number - b.Number })
	last, replay, e := m.finalRequest()
	if e != nil {
		return nil, e
	}
	r := &driver.CompleteRequest{Put: &w.req, Upload: m.id, Parts: m.parts, Last: last}
	size, crc := objectSum(r)
	if declared.Known && declared != crc {
		return nil, mismatch(declared, crc)
	}
	w.req.Size, w.req.CRC32C = size, crc
	completing, err := w.journal.MarkCompleting()
	if err != nil {
		return nil, journalFailed(err)
	}
	a, e := requestUnlessRestart(
		ctx, w.op, replay,
		func(ctx context.Context) (*storage.Attrs, error) { return w.op.core.driver.CompleteParts(ctx, r) },
	)
	if e != nil && !e.Unknown && (m.uploadMissing(e) || completing && e.Code == storage.PreconditionFailed) {
		if a, e = m.reconcileResumed(ctx, e, completing, size); e != nil {
			return nil, e
		}
	}
	a, e = w.finish(ctx, a, e, size)
	if m.resumed && e != nil && e.Code == storage.ChecksumMismatch && !e.Unknown {
		e = errUploadLost(e) // the body has changed: the store has bytes of before
	}
	return a, e
}

// end ends an upload that was completed or has failed with e. It aborts the upload,
// or keeps it for the next call if that can resume it.
func (m *multipart) end(ctx context.Context, e *storage.Error) *storage.Error {
	if !m.begun {
		return e
	}
	keeps := false
	if e != nil {
		if m.uploadMissing(e) && !e.Unknown && !mustRestart(e) {
			e = errUploadLost(e)
		}
		recorded := m.w.journal != nil
		keeps = e.Unknown && e.Code != storage.OutcomeUnknown || recorded && isResumable(e)
		if !keeps && (!e.Unknown || recorded) {
			m.w.op.abortParts(ctx, m.id, e)
		}
	}
	if !keeps {
		_ = m.w.journal.Forget() // if the file stays, the next call finds that it is of no use
	}
	return e
}

// abandon ends an upload if a panic in the caller's goroutine has interrupted it.
func (m *multipart) abandon(ctx context.Context) {
	if m.cancel != nil {
		m.cancel()
	}
	m.group.Join()
	_ = m.end(ctx, errPanicked())
}

// abortParts has the store drop the parts of an upload that failed with e, with a context of its own: the
// caller's has often ended by then. If the abort fails too, e says so.
func (o *operation) abortParts(ctx context.Context, upload string, e *storage.Error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	failed := o.call(ctx, func(ctx context.Context) error { return o.core.driver.AbortParts(ctx, o.key, upload) })
	if failed != nil && e.Hint == "" {
		e.Hint = "the parts that were sent could not be removed: " + string(failed.Code)
	}
}

// record notes in the journal a part that the store has.
func (m *multipart) record(part driver.Part) *storage.Error {
	if m.w.journal == nil {
		return nil
	}
	return journalFailed(
		m.w.journal.RecordPart(
			journal.Part{Number: part.Number, Tag: part.Tag, Size: part.Size, CRC32C: part.CRC32C.Sum},
		),
	)
}
