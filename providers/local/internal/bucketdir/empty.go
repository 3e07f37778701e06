package bucketdir

import (
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// hasFile reports whether there is a file below path that RemoveEmpty keeps. It need not be an object:
// it may be a broken symbolic link, or have a name that is not a key.
func (t *Tree) hasFile(path string) (bool, error) {
	found, dirs, err := t.scanForFile(path)
	if found || err != nil {
		return found, err
	}
	for _, dir := range dirs {
		found, err := t.hasFile(dir)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// scanForFile looks in one directory for a file that RemoveEmpty keeps. If there is none, dirs are the
// paths of the directories in it. It closes the directory, so that hasFile has only one open.
func (t *Tree) scanForFile(path string) (found bool, dirs []string, err error) {
	dir, err := t.OpenToRead(path)
	if err != nil {
		return false, nil, IgnoreNotExist(err)
	}
	defer dir.Close()

	for e, err := range dir.Each {
		if err != nil {
			return false, nil, WrapError(err)
		}
		entryPath := dir.PathOf(e.Name)
		// The directory of this package and its sidecars are not files of a user.
		if entryPath == Reserved || isVisibleName(e.Name) {
			continue
		}
		if !isDir(dir, e) {
			return true, nil, nil
		}
		dirs = append(dirs, entryPath)
	}
	return false, dirs, nil
}

// isDir reports whether an entry of dir is a directory.
func isDir(dir *osdir.Dir, e osdir.Entry) bool {
	if e.Kind != osdir.KindUnknown {
		return e.Kind == osdir.KindDir
	}
	meta, err := dir.Stat(e.Name)
	return err == nil && meta.Kind == osdir.KindDir
}

// isVisibleName reports whether name is the name of a visible sidecar.
func isVisibleName(name string) bool { return strings.HasPrefix(name, Reserved+string(MarkVisible)) }

// RemoveEmpty removes all empty directories and all visible sidecars below path, where no object is
// left. Directories with other files remain.
func (t *Tree) RemoveEmpty(path string) error {
	dir, err := t.OpenToRead(path)
	if err != nil {
		return IgnoreNotExist(err)
	}
	defer dir.Close()

	var dirs []string
	for e, err := range dir.Each {
		if err != nil {
			return WrapError(err)
		}
		if isDir(dir, e) && dir.PathOf(e.Name) != Reserved {
			dirs = append(dirs, e.Name)
			continue
		}
		if isVisibleName(e.Name) {
			// If this fails, the directory remains, too.
			_ = dir.Unlink(e.Name)
		}
	}

	for _, name := range dirs {
		if err := t.RemoveEmpty(dir.PathOf(name)); err != nil {
			return err
		}
		// If the directory is not empty, it remains.
		_ = dir.Rmdir(name)
	}
	return nil
}

// CheckEmpty fails with BucketNotEmpty if the bucket has an object, a noncurrent version or a file of
// another program.
func (t *Tree) CheckEmpty() error {
	for _, path := range [...]string{"", VersionsPath} { // "" is the bucket's own directory
		found, err := t.hasFile(path)
		if err != nil {
			return err
		}
		if found {
			return storage.BucketNotEmpty
		}
	}
	return nil
}
