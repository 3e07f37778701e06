package local

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A walker iterates over keys in byte order. It holds one window of each directory between
// the root and its position. It only opens directories that can have a requested key.
type walker struct {
	tree              *tree
	reader            *reader
	ctx               context.Context
	noncurrent        bool   // iterate over the keys that have noncurrent versions
	versions          string // the tree of versions, with noncurrent
	prefix, delimiter string
	start             string // keys before it are skipped
	inclusive         bool   // start itself is included
	skip              string // a common prefix that was returned already, or ""
	frames            []frame
}

type frame struct {
	prefix string       // prefix of the keys in the directory: "", or text that ends in "/"
	dirs   []*osdir.Dir // the directories on disk; entries without a diskName are in the first
	window window
	next   int
}

// An item is a key with its file, or a common prefix.
type item struct {
	key      string
	isPrefix bool
	at       objectFile // the file; its dir is open until the next call
}

// open opens the directory that contains every key with the prefix.
func (w *walker) open() error {
	top := ""
	if i := strings.LastIndexByte(w.prefix, '/'); i >= 0 {
		top = w.prefix[:i+1]
	}
	base := w.versions
	if top == "" {
		return w.push("", base)
	}
	key := top[:len(top)-1]
	path, ok := w.tree.names().dirPath(key)
	if !ok {
		return nil
	}
	paths := []string{osdir.Join(base, path)}
	if path != key && !w.noncurrent && w.tree.strict.Load() && !hasReserved(key) {
		if exact, err := w.tree.existsExactly(key); err != nil {
			return err
		} else if exact {
			paths = append(paths, key)
		}
	}
	return w.push(top, paths...)
}

func (w *walker) close() {
	for len(w.frames) > 0 {
		w.pop()
	}
}

func (w *walker) pop() {
	last := len(w.frames) - 1
	for _, d := range w.frames[last].dirs {
		d.Close()
	}
	w.frames = w.frames[:last]
}

// push enters a directory. A directory that does not exist has no keys.
func (w *walker) push(prefix string, paths ...string) error {
	f := frame{prefix: prefix}
	for _, path := range paths {
		d, err := w.tree.openToRead(path)
		if osdir.IsNoFile(err) {
			continue
		}
		if err != nil {
			w.frames = append(w.frames, f)
			return failure(err)
		}
		f.dirs = append(f.dirs, d)
	}
	w.frames = append(w.frames, f)
	if len(f.dirs) == 0 {
		w.pop()
		return nil
	}
	return w.read(&w.frames[len(w.frames)-1], w.from(prefix))
}

// from returns the order key at which the walk begins in a directory.
func (w *walker) from(prefix string) string {
	rest, ok := strings.CutPrefix(w.start, prefix)
	if !ok {
		return "" // all keys of the directory are after start; otherwise it would not be entered
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i+1]
	}
	return rest
}

func (w *walker) read(f *frame, from string) (err error) {
	match, ok := strings.CutPrefix(w.prefix, f.prefix)
	if !ok {
		match = ""
	}
	f.next = 0
	f.window, err = w.reader.windowOf(w.ctx, f.dirs, w.noncurrent, from, match)
	return err
}

// next returns the next item. It returns false at the end. It may skip many entries before it
// finds an item, so it checks ctx at each.
func (w *walker) next() (item, bool, error) {
	for len(w.frames) > 0 {
		if err := interrupted(w.ctx); err != nil {
			return item{}, false, err
		}
		f := &w.frames[len(w.frames)-1]
		if f.next == len(f.window.entries) {
			if f.window.whole {
				w.pop()
			} else if err := w.nextWindow(f); err != nil {
				return item{}, false, err
			}
			continue
		}
		e := f.window.entries[f.next]
		f.next++
		found, ok, err := w.visit(f, e)
		if ok || err != nil {
			return found, ok, err
		}
	}
	return item{}, false, nil
}

// nextWindow reads the window after the current one. It begins after the last name, with a
// NUL byte appended: no name is between them, because names have no NUL.
func (w *walker) nextWindow(f *frame) error {
	last := f.window.entries[len(f.window.entries)-1]
	from := last.segment + "\x00"
	if last.isDir {
		from = last.segment + "/\x00"
	}
	return w.read(f, from)
}

func (w *walker) visit(f *frame, e entry) (item, bool, error) {
	if e.isDir {
		return w.visitDir(f, e)
	}
	key := f.prefix + e.segment
	if len(key) > maxKey || w.passed(key) || !strings.HasPrefix(key, w.prefix) {
		return item{}, false, nil
	}
	at, err := w.stat(f, e, key)
	if err != nil || !at.found() {
		return item{}, false, err
	}
	if common, ok := keyrule.CommonPrefix(key, w.prefix, w.delimiter); ok {
		return w.rollUp(common)
	}
	return item{key: key, at: at}, true, nil
}

func (w *walker) visitDir(f *frame, e entry) (item, bool, error) {
	prefix := f.prefix + e.segment + "/"
	overlaps := strings.HasPrefix(prefix, w.prefix) || strings.HasPrefix(w.prefix, prefix)
	if !overlaps || len(prefix) > maxKey || w.passed(prefix) && !strings.HasPrefix(w.start, prefix) {
		return item{}, false, nil
	}
	paths := w.paths(f, e)
	if common, ok := keyrule.CommonPrefix(prefix, w.prefix, w.delimiter); ok {
		if common <= w.start {
			return item{}, false, nil
		}
		for _, path := range paths {
			holds, err := w.hasObject(path, "", false)
			if holds || storage.CodeOf(err) == storage.PermissionDenied { // the listing of its parent need not fail
				return w.rollUp(common)
			}
			if err != nil {
				return item{}, false, err
			}
		}
		return item{}, false, nil
	}
	return item{}, false, w.push(prefix, paths...)
}

// passed reports whether key is before the start, or in a prefix that was returned.
func (w *walker) passed(key string) bool {
	if w.skip != "" && strings.HasPrefix(key, w.skip) {
		return true
	}
	return key < w.start || key == w.start && !w.inclusive
}

func (w *walker) rollUp(common string) (item, bool, error) {
	w.skip = common
	if common <= w.start {
		return item{}, false, nil
	}
	return item{key: common, isPrefix: true}, true, nil
}

func (w *walker) paths(f *frame, e entry) []string {
	switch d := e.diskName; {
	case d == nil:
		return []string{f.dirs[0].PathOf(e.segment)}
	case d.base == "":
		return append([]string{f.dirs[0].PathOf(e.segment)}, d.also...)
	default:
		return append([]string{osdir.Join(d.dir, d.base)}, d.also...)
	}
}

// stat finds the file of an entry, usually with one stat.
func (w *walker) stat(f *frame, e entry, key string) (objectFile, error) {
	if w.noncurrent {
		return w.statNoncurrent(f, e)
	}
	d, base := f.dirs[0], e.segment
	if e.diskName != nil {
		base = e.diskName.base
		if e.diskName.dir != d.Path {
			return w.reader.statCurrent(key)
		}
	}
	m, err := d.Stat(base)
	if err == nil && m.Kind == osdir.KindFile {
		return objectFile{d, base, m}, nil
	}
	// The entry is a link, or was moved or removed since the directory was read.
	return w.reader.statCurrent(key)
}

// statNoncurrent finds the noncurrent versions of a key.
func (w *walker) statNoncurrent(f *frame, e entry) (objectFile, error) {
	for _, path := range w.paths(f, e) {
		if _, err := w.tree.root.Lstat(osdir.Join(path, versionsName)); err == nil {
			return objectFile{dir: w.tree.top}, nil
		} else if !osdir.IsNoFile(err) {
			return objectFile{}, failure(err)
		}
	}
	return objectFile{}, nil
}

// statCurrent finds an object as a reader does.
func (r *reader) statCurrent(key string) (objectFile, error) {
	l, ok := r.tree.names().locate(key)
	if !ok {
		return objectFile{}, nil
	}
	f, err := r.openCurrent(l)
	if f == nil || err != nil {
		return objectFile{}, err
	}
	defer func() { _ = f.Close() }()
	return objectFile{dir: r.tree.top, meta: f.Meta}, nil
}

// hasObject reports whether there is an object in or under a directory, whose names begin with
// chunks: an empty directory of another program is not a prefix. In the tree of versions, versions
// in the directory itself belong to a key that does not have the prefix. They count only if self
// is set.
func (w *walker) hasObject(path, chunks string, self bool) (bool, error) {
	d, err := w.tree.openToRead(path)
	if err != nil {
		return false, unlessAbsent(err)
	}
	defer d.Close()
	holds := false
	type under struct{ path, chunks string }
	var deeper []under
	var ended error
	err = d.Each(func(e osdir.Entry) bool {
		if ended = interrupted(w.ctx); ended != nil {
			return false
		}
		if w.noncurrent && e.Name == versionsName {
			holds = self
			return !holds
		}
		f, ok := w.tree.names().parse(chunks, e.Name)
		if !ok {
			return true
		}
		if (e.Kind == osdir.KindDir || e.Kind == osdir.KindUnknown) && f.mark != markAlternate {
			next := under{path: d.PathOf(e.Name)}
			if f.mark == markChunk {
				next.chunks = f.segment
			}
			deeper = append(deeper, next)
		}
		holds = !w.noncurrent && f.mark != markChunk && w.isObject(d, e)
		return !holds
	})
	if err := cmp.Or(ended, failure(err)); err != nil {
		return false, err
	}
	for _, next := range deeper {
		if holds || err != nil {
			break
		}
		holds, err = w.hasObject(next.path, next.chunks, true)
	}
	return holds, err
}

// isObject reports whether an entry is an object. It needs no stat if the directory
// reports a file.
func (w *walker) isObject(d *osdir.Dir, e osdir.Entry) bool {
	if e.Kind == osdir.KindDir || e.Kind == osdir.KindOther {
		return false
	}
	if e.Kind == osdir.KindFile {
		return true
	}
	at, err := w.reader.statObject(d, e.Name)
	return err == nil && at.found()
}
