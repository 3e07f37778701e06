package bucketdir

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// StatFollowing describes an entry, or the target of the entry if it is a symbolic link.
func (t *Tree) StatFollowing(dir *osdir.Dir, base string) (osdir.Meta, error) {
	meta, err := dir.Stat(base)
	if err == nil && meta.Kind == osdir.KindLink {
		return t.StatTarget(dir, base)
	}
	return meta, err
}

// MkdirIn creates a directory in parent, unless the name exists, and flushes its name to the disk.
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

// Mkdirs creates those directories of path that only this package makes: the reserved directory and
// everything in it, and directories for long or escaped names. It fails with ErrRetry, or with the
// error of CheckPath, if another process removes a directory meanwhile.
func (t *Tree) Mkdirs(path string) error {
	if path == "" {
		return nil
	}
	info, err := t.Root.Lstat(path)
	if err == nil && info.IsDir() {
		return nil
	}

	// Visit the directories of the path from the outermost to the innermost.
	isInReserved := strings.HasPrefix(path, Reserved)
	parent := ""
	for base := range strings.SplitSeq(path, "/") {
		// The caller makes a directory with the name of a segment of a key.
		isReserved := isInReserved || strings.HasPrefix(base, Reserved)
		if isReserved {
			if err := t.mkdir(parent, base); err != nil {
				return err
			}
		}
		parent = osdir.Join(parent, base)
	}
	return nil
}

// mkdir creates the directory base in dir. If dir does not exist, it fails with an error of CheckPath
// because the bucket is gone, or else with ErrRetry, after which the caller tries again.
func (t *Tree) mkdir(dir, base string) error {
	parent, err := t.Open(dir)
	if err == nil {
		err = t.MkdirIn(parent, base)
		t.CloseDir(parent)
	}
	if err == nil {
		return nil
	}
	if !osdir.IsNotExist(err) {
		return WrapError(err)
	}

	if err := t.CheckPath(); err != nil {
		return err
	}
	return ErrRetry
}

// Prune removes the directory at path and its parents below top as long as they are empty. A write
// whose directory it removes creates the directory again.
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
