package storage

import (
	"context"
	"errors"
	"io"
	"sync"
)

// download is one call of Download, from its first request to Close.
type download struct {
	operation
	req      GetRequest
	ctx      context.Context // of the caller, through the hooks
	attrs    *Attrs
	revision string // of the first answer, without its tag
	progress *progress

	stream  stream  // one connection at a time
	ranges  *ranges // or parallel ranges
	left    int64   // bytes to be delivered
	crc     uint32
	hashing bool // the whole object is read, and its checksum is known

	ended  bool // Close was called; like failed, under mu
	mu     sync.Mutex
	failed *Error // what Read answers from then on
}

// Download opens the object for reading.
func (b *bucket) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	r := &Reader{}
	if err := r.download(ctx, b, key, opts); err != nil {
		return nil, err
	}
	return r, nil
}

// download is Download with a Reader that is there already.
func (r *Reader) download(ctx context.Context, b *bucket, key string, opts []DownloadOption) error {
	d := &r.d
	e := d.prepare(b, mayDownload, "Download", key)
	if e == nil {
		if err := d.req.Apply(opts...); err != nil {
			e = ownError(err)
		} else {
			e = d.resolveRead(&d.req)
		}
	}
	if e != nil {
		return d.end(e)
	}
	ctx, e = d.begin(ctx)
	if e != nil {
		return d.end(e)
	}
	d.ctx = ctx
	if e = d.open(r); e != nil {
		return d.end(e)
	}
	r.attrs, r.from = d.present(d.attrs), d
	return nil
}

// open makes the first request and works out what will be delivered.
func (d *download) open(r *Reader) *Error {
	req := &d.req
	if req.set.concurrency > 1 {
		return d.openRanges(r)
	}
	if req.Length == 0 { // no provider has a range of nothing
		return d.openEmpty(r)
	}
	d.stream.d, d.stream.ctx, d.stream.req = d, d.ctx, req
	attrs, e := d.stream.connect()
	if e != nil && e.Code == RangeNotSatisfiable {
		return d.openEmpty(r)
	}
	if e != nil {
		return e
	}
	if e := d.start(r, attrs); e != nil {
		d.stream.close()
		return e
	}
	d.stream.pin(d.revision, r.offset, r.length)
	return nil
}

// openEmpty is for ranges that no provider answers: what the object is tells
// whether it is an empty one or one behind the end.
func (d *download) openEmpty(r *Reader) *Error {
	var attrs *Attrs
	e := d.call(d.ctx, func(ctx context.Context) (err error) {
		attrs, err = d.core.driver.Head(ctx, &d.req)
		return err
	})
	if e != nil {
		return e
	}
	if e := d.start(r, attrs); e != nil {
		return e
	}
	if r.length > 0 {
		return &Error{Code: Internal, Err: errors.New("the provider refused a range that the object has")}
	}
	return nil
}

// setRange resolves the range that was asked for against the object's size.
func (d *download) setRange(r *Reader) *Error {
	size, req := d.attrs.Size, &d.req
	switch {
	case req.Suffix > 0:
		r.offset = max(size-req.Suffix, 0)
		r.length = size - r.offset
	case req.Offset > size:
		return &Error{Code: RangeNotSatisfiable, Hint: "the offset lies behind the end of the object"}
	case req.Length < 0:
		r.offset, r.length = req.Offset, size-req.Offset
	default:
		r.offset, r.length = req.Offset, min(req.Length, size-req.Offset)
	}
	return nil
}

// start takes in what the first answer says.
func (d *download) start(r *Reader, attrs *Attrs) *Error {
	d.attrs, d.revision = attrs, attrs.Revision
	if e := d.setRange(r); e != nil {
		return e
	}
	d.left = r.length
	d.hashing = r.offset == 0 && r.length == attrs.Size && attrs.CRC32C != nil
	d.progress = newProgress(d.req.set.progress, r.length)
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
	p = p[:min(int64(len(p)), d.left, deliverBytes)] // one Read of a file is not interrupted
	var n int
	var e *Error
	if d.ranges != nil {
		n, e = d.ranges.read(p)
	} else {
		n, e = d.stream.read(p)
	}
	d.deliver(p[:n])
	if e != nil && d.left > 0 {
		return n, d.fail(e)
	}
	return n, nil
}

// deliver accounts for bytes that reach the caller.
func (d *download) deliver(p []byte) {
	if d.hashing {
		d.crc = updateCRC(d.crc, p)
	}
	d.left -= int64(len(p))
	d.moved(int64(len(p)))
}

func (d *download) moved(n int64) {
	d.bytes.Add(n)
	if d.progress != nil {
		d.progress.add()(n)
	}
}

// finish is what comes after the last byte.
func (d *download) finish() error {
	if d.hashing && d.crc != *d.attrs.CRC32C {
		return d.fail(mismatch(*d.attrs.CRC32C, d.crc))
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
		return d.placed(errClosed)
	}
	return nil
}

// placed is a copy of e with its context.
func (d *download) placed(e *Error) *Error {
	placed := *e
	placed.Op, placed.Provider, placed.Bucket = d.name, d.core.desc.Provider, d.core.desc.Bucket
	placed.Key, placed.Unknown = d.key[len(d.prefix):], false
	placed.advise()
	return &placed
}

var errClosed = &Error{Code: InvalidArgument, Op: "Read", Err: errors.New("the reader is closed")}

// fail makes e what Read answers from now on, with its context.
func (d *download) fail(e *Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = d.placed(e)
	}
	return d.failed
}

// Close may come at any moment, also while a Read waits.
func (d *download) Close() error {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return nil
	}
	d.ended = true
	failed := d.failed
	d.mu.Unlock()
	if d.ranges != nil {
		d.ranges.close()
	} else {
		d.stream.close()
	}
	_ = d.end(failed)
	return nil
}
