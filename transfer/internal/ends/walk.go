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
		w.walkDir("")
	}
}

// A treeWalker is one walk over a tree. It holds the ctx, because it lives only during the walk.
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

// walkDir yields the entries of a directory and of those below it. It returns false to end the walk.
func (w *treeWalker) walkDir(prefix string) bool {
	if err := w.ctx.Err(); err != nil {
		w.yield(Entry{}, joberror.OfContext(err))
		return false
	}

	// readDir may add the directory to the ancestors.
	depth := len(w.ancestors)
	defer func() {
		w.ancestors = w.ancestors[:depth]
	}()

	children, err := w.readDir(prefix)
	if w.ctx.Err() != nil {
		w.yield(Entry{}, joberror.OfContext(w.ctx.Err()))
		return false
	}

	// Without the top directory, there is nothing to walk.
	isTop := prefix == ""
	if isTop && err != nil {
		w.yield(Entry{}, joberror.OfFile("read", "", err))
		return false
	}

	// Another directory may have been removed meanwhile. Its error is then no failure.
	wasRemoved := errors.Is(err, fs.ErrNotExist)
	if err != nil && !wasRemoved {
		if !w.yield(unlistedDir(prefix, err), nil) {
			return false
		}
	}

	for _, child := range children {
		if !w.visit(prefix, child) {
			return false
		}
	}
	return true
}

// visit yields a file, or the entries of a directory. It returns false to end the walk.
func (w *treeWalker) visit(prefix string, c child) bool {
	if c.dir {
		return w.enterDir(prefix+c.order, c.link)
	}
	return w.yield(c.entry, nil)
}

// maxFollowed is the number of links to directories that one path may contain. Directories that
// link to each other would otherwise make very many paths.
const maxFollowed = 3

// unlistedDir returns the entry of a directory that cannot be read because of err.
func unlistedDir(prefix string, err error) Entry {
	return Entry{
		Key:  prefix,
		Kind: Unlisted,
		Err:  joberror.OfFile("read", prefix, err),
	}
}

// enterDir yields the entries of a directory, which is reached through a link if link is true. It
// returns false if the walk must end.
func (w *treeWalker) enterDir(prefix string, link bool) bool {
	if !link {
		return w.walkDir(prefix)
	}
	if w.followed == maxFollowed {
		// Directories that link to each other would make very many paths.
		return w.yield(unlistedDir(prefix, errTooManyLinks), nil)
	}

	w.followed++
	defer func() {
		w.followed--
	}()
	return w.walkDir(prefix)
}

// readAtOnce is how many names of a directory are read at a time.
const readAtOnce = 1024

// readDir returns the entries of one directory, sorted. If reading fails midway, it returns those that
// it has read, and the error.
func (w *treeWalker) readDir(prefix string) ([]child, error) {
	name := cmp.Or(strings.TrimSuffix(prefix, "/"), ".")
	f, err := w.tree.Root.OpenFile(name, os.O_RDONLY|localfile.Nonblocking, 0)
	if err != nil {
		return nil, err
	}
	// The directory was only read, so an error does not matter.
	defer f.Close()

	if w.tree.links {
		if err := w.pushAncestor(f); err != nil {
			return nil, err
		}
	}

	children, restored, err := w.readChildren(prefix, f)
	if restored && err == nil {
		// A file that a killed job had renamed has its name again, so read the directory once more.
		return w.readDir(prefix)
	}
	slices.SortFunc(children, func(a, b child) int { return cmp.Compare(a.order, b.order) })
	return children, err
}

// readChildren returns the entries of an open directory, in any order. It also gives files that a killed
// job has renamed their names back. restored says whether there was one.
func (w *treeWalker) readChildren(prefix string, dir *os.File) (children []child, restored bool, err error) {
	for {
		entries, readErr := dir.ReadDir(readAtOnce)
		for _, d := range entries {
			// Check the context for each name, because each needs a stat.
			if err := w.ctx.Err(); err != nil {
				return nil, false, err
			}
			if localfile.IsPrivateName(d.Name()) {
				// Only a killed job leaves a file with such a private name.
				if w.recoverName(prefix + d.Name()) {
					restored = true
				}
				continue
			}
			if c, ok := w.child(prefix, d); ok {
				children = append(children, c)
			}
		}

		if readErr == io.EOF {
			return children, restored, nil
		}
		if readErr != nil {
			return children, restored, readErr
		}
	}
}

// pushAncestor adds an opened directory to ancestors. It fails if the directory is one of them already,
// because links then form a loop.
func (w *treeWalker) pushAncestor(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for _, ancestor := range w.ancestors {
		if os.SameFile(ancestor, info) {
			return errLoop
		}
	}
	w.ancestors = append(w.ancestors, info)
	return nil
}

// recoverName ends a move that was killed after it gave a file the private name privatePath. It removes the
// file, or gives it its name back, and reports whether it has its name again.
func (w *treeWalker) recoverName(privatePath string) bool {
	if !w.tree.Recovers {
		return false
	}
	restored, err := localfile.RecoverRenamed(w.tree.Root, privatePath)
	// After an error, the file keeps its private name for the next job.
	return restored && err == nil
}

var (
	errLoop         = errors.New("link leads to a directory that contains it")
	errTooManyLinks = errors.New("path has too many links to directories")
)

// child returns the child with the name of d, or false if the job skips it. The kind of its entry says
// whether the job transfers the file, ignores it, or reports it as unreadable.
func (w *treeWalker) child(prefix string, d fs.DirEntry) (child, bool) {
	key := prefix + d.Name()
	if strings.EqualFold(d.Name(), reservedName) {
		return child{order: d.Name(), entry: Entry{Key: key, Kind: Ignored}}, true
	}

	if w.noteLeftover(key, d) {
		return child{}, false
	}

	isLink := d.Type()&fs.ModeSymlink != 0
	info, statErr := w.stat(key, d)
	if errors.Is(statErr, fs.ErrNotExist) && !isLink {
		// The file was removed meanwhile.
		return child{}, false
	}

	// A link may lead to a directory. If stat has failed for a directory, the walk returns the error when
	// it reads the directory.
	leadsToDir := statErr == nil && info.IsDir()
	if d.IsDir() || leadsToDir {
		return w.dirChild(key, d, info)
	}

	if statErr != nil {
		entry := Entry{Key: key, Kind: Broken, Err: joberror.OfFile("read", key, statErr)}
		return child{order: d.Name(), entry: entry}, w.selectsBroken(key, d)
	}

	entry := Entry{Key: key, Kind: Ignored}
	if info.Mode().IsRegular() {
		entry = EntryOf(key, info)
	}
	return child{order: d.Name(), entry: entry}, w.files.Selects(key)
}

// selectsBroken reports whether the job selects a file that cannot be read, or a broken link.
func (w *treeWalker) selectsBroken(key string, d fs.DirEntry) bool {
	if w.files.Selects(key) {
		return true
	}
	if d.Type().IsRegular() {
		return false
	}
	// A broken link may have led to a directory. Its files may be selected, even if the name of the link
	// itself is not.
	return !w.files.ExcludesDir(key)
}

// noteLeftover reports whether a file is one that an earlier job has left: a test object or a temporary
// file. In the destination, it notes the file if that marks a download which can be continued.
func (w *treeWalker) noteLeftover(key string, d fs.DirEntry) bool {
	if evidence.IsKey(d.Name()) && !d.IsDir() {
		// The job was killed while it tested whether two places are the same.
		return true
	}
	if !localfile.IsTempName(d.Name()) {
		return false
	}
	if w.tree.destination && partfile.IsMark(d.Name()) {
		w.tree.noteMark(key)
	}
	return true
}

// dirChild returns the child for a directory, or for a link to one. It returns false if the job skips
// it. info is nil if stat has failed.
func (w *treeWalker) dirChild(key string, d fs.DirEntry, info fs.FileInfo) (child, bool) {
	if w.files.ExcludesDir(key) {
		return child{}, false
	}
	if info != nil && w.isSkipped(info) {
		return child{order: d.Name(), entry: Entry{Key: key, Kind: Excluded}}, true
	}
	return child{
		order: d.Name() + "/",
		dir:   true,
		link:  !d.IsDir(),
		entry: Entry{Key: key},
	}, true
}

// isSkipped reports whether a directory is one of those that the job skips.
func (w *treeWalker) isSkipped(dir fs.FileInfo) bool {
	for _, skipped := range w.tree.Skipped {
		if os.SameFile(skipped, dir) {
			return true
		}
	}
	return false
}

// stat returns information about a file, or about the file to which it leads if it is a link and the
// walk follows links.
func (w *treeWalker) stat(key string, d fs.DirEntry) (fs.FileInfo, error) {
	isLink := d.Type()&fs.ModeSymlink != 0
	if isLink && w.tree.links {
		return w.tree.Root.Stat(key)
	}
	return d.Info()
}
