package storage

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/blockcache"
)

const (
	// defaultBlockBytes is transferred in 1.3 ms over a connection of 50 MB/s, which is little
	// beside the 20 ms of a request.
	defaultBlockBytes = 64 << 10
	defaultCacheBytes = 8 << 20
)

// NewReaderAt opens one revision of an object for random access, as http.ServeContent
// needs. If it is changed or removed, reading fails with Changed, except for what is in
// memory. ctx governs all reads until Close, which must be called. ReadAt keeps blocks
// ([WithBlockSize], [WithBlockCache]): small reads of a block are one request, also at
// once. Sequential access reads ahead, up to 2 MiB in a request. A larger ReadAt is one
// request for what is not in memory, and is not kept.
func NewReaderAt(ctx context.Context, b interface {
	Downloader
	AttrsReader
}, key string, opts ...ReaderAtOption) (*ReaderAt, error) {
	r := readerAtRequest{blockSize: defaultBlockBytes, cacheBytes: defaultCacheBytes}
	if err := r.apply(opts); err != nil {
		return nil, located(b, "NewReaderAt", key, ownError(err))
	}
	var forAttrs []AttrsOption
	for _, o := range opts {
		if o, ok := o.(AttrsOption); ok {
			forAttrs = append(forAttrs, o)
		}
	}
	attrs, err := b.Attrs(ctx, key, forAttrs...)
	if err != nil {
		return nil, err
	}
	limit := defaultBufferLimit.bounded()
	if own := engineOf(b); own != nil {
		limit = own.BufferLimit()
	}
	at := &ReaderAt{ctx: ctx, object: pinObject(b, key, "ReadAt", &r.get, attrs)}
	at.blocks.Init(ctx, blockcache.Config{
		Fetch: at.object.fetch, Size: attrs.Size, BlockSize: r.blockSize, Max: r.cacheBytes, Limit: limit,
	})
	return at, nil
}

// A readerAtRequest is what the options of NewReaderAt ask for.
type readerAtRequest struct {
	get                   DownloadOptions
	blockSize, cacheBytes int64
}

func (r *readerAtRequest) apply(opts []ReaderAtOption) error {
	r.get.Length = -1
	return each(&r.get.err, opts, func(o ReaderAtOption) { o.applyReaderAt(r) })
}

// A ReaderAt is an io.ReaderAt, io.ReadSeeker and io.Closer. ReadAt may be called
// concurrently; Read, Seek and Close are for one goroutine at a time.
type ReaderAt struct {
	ctx    context.Context
	object pinnedObject
	blocks blockcache.Cache

	pos    int64
	open   *Reader // a connection at pos; nil if there is none
	closed atomic.Bool
}

// ReadAt reads from offset off. If the object ends earlier, it returns io.EOF.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	return r.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt for one of several callers: ctx, beside that of NewReaderAt, ends
// only this call, and not a block that others need.
func (r *ReaderAt) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, r.invalid("ReadAt", "offset", "must not be negative")
	case r.closed.Load():
		return 0, r.invalid("ReadAt", "reader", "is closed")
	case off >= r.Size():
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case r.ctx.Err() != nil:
		return 0, r.object.failure(r.ctx, r.ctx.Err())
	case ctx.Err() != nil:
		return 0, r.object.failure(ctx, ctx.Err())
	}
	n, err := r.blocks.ReadAt(ctx, p[:min(int64(len(p)), r.Size()-off)], off)
	switch {
	case err == nil && n < len(p):
		return n, io.EOF
	case err == nil:
		return n, nil
	case r.closed.Load(): // Close has interrupted it
		return n, r.invalid("ReadAt", "reader", "is closed")
	case ctx.Err() == nil:
		ctx = r.ctx
	}
	return n, r.object.failure(ctx, err)
}

// Read reads from where the last Read ended, or where Seek has led, by one connection. A
// whole object is verified at its end, as by [Reader.Read].
func (r *ReaderAt) Read(p []byte) (int, error) {
	switch {
	case r.closed.Load():
		return 0, r.invalid("Read", "reader", "is closed")
	case r.pos >= r.Size() && r.open == nil:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if r.open == nil {
		from, err := r.object.open(r.ctx, "Read", r.pos, -1)
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

// Close ends Read's connection and reading ahead, and gives the memory back. It returns
// nil. Afterwards ReadAt and Read fail with InvalidArgument.
func (r *ReaderAt) Close() error {
	r.closed.Store(true)
	r.release()
	r.blocks.Close()
	return nil
}

func (r *ReaderAt) release() {
	if r.open != nil {
		_ = r.open.Close()
		r.open = nil
	}
}

func (r *ReaderAt) invalid(op, argument, rule string) error {
	return located(r.object.from, op, r.object.key, invalid(argument, rule))
}
