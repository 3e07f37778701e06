package objectfile

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// maxWindow is the number of entries of one directory that are kept in memory. A larger directory
// is read again for each further window. So the memory does not depend on the size of the
// directory.
const maxWindow = 1 << 17

// An entry is a name in a logical directory. A logical directory has all keys with one prefix. An
// entry stands for an object, or for a directory with further keys.
type entry struct {
	segment string
	isDir   bool
	rank    uint8 // if several objects have the same name, only the lowest rank is listed
	// diskName is nil in the usual case: segment is also the name on disk. Several directories on
	// disk can belong to the logical directory. If diskName is nil, the entry is in the first of
	// them.
	diskName *diskName
}

// A diskName has the paths of an entry. It is needed if the entry is not at its usual path, or if
// the entry has several paths. The usual path ends with the segment of the entry. In strict
// mode, a directory may have several paths. This package creates the directory with an encoded
// name. A different program may have created the same directory with the name that is in the keys.
type diskName struct {
	dir, base string
	moreDirs  []string // paths of further directories
}

const (
	rankPlain = iota
	rankAlternate
	rankLiteral
)

// order compares entries by the bytes of their keys. In the keys of a directory, a slash follows
// the directory's name. So order appends a slash to the name of a directory.
func (e entry) order(f entry) int { return compareSegments(e.segment, e.isDir, f.segment, f.isDir) }

// compareSegments compares two names of one directory in the order of the keys that begin with them.
func compareSegments(a string, aIsDir bool, b string, bIsDir bool) int {
	shorter := min(len(a), len(b))
	if c := strings.Compare(a[:shorter], b[:shorter]); c != 0 {
		return c
	}
	return nextByte(a[shorter:], aIsDir) - nextByte(b[shorter:], bIsDir)
}

// nextByte returns a number by which two names sort that are equal up to rest. A directory sorts as
// if its name ended with a slash, and the name of an object sorts before all longer names.
func nextByte(rest string, isDir bool) int {
	if rest != "" {
		return int(rest[0])
	}
	if isDir {
		return '/'
	}
	return -1 // less than every byte
}

// A window is a sorted part of a logical directory. It begins at a name, and may be cached.
type window struct {
	entries    []entry
	start      string // where the window begins: a segment, with "/" appended for a directory
	isComplete bool   // true if the window reaches the end of the directory
	names      int    // number of names that were read
	chunks     bool   // true if some names are in directories for long names
}

// A windowQuery selects a window.
type windowQuery struct {
	dirs       []*osdir.Dir // the directories on the disk that are one logical directory
	noncurrent bool         // true if dirs are in the tree of versions
	start      string       // name at which the window begins
	match      string       // prefix of all names in the window
}

// A windowReader builds a window from the names of directories, which it reads in any order.
type windowReader struct {
	tree   *bucketdir.Tree
	ctx    context.Context
	query  windowQuery
	window window // has the entries of the directories that were already read
	// lastEntry is set if the window is full (window.isComplete is false). It is the last entry in the
	// window. Entries that sort after lastEntry are dropped.
	lastEntry entry
}

// readWindow reads the window that a query selects, a sorted part of a logical directory.
func (r *Reader) readWindow(ctx context.Context, q windowQuery) (window, error) {
	w := &windowReader{
		tree:   r.Tree,
		ctx:    ctx,
		query:  q,
		window: window{start: q.start, isComplete: true},
	}
	for i, d := range q.dirs {
		// The names in these directories are whole, so they have no chunks.
		isFirst := i == 0
		if err := w.read(d, "", isFirst); err != nil {
			return window{}, err
		}
	}

	// Sort the entries, and keep no more than fit in a window.
	w.compact()
	return w.window, nil
}

// read adds the names in dir to the window. A long name is split over nested directories: if dir is
// one of these, chunks is the beginning of the names in it, and otherwise "". isFirst is true if dir is
// the first directory of the query.
func (r *windowReader) read(dir *osdir.Dir, chunks string, isFirst bool) error {
	names := r.tree.Names()
	var chunkDirs []string
	for e, err := range dir.Each {
		if err != nil {
			return bucketdir.WrapError(err)
		}
		if err := bucketdir.ContextError(r.ctx); err != nil {
			return err
		}
		r.window.names++

		name, ok := names.Parse(chunks, e.Name)
		if !ok {
			// The name is not part of a key.
			continue
		}
		if name.Mark == bucketdir.MarkChunk {
			// This directory has the rest of long names.
			chunkDirs = append(chunkDirs, e.Name)
			continue
		}
		r.add(dir, e, name, isFirst)
	}

	for _, base := range chunkDirs {
		r.window.chunks = true
		if err := r.readChunkDir(dir, base, chunks); err != nil {
			return err
		}
	}
	return nil
}

// readChunkDir adds the names in the directory base of dir, which contains the ends of long names. chunks
// is the part of these names before base. It does nothing if the directory was removed meanwhile.
func (r *windowReader) readChunkDir(dir *osdir.Dir, base, chunks string) error {
	chunkDir, err := r.tree.Open(dir.PathOf(base))
	if osdir.IsNoFile(err) {
		return nil
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	defer r.tree.CloseDir(chunkDir)

	const prefixLength = len(bucketdir.Reserved) + 1 // of ".omnibucket+"
	const isFirst = false
	return r.read(chunkDir, chunks+base[prefixLength:], isFirst)
}

// add adds an entry of the directory dir to the window. name is the parsed name of the entry, and
// isFirst is true if dir is the first directory of the query.
func (r *windowReader) add(dir *osdir.Dir, e osdir.Entry, name bucketdir.ParsedName, isFirst bool) {
	kind := e.Kind
	if kind == osdir.KindUnknown {
		meta, err := dir.Stat(e.Name)
		if err != nil {
			// The entry was probably removed meanwhile.
			return
		}
		kind = meta.Kind
	}
	if kind == osdir.KindOther {
		// A device, for example, is no object.
		return
	}
	isDir := kind == osdir.KindDir
	if isDir && name.Mark == bucketdir.MarkAlternate {
		// Only files have alternate names.
		return
	}

	item := entry{segment: name.Segment, isDir: isDir, rank: rankOf(name)}
	// The usual path of an entry is its segment in the first directory.
	isUsualPath := isFirst && item.rank == rankPlain && name.Mark == 0
	if !isUsualPath {
		item.diskName = &diskName{dir: dir.Path, base: e.Name}
	}
	if r.query.noncurrent {
		r.keepVersions(item)
		return
	}
	r.keepEntry(item)
}

// rankOf returns the rank of an object's name on the disk, which decides between several names of the
// object.
func rankOf(name bucketdir.ParsedName) uint8 {
	if name.Mark == bucketdir.MarkAlternate {
		return rankAlternate
	}
	if name.Literal {
		return rankLiteral
	}
	return rankPlain
}

// keepVersions adds a directory of the tree of versions to the window, twice: it can belong to one
// key that has versions, and it can also contain further keys.
func (r *windowReader) keepVersions(item entry) {
	if !item.isDir {
		return
	}
	r.keepEntry(item)
	item.isDir = false
	r.keepEntry(item)
}

// keepEntry adds an entry to the window, unless its name does not match or is outside of the window.
func (r *windowReader) keepEntry(e entry) {
	if !strings.HasPrefix(e.segment, r.query.match) || sortsBefore(e, r.window.start) {
		return
	}
	isAfterWindow := !r.window.isComplete && e.order(r.lastEntry) > 0
	if isAfterWindow {
		return
	}

	r.window.entries = append(r.window.entries, e)
	// Sort only once for each maxWindow new entries, and drop those that do not fit.
	if len(r.window.entries) >= 2*maxWindow {
		r.compact()
	}
}

// sortsBefore reports whether e sorts before a name. The name ends with "/" if it belongs to a
// directory.
func sortsBefore(e entry, start string) bool {
	segment, isDir := strings.CutSuffix(start, "/")
	return compareSegments(e.segment, e.isDir, segment, isDir) < 0
}

// compact sorts the entries, merges those with the same name, and keeps the first maxWindow of them.
func (r *windowReader) compact() {
	slices.SortFunc(r.window.entries, func(a, b entry) int {
		if c := a.order(b); c != 0 {
			return c
		}
		return int(a.rank) - int(b.rank)
	})

	merged := r.window.entries[:0] // reuses the array, of which it never uses more than was read
	for _, e := range r.window.entries {
		last := len(merged) - 1
		if last < 0 || merged[last].order(e) != 0 {
			merged = append(merged, e)
			continue
		}
		// Directories are merged. The first of several objects stays: its rank is the lowest.
		if e.isDir {
			merged[last].merge(e)
		}
	}
	r.window.entries = merged

	if len(merged) > maxWindow {
		r.window.entries = merged[:maxWindow]
		r.window.isComplete = false
		r.lastEntry = merged[maxWindow-1]
	}
}

// merge adds the path of other, another directory with the same segment, to the paths of e.
func (e *entry) merge(other entry) {
	if other.diskName == nil {
		return
	}
	// Copy e.diskName: in the tree of versions, it is shared by the entries of a key and its directory.
	merged := diskName{}
	if e.diskName != nil {
		merged = *e.diskName
	}
	path := osdir.Join(other.diskName.dir, other.diskName.base)
	merged.moreDirs = append(slices.Clip(merged.moreDirs), path)
	e.diskName = &merged
}
