package engine

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/concurrency"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/progress"
	"github.com/omnibucket/storage/internal/seam"
)

// The first response of a download pins a revision and decides which span of it is delivered. From
// then on everything is a section: a span of that revision, which is read from one connection, and
// from another one if that drops or stalls (download_section.go).
//
// The first section is what the first connection delivers: all, unless there are several connections
// at once. These come from WithConcurrency. Without it, a slow first connection gives most of its
// span away, if its reader only waits for it (readProbed). A fetch then divides the rest into
// sections, and reads several at once, as many as its Limit permits (download_fetch.go). Their bytes
// go into a sink: into buffers, which Read delivers in order, or straight to their places in a file
// (download_writeto.go).
//
// A download ends with the last byte and the checksum of the whole, with the first failure, which
// every later Read returns, or with Close, which interrupts a Read that waits.

const (
	firstSectionBytes = 256 << 10 // read from the first response, which also tells the object's size
	// growthLeast is how many bytes must remain to justify further connections.
	growthLeast = 8 << 20
)

// A download is one call of Download, from its first request to Close.
type download struct {
	reader   storage.Reader // here, so that a download is one allocation; it has what the first response says
	op       operation
	ctx      context.Context // the caller's context, as the hooks have left it
	progress *progress.Counter
	report   func(done, total int64) // what WithProgress gave, or nil

	first       section            // what the first connection delivers
	probe       *concurrency.Probe // whether the first connection is slow, so that a fetch begins; nil if none may
	fetch       *fetch             // reads the sections after the first one; nil if there are none
	remaining   int64              // bytes to be delivered
	concurrency int                // what WithConcurrency gave, or 0
	crc         uint32
	hashing     bool // whether the whole object is read and its checksum is known
	toFile      bool // whether writeFile reads: a fetch needs no memory then

	mu       sync.Mutex
	ended    bool           // whether Close was called
	failed   *storage.Error // what every later Read returns
	reserved int64          // memory for buffers that a fetch has reserved
}

// Download opens the object for reading.
func (b bucket) Download(ctx context.Context, key string, given *storage.DownloadOptions) (*storage.Reader, error) {
	d := &download{}
	e := d.prepare(b.core, key, given)
	if e == nil {
		d.ctx, e = d.op.begin(ctx)
	}
	if e == nil {
		e = d.open()
	}
	if e != nil {
		return nil, d.op.end(e)
	}
	return d.present(), nil
}

// prepare prepares the operation.
func (d *download) prepare(c *core, key string, given *storage.DownloadOptions) *storage.Error {
	d.concurrency, d.report = given.Concurrency, given.Progress
	return d.op.prepareRead(c, "Download", key, &d.first.req, given)
}

// present returns the Reader of an open download.
func (d *download) present() *storage.Reader {
	d.op.toUser(d.ctx, d.reader.Attrs())
	return &d.reader
}

// open makes the first request, and determines what is delivered.
func (d *download) open() *storage.Error {
	s := &d.first
	s.d, s.ctx = d, d.ctx
	if s.req.Length == 0 { // no provider has a range of 0 bytes
		return d.openEmpty()
	}
	wanted := s.req.Length
	split := d.concurrency > 1 && d.canSplit()
	if split && (s.req.Offset > 0 || wanted > 0) {
		s.req.Length = firstSectionBytes
	} // else the whole is requested, and only its beginning read: S3 returns no checksum for a range
	attrs, e := s.connect()
	s.req.Length = wanted
	if e != nil && e.Code == storage.RangeNotSatisfiable {
		return d.openEmpty()
	}
	if e != nil {
		return e
	}
	if e := d.start(attrs); e != nil {
		s.close()
		return e
	}
	s.req.Condition = storage.Condition{Revision: attrs.Revision}
	offset, length := d.reader.Range()
	s.set(offset, length)
	if split && length > firstSectionBytes {
		d.fetch = d.fixedFetch()
		s.set(offset, firstSectionBytes)
	}
	if d.concurrency == 0 && !d.op.core.desc.Local && attrs.Revision != "" && length > growthLeast {
		d.probe = &concurrency.Probe{}
	}
	return nil
}

// canSplit reports whether the requested span may be long enough for several sections. A
// suffix is not split, because the end of the object is not known yet. Nor is a span that
// begins past the end of any object.
func (d *download) canSplit() bool {
	req := &d.first.req
	return req.Suffix == 0 && (req.Length < 0 || req.Length > firstSectionBytes) &&
		req.Offset <= math.MaxInt64-firstSectionBytes
}

// openEmpty is for ranges that no provider returns: the object's size decides
// whether the range is empty or past the end.
func (d *download) openEmpty() *storage.Error {
	r := d.first.req
	r.Auxiliary = true
	attrs, e := head(d.ctx, &d.op, &r)
	if e != nil {
		return e
	}
	if e := d.start(attrs); e != nil {
		return e
	}
	if d.remaining > 0 {
		return &storage.Error{
			Code: storage.Internal, Err: errors.New("the provider refused a range that the object has"),
		}
	}
	return nil
}

// start takes over the first response, and resolves the requested range against the object's size.
func (d *download) start(attrs *storage.Attrs) *storage.Error {
	if attrs.Size < 0 {
		return &storage.Error{Code: storage.Internal, Err: errors.New("the store or a layer returned a size below 0")}
	}
	from, to, err := d.first.req.Span(attrs.Size)
	if err != nil {
		return &storage.Error{Code: storage.RangeNotSatisfiable, Hint: "the offset is past the end of the object"}
	}
	seam.InitReader(&d.reader, d, attrs, from, to-from)
	d.remaining = to - from
	d.hashing = from == 0 && to == attrs.Size && attrs.CRC32C.Known
	d.progress = progress.New(d.report, d.remaining)
	return nil
}

func (d *download) Read(p []byte) (int, error) {
	if e := d.failure(); e != nil {
		return 0, e
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
	p = p[:min(int64(len(p)), d.remaining, deliverBytes)] // one Read of a file cannot be interrupted
	var n int
	var e *storage.Error
	switch {
	case d.toFile && d.fetch != nil:
		return 0, io.EOF // writeFile has the fetch write the rest
	case d.fetch != nil:
		n, e = d.fetch.read(p)
	case d.probe != nil:
		n, e = d.readProbed(p)
	default:
		n, e = d.first.read(p)
	}
	d.deliver(p[:n])
	if e != nil && d.remaining > 0 {
		return n, d.fail(e)
	}
	return n, nil
}

// deliver accounts for bytes that the caller gets.
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

// finish returns io.EOF after the last byte, if the checksum is right.
func (d *download) finish() error {
	if want := d.reader.Attrs().CRC32C; d.hashing && d.crc != want.Sum {
		return d.fail(mismatch(want, storage.CRC32C{Sum: d.crc, Known: true}))
	}
	return io.EOF
}

func (d *download) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.failed != nil:
		return d.failed
	case d.ended:
		return d.located(errClosed)
	}
	return nil
}

// located returns a copy of e with the operation, bucket and key.
func (d *download) located(e *storage.Error) *storage.Error {
	c := *e
	d.op.locate(&c)
	return &c
}

var errClosed = &storage.Error{Code: storage.InvalidArgument, Op: "Read", Err: errors.New("the reader is closed")}

// fail makes e what Read returns from now on, with its context.
func (d *download) fail(e *storage.Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = d.located(e)
	}
	return d.failed
}

// Close may be called at any time, also while a Read waits.
func (d *download) Close() error {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return nil
	}
	d.ended = true
	failed, f := d.failed, d.fetch
	d.unreserve()
	d.mu.Unlock()
	if f != nil {
		f.cancel()
	}
	d.first.close()
	if f != nil {
		f.close()
	}
	_ = d.op.end(failed)
	return nil
}

// unreserve gives back the memory that grow has reserved. The lock is held.
func (d *download) unreserve() {
	if d.reserved > 0 {
		d.op.core.bufferLimit.Unreserve(d.reserved)
		d.reserved = 0
	}
}
