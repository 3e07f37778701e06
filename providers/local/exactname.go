package local

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// On a disk that folds case, opening a name may open a file with another spelling. This
// never happens for files that this package wrote. For other files, the functions below
// read the directories.

// hasExactName reports whether the file at a plain name has exactly that name.
func (r *reader) hasExactName(at objectFile) (bool, error) {
	f, err := at.dir.Open(at.base)
	if err != nil {
		return false, unlessAbsent(err)
	}
	defer func() { _ = f.Close() }()
	return r.fileHasExactName(f, at.dir.PathOf(at.base))
}

func (r *reader) fileHasExactName(f *osdir.File, path string) (bool, error) {
	a, err := r.attrsOfFile(f)
	if err != nil || a != nil {
		return a != nil, err
	}
	return r.tree.existsExactly(path)
}

// existsExactly reports whether each component of path has exactly that name on the disk.
func (t *tree) existsExactly(path string) (bool, error) {
	for path != "" {
		dir, base := osdir.Split(path)
		d, err := t.openToRead(dir)
		if err != nil {
			return false, unlessAbsent(err)
		}
		seen := false
		err = d.Each(func(e osdir.Entry) bool {
			seen = e.Name == base
			return !seen
		})
		d.Close()
		if err != nil || !seen {
			return false, failure(err)
		}
		path = dir
	}
	return true, nil
}

// checkSpelling fails if path is a directory that another program made with another
// spelling: a file in it would have another key.
func (t *tree) checkSpelling(path string) error {
	if !t.strict.Load() {
		return nil
	}
	exact, err := t.existsExactly(path)
	if err != nil || exact {
		return err
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key must not differ only in case from an existing directory"),
		Hint: "rename the directory that differs from a part of the key only in case: this disk folds case",
	}
}
