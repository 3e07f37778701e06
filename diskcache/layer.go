package diskcache

import (
	"context"
	"io"
	"math"
	"time"

	"github.com/omnibucket/storage"
)

// A driver reads through the cache.
type driver struct {
	storage.Driver
	cache  *Cache
	bucket string // identifies it in every process; "" before Describe
}

// An object is one revision of an object.
type object struct{ bucket, key, revision string }

// A confirmed revision was the current one at a time.
type confirmed struct {
	attrs *storage.Attrs
	at    time.Time
}

// maxTrusted bounds the revisions that are remembered.
const maxTrusted = 4096

func (d *driver) Describe() storage.Description {
	desc := d.Driver.Describe()
	if d.bucket == "" { // else the core asks again, while other calls read
		d.bucket = desc.Provider + "\x00" + desc.Location + "\x00" + desc.Bucket
	}
	return desc
}

// Head remembers the revision, so that a ReaderAt need not ask again.
func (d *driver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil && r.Version == "" {
		d.trust(r.Key, attrs)
	}
	return attrs, err
}

// Get reads a pinned revision through the cache.
func (d *driver) Get(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if r.Condition.Revision == "" || r.Version != "" || len(r.Native) > 0 || d.bucket == "" {
		return d.Driver.Get(ctx, r)
	}
	b := &body{d: d, ctx: ctx, object: object{d.bucket, r.Key, r.Condition.Revision}}
	attrs, err := d.confirm(b, r)
	if err != nil {
		return nil, nil, err
	}
	b.size = attrs.Size
	if b.pos, b.end, err = r.Span(attrs.Size); err == nil && b.pos == b.end {
		err = storage.RangeNotSatisfiable // the core then asks for the attributes
	}
	if err != nil {
		_ = b.Close()
		return nil, nil, err
	}
	own := *attrs // the core may change it
	return &own, b, nil
}

// confirm returns the attributes of a revision that the store confirms now, or did lately. If
// bytes have to be fetched anyway, their request confirms it.
func (d *driver) confirm(b *body, r *storage.GetRequest) (*storage.Attrs, error) {
	if attrs := d.cache.lately(b.object); attrs != nil {
		return attrs, nil
	}
	size := d.cache.config.BlockBytes
	first := r.Offset / size
	if r.Suffix > 0 || d.cache.has(b.name(first)) {
		attrs, err := d.Head(b.ctx, &storage.GetRequest{Key: r.Key, Length: -1, Condition: r.Condition})
		if err == nil && attrs.Revision != r.Condition.Revision {
			err = storage.PreconditionFailed
		}
		return attrs, err
	}
	if r.Length < 0 {
		return b.fetch(first, -1)
	}
	last := (r.Offset + min(r.Length, math.MaxInt64-r.Offset) - 1) / size
	return b.fetch(first, b.missing(first, last))
}

func (d *driver) trust(key string, attrs *storage.Attrs) {
	c := d.cache
	if c.config.TrustFor == 0 || attrs.Revision == "" || d.bucket == "" {
		return
	}
	own := *attrs
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.trusted) >= maxTrusted {
		clear(c.trusted)
	}
	c.trusted[object{d.bucket, key, attrs.Revision}] = confirmed{&own, c.now()}
}

func (c *Cache) lately(o object) *storage.Attrs {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.trusted[o]
	if !ok || c.now().Sub(was.at) >= c.config.TrustFor {
		delete(c.trusted, o)
		return nil
	}
	return was.attrs
}
