package local

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// A listCache keeps the windows that were read last, so that the pages of a
// large directory do not read it again each. A window is used only while the
// directory's time stands, and kept only if that time was not fresh when the
// reading began: a change within the same tick of the kernel's clock would not
// show.
type listCache struct {
	mu    sync.Mutex
	items []cached // latest last
	size  int
}

type cached struct {
	path, match string
	noncurrent  bool
	meta        meta
	window      window
}

const (
	minCached   = 512     // entries; fewer are read again as fast
	maxCached   = 1 << 18 // entries in all
	fresh       = 50 * time.Millisecond
	coarseFresh = 5 * time.Second
)

// find is the part of a cached window from an order key on.
func (c *listCache) find(path string, noncurrent bool, m meta, from, match string) (window, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, item := range c.items {
		if item.path != path || item.noncurrent != noncurrent || item.match != match || item.meta != m {
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

func (c *listCache) add(item cached) {
	if len(item.window.entries) < minCached {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := c.items[:0:0]
	for _, other := range c.items {
		if other.path == item.path && other.noncurrent == item.noncurrent && other.match == item.match {
			c.size -= len(other.window.entries)
			continue
		}
		keep = append(keep, other)
	}
	c.items, c.size = append(keep, item), c.size+len(item.window.entries)
	for c.size > maxCached && len(c.items) > 1 {
		c.size -= len(c.items[0].window.entries)
		c.items = c.items[1:]
	}
}

// windowOf is gather, but for a directory that is in the cache.
func (s *store) windowOf(dirs []*dir, noncurrent bool, from, match string) (window, error) {
	if len(dirs) != 1 {
		return s.readWindow(dirs, noncurrent, from, match)
	}
	d, begun := dirs[0], time.Now()
	m, _, err := d.statSelf()
	if err != nil {
		return window{}, failure(err)
	}
	if w, ok := s.cache.find(d.path, noncurrent, m, from, match); ok {
		return w, nil
	}
	w, err := s.readWindow(dirs, noncurrent, from, match)
	if err != nil {
		return w, err
	}
	settled := fresh
	if s.coarse.Load() {
		settled = coarseFresh
	}
	if begun.Sub(m.time()) > settled && !w.nested() {
		s.cache.add(cached{path: d.path, match: match, noncurrent: noncurrent, meta: m, window: w})
	}
	return w, nil
}

// nested reports whether a part of w comes out of directories whose time is
// their own.
func (w window) nested() bool {
	return slices.ContainsFunc(w.entries, func(e entry) bool {
		return e.diskName != nil && (strings.Contains(e.diskName.dir, reserved+string(markChunk)) || len(e.diskName.also) > 0)
	})
}
