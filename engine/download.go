package engine

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/progress"
	"github.com/omnibucket/storage/internal/scope"
)

// A download is one call of Download, from its first request to Close.
type download struct {
	reader   storage.Reader // here, so that a download is one allocation
	op       operation
	req      driver.GetRequest
	given    storage.DownloadOptions
	ctx      context.Context // the caller's, after the hooks
	attrs    *storage.Attrs  // of the first response
	revision string          // of the first response, without its tag
	offset   int64           // of what is delivered
	length   int64           // likewise, in bytes
	progress *progress.Counter

	stream  stream       // one connection at a time
	ranges  *rangeReader // or parallel ranges; nil: none
	left    int64        // bytes to be delivered
	crc     uint32
	hashing bool // the whole object is read, and its checksum is known
	growth  growth

	ended  bool // Close was called; like failed, guarded by mu
	mu     sync.Mutex
	failed *storage.Error // what Read returns from now on
}

// Download opens the object for reading.
func (b *bucket) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	d := &download{}
	e := d.op.prepare(b, scope.Download, "Download", key)
	if e == nil {
		e = optionFailure(d.apply(opts))
	}
	if e == nil {
		e = b.core.resolveRead(d.op.key, &d.req, settings(&d.given))
	}
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

// present returns the Reader of an open download.
func (d *download) present() *storage.Reader {
	initReader(&d.reader, d, d.op.toUser(d.attrs), d.offset, d.length)
	return &d.reader
}

// apply reads the options.
func (d *download) apply(opts []storage.DownloadOption) error {
	err := d.given.Apply(opts...)
	d.req = getOf(&d.given)
	return err
}

// open makes the first request, and determines what is delivered.
func (d *download) open() *storage.Error {
	if settings(&d.given).Concurrency > 1 && d.canSplit() {
		return d.openRanges()
	}
	if d.req.Length == 0 { // no provider has a range of 0 bytes
		return d.openEmpty()
	}
	if e := d.connect(&d.req); e != nil || d.stream.req == nil {
		return e
	}
	d.stream.pin(d.revision, d.offset, d.length)
	d.growth.on = settings(&d.given).Concurrency == 0 && !d.op.core.desc.Local && d.revision != "" && d.length > growthLeast
	return nil
}

// connect opens the stream with the first request. If the store refuses the range,
// the stream is none, and the object is described without it.
func (d *download) connect(req *driver.GetRequest) *storage.Error {
	d.stream.d, d.stream.ctx, d.stream.req = d, d.ctx, req
	attrs, e := d.stream.connect()
	if e != nil && e.Code == storage.RangeNotSatisfiable {
		d.stream.req = nil
		return d.openEmpty()
	}
	if e != nil {
		return e
	}
	if e := d.start(attrs); e != nil {
		d.stream.close()
		return e
	}
	return nil
}

// openEmpty is for ranges that no provider returns: the object's size decides
// whether the range is empty or past the end.
func (d *download) openEmpty() *storage.Error {
	r := d.req
	r.Auxiliary = true
	attrs, e := head(d.ctx, &d.op, &r)
	if e != nil {
		return e
	}
	if e := d.start(attrs); e != nil {
		return e
	}
	if d.length > 0 {
		return &storage.Error{Code: storage.Internal, Err: errors.New("the provider refused a range that the object has")}
	}
	return nil
}

// start takes over the first response.
func (d *download) start(attrs *storage.Attrs) *storage.Error {
	d.attrs, d.revision = attrs, attrs.Revision
	if e := d.setRange(); e != nil {
		return e
	}
	d.left = d.length
	d.hashing = d.offset == 0 && d.length == attrs.Size && attrs.CRC32C.Known
	d.progress = progress.New(settings(&d.given).Progress, d.length)
	return nil
}

// setRange resolves the requested range against the object's size.
func (d *download) setRange() *storage.Error {
	from, to, err := d.req.Span(d.attrs.Size)
	if err != nil {
		return &storage.Error{Code: storage.RangeNotSatisfiable, Hint: "the offset is past the end of the object"}
	}
	d.offset, d.length = from, to-from
	return nil
}

func (d *download) Read(p []byte) (int, error) {
	if e := d.failure(); e != nil {
		return 0, e
	}
	if d.left == 0 {
		return 0, d.finish()
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := d.ctx.Err(); err != nil {
		return 0, d.fail(asError(d.ctx, err))
	}
	p = p[:min(int64(len(p)), d.left, deliverBytes)] // one Read of a file cannot be interrupted
	var n int
	var e *storage.Error
	switch {
	case d.ranges != nil:
		n, e = d.ranges.read(p)
	case d.growth.on:
		n, e = d.readWatched(p)
	default:
		n, e = d.stream.read(p)
	}
	d.deliver(p[:n])
	if e != nil && d.left > 0 {
		return n, d.fail(e)
	}
	return n, nil
}

// deliver accounts for bytes that the caller gets.
func (d *download) deliver(p []byte) {
	if d.hashing {
		d.crc = crc32c.Update(d.crc, p)
	}
	d.left -= int64(len(p))
	d.count(int64(len(p)))
}

func (d *download) count(n int64) {
	d.op.bytes.Add(n)
	d.progress.Add(n)
}

// finish returns io.EOF after the last byte, if the checksum is right.
func (d *download) finish() error {
	if d.hashing && d.crc != d.attrs.CRC32C.Sum {
		return d.fail(mismatch(d.attrs.CRC32C, storage.KnownCRC32C(d.crc)))
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
		return d.withContext(errClosed)
	}
	return nil
}

// withContext returns a copy of e with the operation, bucket and key.
func (d *download) withContext(e *storage.Error) *storage.Error {
	c := *e
	c.Op, c.Provider, c.Bucket = d.op.name, d.op.core.desc.Provider, d.op.core.desc.Bucket
	c.Key, c.Unknown = d.op.key[len(d.op.prefix):], false
	advise(&c)
	return &c
}

var errClosed = &storage.Error{Code: storage.InvalidArgument, Op: "Read", Err: errors.New("the reader is closed")}

// fail makes e what Read returns from now on, with its context.
func (d *download) fail(e *storage.Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = d.withContext(e)
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
	failed, ranges := d.failed, d.ranges
	d.mu.Unlock()
	if ranges != nil {
		ranges.close()
	} else {
		d.stream.close()
	}
	_ = d.op.end(failed)
	return nil
}
