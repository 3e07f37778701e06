package storage

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/core/blockcache"
)

const (
	// defaultBlockBytes takes 1.3 ms over a connection of 50 MB/s, which is little compared to the
	// 20 ms that a request takes anyway.
	defaultBlockBytes = 64 << 10
	defaultCacheBytes = 8 << 20
)

// NewReaderAt opens one revision of an object for random access, as http.ServeContent needs. If the
// object is changed or removed, reading fails with Changed, except for bytes that are already in
// memory. ctx governs all reads until Close, which the caller must call.
//
// ReadAt keeps blocks in memory ([WithBlockSize], [WithBlockCache]). Small reads of one block make
// one request, even in parallel. For sequential reads, ReadAt requests blocks ahead, up to 2 MiB in
// a request. A ReadAt of more than 2 MiB makes one request for the bytes that are not in memory,
// and does not keep them.
func NewReaderAt(ctx context.Context, b interface {
	Downloader
	AttrsReader
}, key string, opts ...ReaderAtOption) (*ReaderAt, error) {
	r := readerAtRequest{blockSize: defaultBlockBytes, cacheBytes: defaultCacheBytes}
	if err := r.apply(opts); err != nil {
		return nil, refuseFunction(ctx, b, "NewReaderAt", "Attrs", key, ownError(err))
	}

	// Pass on the options that Attrs accepts, too.
	var attrsOpts []AttrsOption
	for _, opt := range opts {
		if attrsOpt, ok := opt.(AttrsOption); ok {
			attrsOpts = append(attrsOpts, attrsOpt)
		}
	}

	attrs, err := orFailing(b).Attrs(ctx, key, attrsOpts...)
	if err != nil {
		return nil, err
	}

	// Share the limit of memory with the other calls of the engine, if there is one.
	limit := defaultBufferLimit.bounded()
	if engine := engineOf(b); engine != nil {
		limit = engine.BufferLimit()
	}
	ra := &ReaderAt{ctx: ctx, object: pinObject(b, key, "ReadAt", &r.get, attrs)}
	ra.blocks.Init(ctx, blockcache.Config{
		Fetch:     ra.object.fetch,
		Size:      attrs.Size,
		BlockSize: r.blockSize,
		Max:       r.cacheBytes,
		Limit:     limit,
	})
	return ra, nil
}

// apply sets r from opts, and returns the error of the first invalid option.
func (r *readerAtRequest) apply(opts []ReaderAtOption) error {
	r.get.Length = -1
	return applyEach(&r.get.err, opts, func(o ReaderAtOption) {
		o.applyReaderAt(r)
	})
}

// A ReaderAt is an io.ReaderAt, io.ReadSeeker and io.Closer. ReadAt may be called
// concurrently; Read, Seek and Close are for one goroutine at a time.
type ReaderAt struct {
	ctx    context.Context // of NewReaderAt, because the methods of package io take none
	object pinnedObject
	blocks blockcache.Cache

	pos    int64
	open   *Reader // connection at pos, or nil
	closed atomic.Bool
}

// ReadAt reads from offset off. If the object ends earlier, it returns io.EOF.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	return r.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is like ReadAt, but also fails if ctx ends. Other calls that wait for the same
// block are not affected, because the request for the block continues.
func (r *ReaderAt) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, r.invalid("ReadAt", "offset", "must not be negative")
	}
	if r.closed.Load() {
		return 0, r.invalid("ReadAt", "reader", "is closed")
	}
	// No request is necessary at the end of the object or for an empty p.
	if off >= r.Size() {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}

	// After the end of either context, not even bytes in memory may be returned.
	if r.ctx.Err() != nil {
		return 0, r.object.failure(r.ctx, r.ctx.Err())
	}
	if ctx.Err() != nil {
		return 0, r.object.failure(ctx, ctx.Err())
	}

	// Cut p at the end of the object. If p is longer than the rest, the result is io.EOF.
	rest := r.Size() - off
	n, err := r.blocks.ReadAt(ctx, p[:min(int64(len(p)), rest)], off)
	if err != nil {
		return n, r.readError(ctx, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readError returns the error of a ReadAt that failed with err. If Close or the end of a context is
// the cause, it returns an error that says so. ctx is the context of this read, r.ctx that of all.
func (r *ReaderAt) readError(ctx context.Context, err error) error {
	if r.closed.Load() {
		// Close has interrupted the read.
		return r.invalid("ReadAt", "reader", "is closed")
	}
	if ctx.Err() != nil {
		return r.object.failure(ctx, err)
	}
	return r.object.failure(r.ctx, err)
}

// Read reads from where the last Read or Seek ended, over one connection. Like [Reader.Read], it
// verifies the checksum of a whole object.
func (r *ReaderAt) Read(p []byte) (int, error) {
	if r.closed.Load() {
		return 0, r.invalid("Read", "reader", "is closed")
	}
	// An open reader must read up to its end, where it verifies the checksum.
	if r.pos >= r.Size() && r.open == nil {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}

	// The first Read, and the first one after a Seek, opens a new reader.
	if r.open == nil {
		const toEnd = -1
		src, err := r.object.open(r.ctx, "Read", r.pos, toEnd)
		if err != nil {
			return 0, err
		}
		r.open = src
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
		offset += r.Size()
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
func (r *ReaderAt) Size() int64 { return r.object.attrs.Size }

// Attrs returns the attributes of the revision that is read.
func (r *ReaderAt) Attrs() *Attrs { return r.object.attrs }

// Close ends the connection of Read, stops reading ahead, and frees the memory. Later reads fail
// with InvalidArgument.
func (r *ReaderAt) Close() error {
	r.closed.Store(true)
	r.release()
	r.blocks.Close()
	return nil
}

// release closes the connection of Read, if there is one.
func (r *ReaderAt) release() {
	if r.open != nil {
		_ = r.open.Close()
		r.open = nil
	}
}

// invalid returns an error with the code InvalidArgument for an operation on the object.
func (r *ReaderAt) invalid(op, argument, rule string) error {
	return locateError(r.object.from, op, r.object.key, invalid(argument, rule))
}
