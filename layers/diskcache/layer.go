package diskcache

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An objectDriver is the driver of a bucket that reads through the cache.
type objectDriver struct {
	driver.Driver
	cache  *Cache
	bucket string // identity of the bucket and its inner layers, the same in every process

	mu sync.Mutex
	// The keys of this map are revisions that the store has confirmed to the driver. Drivers do not
	// share the map, because they may have different credentials.
	trusted map[object]confirmed
}

// An object identifies one revision of an object in the store. If a read names a version, the field
// version is set. Two versions can have the same revision. They share their blocks in the cache,
// but their attributes may differ.
type object struct{ bucket, key, version, revision string }

// A confirmed value is a revision that was current at a certain time. It contains the attributes of
// the revision, and the time at which the store confirmed it.
type confirmed struct {
	attrs *storage.Attrs
	at    time.Time
}

// maxTrusted is the number of revisions that a driver remembers.
const maxTrusted = 4096

func newDriver(next driver.Driver, c *Cache) *objectDriver {
	return &objectDriver{Driver: next, cache: c, bucket: driver.StackIdentity(next), trusted: map[object]confirmed{}}
}

// Head remembers the attributes that the store returns, so that reads of this revision need not ask
// again.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil {
		d.trust(r.Key, r.Version, attrs)
	}
	return attrs, err
}

// Get reads a pinned revision through the cache. With Config.Unpinned, it pins any other read to the
// current revision.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if len(r.Native) > 0 || r.NativeAttrs {
		// A block has no native attributes.
		return d.Driver.Get(ctx, r)
	}
	if r.Condition.Revision != "" {
		return d.readPinned(ctx, r, nil)
	}
	if d.cache.config.Unpinned && r.Version == "" && r.Condition == (storage.Condition{}) {
		return d.readCurrent(ctx, r)
	}
	return d.Driver.Get(ctx, r)
}

// readCurrent reads the current revision through the cache. If it cannot pin the read to a revision, it
// reads from the store.
func (d *objectDriver) readCurrent(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	current, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Length: -1, Auxiliary: r.Auxiliary})
	if err != nil {
		// Get returns the error that applies to the caller's own request.
		return d.Driver.Get(ctx, r)
	}

	// Without a valid range and a revision, the read cannot be pinned.
	start, end, err := r.Span(current.Size)
	if err != nil || current.Revision == "" {
		return d.Driver.Get(ctx, r)
	}
	isEmptyRange := start == end
	if isEmptyRange {
		return current, &body{}, nil
	}

	pinned := *r
	pinned.Offset = start
	pinned.Suffix = 0
	pinned.Condition.Revision = current.Revision
	attrs, content, err := d.readPinned(ctx, &pinned, current)
	wasReplaced := storage.CodeOf(err) == storage.PreconditionFailed // after the call of Head
	if wasReplaced {
		return d.Driver.Get(ctx, r)
	}
	return attrs, content, err
}

// readPinned reads the revision that r names. current has its attributes if the store has just
// confirmed it, and is otherwise nil.
func (d *objectDriver) readPinned(
	ctx context.Context, r *driver.GetRequest, current *storage.Attrs,
) (*storage.Attrs, io.ReadCloser, error) {
	b := &body{d: d, ctx: ctx, object: object{d.bucket, r.Key, r.Version, r.Condition.Revision}}
	attrs, err := d.confirm(b, r, current)
	if err != nil {
		return nil, nil, err
	}

	b.size = attrs.Size
	b.pos, b.end, err = r.Span(attrs.Size)
	if err != nil {
		_ = b.Close()
		return nil, nil, err
	}

	isWholeObject := b.pos == 0 && b.end == b.size
	if isWholeObject {
		// The body verifies this checksum.
		b.want = attrs.CRC32C
	}
	clone := *attrs // a copy, because the engine may change it
	return &clone, b, nil
}

// confirm returns the attributes of the revision in r, if the store has confirmed that it is the object's.
// current has the attributes if the store has just returned them, and is otherwise nil. confirm sends a
// request only if it needs the attributes or the first block of the range, and then gets both with one.
//
// If the object is replaced after this call, the read fails with Changed.
func (d *objectDriver) confirm(b *body, r *driver.GetRequest, current *storage.Attrs) (*storage.Attrs, error) {
	if current == nil {
		// The store may have confirmed the revision less than TrustFor ago.
		if attrs := d.recentAttrs(b.object); attrs != nil {
			return attrs, nil
		}
	}

	// The first block of a suffix is unknown until Head has returned the size.
	first := r.Offset / b.blockBytes()
	needsFirstBlock := r.Suffix == 0 && !d.cache.has(b.name(first))
	if needsFirstBlock {
		// Request the missing blocks. The response also has the attributes.
		return b.fetch(first, b.endOfFirstRun(r, first))
	}

	// The cache has the first block, so only the attributes may be missing.
	if current != nil {
		return current, nil
	}
	return d.headRevision(b.ctx, r)
}

// headRevision returns the attributes of the revision in r. It fails with PreconditionFailed if the
// object has another revision.
func (d *objectDriver) headRevision(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Condition: r.Condition})
	if err != nil {
		return nil, err
	}
	if attrs.Revision != r.Condition.Revision {
		// The store has ignored the condition.
		return nil, storage.PreconditionFailed
	}
	return attrs, nil
}

// trust remembers attributes that the store has just returned, for the time of Config.TrustFor.
func (d *objectDriver) trust(key, version string, attrs *storage.Attrs) {
	if d.cache.config.TrustFor == 0 || attrs.Revision == "" {
		return
	}

	clone := *attrs
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.trusted) >= maxTrusted {
		// Limit the memory. A revision that is forgotten only costs another request.
		clear(d.trusted)
	}
	confirmedObject := object{bucket: d.bucket, key: key, version: version, revision: attrs.Revision}
	d.trusted[confirmedObject] = confirmed{attrs: &clone, at: d.cache.now()}
}

// recentAttrs returns the attributes of a revision that the store has confirmed less than TrustFor ago,
// or nil.
func (d *objectDriver) recentAttrs(o object) *storage.Attrs {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, ok := d.trusted[o]
	if !ok || d.cache.now().Sub(entry.at) >= d.cache.config.TrustFor {
		delete(d.trusted, o)
		return nil
	}
	return entry.attrs
}
