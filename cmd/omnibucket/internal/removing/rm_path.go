package removing

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/running"
)

// A plainDirectory is the Core of a local directory that is not used as a bucket. It removes files
// without creating the files that the library stores in a bucket.
type plainDirectory struct {
	storage.Core
	path   string
	dryRun bool
}

// openPlain opens the bucket of a location. If that is a path in a directory that is not a bucket, the bucket
// removes files as the rm of the system does, and plain is its Core. Otherwise plain is nil.
func openPlain(
	ctx context.Context, p *program.Program, l location.Location,
) (bucket storage.Bucket, plain *plainDirectory, err error) {
	dir := l.Directory()
	isPlain := l.Path != "" && dir != "" && !mayBeBucket(dir)
	if !isPlain {
		bucket, err = p.Stores.Open(ctx, l)
		return bucket, nil, err
	}

	plain = &plainDirectory{path: dir, dryRun: p.Global.DryRun}
	bucket, err = p.Stores.OpenWrapped(ctx, l, func(c storage.Core) storage.Core {
		plain.Core = c
		return plain
	})
	return bucket, plain, err
}

// mayBeBucket reports whether a directory has the folder that the library keeps in a bucket, or
// whether that is not known.
func mayBeBucket(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".omnibucket"))
	return !errors.Is(err, fs.ErrNotExist)
}

// isLink reports whether l is the path of a symbolic link, which "rm -r" removes without following
// it. A path that ends in a slash means the directory that a link leads to.
func (d *plainDirectory) isLink(l location.Location) bool {
	if d == nil || location.EndsAsFolder(l.Path) {
		return false
	}
	info, err := os.Lstat(l.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Exists reports whether a file of any kind exists, including links and pipes, because Remove
// removes those too.
func (d *plainDirectory) Exists(ctx context.Context, key string, o *storage.DownloadOptions) (bool, error) {
	if o.Version != "" {
		return d.Core.Exists(ctx, key, o)
	}
	_, err := os.Lstat(filepath.Join(d.path, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, nil
}

// Remove removes a file, and then the parent directories that are empty.
func (d *plainDirectory) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	isPlain := o.Version == "" && o.Condition == (storage.Condition{}) && !o.BypassGovernance
	if !isPlain || d.dryRun {
		// The Core handles the options, and the dry run.
		return d.Core.Remove(ctx, key, o)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.remove(key)
}

// RemoveAll removes files, those of a group in parallel. It ends early when ctx is done or after
// piecemeal.MaxFailures failures.
func (d *plainDirectory) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	removeGroup := func(group []string) (errs []error, more bool) {
		if err := ctx.Err(); err != nil {
			return []error{&storage.Error{Code: storage.Canceled, Op: "RemoveAll", Err: err}}, false
		}
		errs = running.All(len(group), piecemeal.AtOnce, func(i int) error {
			return keyError(group[i], d.remove(group[i]))
		})
		return errs, true
	}

	removed, failures := running.EachGroup(keys, piecemeal.Together, piecemeal.MaxFailures, removeGroup)
	return removed, errors.Join(failures...)
}

// keyError converts an error of the file system to one that names the key and has a code, and nil to
// nil.
func keyError(key string, err error) error {
	if err == nil {
		return nil
	}
	return argument.OfPath(key, err)
}

// remove removes a file, if it exists, and then the parent directories that are empty.
func (d *plainDirectory) remove(key string) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	// Nothing was written through root, so an error of Close does not matter.
	defer root.Close()

	err = root.Remove(filepath.FromSlash(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(filepath.FromSlash(dir))
		if err != nil || !info.IsDir() {
			return nil
		}
		// A directory that is not empty cannot be removed.
		if root.Remove(filepath.FromSlash(dir)) != nil {
			return nil
		}
	}
	return nil
}

// printRemaining prints how many files remain in a folder after its objects were removed. It first
// removes temporary files that killed downloads left behind.
func (d *plainDirectory) printRemaining(p *program.Program, folder string) {
	if d == nil || d.dryRun {
		return
	}

	if root, err := os.OpenRoot(d.path); err == nil {
		partfile.SweepAll(root, cmp.Or(strings.TrimSuffix(folder, "/"), "."))
		_ = root.Close()
	}

	dir := filepath.Join(d.path, filepath.FromSlash(folder)) + string(filepath.Separator)
	remaining := countFiles(dir)
	if remaining > 0 {
		p.Note(
			"omnibucket: symbolic links, special files and others that a bucket does not have were not removed: %d",
			remaining,
		)
	}
}

// countFiles returns the number of files below a directory. It does not count what it cannot read.
func countFiles(dir string) int {
	count := 0
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			count++
		}
		return nil
	})
	return count
}
