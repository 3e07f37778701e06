package local

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A listCache keeps the windows that were read last, so that not every page of a large
// directory reads it again. A window is used while the time of the directory does not
// change. It is only kept if that time was not recent when reading began: a second change
// within one tick of the kernel's clock would not show.
type listCache struct {
	mu    sync.Mutex
	items []cachedWindow // most recently used last
	size  int
}

type cachedWindow struct {
	key    windowKey
	meta   osdir.Meta // meta of the directory
	window window
}

// A windowKey names the directory and the prefix of names of a window.
type windowKey struct {
	path, match string
	noncurrent  bool
}

const (
	minCached   = 512     // number of names; smaller directories are read as fast
	maxCached   = 1 << 18 // number of entries in total; each window counts minCached more than it has
	fresh       = 50 * time.Millisecond
	coarseFresh = 5 * time.Second
)

// find returns the part of a cached window that begins at an order key.
func (c *listCache) find(key windowKey, m osdir.Meta, from string) (window, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, item := range c.items {
		if item.key != key || item.meta != m {
			continue
		}
		w := item.window
		segment, isDir := strings.CutSuffix(from, "/")
		start, startIsDir := strings.CutSuffix(w.from, "/")
		if compareSegments(segment, isDir, start, startIsDir) < 0 {
			continue
		}
		first := sort.Search(len(w.entries), func(i int) bool { return !before(w.entries[i], from) })
		if first == len(w.entries) && !w.whole {
			continue
		}
		c.items = append(append(c.items[:i:i], c.items[i+1:]...), item)
		return window{entries: w.entries[first:], from: from, whole: w.whole}, true
	}
	return window{}, false
}

func (c *listCache) add(item cachedWindow) {
	if item.window.names < minCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items = slices.DeleteFunc(c.items, func(other cachedWindow) bool {
		if other.key != item.key {
			return false
		}
		c.size -= other.size()
		return true
	})
	c.items, c.size = append(c.items, item), c.size+item.size()
	for c.size > maxCached && len(c.items) > 1 {
		c.size -= c.items[0].size()
		c.items = slices.Delete(c.items, 0, 1)
	}
}

func (w *cachedWindow) size() int { return minCached + len(w.window.entries) }

// windowOf returns a cached window, or reads it with readWindow.
func (r *reader) windowOf(ctx context.Context, dirs []*osdir.Dir, noncurrent bool, from, match string) (window, error) {
	if len(dirs) != 1 {
		return r.readWindow(ctx, dirs, noncurrent, from, match)
	}
	key, begun := windowKey{dirs[0].Path, match, noncurrent}, time.Now()
	m, err := dirs[0].StatSelf()
	if err != nil {
		return window{}, failure(err)
	}
	if w, ok := r.cache.find(key, m, from); ok {
		return w, nil
	}
	w, err := r.readWindow(ctx, dirs, noncurrent, from, match)
	if err != nil {
		return w, err
	}
	settled := fresh
	if r.tree.coarse.Load() {
		settled = coarseFresh
	}
	if begun.Sub(m.Time()) > settled && !w.nested() {
		r.cache.add(cachedWindow{key, m, w})
	}
	return w, nil
}

// nested reports whether entries of w come from further directories, or may soon. The time of
// the directory does not show changes in those.
func (w window) nested() bool {
	return w.chunks || slices.ContainsFunc(w.entries, func(e entry) bool {
		return e.diskName != nil && len(e.diskName.also) > 0
	})
}
