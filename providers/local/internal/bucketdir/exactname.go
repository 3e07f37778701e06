package bucketdir

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ExistsExactly reports whether path exists on the disk with exactly this spelling.
func (t *Tree) ExistsExactly(path string) (bool, error) {
	for path != "" {
		dir, base := osdir.Split(path)
		d, err := t.OpenToRead(dir)
		if err != nil {
			return false, UnlessAbsent(err)
		}
		exists := false
		err = d.Each(func(e osdir.Entry) bool {
			exists = e.Name == base
			return !exists
		})
		d.Close()
		if err != nil || !exists {
			return false, Failure(err)
		}
		path = dir
	}
	return true, nil
}

// CheckSpelling fails if path is a directory that another program has created with another
// spelling. On a disk that folds case, a file in that directory would have another key.
func (t *Tree) CheckSpelling(path string) error {
	if !t.Strict.Load() {
		return nil
	}
	exact, err := t.ExistsExactly(path)
	if err != nil || exact {
		return err
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key must not differ only in case from an existing directory"),
		Hint: "rename the directory that differs from a part of the key only in case: this disk folds case",
	}
}
