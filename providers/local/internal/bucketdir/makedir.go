package bucketdir

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// StatFollowing returns the stat result of an entry. If the entry is a symbolic link, it returns
// that of the link's target.
func (t *Tree) StatFollowing(dir *osdir.Dir, base string) (osdir.Meta, error) {
	meta, err := dir.Stat(base)
	if err == nil && meta.Kind == osdir.KindLink {
		return t.StatTarget(dir, base)
	}
	return meta, err
}

// MkdirIn creates a directory in parent and flushes its name to the disk. If the directory exists,
// it does nothing.
func (t *Tree) MkdirIn(parent *osdir.Dir, base string) error {
	err := parent.Mkdir(base)
	if IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.Flush(parent)
}

// Mkdirs creates directories with reserved names, if the path has any: the reserved directory and
// all directories in it, and directories for long or escaped names. Other programs do not use these
// names. If another process removes a directory meanwhile, Mkdirs fails with ErrAgain, or with the
// error of CheckPlace.
func (t *Tree) Mkdirs(path string) error {
	if path == "" {
		return nil
	}
	info, err := t.Root.Lstat(path)
	if err == nil && info.IsDir() {
		return nil
	}

	// Visit the directories of the path from the outermost to the innermost.
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		dir, base := osdir.Split(path[:i])
		if !strings.HasPrefix(base, Reserved) && !strings.HasPrefix(path, Reserved) {
			continue
		}
		if err := t.mkdir(dir, base); err != nil {
			return err
		}
	}
	return nil
}

// mkdir creates the directory base in dir. If dir does not exist, mkdir fails with ErrAgain, or with
// the error of CheckPlace.
func (t *Tree) mkdir(dir, base string) error {
	parent, err := t.Open(dir)
	if err == nil {
		err = t.MkdirIn(parent, base)
		t.CloseDir(parent)
	}
	if !osdir.IsNotExist(err) {
		return Failure(err)
	}
	if err := t.CheckPlace(); err != nil {
		return err
	}
	return ErrAgain
}

// Prune removes the directory at path if it is empty. Then it removes each parent that is empty, up
// to the directory at top, which it keeps. Prune may remove the directory of a running write. The
// write then creates it again.
func (t *Tree) Prune(ctx context.Context, path, top string) {
	for path != "" && path != top {
		dir, base := osdir.Split(path)
		parent, err := t.Open(dir)
		if err != nil {
			return
		}
		err = osdir.RetryInUse(ctx, func() error { return parent.Rmdir(base) })
		t.CloseDir(parent)
		if err != nil {
			return
		}
		path = dir
	}
}
