package engine

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/core/progress"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
)

// The first response of a download pins a revision, and determines which bytes are delivered. Each
// connection then reads one section of those bytes. If a connection drops or stalls, another
// connection reads the rest of the section (download_section.go).
//
// Usually a download has one connection, and one section has all bytes. A download has several
// connections if WithConcurrency was given. Without that option, a download gets several
// connections if the first one is slow and the caller mostly waits for it (readProbed).
//
// With several connections, a fetch divides the bytes after the first section into further
// sections. The fetch reads as many sections at the same time as its Limit permits
// (download_fetch.go). The fetch writes the bytes to a sink. One kind of sink keeps sections in
// buffers, which Read delivers in order. The other kind writes each section to its place in a file
// (download_writeto.go).
//
// A download ends when the last byte was delivered and the checksum is right. It also ends at the
// first failure, and every later Read returns that failure. Close also ends a download, and
// interrupts a waiting Read.

const (
	firstSectionBytes = 256 << 10 // bytes read from the first response, which also has the object's size
	// growthLeast is how many bytes must remain before a download opens further connections on its
	// own.
	growthLeast = 8 << 20
)

// A download is the state of one call of Download, from its first request to Close.
type download struct {
	// reader is a field and not a pointer, so that a download is one allocation.
	reader   storage.Reader
	op       operation
	ctx      context.Context // the context that the hooks returned
	progress *progress.Counter
	report   func(done, total int64) // the function of WithProgress, or nil

	first section // the section of the first connection
	// probe measures the first connection. If the connection is slow, a fetch begins. probe is nil
	// if no fetch may begin.
	probe       *running.Probe
	fetch       *fetch // reads the sections after the first one; nil if there is only one
	remaining   int64  // bytes that are not delivered yet
	concurrency int    // the number of WithConcurrency, or 0
	crc         uint32
	hashing     bool // whether the checksum is verified: the whole object is read, and the store has sent a checksum
	// toFile is true while writeFile copies what Read delivers. A fetch then needs no buffers, because
	// it writes into the file, and Read ends the copy as soon as there is a fetch.
	toFile bool

	mu       sync.Mutex
	ended    bool           // whether Close was called
	err      *storage.Error // the first failure, which every later Read returns
	reserved int64          // bytes of memory that are reserved for the buffers of a fetch
}

// Download opens the object for reading.
func (b bucket) Download(ctx context.Context, key string, opts *storage.DownloadOptions) (*storage.Reader, error) {
	d := &download{}
	err := d.prepare(b.engine, key, opts)
	d.ctx, err = d.op.begin(ctx, err)
	if err == nil {
		err = d.open()
	}
	if err != nil {
		return nil, d.op.end(err)
	}
	return d.present(), nil
}

// prepare checks the key and the options. It makes no request.
func (d *download) prepare(e *engine, key string, opts *storage.DownloadOptions) *storage.Error {
	d.concurrency = opts.Concurrency
	d.report = opts.Progress
	return d.op.prepareRead(e, "Download", key, &d.first.req, opts)
}

// present returns the Reader that the caller gets.
func (d *download) present() *storage.Reader {
	d.op.toUser(d.ctx, d.reader.Attrs())
	return &d.reader
}

// open makes the first request, whose response pins the revision and the range to deliver.
func (d *download) open() *storage.Error {
	first := &d.first
	first.d = d
	first.ctx = d.ctx
	if first.req.Length == 0 {
		// Providers cannot return an empty range.
		return d.openEmpty()
	}

	isShared := d.concurrency > 1 && d.canSplit() // whether several connections may share the range
	attrs, err := d.connectFirst(isShared)
	if err != nil && err.Code == storage.RangeNotSatisfiable {
		return d.openEmpty()
	}
	if err != nil {
		return err
	}
	if err := d.start(attrs); err != nil {
		first.close()
		return err
	}

	// Each further request must read the same revision.
	first.req.Condition = storage.Condition{Revision: attrs.Revision}
	d.assign(isShared)
	return nil
}

// assign decides which bytes the first connection reads. If several connections share the range, it
// prepares the fetch of the rest. Otherwise, if they may do so later, it prepares the probe, which
// measures whether the first connection is slow.
func (d *download) assign(isShared bool) {
	first := &d.first
	offset, length := d.reader.Range()
	if isShared && length > firstSectionBytes {
		d.share(d.fixedFetch(), offset, firstSectionBytes)
		return
	}

	// Without WithConcurrency, a large download from a remote store may get more connections later. They
	// must read the same revision.
	first.set(offset, length)
	isRemote := !d.op.engine.desc.Local
	hasRevision := first.req.Condition.Revision != ""
	if d.concurrency == 0 && isRemote && hasRevision && length > growthLeast {
		d.probe = &running.Probe{}
	}
}

// connectFirst makes the first request. If the range is shared, it asks only for the first section,
// because other connections will read the rest. A whole object is requested whole even then, because
// S3 sends no checksum for a range.
func (d *download) connectFirst(isShared bool) (*storage.Attrs, *storage.Error) {
	req := &d.first.req
	wantsRange := req.Offset > 0 || req.Length > 0
	if !isShared || !wantsRange {
		return d.first.connect()
	}

	// Shorten the range only for this request, because start needs the length that the caller wants.
	length := req.Length
	req.Length = firstSectionBytes
	attrs, err := d.first.connect()
	req.Length = length
	return attrs, err
}

// canSplit reports whether the requested range is large enough for several connections, as far as
// that is known before the first response.
func (d *download) canSplit() bool {
	req := &d.first.req
	if req.Suffix > 0 {
		// A range that counts from the end begins at an offset that is not known yet.
		return false
	}
	if req.Offset > math.MaxInt64-firstSectionBytes {
		// The end of the first section would overflow. No object is that large.
		return false
	}
	isToEnd := req.Length < 0
	return isToEnd || req.Length > firstSectionBytes
}

// openEmpty opens a download of no bytes, because the range is empty or the provider refused it. It
// reads the object's size to learn whether the range begins after the end, which is an error.
func (d *download) openEmpty() *storage.Error {
	// The caller has asked for a download, and this request only reads the size.
	req := d.first.req
	req.Auxiliary = true
	attrs, err := head(d.ctx, &d.op, &req)
	if err != nil {
		return err
	}

	// start fails with RangeNotSatisfiable if the range begins after the end. Otherwise it sets
	// remaining, which must be 0, because the download has no connection.
	if err := d.start(attrs); err != nil {
		return err
	}
	if d.remaining > 0 {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the provider refused a range that the object has"),
		}
	}
	return nil
}

// start prepares the delivery of the requested range, which it resolves against the size in the
// attributes of the first response.
func (d *download) start(attrs *storage.Attrs) *storage.Error {
	if attrs.Size < 0 {
		return &storage.Error{Code: storage.Internal, Err: errors.New("the store or a layer returned a size below 0")}
	}

	// Find the range in an object of this size.
	start, end, err := d.first.req.Span(attrs.Size)
	if err != nil {
		return &storage.Error{Code: storage.RangeNotSatisfiable, Hint: "the offset is past the end of the object"}
	}
	seam.InitReader(&d.reader, d, attrs, start, end-start)
	d.remaining = end - start

	// The checksum is that of the whole object, so no part can be checked by it.
	isWhole := start == 0 && end == attrs.Size
	d.hashing = isWhole && attrs.CRC32C.Known

	d.progress = progress.New(d.report, d.remaining)
	return nil
}

// Read delivers the next bytes from the first connection or from several ones. The caller of Download
// gets io.EOF only after the checksum was verified.
func (d *download) Read(p []byte) (int, error) {
	if err := d.failure(); err != nil {
		return 0, err
	}
	if d.remaining == 0 {
		return 0, d.finish()
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.ctx.Err(); err != nil {
		return 0, d.fail(asError(d.ctx, err))
	}

	fetchWritesRest := d.toFile && d.fetch != nil
	if fetchWritesRest {
		// This ends the copy in writeFile, which then lets the fetch write to the file itself.
		return 0, io.EOF
	}

	// One Read of a file cannot be interrupted, so it must be short.
	p = p[:min(int64(len(p)), d.remaining, deliverBytes)]
	n, err := d.next(p)
	d.deliver(p[:n])
	// After the last byte, an error of the connection does not matter.
	if err != nil && d.remaining > 0 {
		return n, d.fail(err)
	}
	return n, nil
}

// next reads the next bytes into p: from several connections if there is a fetch, and otherwise from
// the first one. If that is slow, it may get others beside it.
func (d *download) next(p []byte) (int, *storage.Error) {
	if d.fetch != nil {
		return d.fetch.read(p)
	}
	if d.probe != nil {
		return d.readProbed(p)
	}
	return d.first.read(p)
}

// deliver hashes and counts the bytes p that the caller gets.
func (d *download) deliver(p []byte) {
	if d.hashing {
		d.crc = crc32c.Update(d.crc, p)
	}
	d.remaining -= int64(len(p))
	d.count(int64(len(p)))
}

func (d *download) count(n int64) {
	d.op.bytes.Add(n)
	d.progress.Add(n)
}

// finish ends the download after the last byte: it returns io.EOF, or an error if the checksum is
// wrong.
func (d *download) finish() error {
	if want := d.reader.Attrs().CRC32C; d.hashing && d.crc != want.Sum {
		return d.fail(mismatch(want, storage.CRC32C{Sum: d.crc, Known: true}))
	}
	return io.EOF
}

// failure returns the error that every later Read returns, or nil unless the download has failed or
// was closed.
func (d *download) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	if d.ended {
		return d.located(errClosed)
	}
	return nil
}

// located returns a copy of err with the operation, bucket and key.
func (d *download) located(err *storage.Error) *storage.Error {
	c := *err
	d.op.locate(&c)
	return &c
}

var errClosed = &storage.Error{Code: storage.InvalidArgument, Op: "Read", Err: errors.New("the reader is closed")}

// fail makes err the error of every later Read, unless an earlier error is, and returns that error.
func (d *download) fail(err *storage.Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = d.located(err)
	}
	return d.err
}

// Close ends the download, at any time, even while a Read waits.
func (d *download) Close() error {
	// Only the first Close ends the download.
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return nil
	}
	d.ended = true
	err := d.err
	fetch := d.fetch
	d.unreserve()
	d.mu.Unlock()

	// Cancel the fetch first: its close waits until all sections have ended.
	if fetch != nil {
		if d.probe != nil {
			// The fetch has found out how many sections suit the store, which helps the next download.
			d.op.engine.downloads.End(fetch.limit)
		}
		fetch.cancel()
	}
	d.first.close()
	if fetch != nil {
		fetch.close()
	}

	// End the operation for hooks and telemetry. The caller has got err from Read.
	_ = d.op.end(err)
	return nil
}

// unreserve gives back the memory that was reserved for a fetch. The caller holds d.mu.
func (d *download) unreserve() {
	if d.reserved > 0 {
		d.op.engine.bufferLimit.Unreserve(d.reserved)
		d.reserved = 0
	}
}
