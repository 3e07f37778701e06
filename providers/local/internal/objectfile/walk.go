package objectfile

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A Walker iterates over keys in byte order. In each directory between the root and its position,
// it holds only one window, a sorted part of the directory. It opens only directories that may
// contain a requested key.
type Walker struct {
	Tree       *bucketdir.Tree
	Reader     *Reader
	Ctx        context.Context // the context of the one call that creates and closes the walker
	Noncurrent bool            // if true, iterate over the keys with noncurrent versions
	Versions   string          // path of the tree of versions; "" unless Noncurrent is true
	Prefix     string          // other keys are skipped
	Delimiter  string          // see driver.ListRequest
	Start      string          // smaller keys are skipped
	Inclusive  bool            // true if Start itself is included
	Skip       string          // a common prefix that was returned already, or ""
	frames     []frame         // the open directories, from the outermost to the innermost
}

// A frame is an open directory of a walk.
type frame struct {
	prefix string // prefix of the keys in the directory: "", or text that ends in "/"
	// dirs are the directories on disk for this prefix. Entries without a diskName are in the first
	// one.
	dirs   []*osdir.Dir
	window window
	next   int // index of the next entry in window.entries
}

// An Item is a key with its file, or a common prefix.
type Item struct {
	Key      string
	IsPrefix bool
	At       ObjectFile // the file; its Dir remains open until the next call of Next
}

// Open opens the directory that contains all keys with the prefix. If there is no such directory, the
// walk is empty.
func (w *Walker) Open() error {
	i := strings.LastIndexByte(w.Prefix, '/')
	if i < 0 {
		return w.push("", w.Versions)
	}

	key := w.Prefix[:i]
	path, ok := w.Tree.Names().DirPath(key)
	if !ok {
		return nil
	}
	paths := []string{osdir.Join(w.Versions, path)}

	// Another program may have created the directory with the name that is in the keys.
	hasOtherName := path != key && !bucketdir.HasReserved(key)
	if hasOtherName && !w.Noncurrent && w.Tree.Strict.Load() {
		exact, err := w.Tree.ExistsExactly(key)
		if err != nil {
			return err
		}
		if exact {
			paths = append(paths, key)
		}
	}
	return w.push(key+"/", paths...)
}

// Close closes the directories of the walk.
func (w *Walker) Close() {
	for len(w.frames) > 0 {
		w.pop()
	}
}

// pop leaves the innermost directory, and closes it.
func (w *Walker) pop() {
	last := len(w.frames) - 1
	for _, d := range w.frames[last].dirs {
		d.Close()
	}
	w.frames = w.frames[:last]
}

// push enters a directory, which may have several paths. If the directory does not exist, it has no
// keys.
func (w *Walker) push(prefix string, paths ...string) error {
	f := frame{prefix: prefix}
	for _, path := range paths {
		d, err := w.Tree.OpenToRead(path)
		if osdir.IsNoFile(err) {
			continue
		}
		if err != nil {
			w.frames = append(w.frames, f)
			return bucketdir.Failure(err)
		}
		f.dirs = append(f.dirs, d)
	}
	w.frames = append(w.frames, f)
	if len(f.dirs) == 0 {
		w.pop()
		return nil
	}
	return w.read(&w.frames[len(w.frames)-1], w.startName(prefix))
}

// startName returns the name at which the walk begins in the directory of the given prefix. If the name
// is that of a directory, it ends with a slash. An empty name means the first entry.
func (w *Walker) startName(prefix string) string {
	rest, ok := strings.CutPrefix(w.Start, prefix)
	if !ok {
		// Start is not in this directory. The walk skips a directory if all of its keys come before
		// Start. So all keys in this directory come after Start.
		return ""
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i+1]
	}
	return rest
}

// read reads the window of f that begins at the name start. It omits names that no key with the
// prefix of the walk has.
func (w *Walker) read(f *frame, start string) (err error) {
	// If the directory is below the prefix, all of its names match.
	match, ok := strings.CutPrefix(w.Prefix, f.prefix)
	if !ok {
		match = ""
	}
	f.next = 0
	f.window, err = w.Reader.windowOf(w.Ctx, f.dirs, w.Noncurrent, start, match)
	return err
}

// Next returns the next item. At the end it returns false. It checks ctx at each entry, because it
// may skip many entries before it finds an item.
func (w *Walker) Next() (Item, bool, error) {
	for len(w.frames) > 0 {
		if err := bucketdir.Interrupted(w.Ctx); err != nil {
			return Item{}, false, err
		}

		f := &w.frames[len(w.frames)-1]
		if f.next < len(f.window.entries) {
			e := f.window.entries[f.next]
			f.next++
			item, ok, err := w.visit(f, e)
			if ok || err != nil {
				return item, ok, err
			}
			continue
		}
		if f.window.isComplete {
			w.pop()
			continue
		}
		if err := w.nextWindow(f); err != nil {
			return Item{}, false, err
		}
	}
	return Item{}, false, nil
}

// nextWindow reads the window after the current one. The new window begins at the last name plus a
// NUL byte. No other name can lie between the two, because names contain no NUL.
func (w *Walker) nextWindow(f *frame) error {
	last := f.window.entries[len(f.window.entries)-1]
	start := last.segment + "\x00"
	if last.isDir {
		start = last.segment + "/\x00"
	}
	return w.read(f, start)
}

// visit returns the item of an entry. If the entry is a directory, visit enters it or returns its
// common prefix. If the entry has no item, visit returns false.
func (w *Walker) visit(f *frame, e entry) (Item, bool, error) {
	if e.isDir {
		return w.visitDir(f, e)
	}
	key := f.prefix + e.segment
	isRequested := strings.HasPrefix(key, w.Prefix) && !w.isSkipped(key)
	if len(key) > bucketdir.MaxKey || !isRequested {
		return Item{}, false, nil
	}
	file, err := w.stat(f, e, key)
	if err != nil || !file.Found() {
		return Item{}, false, err
	}
	if common, ok := objectkey.CommonPrefix(key, w.Prefix, w.Delimiter); ok {
		item, ok := w.rollUp(common)
		return item, ok, nil
	}
	return Item{Key: key, At: file}, true, nil
}

// visitDir enters the directory of an entry, unless none of its keys is requested. If its keys have a
// common prefix, visitDir returns the prefix instead.
func (w *Walker) visitDir(f *frame, e entry) (Item, bool, error) {
	prefix := f.prefix + e.segment + "/"
	if len(prefix) > bucketdir.MaxKey || !w.mayContain(prefix) {
		return Item{}, false, nil
	}

	paths := w.paths(f, e)
	common, ok := objectkey.CommonPrefix(prefix, w.Prefix, w.Delimiter)
	if !ok {
		return Item{}, false, w.push(prefix, paths...)
	}
	if common <= w.Start {
		return Item{}, false, nil
	}

	for _, path := range paths {
		found, err := w.hasObject(path, "", false)
		// A directory that may not be read is listed as a prefix, so that the listing of its parent
		// does not fail.
		if found || storage.CodeOf(err) == storage.PermissionDenied {
			item, ok := w.rollUp(common)
			return item, ok, nil
		}
		if err != nil {
			return Item{}, false, err
		}
	}
	return Item{}, false, nil
}

// mayContain reports whether the directory whose keys begin with prefix may contain requested keys that are not
// skipped.
func (w *Walker) mayContain(prefix string) bool {
	isRequested := strings.HasPrefix(prefix, w.Prefix) || strings.HasPrefix(w.Prefix, prefix)
	isStartInside := strings.HasPrefix(w.Start, prefix)
	return isRequested && (isStartInside || !w.isSkipped(prefix))
}

// isSkipped reports whether key must be skipped: it is before Start, or under the common prefix Skip.
func (w *Walker) isSkipped(key string) bool {
	if w.Skip != "" && strings.HasPrefix(key, w.Skip) {
		return true
	}
	return key < w.Start || key == w.Start && !w.Inclusive
}

// rollUp returns the item of a common prefix, and skips the further keys with the prefix. If the
// prefix is before Start, rollUp returns false.
func (w *Walker) rollUp(common string) (Item, bool) {
	w.Skip = common
	if common <= w.Start {
		return Item{}, false
	}
	return Item{Key: common, IsPrefix: true}, true
}

// paths returns the paths on disk of the directory of an entry.
func (w *Walker) paths(f *frame, e entry) []string {
	if e.diskName == nil {
		return []string{f.dirs[0].PathOf(e.segment)}
	}
	var first string
	if e.diskName.base == "" {
		first = f.dirs[0].PathOf(e.segment)
	} else {
		first = osdir.Join(e.diskName.dir, e.diskName.base)
	}
	return append([]string{first}, e.diskName.moreDirs...)
}

// stat finds the file of an entry. That usually takes one system call.
func (w *Walker) stat(f *frame, e entry, key string) (ObjectFile, error) {
	if w.Noncurrent {
		return w.statNoncurrent(f, e)
	}
	d := f.dirs[0]
	base := e.segment
	if e.diskName != nil {
		base = e.diskName.base
		if e.diskName.dir != d.Path {
			return w.Reader.statCurrent(key)
		}
	}
	m, err := d.Stat(base)
	if err == nil && m.Kind == osdir.KindFile {
		return ObjectFile{d, base, m}, nil
	}
	// The entry is a symbolic link, or was moved or removed since the directory was read.
	return w.Reader.statCurrent(key)
}

// statNoncurrent reports whether the key of an entry has noncurrent versions. If so, the method
// Found of the result returns true.
func (w *Walker) statNoncurrent(f *frame, e entry) (ObjectFile, error) {
	for _, path := range w.paths(f, e) {
		_, err := w.Tree.Root.Lstat(osdir.Join(path, bucketdir.VersionsName))
		if err == nil {
			return ObjectFile{Dir: w.Tree.Top}, nil
		}
		if !osdir.IsNoFile(err) {
			return ObjectFile{}, bucketdir.Failure(err)
		}
	}
	return ObjectFile{}, nil
}

// hasObject reports whether a directory contains an object, at any depth. A directory without an
// object is not listed as a prefix.
//
// A long name is split into several directories (see bucketdir.Names.Parse). If path ends with one
// of these directories, chunks is the part of the long name up to the end of path.
// For any other directory, chunks is "".
//
// If includeDir is false, hasObject ignores the versions of the key "a" in the directory of the prefix
// "a/". The tree of versions has both in the same directory.
func (w *Walker) hasObject(path, chunks string, includeDir bool) (bool, error) {
	found, dirs, err := w.scanDir(path, chunks, includeDir)
	if found || err != nil {
		return found, err
	}
	for _, dir := range dirs {
		found, err := w.hasObject(dir.path, dir.chunks, true)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// A searchDir is a directory that hasObject must search.
type searchDir struct {
	path   string
	chunks string // see hasObject
}

// scanDir reads one directory for hasObject. If the directory itself contains an object, found is
// true. Otherwise dirs has the directories in it that may contain one.
func (w *Walker) scanDir(path, chunks string, includeDir bool) (found bool, dirs []searchDir, err error) {
	d, err := w.Tree.OpenToRead(path)
	if err != nil {
		return false, nil, bucketdir.UnlessAbsent(err)
	}
	defer d.Close()

	var ctxErr error
	err = d.Each(func(e osdir.Entry) bool {
		ctxErr = bucketdir.Interrupted(w.Ctx)
		if ctxErr != nil {
			return false
		}
		if w.Noncurrent && e.Name == bucketdir.VersionsName {
			found = includeDir
			return !found
		}
		name, ok := w.Tree.Names().Parse(chunks, e.Name)
		if !ok {
			return true
		}
		mayBeDir := e.Kind == osdir.KindDir || e.Kind == osdir.KindUnknown
		if mayBeDir && name.Mark != bucketdir.MarkAlternate {
			dir := searchDir{path: d.PathOf(e.Name)}
			if name.Mark == bucketdir.MarkChunk {
				dir.chunks = name.Segment
			}
			dirs = append(dirs, dir)
		}
		found = !w.Noncurrent && name.Mark != bucketdir.MarkChunk && w.isObject(d, e)
		return !found
	})
	if ctxErr != nil {
		return false, nil, ctxErr
	}
	if err != nil {
		return false, nil, bucketdir.Failure(err)
	}
	return found, dirs, nil
}

// isObject reports whether an entry is an object. If the entry already says that it is a regular
// file, isObject needs no system call.
func (w *Walker) isObject(d *osdir.Dir, e osdir.Entry) bool {
	if e.Kind == osdir.KindDir || e.Kind == osdir.KindOther {
		return false
	}
	if e.Kind == osdir.KindFile {
		return true
	}
	file, err := w.Reader.StatObject(d, e.Name)
	return err == nil && file.Found()
}
