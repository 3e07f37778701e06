package local

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// maxWindow is the number of entries of one directory that are held at a time. A larger
// directory is read again for each further window. So the memory does not depend on the
// size of the directory.
const maxWindow = 1 << 17

// An entry is a name in a logical directory: an object, or a directory of keys.
type entry struct {
	segment  string
	isDir    bool
	rank     uint8     // of two objects with one name, the one with the lower rank is used
	diskName *diskName // nil if the entry is in the directory itself, and its name is the segment
}

// A diskName is the name on disk of an entry, if it differs from its segment. In strict
// mode, a directory may have several: one of this package, and the literal name, which
// another program has made.
type diskName struct {
	dir, base string
	also      []string // paths of further directories
}

const (
	rankPlain = iota
	rankAlternate
	rankLiteral
)

// order compares entries by the bytes of whole keys. The keys in a directory continue with
// a slash.
func (e entry) order(f entry) int { return compareSegments(e.segment, e.isDir, f.segment, f.isDir) }

func compareSegments(a string, aIsDir bool, b string, bIsDir bool) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	return nextByte(a[n:], aIsDir) - nextByte(b[n:], bIsDir)
}

// nextByte returns the byte after a common beginning, plus one. It returns 0 if there is no
// such byte.
func nextByte(rest string, isDir bool) int {
	switch {
	case rest != "":
		return int(rest[0]) + 1
	case isDir:
		return '/' + 1
	}
	return 0
}

// A window is an ordered part of a directory, which begins at a name.
type window struct {
	entries []entry
	from    string // an order key: a segment, and "/" if it is a directory
	whole   bool   // it reaches the end of the directory
	names   int    // number of names that were read
	chunks  bool   // whether some names are in directories of chunks
}

// A windowReader makes a window from names in any order.
type windowReader struct {
	tree       *tree
	ctx        context.Context
	noncurrent bool   // read the tree of versions
	match      string // prefix of the names to read
	window     window // the window as far as it is read
	bound      entry  // unless window is whole: entries after it are omitted
}

// readWindow reads a window of a logical directory, which consists of dirs.
func (r *reader) readWindow(
	ctx context.Context, dirs []*osdir.Dir, noncurrent bool, from, match string,
) (window, error) {
	w := &windowReader{
		tree: r.tree, ctx: ctx, noncurrent: noncurrent, match: match, window: window{from: from, whole: true},
	}
	for i, d := range dirs {
		if err := w.read(d, "", i == 0); err != nil {
			return window{}, err
		}
	}
	w.compact()
	return w.window, nil
}

// read adds the names in d. They begin with chunks.
func (r *windowReader) read(d *osdir.Dir, chunks string, main bool) error {
	names := r.tree.names()
	var deeper []osdir.Entry
	var ended error
	err := d.Each(func(e osdir.Entry) bool {
		if ended = interrupted(r.ctx); ended != nil {
			return false
		}
		r.window.names++
		f, ok := names.parse(chunks, e.Name)
		if !ok {
			return true
		}
		if f.mark == markChunk {
			deeper = append(deeper, osdir.Entry{Name: e.Name, Kind: e.Kind})
			return true
		}
		r.add(d, e, f, main && chunks == "")
		return true
	})
	if err := cmp.Or(ended, failure(err)); err != nil {
		return err
	}
	r.window.chunks = r.window.chunks || len(deeper) > 0
	for _, e := range deeper {
		sub, err := r.tree.open(d.PathOf(e.Name))
		if osdir.IsNoFile(err) {
			continue
		}
		if err != nil {
			return failure(err)
		}
		err = r.read(sub, chunks+e.Name[len(reserved)+1:], main)
		r.tree.closeDir(sub)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *windowReader) add(d *osdir.Dir, e osdir.Entry, f found, main bool) {
	if e.Kind == osdir.KindUnknown {
		m, err := d.Stat(e.Name)
		if err != nil {
			return
		}
		e.Kind = m.Kind
	}
	out := entry{segment: f.segment, isDir: e.Kind == osdir.KindDir}
	if e.Kind == osdir.KindOther || f.mark == markAlternate && out.isDir {
		return
	}
	switch {
	case f.mark == markAlternate:
		out.rank = rankAlternate
	case f.literal:
		out.rank = rankLiteral
	}
	if !main || f.mark != 0 || f.literal {
		out.diskName = &diskName{dir: d.Path, base: e.Name}
	}
	if !r.noncurrent {
		r.keep(out)
		return
	}
	// In the tree of versions, a directory is a key with versions, or the beginning
	// of such keys, or both.
	if out.isDir {
		r.keep(out)
		out.isDir = false
		r.keep(out)
	}
}

func (r *windowReader) keep(e entry) {
	if !strings.HasPrefix(e.segment, r.match) || before(e, r.window.from) {
		return
	}
	if !r.window.whole && e.order(r.bound) > 0 {
		return
	}
	r.window.entries = append(r.window.entries, e)
	if len(r.window.entries) >= 2*maxWindow {
		r.compact()
	}
}

// before reports whether e comes before the order key from.
func before(e entry, from string) bool {
	segment, isDir := strings.CutSuffix(from, "/")
	return compareSegments(e.segment, e.isDir, segment, isDir) < 0
}

// compact sorts the entries, merges equal ones, and cuts them to maxWindow.
func (r *windowReader) compact() {
	slices.SortFunc(r.window.entries, func(a, b entry) int {
		if c := a.order(b); c != 0 {
			return c
		}
		return int(a.rank) - int(b.rank)
	})
	out := r.window.entries[:0]
	for _, e := range r.window.entries {
		if n := len(out); n > 0 && out[n-1].order(e) == 0 {
			if e.isDir {
				out[n-1].merge(e)
			}
			continue
		}
		out = append(out, e)
	}
	r.window.entries = out
	if len(r.window.entries) > maxWindow {
		r.window.entries, r.window.whole = r.window.entries[:maxWindow], false
		r.bound = r.window.entries[maxWindow-1]
	}
}

// merge adds the disk name of another directory with the same segment. The other directory is
// never inside the directory of e.
func (e *entry) merge(f entry) {
	if f.diskName == nil {
		return
	}
	p := diskName{}
	if e.diskName != nil {
		p = *e.diskName
	}
	p.also = append(p.also[:len(p.also):len(p.also)], osdir.Join(f.diskName.dir, f.diskName.base))
	e.diskName = &p
}
