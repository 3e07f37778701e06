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

// openPlain opens the bucket of a location. If the location is a path in a directory that is not a
// bucket, plain is the bucket's Core and removes files like the rm of the system. Otherwise plain
// is nil.
func openPlain(
	ctx context.Context, p *program.Program, l location.Location,
) (bucket storage.Bucket, plain *plainDirectory, err error) {
	dir := l.Directory()
	if l.Path == "" || dir == "" || mayBeBucket(dir) {
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

// isLink reports whether a location is the path of a symbolic link, without a slash at its end.
// Like the rm of the system, "rm -r" does not follow such a link.
func (d *plainDirectory) isLink(l location.Location) bool {
	if d == nil || location.EndsAsFolder(l.Path) {
		return false
	}
	info, err := os.Lstat(l.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Exists reports whether a file of any kind exists. Links and pipes count, because Remove removes
// them, too.
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

// RemoveAll removes files in parallel.
func (d *plainDirectory) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	removed, failures := running.EachGroup(
		keys, piecemeal.Together, piecemeal.MaxFailures,
		func(group []string) (errs []error, more bool) {
			if err := ctx.Err(); err != nil {
				return []error{&storage.Error{Code: storage.Canceled, Op: "RemoveAll", Err: err}}, false
			}
			return running.All(len(group), piecemeal.AtOnce, func(i int) error {
				return keyError(group[i], d.remove(group[i]))
			}), true
		},
	)
	return removed, errors.Join(failures...)
}

// keyError converts an error of the file system to an error of the library that names the key.
func keyError(key string, err error) error {
	if err == nil {
		return nil
	}
	return argument.OfPath(key, err)
}

// remove removes a file, and then the parent directories that are empty. A file that does not exist
// is no error.
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
		if err != nil || !info.IsDir() || root.Remove(filepath.FromSlash(dir)) != nil {
			// dir is a link, or not empty.
			break
		}
	}
	return nil
}

// printLeft prints how many files remain in a folder after its objects were removed. It first
// removes temporary files of downloads whose process was killed.
func (d *plainDirectory) printLeft(p *program.Program, folder string) {
	if d == nil || d.dryRun {
		return
	}
	if root, err := os.OpenRoot(d.path); err == nil {
		partfile.SweepAll(root, cmp.Or(strings.TrimSuffix(folder, "/"), "."))
		_ = root.Close()
	}
	remaining := 0
	_ = filepath.WalkDir(
		filepath.Join(d.path, filepath.FromSlash(folder))+string(filepath.Separator),
		func(_ string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				remaining++
			}
			return nil
		},
	)
	if remaining > 0 {
		p.Note(
			"omnibucket: symbolic links, special files and others that a bucket does not have were not removed: %d",
			remaining,
		)
	}
}
