package bucketstore

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// versionDirs manages a directory for each key that has versions, at BASE/KEY/.omnibucket@. BASE is
// VersionsPath for noncurrent versions, and RemovedPath for soft-deleted ones.
type versionDirs struct {
	tree *bucketdir.Tree
	base string // the directory that contains the directories of all keys
}

// Path returns the path of the directory of a key.
func (v *versionDirs) Path(key string) string {
	path, _ := v.tree.Names().DirPath(key)
	return v.base + "/" + path + "/" + bucketdir.VersionsName
}

// withDir creates the directory for the versions of a key, calls add with it, and flushes it to the
// disk. It starts again if another call removes the directory while it is empty.
func (v *versionDirs) withDir(ctx context.Context, key string, add func(*osdir.Dir) error) error {
	path := v.Path(key)
	return v.tree.Retry(ctx, func() error {
		if err := v.tree.Mkdirs(path); err != nil {
			return err
		}
		dir, err := v.tree.Open(path)
		if err != nil {
			return bucketdir.RetryIfGone(err)
		}
		defer v.tree.CloseDir(dir)

		if err := add(dir); err != nil {
			return bucketdir.RetryIfGone(err)
		}
		return bucketdir.RetryIfGone(v.tree.Flush(dir))
	})
}

// linkVersion adds a file to a directory of versions, as a hard link. It does nothing if the
// directory has a version with the name.
func linkVersion(dst *osdir.Dir, name string, file objectfile.ObjectFile) error {
	err := dst.Link(name, file.Dir, file.Base)
	if err == nil || bucketdir.IsExist(err) {
		// An interrupted call may have linked the file before.
		return nil
	}
	if osdir.IsNotExist(err) {
		return err
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  err,
		Hint: "use a file system with hard links: versions and soft delete need them",
	}
}
