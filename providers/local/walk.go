package local

import (
	"strings"
)

// A walker goes through keys in byte order, and holds one window of each
// directory between the root and where it is. It opens only directories in
// which a key can lie that is asked for.
type walker struct {
	*store
	noncurrent        bool // walk the keys that have older versions
	prefix, delimiter string
	start             string // keys before it are passed over
	inclusive         bool   // start itself is not
	skip              string // a common prefix that was given already, or ""
	frames            []frame
}

type frame struct {
	prefix string // of the keys in the directory; ends in "/", or is ""
	dirs   []*dir // where it lies; [0] is the one that entries without a place lie in
	window window
	next   int
}

// An item is a key with its file, or a common prefix.
type item struct {
	key      string
	isPrefix bool
	at       objectFile // the file; its dir is open until the next call
}

// open goes to the directory that every key with the prefix lies in.
func (w *walker) open() error {
	top := ""
	if i := strings.LastIndexByte(w.prefix, '/'); i >= 0 {
		top = w.prefix[:i+1]
	}
	base := ""
	if w.noncurrent {
		base = versionsPath
	}
	if top == "" {
		return w.push("", base)
	}
	key := top[:len(top)-1]
	path, ok := w.names().dirPath(key)
	if !ok {
		return nil
	}
	paths := []string{join(base, path)}
	if path != key && !w.noncurrent && w.strict.Load() && !hasReserved(key) {
		if exact, err := w.existsExactly(key); err != nil {
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
		d.close()
	}
	w.frames = w.frames[:last]
}

// push enters a directory. One that is not there has no keys.
func (w *walker) push(prefix string, paths ...string) error {
	f := frame{prefix: prefix}
	for _, path := range paths {
		d, err := w.openToRead(path)
		if isNoObject(err) {
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

// from is the order key in a directory where the walk begins.
func (w *walker) from(prefix string) string {
	rest, ok := strings.CutPrefix(w.start, prefix)
	if !ok {
		return "" // all of the directory comes after start, or it would not be entered
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
	f.window, err = w.windowOf(f.dirs, w.noncurrent, from, match)
	return err
}

// next is the next item; false at the end.
func (w *walker) next() (item, bool, error) {
	for len(w.frames) > 0 {
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

// further reads the window behind the one that was used up. The name that it
// begins with was given already; NUL is in no name, so nothing lies between.
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
	if common, ok := w.commonPrefix(key); ok {
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
	if common, ok := w.commonPrefix(prefix); ok {
		if common <= w.start {
			return item{}, false, nil
		}
		for _, path := range paths {
			if holds, err := w.hasObject(path, false); err != nil {
				return item{}, false, err
			} else if holds {
				return w.rollUp(common)
			}
		}
		return item{}, false, nil
	}
	return item{}, false, w.push(prefix, paths...)
}

// passed reports what lies before the start, or in a prefix that was given.
func (w *walker) passed(key string) bool {
	if w.skip != "" && strings.HasPrefix(key, w.skip) {
		return true
	}
	return key < w.start || key == w.start && !w.inclusive
}

// common is what key rolls up to, where it has the delimiter after the prefix.
func (w *walker) commonPrefix(key string) (string, bool) {
	if w.delimiter == "" || !strings.HasPrefix(key, w.prefix) {
		return "", false
	}
	i := strings.Index(key[len(w.prefix):], w.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(w.prefix)+i+len(w.delimiter)], true
}

func (w *walker) rollUp(common string) (item, bool, error) {
	w.skip = common
	if common <= w.start {
		return item{}, false, nil
	}
	return item{key: common, isPrefix: true}, true, nil
}

func (w *walker) paths(f *frame, e entry) []string {
	if e.diskName == nil {
		return []string{f.dirs[0].name(e.segment)}
	}
	var paths []string
	if e.diskName.base != "" {
		paths = append(paths, join(e.diskName.dir, e.diskName.base))
	} else {
		paths = append(paths, f.dirs[0].name(e.segment))
	}
	return append(paths, e.diskName.also...)
}

// stat is one stat of the file, as a rule.
func (w *walker) stat(f *frame, e entry, key string) (objectFile, error) {
	if w.noncurrent {
		return w.statNoncurrent(f, e)
	}
	d, base := f.dirs[0], e.segment
	if e.diskName != nil {
		base = e.diskName.base
		if e.diskName.dir != d.path {
			return w.statCurrent(key)
		}
	}
	m, err := d.stat(base)
	if err == nil && m.kind == kindFile {
		return objectFile{d, base, m}, nil
	}
	// A link, or moved aside or removed since the directory was read.
	return w.statCurrent(key)
}

// statKept finds a key's older versions.
func (w *walker) statNoncurrent(f *frame, e entry) (objectFile, error) {
	for _, path := range w.paths(f, e) {
		if _, err := w.root.Lstat(join(path, versionsName)); err == nil {
			return objectFile{dir: w.top}, nil
		} else if !isNoObject(err) {
			return objectFile{}, failure(err)
		}
	}
	return objectFile{}, nil
}

// statCurrent finds an object as a reader would.
func (s *store) statCurrent(key string) (objectFile, error) {
	l, ok := s.names().locate(key)
	if !ok {
		return objectFile{}, nil
	}
	f, err := s.openCurrent(l)
	if f == nil || err != nil {
		return objectFile{}, err
	}
	defer func() { _ = f.close() }()
	return objectFile{dir: s.top, meta: f.meta}, nil
}

// holds reports whether there is any object in or under a directory; empty
// ones, which somebody else may have made, are no prefixes. In the tree of kept
// versions, those in the directory itself are of a key that it is not a prefix
// of, unless self says that it counts.
func (w *walker) hasObject(path string, self bool) (bool, error) {
	return w.hasObjectUnder(path, "", self)
}

// holdsUnder is holds of a directory in which the names begin with chunks.
func (w *walker) hasObjectUnder(path, chunks string, self bool) (bool, error) {
	d, err := w.openToRead(path)
	if isNoObject(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	defer d.close()
	holds := false
	type under struct{ path, chunks string }
	var deeper []under
	err = d.read(func(e dirent) bool {
		if w.noncurrent && e.name == versionsName {
			holds = self
			return !holds
		}
		f, ok := w.names().parse(chunks, e.name)
		if !ok {
			return true
		}
		if (e.kind == kindDir || e.kind == kindUnknown) && f.mark != markAlternate {
			next := under{path: d.name(e.name)}
			if f.mark == markChunk {
				next.chunks = f.segment
			}
			deeper = append(deeper, next)
		}
		holds = !w.noncurrent && f.mark != markChunk && w.isObject(d, e)
		return !holds
	})
	if err != nil {
		return false, failure(err)
	}
	for _, next := range deeper {
		if holds {
			break
		}
		if holds, err = w.hasObjectUnder(next.path, next.chunks, true); err != nil {
			return false, err
		}
	}
	return holds, nil
}

// isObject does without a stat where the directory says that it is a file.
func (w *walker) isObject(d *dir, e dirent) bool {
	if e.kind == kindDir || e.kind == kindOther {
		return false
	}
	if e.kind == kindFile {
		return true
	}
	at, err := w.statObject(d, e.name)
	return err == nil && at.found()
}
