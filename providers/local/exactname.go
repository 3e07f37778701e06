package local

import (
	"errors"

	"github.com/omnibucket/storage"
)

// On a disk that folds case, what opens under a name may be spelled otherwise.
// Our own files never are; for those of others the directories tell.

// spelled reports whether the file at a natural name really has that name.
func (s *store) hasExactName(at objectFile) (bool, error) {
	f, err := at.dir.open(at.base)
	if isNoObject(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	defer func() { _ = f.close() }()
	return s.fileHasExactName(f, at.dir.name(at.base))
}

func (s *store) fileHasExactName(f *file, path string) (bool, error) {
	a, err := s.attrsOfFile(f)
	if err != nil || a != nil {
		return a != nil, err
	}
	return s.existsExactly(path)
}

// exact reports whether every name of path stands so in its directory.
func (s *store) existsExactly(path string) (bool, error) {
	for path != "" {
		dir, base := split(path)
		d, err := s.openToRead(dir)
		if isNoObject(err) {
			return false, nil
		}
		if err != nil {
			return false, failure(err)
		}
		seen := false
		err = d.read(func(e dirent) bool {
			seen = e.name == base
			return !seen
		})
		d.close()
		if err != nil || !seen {
			return false, failure(err)
		}
		path = dir
	}
	return true, nil
}

// checkSpelling refuses to write into a directory that was made by hand and is
// spelled otherwise: what is written there would be another key.
func (s *store) checkSpelling(path string) error {
	if !s.strict.Load() {
		return nil
	}
	exact, err := s.existsExactly(path)
	if err != nil || exact {
		return err
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("key differs only in case from a directory that is there"),
		Hint: "this disk folds case, and a directory that differs from a part of the key only in case was put there by hand: rename it",
	}
}
