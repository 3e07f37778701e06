package ends

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// A child is a file or directory in one directory.
type child struct {
	order string // the key to sort by: the name, followed by a slash for a directory
	dir   bool
	link  bool // whether it is a link to a directory
	entry Entry
}

// Entries yields the files of the tree in the order of keys. It reads each directory completely,
// sorts it, and closes it before it reads the next one.
func (t *Tree) Entries(ctx context.Context, files *selection.Selection, _ string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if t.Root == nil {
			return
		}
		w := &treeWalker{tree: t, files: files, ctx: ctx, yield: yield}
		w.dir("")
	}
}

type treeWalker struct {
	tree      *Tree
	files     *selection.Selection
	ctx       context.Context
	yield     func(Entry, error) bool
	ancestors []fs.FileInfo // with WithLinks: the directories above the current one
	followed  int           // how many of ancestors were reached through a link
}

// StartsAnywhere returns false, because a listing from the middle would read all directories once
// more.
func (t *Tree) StartsAnywhere() bool { return false }

// dir yields the entries of a directory and of those below it. It returns false to end the walk.
func (w *treeWalker) dir(prefix string) bool {
	if err := w.ctx.Err(); err != nil {
		w.yield(Entry{}, joberror.OfContext(err))
		return false
	}
	depth := len(w.ancestors)
	defer func() {
		w.ancestors = w.ancestors[:depth]
	}()

	children, err := w.read(prefix)
	switch {
	case w.ctx.Err() != nil:
		w.yield(Entry{}, joberror.OfContext(w.ctx.Err()))
		return false
	case err != nil && prefix == "":
		w.yield(Entry{}, joberror.OfFile("read", "", err))
		return false
	case err != nil && !errors.Is(err, fs.ErrNotExist): // a directory that does not exist was removed meanwhile
		if !w.yield(Entry{Key: prefix, Kind: Unlisted, Err: joberror.OfFile("read", prefix, err)}, nil) {
			return false
		}
	}

	for _, c := range children {
		if !c.dir {
			if !w.yield(c.entry, nil) {
				return false
			}
			continue
		}
		if !w.enter(prefix+c.order, c.link) {
			return false
		}
	}
	return true
}

// maxFollowed is the number of links to directories that one path may contain. Directories that
// link to each other would otherwise make very many paths.
const maxFollowed = 3

// enter yields the entries of a directory. link is true if the directory is reached through a link.
func (w *treeWalker) enter(prefix string, link bool) bool {
	if !link {
		return w.dir(prefix)
	}
	if w.followed == maxFollowed {
		return w.yield(Entry{Key: prefix, Kind: Unlisted, Err: joberror.OfFile("read", prefix, errTooManyLinks)}, nil)
	}
	w.followed++
	defer func() {
		w.followed--
	}()
	return w.dir(prefix)
}

// readAtOnce is how many names of a directory are read at a time.
const readAtOnce = 1024

// read returns the entries of one directory. If reading fails midway, it returns the entries that
// were read, and the error.
func (w *treeWalker) read(prefix string) ([]child, error) {
	name := strings.TrimSuffix(prefix, "/")
	name = cmp.Or(name, ".")
	f, err := w.tree.Root.OpenFile(name, os.O_RDONLY|localfile.Nonblocking, 0)
	if err != nil {
		return nil, err
	}
	// The directory was only read, so an error does not matter.
	defer f.Close()

	if w.tree.links {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		for _, dir := range w.ancestors {
			if os.SameFile(dir, info) {
				return nil, errLoop
			}
		}
		w.ancestors = append(w.ancestors, info)
	}

	var children []child
	restored := false
	for err == nil {
		var entries []fs.DirEntry
		entries, err = f.ReadDir(readAtOnce)
		for _, d := range entries {
			if err := w.ctx.Err(); err != nil {
				// Check it for each name, because each needs a stat.
				return nil, err
			}
			if localfile.IsAside(d.Name()) {
				restored = w.recover(prefix+d.Name()) || restored
				continue
			}
			if c, ok := w.child(prefix, d); ok {
				children = append(children, c)
			}
		}
	}

	if restored && err == io.EOF {
		return w.read(prefix)
	}
	if err == io.EOF {
		err = nil
	}
	slices.SortFunc(children, func(a, b child) int { return cmp.Compare(a.order, b.order) })
	return children, err
}

// recover decides what becomes of a file that a killed move has renamed. It reports whether the file
// has its name again.
func (w *treeWalker) recover(aside string) bool {
	if !w.tree.Recovers {
		return false
	}
	restored, err := localfile.RecoverAside(w.tree.Root, aside)
	// After an error, the file keeps its private name for the next job.
	return restored && err == nil
}

var (
	errLoop         = errors.New("link leads to a directory that contains it")
	errTooManyLinks = errors.New("path has too many links to directories")
)

// child returns the child with the name of d. It returns false if the job skips it.
func (w *treeWalker) child(prefix string, d fs.DirEntry) (child, bool) {
	key := prefix + d.Name()
	if strings.EqualFold(d.Name(), reservedName) {
		return child{order: d.Name(), entry: Entry{Key: key, Kind: Ignored}}, true
	}
	if evidence.IsKey(d.Name()) && !d.IsDir() {
		return child{}, false
	}
	if localfile.IsTempName(d.Name()) {
		if w.tree.destination && partfile.IsMark(d.Name()) {
			w.tree.noteMark(key)
		}
		return child{}, false
	}

	c := child{order: d.Name(), entry: Entry{Key: key}}
	info, err := w.stat(key, d)
	if errors.Is(err, fs.ErrNotExist) && d.Type()&fs.ModeSymlink == 0 {
		return c, false // removed meanwhile
	}

	// If stat failed for a directory, the walk returns the error later, when it reads the
	// directory.
	if d.IsDir() || err == nil && info.IsDir() {
		if err == nil && !w.files.ExcludesDir(key) &&
			slices.ContainsFunc(w.tree.Skipped, func(skipped fs.FileInfo) bool { return os.SameFile(skipped, info) }) {
			c.entry.Kind = Excluded
			return c, true
		}
		c.order = d.Name() + "/"
		c.dir = true
		c.link = !d.IsDir()
		return c, !w.files.ExcludesDir(key)
	}

	switch {
	case err != nil:
		c.entry.Kind = Broken
		c.entry.Err = joberror.OfFile("read", key, err)
		// It is not known what the broken link led to. It may have led to a directory with files
		// that WithInclude selects. So return the link, even if WithInclude does not select its
		// name.
		if !d.Type().IsRegular() {
			return c, w.files.Selects(key) || !w.files.ExcludesDir(key)
		}
	case info.Mode().IsRegular():
		c.entry = EntryOf(key, info) // of kind regular
	default:
		c.entry.Kind = Ignored
	}
	return c, w.files.Selects(key)
}

// stat returns information about a file. If the file is a link, and WithLinks is set, stat returns
// information about the file to which the link leads.
func (w *treeWalker) stat(key string, d fs.DirEntry) (fs.FileInfo, error) {
	if w.tree.links && d.Type()&fs.ModeSymlink != 0 {
		return w.tree.Root.Stat(key)
	}
	return d.Info()
}
