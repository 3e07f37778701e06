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
	File     ObjectFile // its Dir remains open until the next call of Next
}

// Open begins the walk in the directory that contains all keys with the prefix. The walk is empty if
// there is no such directory.
func (w *Walker) Open() error {
	slash := strings.LastIndexByte(w.Prefix, '/')
	if slash < 0 {
		// The walk begins at the root of the bucket, or at that of the tree of versions.
		return w.push("", w.Versions)
	}

	key := w.Prefix[:slash]
	path, ok := w.Tree.Names().DirPath(key)
	if !ok {
		// No directory can have this name.
		return nil
	}

	// Another program may have created a second directory for the same keys, without escapes.
	paths := []string{osdir.Join(w.Versions, path)}
	hasLiteralDir, err := w.hasLiteralDir(key, path)
	if err != nil {
		return err
	}
	if hasLiteralDir {
		paths = append(paths, key)
	}
	return w.push(key+"/", paths...)
}

// hasLiteralDir reports whether another program has created a directory with the path key, although
// this package gives that directory another path, with escapes. That happens only in strict mode.
func (w *Walker) hasLiteralDir(key, path string) (bool, error) {
	isEscaped := path != key
	if !isEscaped || !w.Tree.Strict.Load() || bucketdir.HasReserved(key) {
		return false, nil
	}
	if w.Noncurrent {
		// Only this package writes to the tree of versions.
		return false, nil
	}
	return w.Tree.ExistsExactly(key)
}

// Close closes the directories of the walk.
func (w *Walker) Close() {
	for len(w.frames) > 0 {
		w.pop()
	}
}

// pop leaves the innermost directory of the walk, and closes it.
func (w *Walker) pop() {
	last := len(w.frames) - 1
	for _, d := range w.frames[last].dirs {
		d.Close()
	}
	w.frames = w.frames[:last]
}

// push enters the directory with all keys below prefix, and reads its first window. The directory may
// consist of several directories on disk, with these paths. If none of them exists, push leaves the
// directory at once.
func (w *Walker) push(prefix string, paths ...string) error {
	// After an error, Close closes the directories of the frame.
	w.frames = append(w.frames, frame{prefix: prefix})
	f := &w.frames[len(w.frames)-1]
	for _, path := range paths {
		dir, err := w.Tree.OpenToRead(path)
		if osdir.IsNoFile(err) {
			continue
		}
		if err != nil {
			return bucketdir.WrapError(err)
		}
		f.dirs = append(f.dirs, dir)
	}

	if len(f.dirs) == 0 {
		w.pop()
		return nil
	}
	return w.read(f, w.startName(prefix))
}

// startName returns the name at which the walk begins in the directory of a prefix, or "" for the
// first one. The name of a directory ends with a slash.
func (w *Walker) startName(prefix string) string {
	rest, ok := strings.CutPrefix(w.Start, prefix)
	if !ok {
		// All keys with the prefix come after Start, because the walk enters no other directory.
		return ""
	}
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[:slash+1]
	}
	return rest
}

// read reads the window of f that begins at the name start, without names that do not match the
// prefix of the walk.
func (w *Walker) read(f *frame, start string) error {
	namePrefix, ok := strings.CutPrefix(w.Prefix, f.prefix)
	if !ok {
		// The directory is below the prefix, so all of its names match.
		namePrefix = ""
	}
	q := windowQuery{dirs: f.dirs, noncurrent: w.Noncurrent, start: start, match: namePrefix}
	window, err := w.Reader.cachedOrReadWindow(w.Ctx, q)
	if err != nil {
		return err
	}
	f.window = window
	f.next = 0
	return nil
}

// Next returns the next item of the walk, or false at its end. It checks for the end of w.Ctx at each
// entry, because it may skip many of them.
func (w *Walker) Next() (Item, bool, error) {
	for len(w.frames) > 0 {
		if err := bucketdir.ContextError(w.Ctx); err != nil {
			return Item{}, false, err
		}

		// Visit the next entry of the innermost directory.
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

		// All entries of the window were visited.
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

// nextWindow reads the window after the current one. It begins at the last name plus a NUL, directly
// after that name, because no name contains a NUL.
func (w *Walker) nextWindow(f *frame) error {
	last := f.window.entries[len(f.window.entries)-1]
	start := last.segment + "\x00"
	if last.isDir {
		start = last.segment + "/\x00"
	}
	return w.read(f, start)
}

// visit returns the item of an entry, or false if it has none. It enters a directory, unless it
// returns its keys as one common prefix.
func (w *Walker) visit(f *frame, e entry) (Item, bool, error) {
	if e.isDir {
		return w.visitDir(f, e)
	}
	key := f.prefix + e.segment
	isRequested := strings.HasPrefix(key, w.Prefix) && !w.isSkipped(key)
	if len(key) > bucketdir.MaxKey || !isRequested {
		return Item{}, false, nil
	}
	// A common prefix, too, is listed only if there is an object.
	file, err := w.stat(f, e, key)
	if err != nil || !file.Found() {
		return Item{}, false, err
	}
	if common, ok := objectkey.CommonPrefix(key, w.Prefix, w.Delimiter); ok {
		item, ok := w.rollUp(common)
		return item, ok, nil
	}
	return Item{Key: key, File: file}, true, nil
}

// visitDir enters the directory of an entry, or returns an item for it if its keys have a common
// prefix. It does neither if the walk omits all keys in the directory.
func (w *Walker) visitDir(f *frame, e entry) (Item, bool, error) {
	prefix := f.prefix + e.segment + "/"
	if len(prefix) > bucketdir.MaxKey || !w.mayContain(prefix) {
		return Item{}, false, nil
	}

	paths := w.paths(f, e)
	common, hasCommon := objectkey.CommonPrefix(prefix, w.Prefix, w.Delimiter)
	if !hasCommon {
		return Item{}, false, w.push(prefix, paths...)
	}
	if common <= w.Start {
		// The listing begins after this prefix.
		return Item{}, false, nil
	}

	// A prefix is listed only if there is an object under it.
	isListed, err := w.mayHaveObject(paths)
	if err != nil || !isListed {
		return Item{}, false, err
	}
	item, ok := w.rollUp(common)
	return item, ok, nil
}

// mayHaveObject reports whether there is an object in one of the directories or below it. It also returns
// true for a directory that may not be read, so that the listing of its parent does not fail.
func (w *Walker) mayHaveObject(paths []string) (bool, error) {
	for _, path := range paths {
		found, err := w.hasObject(searchDir{path: path, isTop: true})
		if found || storage.CodeOf(err) == storage.PermissionDenied {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// mayContain reports whether the directory whose keys begin with prefix may contain requested keys that are not
// skipped.
func (w *Walker) mayContain(prefix string) bool {
	isRequested := strings.HasPrefix(prefix, w.Prefix) || strings.HasPrefix(w.Prefix, prefix)
	isStartInside := strings.HasPrefix(w.Start, prefix)
	return isRequested && (isStartInside || !w.isSkipped(prefix))
}

// isSkipped reports whether the walk omits key, which is before its start or under the common prefix
// that it skips.
func (w *Walker) isSkipped(key string) bool {
	if w.Skip != "" && strings.HasPrefix(key, w.Skip) {
		return true
	}
	return key < w.Start || key == w.Start && !w.Inclusive
}

// rollUp returns the item of a common prefix, and makes the walk skip all further keys with it. It
// returns false if an earlier page has already returned the prefix.
func (w *Walker) rollUp(common string) (Item, bool) {
	w.Skip = common
	if common <= w.Start {
		return Item{}, false
	}
	return Item{Key: common, IsPrefix: true}, true
}

// paths returns the paths of the directories on disk that together are the directory of an entry. There
// are several if another program has created one with the same keys under another name.
func (w *Walker) paths(f *frame, e entry) []string {
	if e.diskName == nil {
		return []string{f.dirs[0].PathOf(e.segment)}
	}

	var first string
	if e.diskName.base == "" {
		// One of several directories is at the usual path.
		first = f.dirs[0].PathOf(e.segment)
	} else {
		first = osdir.Join(e.diskName.dir, e.diskName.base)
	}
	return append([]string{first}, e.diskName.moreDirs...)
}

// stat returns the file of the entry e, whose key is key. The file is usually in the first directory of
// the frame, so that one system call finds it.
func (w *Walker) stat(f *frame, e entry, key string) (ObjectFile, error) {
	if w.Noncurrent {
		return w.statNoncurrent(f, e)
	}
	d := f.dirs[0]
	base := e.segment
	if e.diskName != nil {
		isElsewhere := e.diskName.dir != d.Path
		if isElsewhere {
			return w.Reader.statCurrent(key)
		}
		// The entry has another name on disk than in the key.
		base = e.diskName.base
	}
	meta, err := d.Stat(base)
	if err == nil && meta.Kind == osdir.KindFile {
		return ObjectFile{Dir: d, Base: base, Meta: meta}, nil
	}
	// The entry is a symbolic link, or was moved or removed since the directory was read.
	return w.Reader.statCurrent(key)
}

// statNoncurrent checks whether the key of an entry has noncurrent versions. Only the method Found of
// its result is valid: it returns true if there are any.
func (w *Walker) statNoncurrent(f *frame, e entry) (ObjectFile, error) {
	for _, path := range w.paths(f, e) {
		_, err := w.Tree.Root.Lstat(osdir.Join(path, bucketdir.VersionsName))
		if err == nil {
			return ObjectFile{Dir: w.Tree.Top}, nil
		}
		if !osdir.IsNoFile(err) {
			return ObjectFile{}, bucketdir.WrapError(err)
		}
	}
	return ObjectFile{}, nil
}

// hasObject reports whether a directory contains an object, at any depth.
func (w *Walker) hasObject(dir searchDir) (bool, error) {
	found, subdirs, err := w.scanDir(dir)
	if found || err != nil {
		return found, err
	}
	for _, subdir := range subdirs {
		found, err := w.hasObject(subdir)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// A searchDir is a directory that hasObject searches.
type searchDir struct {
	path string
	// A long name is split into nested directories (see bucketdir.Names.Parse). If path is one of them,
	// chunks is the beginning of the long name up to it, and otherwise "".
	chunks string
	// In the tree of versions, one directory has the versions of the key "a" and everything with the
	// prefix "a/". If isTop is true, only the latter counts.
	isTop bool
}

// scanDir looks for an object in one directory. If it finds none, subdirs are the directories in it
// that may contain one.
func (w *Walker) scanDir(dir searchDir) (found bool, subdirs []searchDir, err error) {
	d, err := w.Tree.OpenToRead(dir.path)
	if err != nil {
		return false, nil, bucketdir.IgnoreNotExist(err)
	}
	defer d.Close()

	for e, err := range d.Each {
		if err != nil {
			return false, nil, bucketdir.WrapError(err)
		}
		if err := bucketdir.ContextError(w.Ctx); err != nil {
			return false, nil, err
		}

		hasVersions := w.Noncurrent && e.Name == bucketdir.VersionsName
		if hasVersions {
			if dir.isTop {
				// These are the versions of the key with the path of the directory, which has no slash at its end.
				continue
			}
			return true, nil, nil
		}

		name, ok := w.Tree.Names().Parse(dir.chunks, e.Name)
		if !ok {
			continue
		}
		if !w.Noncurrent && name.Mark != bucketdir.MarkChunk && w.isObject(d, e) {
			return true, nil, nil
		}
		if subdir, ok := subdirOf(d, e, name); ok {
			subdirs = append(subdirs, subdir)
		}
	}
	return false, subdirs, nil
}

// subdirOf returns an entry of d as a directory to search, or false if it is none. name is the parsed
// name of the entry.
func subdirOf(d *osdir.Dir, e osdir.Entry, name bucketdir.ParsedName) (subdir searchDir, ok bool) {
	mayBeDir := e.Kind == osdir.KindDir || e.Kind == osdir.KindUnknown
	if !mayBeDir || name.Mark == bucketdir.MarkAlternate {
		// Only files have alternate names.
		return searchDir{}, false
	}
	subdir.path = d.PathOf(e.Name)
	if name.Mark == bucketdir.MarkChunk {
		subdir.chunks = name.Segment
	}
	return subdir, true
}

// isObject reports whether an entry is an object. It needs a system call only if the entry is a link
// or does not tell its kind.
func (w *Walker) isObject(dir *osdir.Dir, e osdir.Entry) bool {
	switch e.Kind {
	case osdir.KindFile:
		return true
	case osdir.KindDir, osdir.KindOther:
		return false
	}
	file, err := w.Reader.StatObject(dir, e.Name)
	return err == nil && file.Found()
}
