package removing

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/partfile"
)

// A plainDirectory is a directory of this machine that no program uses as a bucket: removing a file
// must not leave the files of a bucket there.
type plainDirectory struct {
	storage.Bucket
	path   string
	dryRun bool
}

// asPlain returns a bucket that removes files as the system does, if the location is a path in such a
// directory.
func asPlain(p *program.Program, bucket storage.Bucket, l location.Location) storage.Bucket {
	if l.Path == "" {
		return bucket
	}
	dir := l.Directory()
	if _, err := os.Lstat(filepath.Join(dir, ".omnibucket")); dir == "" || !errors.Is(err, fs.ErrNotExist) {
		return bucket
	}
	return plainDirectory{bucket, dir, p.Global.DryRun}
}

// isLink reports whether a location is the path of a symbolic link, without a slash at its end. Like the system,
// "rm -r" does not follow that.
func isLink(bucket storage.Bucket, l location.Location) bool {
	if _, plain := bucket.(plainDirectory); !plain || location.EndsAsFolder(l.Path) {
		return false
	}
	info, err := os.Lstat(l.Path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Exists reports whether there is a file of any kind: Remove removes a link or a pipe, too.
func (d plainDirectory) Exists(ctx context.Context, key string, opts ...storage.AttrsOption) (bool, error) {
	if len(opts) > 0 {
		return d.Bucket.Exists(ctx, key, opts...)
	}
	_, err := os.Lstat(filepath.Join(d.path, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes a file, and the directories that become empty.
func (d plainDirectory) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	if len(opts) > 0 || d.dryRun {
		return d.Bucket.Remove(ctx, key, opts...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := root.Remove(filepath.FromSlash(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(filepath.FromSlash(dir))
		if err != nil || !info.IsDir() || root.Remove(filepath.FromSlash(dir)) != nil { // a link, or not empty
			break
		}
	}
	return nil
}

// printLeft says how many files of a folder from which all objects were removed are still there. It removes those
// that killed downloads have left.
func printLeft(p *program.Program, bucket storage.Bucket, folder string) {
	d, plain := bucket.(plainDirectory)
	if !plain || d.dryRun {
		return
	}
	if root, err := os.OpenRoot(d.path); err == nil {
		partfile.SweepAll(root, cmp.Or(strings.TrimSuffix(folder, "/"), "."))
		_ = root.Close()
	}
	left := 0
	_ = filepath.WalkDir(filepath.Join(d.path, filepath.FromSlash(folder))+string(filepath.Separator), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left++
		}
		return nil
	})
	if left > 0 {
		p.Note("omnibucket: symbolic links, special files and others that a bucket does not have were not removed: %d", left)
	}
}
