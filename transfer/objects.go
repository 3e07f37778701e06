package transfer

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/folderwalk"
	"github.com/omnibucket/storage/internal/keyrule"
)

var _ openedEnd = (*objects)(nil)

// An objects is a bucket that a job has opened. bucket is nil if the job only reads from
// the bucket.
type objects struct {
	from           Source
	bucket         storage.ReadWriter
	inventory      *Inventory // read instead of a listing; nil without WithInventory
	pastUnreadable bool       // whether a listing continues after folders that cannot be read
}

func (o *objects) close() error { return nil }

func (o *objects) syncDirs() error { return nil } // the store keeps its objects itself, so there is nothing to wait for

func (o *objects) checkWrite(key string, _ bool) error {
	if rule := keyrule.Write(key); rule != "" {
		return invalid("key", rule)
	}
	return nil
}

// startsAnywhere reports whether a listing can start after any key. It cannot if the entries must
// be sorted first.
func (o *objects) startsAnywhere() bool {
	return o.inventory == nil && storage.Supports(o.from, storage.OrderedListing)
}

func (o *objects) list(ctx context.Context, s *settings, startAfter string) iter.Seq2[storage.ListEntry, error] {
	if o.inventory != nil {
		return o.inventory.sorted(ctx, s.prefix, s.ranges)
	}
	if s.ranges != nil {
		startAfter = max(startAfter, s.ranges.after)
	}
	if startAfter == "" || !o.startsAnywhere() {
		return listInOrder(ctx, o.from, s.prefix)
	}
	return o.from.List(ctx, storage.WithPrefix(s.prefix), storage.WithStartAfter(startAfter))
}

func (o *objects) entries(ctx context.Context, s *settings, startAfter string) iter.Seq2[entry, error] {
	list := o.list(ctx, s, startAfter)
	if o.pastUnreadable && o.startsAnywhere() {
		list = folderwalk.Continue(ctx, o.from, s.prefix, startAfter, list)
	}
	return func(yield func(entry, error) bool) {
		for e, err := range list {
			if err != nil && (!e.IsPrefix || e.Key == s.prefix) {
				yield(entry{}, err)
				return
			}
			if s.ranges.endsBefore(e.Key) {
				return
			}
			found := entry{
				key:      e.Key,
				size:     e.Size,
				modified: e.Modified,
				written:  e.Modified,
				revision: e.Revision,
				etag:     e.ETag,
				err:      err,
			}
			switch {
			case err != nil && !s.inExcludedDir(e.Key):
				found.kind = unlisted
			case err != nil || !s.selects(e.Key) || evidence.IsKey(e.Key):
				continue
			case e.Size == 0 && strings.HasSuffix(e.Key, "/"):
				// An empty object marks a folder. The web consoles of some stores create such
				// objects.
				found.kind = ignored
			}
			if !yield(found, nil) {
				return
			}
		}
	}
}

// checksum returns the CRC32C that the store keeps. If the store keeps none, it reads the object.
func (o *objects) checksum(ctx context.Context, key string) (uint32, error) {
	attrs, err := o.from.Attrs(ctx, key)
	if err != nil {
		return 0, err
	}
	if attrs.CRC32C.Known {
		return attrs.CRC32C.Sum, nil
	}
	r, err := o.from.Download(ctx, key)
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	sum := crc32c.New()
	if _, err := io.Copy(sum, r); err != nil {
		return 0, err
	}
	return sum.Sum32(), nil
}
