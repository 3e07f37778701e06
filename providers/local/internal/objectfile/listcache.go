package objectfile

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A listCache keeps windows, which are sorted parts of directories. Without the cache, each page of
// a large directory would require reading the whole directory again. A window is valid until the
// modification time of its directory changes. If a directory changes twice within one tick of the
// kernel's clock, its modification time changes only once. The cache would then miss the second
// change. A window is therefore not cached if its directory was changed just before the window was
// read.
type listCache struct {
	mu    sync.Mutex
	Items []cachedWindow // most recently used last
	size  int
}

type cachedWindow struct {
	key    windowKey
	meta   osdir.Meta // stat result of the directory when it was read
	window window
}

// A windowKey identifies a window by its directory and by the prefix of its names.
type windowKey struct {
	path, match string
	noncurrent  bool
}

const (
	MinCached = 512 // number of names; a smaller directory is not cached, because reading it is fast
	// maxCached limits the total size of the cache. The size of a window is its number of entries
	// plus MinCached.
	maxCached = 1 << 18
	// A window is cached only if its directory has not changed for minAge before it was read, or for
	// minCoarseAge if the times of the disk are coarse.
	minAge       = 50 * time.Millisecond
	minCoarseAge = 5 * time.Second
)

// find returns the part of a cached window, a sorted run of a directory's entries, that begins at the
// name start. The directory must still have the stat result meta. If start is a directory, it ends with
// "/".
func (c *listCache) find(key windowKey, meta osdir.Meta, start string) (window, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, item := range c.Items {
		if item.key != key || item.meta != meta {
			continue
		}
		part, ok := item.window.tail(start)
		if !ok {
			continue
		}
		// Move the item to the end: it is the most recently used one now.
		c.Items = append(slices.Delete(c.Items, i, i+1), item)
		return part, true
	}
	return window{}, false
}

// tail returns the part of w that begins at the name start, or false if the name is outside of w.
func (w window) tail(start string) (window, bool) {
	segment, isDir := strings.CutSuffix(start, "/")
	firstSegment, firstIsDir := strings.CutSuffix(w.start, "/")
	isBeforeWindow := compareSegments(segment, isDir, firstSegment, firstIsDir) < 0
	if isBeforeWindow {
		return window{}, false
	}

	first := sort.Search(len(w.entries), func(i int) bool { return !sortsBefore(w.entries[i], start) })
	if first == len(w.entries) && !w.isComplete {
		// The name is after the window, and the directory may have further names there.
		return window{}, false
	}
	return window{entries: w.entries[first:], start: start, isComplete: w.isComplete}, true
}

// add adds a window to the cache, unless its directory is small, and removes the least recently used
// windows if the cache is full.
func (c *listCache) add(item cachedWindow) {
	if item.window.names < MinCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()

	// The new window replaces others with the same key.
	c.Items = slices.DeleteFunc(c.Items, func(other cachedWindow) bool {
		if other.key != item.key {
			return false
		}
		c.size -= other.size()
		return true
	})
	c.Items = append(c.Items, item)
	c.size += item.size()

	for c.size > maxCached && len(c.Items) > 1 {
		c.size -= c.Items[0].size()
		c.Items = slices.Delete(c.Items, 0, 1)
	}
}

// Forget removes all windows from the cache.
func (c *listCache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Items = nil
	c.size = 0
}

// size returns how much of the limit of the cache a window uses.
func (w *cachedWindow) size() int { return MinCached + len(w.window.entries) }

// cachedOrReadWindow returns the window that a query selects from the cache, or reads it. Only windows of
// a single directory are cached.
func (r *Reader) cachedOrReadWindow(ctx context.Context, q windowQuery) (window, error) {
	if len(q.dirs) != 1 {
		return r.readWindow(ctx, q)
	}

	// A cached window is valid as long as the directory does not change.
	dir := q.dirs[0]
	key := windowKey{dir.Path, q.match, q.noncurrent}
	readTime := time.Now()
	meta, err := dir.StatSelf()
	if err != nil {
		return window{}, bucketdir.WrapError(err)
	}
	if w, ok := r.Cache.find(key, meta, q.start); ok {
		return w, nil
	}

	w, err := r.readWindow(ctx, q)
	if err != nil {
		return window{}, err
	}

	// A directory that was changed just now could change again and keep its time.
	age := minAge
	if r.Tree.Coarse.Load() {
		age = minCoarseAge
	}
	if readTime.Sub(meta.Time()) <= age {
		return w, nil
	}
	// A change in a nested directory does not change the time of dir.
	if !w.hasNestedDir() {
		r.Cache.add(cachedWindow{key, meta, w})
	}
	return w, nil
}

// hasNestedDir reports whether an entry of w depends on a second directory, besides the directory of w. A
// window with such an entry must not be cached. The cache only compares the time of w's directory,
// and a change in the second directory does not change this time.
func (w window) hasNestedDir() bool {
	return w.chunks || slices.ContainsFunc(w.entries, func(e entry) bool {
		return e.diskName != nil && len(e.diskName.moreDirs) > 0
	})
}
