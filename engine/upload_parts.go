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
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/running"
)

const (
	defaultPartSize    = 5 << 20 // S3's minimum
	maxInPlacePart     = 32 << 20
	equalPartSize      = 16 << 20
	defaultConcurrency = 16   // parts sent at the same time without WithConcurrency
	maxInPlaceParts    = 32   // parts of a random-access body that are sent at the same time by default
	maxConcurrency     = 1000 // connections; more make no upload or download faster
	// streamBuffers limits the bytes of one stream that are in memory, if no option sets another
	// limit. The limit permits 12 parts of 5 MiB. Two parts may always be in memory, even if they
	// are larger.
	streamBuffers = 64 << 20
	// growthStep is for streams of unknown size. The size of their parts doubles after every
	// growthStep parts. If the provider permits fewer than 10,000 parts, the size doubles after
	// every tenth of the permitted parts. On S3, an upload can therefore have 4.9 TiB, although its
	// first parts have only 5 MiB.
	growthStep = 1000
	// sequentialStep is the number of parts after which the size of parts doubles, if parts are
	// sent one after the other. It doubles at most twice. Fewer and larger parts are faster,
	// because each part waits for the response to the one before.
	sequentialStep = 8
	// lossBytes and lossShare limit how many sent bytes are lost if a process with WithResume is
	// killed. The limit is lossBytes or 1/lossShare of the body, whichever is more. All parts that
	// are sent at the same time must together be within this limit.
	lossBytes = 16 << 20
	lossShare = 10
	// abortTimeout is the longest time that an abort may take.
	abortTimeout = 30 * time.Second
	// beginTimeout is how long the request that begins an upload may continue after the caller's
	// context has ended.
	beginTimeout = 2 * time.Second
)

// A partPlan decides how a body is divided into parts.
type partPlan struct {
	first       int64 // bytes of the first part
	maximum     int64 // bytes of the largest part; 0 if there is no limit
	doubleAfter int   // parts after which the size doubles; 0 if it never does
	doublings   int   // highest number of times that the size doubles
	concurrency int   // how many parts are sent at the same time at most
	// memory limits the bytes of a stream that are in memory. 0 means no limit. Two parts may
	// always be in memory.
	memory int64
}

// plan decides how the body is divided into parts, and how many parts are sent at the same time.
func (w *write) plan() partPlan {
	p := partPlan{
		first:       w.firstPartSize(),
		maximum:     w.op.engine.desc.MaxPartSize,
		concurrency: w.maxConcurrency(),
	}
	p.doubleAfter, p.doublings = w.growth()

	inPlace := w.src.readerAt != nil
	callerChose := w.transfer.Concurrency != 0 || w.transfer.PartSize != 0
	// Unless the caller chose otherwise, the buffers of a stream must fit in streamBuffers.
	if !inPlace && !callerChose && p.concurrency > 1 {
		p.memory = streamBuffers
		p.concurrency = max(1, min(p.concurrency, int(p.memory/p.first)))
	}

	if loss := w.maxLoss(); loss > 0 {
		p.limitLoss(loss, w.op.engine.has(driver.SequentialParts))
	}
	return p
}

// limitLoss changes the plan so that a killed process loses at most maxLoss bytes: those of the parts
// that are sent at the same time.
func (p *partPlan) limitLoss(maxLoss int64, isSequential bool) {
	lossParts := max(1, maxLoss/p.first) // as many parts as may be lost
	p.concurrency = int(min(int64(p.concurrency), lossParts))

	// Parts that are sent one after the other double their size after a few parts, so limit the
	// doublings. Parallel parts double it only after many parts, when one part is small compared
	// with the bytes that were sent before.
	if isSequential {
		maxDoublings := bits.Len64(uint64(lossParts)) - 1 // the logarithm to base 2, rounded down
		p.doublings = min(p.doublings, maxDoublings)
	}
}

// growth returns after how many parts the size of parts doubles, and how often at most. Larger parts
// let a long stream fit in the number of parts that the provider permits. Both results are 0 if all
// parts have the same size.
func (w *write) growth() (doubleAfter, doublings int) {
	e := w.op.engine
	inPlace := w.src.readerAt != nil
	callerChose := w.transfer.PartSize > 0
	if inPlace || callerChose || e.has(driver.EqualParts) {
		return 0, 0
	}

	// Parts that are sent one after the other grow for speed, unless WithDefaultPartSize sets a size.
	if e.has(driver.SequentialParts) {
		if e.partSize > 0 {
			return 0, 0
		}
		const sequentialDoublings = 2
		return sequentialStep, sequentialDoublings
	}

	// Other parts grow only if equal ones could be too many. firstPartSize knows a declared size.
	isSizeKnown := w.src.size >= 0
	if isSizeKnown || e.desc.MaxParts == 0 {
		return 0, 0
	}
	// Double the size at least ten times before the parts are used up. With 20 doublings, even the
	// smallest parts reach the size of any provider's largest part.
	const leastSteps = 10
	const enoughDoublings = 20
	return max(1, min(growthStep, e.desc.MaxParts/leastSteps)), enoughDoublings
}

// maxLoss returns how many bytes an upload with a journal may lose if the process is killed, which
// limits the parts that are sent at the same time. It returns 0, which means no limit, if there is no
// journal, or if the caller has chosen the size of parts.
func (w *write) maxLoss() int64 {
	if w.journal == nil || w.transfer.PartSize > 0 {
		return 0
	}
	return max(lossBytes, w.src.size/lossShare)
}

// inMemory returns how many parts of a stream may be in memory if each is as large as the part with
// the number. These are at least two, because while one part is sent, the next one is filled.
func (p *partPlan) inMemory(number int) int {
	maximum := p.concurrency
	if p.memory > 0 {
		maximum = min(maximum, int(p.memory/p.size(number)))
	}
	return max(2, maximum)
}

// size returns the size in bytes of the part with this number, where the first part has the number 1.
func (p *partPlan) size(number int) int64 {
	size := p.first
	if p.doubleAfter > 0 {
		// The size doubles after every doubleAfter parts, up to a number of doublings.
		size <<= min((number-1)/p.doubleAfter, p.doublings)
	}
	if p.maximum > 0 {
		size = min(size, p.maximum)
	}
	return size
}

// firstPartSize returns the size in bytes of the first part: that of the journal or of WithPartSize, or
// else one that fits the limits of the store and the size of the body.
func (w *write) firstPartSize() int64 {
	if w.journal.Begun() {
		return w.journal.Header().PartSize
	}
	if w.transfer.PartSize > 0 {
		return w.transfer.PartSize
	}

	// Begin with the usual size.
	e := w.op.engine
	desc := &e.desc
	size := e.partSize
	if size == 0 {
		size = w.defaultPart(cmp.Or(desc.PartSize, defaultPartSize))
	}
	// The parts that the store permits must hold the whole body.
	if w.src.size >= 0 && desc.MaxParts > 0 {
		size = max(size, ceilDiv(w.src.size, int64(desc.MaxParts)))
	}
	size = max(size, desc.MinPartSize)
	if desc.MaxPartSize > 0 {
		size = min(size, desc.MaxPartSize)
	}
	if desc.PartUnit > 0 {
		size = ceilDiv(size, desc.PartUnit) * desc.PartUnit
	}
	return size
}

// defaultPart returns the size in bytes of a part if no option sets it: the size that the provider
// prefers, or a larger one. The caller applies the provider's limits.
func (w *write) defaultPart(preferred int64) int64 {
	if w.src.readerAt != nil {
		// Larger parts need no memory, because they are read in place.
		return min(max(preferred, w.inPlacePartSize()), maxInPlacePart)
	}
	// Equal parts cannot grow later, so those of a stream of unknown length are large from the beginning.
	if w.op.engine.has(driver.EqualParts) && w.src.size < 0 {
		return equalPartSize
	}
	return preferred
}

// maxConcurrency returns how many parts may be sent at the same time.
func (w *write) maxConcurrency() int {
	if w.op.engine.has(driver.SequentialParts) {
		return 1
	}
	if w.transfer.Concurrency > 0 {
		return min(int(w.transfer.Concurrency), maxConcurrency)
	}
	if w.src.readerAt != nil {
		return maxInPlaceParts
	}
	return defaultConcurrency
}

// inPlaceParts returns the number of parts into which a random-access body is divided, so that all
// parts are sent at the same time. If the driver takes only one part at a time, the number is 1:
// more parts would only add the time of waiting for responses.
func (w *write) inPlaceParts() int {
	if w.transfer.Concurrency > 0 || w.op.engine.has(driver.SequentialParts) {
		return w.maxConcurrency()
	}
	return defaultConcurrency
}

// inPlacePartSize returns the size in bytes of the parts of a random-access body, without regard to the
// provider's limits.
func (w *write) inPlacePartSize() int64 {
	size := w.src.size / int64(w.inPlaceParts())
	if loss := w.maxLoss(); loss > 0 {
		size = min(size, loss/int64(w.maxConcurrency()))
	}
	return size
}

// newLimit returns the limit of parts that are sent at the same time, at most highest. For parts that
// are read in place, which need no memory, the limit grows, unless WithConcurrency is given.
func (w *write) newLimit(highest int) *running.Limit {
	if w.transfer.Concurrency > 0 || w.src.readerAt == nil {
		return running.FixedLimit(highest)
	}
	return running.GrowingLimit(defaultConcurrency, highest, 0)
}

// A multipart is one multipart upload in progress, from BeginParts to CompleteParts or AbortParts.
// Its parts are sent by goroutines, which have all ended when the upload ends.
type multipart struct {
	w       *write
	plan    partPlan
	ready   chan struct{} // closed when the upload has begun, or has failed to begin
	begun   bool
	id      string // the driver's name for the upload
	resumed bool   // whether an earlier call has begun the upload

	offset int64 // where the next part begins in the body

	// final is the last part, if the driver takes parts in sequence. CompleteParts sends it, because the
	// request with the last part also completes the object.
	final *partToSend

	mu     sync.Mutex
	parts  []driver.Part
	err    *storage.Error // the first failure
	cancel context.CancelFunc
	slots  *running.Limit // one slot for each part that is being sent
	// held counts the parts of a stream that are in memory. After a part was sent, the channel in
	// the next field gets an item. The receiver of the item decrements held.
	held  int
	freed chan struct{} // gets one item for each part of a stream that was sent
	group running.Group
}

// storeParts stores the body in parts, and begins again if the store drops the upload. For a
// random-access body, which is read in place, first is nil. For a stream, first and next are the
// buffers that were already read, and next is nil if the stream ends after first.
func (w *write) storeParts(ctx context.Context, first, next *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	var tries running.Tries
	for {
		// An upload that begins again needs another write id.
		if w.writeID == "" {
			w.writeID = w.op.engine.newWriteID(w.callerWriteID())
			w.req.Metadata = w.op.engine.metadata.Encode(w.metadata, w.writeID)
		}

		wasResumed := w.journal.Begun()
		attrs, err := w.sendParts(ctx, first, next)
		mayRestart := mustRestart(err) && w.canRestart(err) && ctx.Err() == nil
		if !mayRestart {
			return attrs, err
		}

		// An upload of an earlier call may have been lost long ago, so a new one begins at once.
		if !wasResumed {
			delay, mayRetry := w.op.engine.retry.allow(&tries, err)
			if !mayRetry {
				return attrs, err
			}
			if running.Sleep(ctx, delay) != nil {
				return nil, w.op.waitError(ctx, err, false)
			}
		}

		w.writeID = ""
		w.progress.Restart()
	}
}

// canRestart reports whether the upload can begin again after err: the outcome must be known,
// and the body must be one that can be read a second time.
func (w *write) canRestart(err *storage.Error) bool {
	return !err.Unknown && w.src.readerAt != nil
}

// sendParts makes one attempt at a multipart upload, from its beginning to its completion.
func (w *write) sendParts(ctx context.Context, first, next *buffer.Buffer) (*storage.Attrs, *storage.Error) {
	m := &multipart{
		w:     w,
		plan:  w.plan(),
		ready: make(chan struct{}),
	}

	// The parts have checksums of their own, but the next attempt needs the declared one again.
	declared := w.req.CRC32C
	defer func() {
		w.req.CRC32C = declared
	}()
	w.req.Body = nil
	w.req.Size = w.src.size
	w.req.CRC32C = storage.CRC32C{}

	// If the source panics in this goroutine, the upload must be aborted.
	hasEnded := false
	defer func() {
		if !hasEnded {
			m.abandon(ctx)
		}
	}()

	// Send all parts, and then complete the upload. If that fails, end aborts the upload, or keeps it
	// for a later call.
	var attrs *storage.Attrs
	err := m.sendAll(ctx, first, next)
	if err == nil {
		attrs, err = m.complete(ctx, declared)
	}
	// The upload is complete or has failed, so nothing sends its final part again.
	m.freeFinal()
	err = m.end(ctx, err)
	hasEnded = true

	// Raise panics if the source has panicked in another goroutine. The upload has ended.
	m.group.Raise()
	return attrs, err
}

// sendAll sends all parts, of a random-access body or of a stream, as described at storeParts.
func (m *multipart) sendAll(ctx context.Context, first, next *buffer.Buffer) *storage.Error {
	isStream := first != nil
	if isStream {
		return m.sendStream(ctx, first, next)
	}
	return m.sendSections(ctx)
}

// begin begins the upload, or resumes the one that an earlier call has begun.
func (m *multipart) begin(ctx context.Context) *storage.Error {
	// The goroutines that send parts wait for m.ready.
	defer close(m.ready)

	w := m.w
	if w.journal.Begun() {
		m.id = w.journal.Header().Upload
		m.resumed = true
		m.begun = true
		return nil
	}

	// Begin an upload, and record it in the journal before any part is sent.
	id, err := beginParts(ctx, w.op, &w.req)
	if err != nil {
		return err
	}
	m.id = id
	if w.journal != nil {
		if err := journalFailed(w.journal.Start(w.journalHeader(m))); err != nil {
			w.op.abortParts(ctx, m.id, err)
			return err
		}
	}
	m.begun = true
	return nil
}

// beginParts begins a multipart upload, and returns its id. If ctx ends meanwhile, it still waits for
// the response for a short time, because without the id nobody could abort the upload.
func beginParts(ctx context.Context, o *operation, r *driver.PutRequest) (string, *storage.Error) {
	// delayedCtx is canceled beginTimeout after the end of ctx.
	delayedCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		_ = running.Sleep(delayedCtx, beginTimeout)
		cancel()
	})
	defer stop()

	// After the end of ctx, the attempt in progress may continue, but request begins no other.
	id, err := request(ctx, o, func(context.Context) (string, error) {
		return o.engine.driver.BeginParts(delayedCtx, r)
	})
	if err != nil {
		// An upload that was only begun is no object, so the failure has changed none.
		withoutEffect(err)
		// After IfAbsent, the text of the error says that the key exists.
		state(err).Absent = err.Code == storage.PreconditionFailed && r.Condition.Absent
	}
	return id, err
}

// complete tells the store to make the object from the parts. The checksum of the object, computed
// from theirs, must be the declared one if that is known.
func (m *multipart) complete(ctx context.Context, declared storage.CRC32C) (*storage.Attrs, *storage.Error) {
	w := m.w
	req, lastBody, err := m.completeRequest(declared)
	if err != nil {
		return nil, err
	}

	// Record that the completion begins, because this process may end before the response.
	// wasCompleting is true if an earlier call had begun to complete the upload.
	wasCompleting, markErr := w.journal.MarkCompleting()
	if markErr != nil {
		return nil, journalFailed(markErr)
	}
	attrs, err := requestUnlessRestart(ctx, w.op, lastBody, func(ctx context.Context) (*storage.Attrs, error) {
		return w.op.engine.driver.CompleteParts(ctx, req)
	})

	// The earlier call may have stored the object already.
	size := w.req.Size
	if m.mayBeCompleted(err, wasCompleting) {
		attrs, err = m.reconcileResumed(ctx, err, wasCompleting, size)
		if err != nil {
			return nil, err
		}
	}

	attrs, err = w.finish(ctx, attrs, err, size)
	if m.resumed && err != nil && err.Code == storage.ChecksumMismatch && !err.Unknown {
		// The body has changed, and the store has parts of the earlier body.
		err = errUploadLost(err)
	}
	return attrs, err
}

// completeRequest returns the request that makes the object from the parts, with their size and checksum.
// It fails if the checksum is not the declared one. If the request also contains the last part, lastBody
// is the body of that part, and otherwise nil.
func (m *multipart) completeRequest(
	declared storage.CRC32C,
) (req *driver.CompleteRequest, lastBody replayable, err *storage.Error) {
	lastPart, lastBody, err := m.finalRequest()
	if err != nil {
		return nil, nil, err
	}
	// Parts that were sent in parallel may have ended in another order.
	slices.SortFunc(m.parts, func(a, b driver.Part) int { return a.Number - b.Number })
	req = &driver.CompleteRequest{
		Put:    &m.w.req,
		Upload: m.id,
		Parts:  m.parts,
		Last:   lastPart,
	}

	size, crc := objectSum(req)
	if declared.Known && declared != crc {
		return nil, nil, mismatch(declared, crc)
	}
	req.Put.Size = size
	req.Put.CRC32C = crc
	return req, lastBody, nil
}

// mayBeCompleted reports whether this call may have failed with err, which may be nil, because an
// earlier call has completed the upload. wasCompleting is true if an earlier call had begun to
// complete it.
func (m *multipart) mayBeCompleted(err *storage.Error, wasCompleting bool) bool {
	if err == nil || err.Unknown {
		return false
	}
	if m.uploadMissing(err) {
		return true
	}
	// The object that the earlier call has stored makes a condition such as IfAbsent fail.
	return wasCompleting && err.Code == storage.PreconditionFailed
}

// end finishes an upload, whose error is err, or nil if it was completed. If the upload failed, end
// aborts it, unless the next call can resume it.
func (m *multipart) end(ctx context.Context, err *storage.Error) *storage.Error {
	if !m.begun {
		return err
	}
	if err == nil {
		m.forget()
		return nil
	}

	if m.uploadMissing(err) && !err.Unknown && !mustRestart(err) {
		// The store no longer has the upload, so no later call can resume it.
		err = errUploadLost(err)
	}

	// Keep the upload if a later call can resume it.
	hasJournal := m.w.journal != nil
	if hasJournal && isResumable(err) {
		return err
	}
	// Keep it also if a later call can still find out whether the object was stored. After
	// OutcomeUnknown, that can no longer be found out.
	if err.Unknown && err.Code != storage.OutcomeUnknown {
		return err
	}

	// Without a journal, an upload with an unknown outcome is not aborted, because the store may still
	// complete it.
	if hasJournal || !err.Unknown {
		m.w.op.abortParts(ctx, m.id, err)
	}
	m.forget()
	return err
}

// forget removes the journal, if there is one. If the file remains, the next call notices that its
// upload has ended.
func (m *multipart) forget() { _ = m.w.journal.Forget() }

// abandon ends an upload that a panic in the caller's goroutine has interrupted.
func (m *multipart) abandon(ctx context.Context) {
	if m.cancel != nil {
		m.cancel()
	}
	m.group.Join()
	_ = m.end(ctx, errPanicked())
}

// abortParts asks the store to drop the parts of an upload that failed with err. It uses its own
// context, because ctx has often ended already. If the abort fails, the hint of err says so.
func (o *operation) abortParts(ctx context.Context, upload string, err *storage.Error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	abort := func(ctx context.Context) error { return o.engine.driver.AbortParts(ctx, o.key, upload) }
	abortErr := o.call(ctx, abort)
	if abortErr != nil && err.Hint == "" {
		err.Hint = "the parts that were sent could not be removed: " + string(abortErr.Code)
	}
}

// record adds a part to the journal, if the upload has one.
func (m *multipart) record(part driver.Part) *storage.Error {
	if m.w.journal == nil {
		return nil
	}
	err := m.w.journal.RecordPart(journal.Part{
		Number: part.Number,
		Tag:    part.Tag,
		Size:   part.Size,
		CRC32C: part.CRC32C.Sum,
	})
	return journalFailed(err)
}
