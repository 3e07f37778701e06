package removing

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A plainDirectory is a directory of this machine that no program uses as a bucket: removing a file
// must not leave the files of a bucket there.
type plainDirectory struct {
	storage.Bucket
	path string
}

// asPlain returns a bucket that removes files as the system does, if the location is a path in such a
// directory.
func asPlain(p *program.Program, bucket storage.Bucket, l location.Location) storage.Bucket {
	if l.Path == "" || p.Global.DryRun {
		return bucket
	}
	dir, err := url.PathUnescape(l.Dir)
	if err != nil {
		return bucket
	}
	if runtime.GOOS == "windows" {
		dir = strings.TrimPrefix(dir, "/")
	}
	if _, err := os.Lstat(filepath.Join(filepath.FromSlash(dir), ".omnibucket")); !errors.Is(err, fs.ErrNotExist) {
		return bucket
	}
	return plainDirectory{bucket, filepath.FromSlash(dir)}
}

// Remove removes a file, and the directories that become empty.
func (d plainDirectory) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	if len(opts) > 0 {
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
	for dir := path.Dir(key); dir != "." && root.Remove(filepath.FromSlash(dir)) == nil; { // until one is not empty
		dir = path.Dir(dir)
	}
	return nil
}
