package bucketdir

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ExistsExactly reports whether path exists with exactly this spelling. It reads each directory of the
// path, because a disk that folds case would find other spellings, too.
func (t *Tree) ExistsExactly(path string) (bool, error) {
	for path != "" {
		dir, base := osdir.Split(path)
		exists, err := t.hasEntry(dir, base)
		if err != nil || !exists {
			return false, err
		}
		path = dir
	}
	return true, nil
}

// hasEntry reports whether the directory at path has an entry with exactly this name.
func (t *Tree) hasEntry(path, name string) (bool, error) {
	dir, err := t.OpenToRead(path)
	if err != nil {
		return false, IgnoreNotExist(err)
	}
	defer dir.Close()
	for e, err := range dir.Each {
		if err != nil {
			return false, WrapError(err)
		}
		if e.Name == name {
			return true, nil
		}
	}
	return false, nil
}

// CheckSpelling fails with InvalidArgument if the directory at path has another spelling on a disk
// that folds case, so that a file in it would have another key.
func (t *Tree) CheckSpelling(path string) error {
	if !t.Strict.Load() { // the disk does not fold case
		return nil
	}
	existsExactly, err := t.ExistsExactly(path)
	if err != nil || existsExactly {
		return err
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key must not differ only in case from an existing directory"),
		Hint: "rename the directory that differs from a part of the key only in case: this disk folds case",
	}
}
