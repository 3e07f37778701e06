package storage

import (
	"context"
	"fmt"
	"io"
)

// NewReaderAt opens an object for random access, pinned to one revision. The [ReaderAt] is an
// io.ReaderAt, io.ReadSeeker and io.Closer, and fits http.ServeContent. Each ReadAt is one
// request; Reads that follow one another share one connection. If the object is changed or
// removed, reading fails with Changed.
func NewReaderAt(ctx context.Context, b interface {
	Downloader
	AttrsReader
}, key string, opts ...AttrsOption) (*ReaderAt, error) {
	attrs, err := b.Attrs(ctx, key, opts...)
	if err != nil {
		return nil, err
	}
	var r GetRequest
	if err := r.ApplyAttrs(opts...); err != nil {
		return nil, err // not reached: Attrs has read the options too
	}
	pin := []DownloadOption{}
	switch {
	case r.Version != "":
		pin = append(pin, WithVersion(r.Version))
	case attrs.Revision != "":
		pin = append(pin, IfRevision(attrs.Revision))
	}
	return &ReaderAt{ctx: ctx, from: b, key: key, attrs: attrs, pin: pin}, nil
}

// A ReaderAt reads one revision of an object anywhere. ReadAt may be called
// concurrently; Read, Seek and Close are for one goroutine at a time.
type ReaderAt struct {
	ctx   context.Context
	from  Downloader
	key   string
	attrs *Attrs
	pin   []DownloadOption

	pos    int64
	open   *Reader // at pos, or nil
	closed bool
}

// ReadAt reads len(p) bytes from offset off. If the object ends earlier, it returns io.EOF.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, r.invalid("ReadAt", "offset", "must not be negative")
	}
	if off >= r.attrs.Size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	length := min(int64(len(p)), r.attrs.Size-off)
	from, err := r.download("ReadAt", off, length)
	if err != nil {
		return 0, err
	}
	defer func() { _ = from.Close() }()
	n, err := io.ReadFull(from, p[:length])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// download reads a range of the pinned revision. If the bucket has no revisions, the object
// may be shorter by now.
func (r *ReaderAt) download(op string, off, length int64) (*Reader, error) {
	from, err := r.from.Download(r.ctx, r.key, append(r.pin[:len(r.pin):len(r.pin)], WithRange(off, length))...)
	switch CodeOf(err) {
	case PreconditionFailed, ObjectNotFound, RangeNotSatisfiable:
		e := asError(r.ctx, err)
		e.Code = Changed
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if length < 0 {
		length = r.attrs.Size - off
	}
	if gotOff, gotLength := from.Range(); gotOff != off || gotLength != length {
		_ = from.Close()
		e := located(r.from, op, r.key, &Error{Code: Changed})
		e.Err = fmt.Errorf("%d bytes from offset %d were asked for, and %d from %d came", length, off, gotLength, gotOff)
		return nil, e
	}
	return from, nil
}

func (r *ReaderAt) Read(p []byte) (int, error) {
	switch {
	case r.closed:
		return 0, r.invalid("Read", "reader", "is closed")
	case r.pos >= r.attrs.Size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if r.open == nil {
		from, err := r.download("Read", r.pos, -1)
		if err != nil {
			return 0, err
		}
		r.open = from
	}
	n, err := r.open.Read(p)
	r.pos += int64(n)
	return n, err
}

// Seek sets where the next Read begins. It makes no request.
func (r *ReaderAt) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.attrs.Size
	default:
		return 0, r.invalid("Seek", "whence", fmt.Sprintf("must be io.SeekStart, SeekCurrent or SeekEnd, not %d", whence))
	}
	if offset < 0 {
		return 0, r.invalid("Seek", "offset", "must not lead before the start")
	}
	if offset != r.pos {
		r.release()
	}
	r.pos = offset
	return offset, nil
}

// Size returns the object's size in bytes.
func (r *ReaderAt) Size() int64 { return r.attrs.Size }

// Attrs returns the attributes of the revision that is read.
func (r *ReaderAt) Attrs() *Attrs { return r.attrs }

// Close releases the connection that Read holds. It always returns nil.
func (r *ReaderAt) Close() error {
	r.closed = true
	r.release()
	return nil
}

func (r *ReaderAt) release() {
	if r.open != nil {
		_ = r.open.Close()
		r.open = nil
	}
}

func (r *ReaderAt) invalid(op, argument, rule string) error {
	return located(r.from, op, r.key, invalid(argument, rule))
}
