// Package objectfile handles the files of objects, with their attributes and revisions. It finds
// such files, writes them under hidden names, renames them to their places, and lists them in the
// order of their keys. Package bucketstore decides which files a bucket keeps.
package objectfile

import (
	"sync/atomic"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A Reader finds and describes files of objects.
type Reader struct {
	Tree    *bucketdir.Tree
	NoXattr bool // for tests: no extended attributes
	Visible bool // Config.Sidecars

	Cache    listCache
	Sidecars atomic.Bool // true if sidecars may exist
}

// An ObjectFile is the file of an object, by directory and name. The zero value means that the
// object does not exist.
type ObjectFile struct {
	Dir  *osdir.Dir
	Base string
	Meta osdir.Meta // stat result of the file itself, not of a symbolic link's target
}

// Found reports whether the file exists.
func (s ObjectFile) Found() bool { return s.Dir != nil }

// StatObject returns the file with the name base in d. If d is nil, or if that file does not exist
// or is not an object, it returns the zero value.
func (r *Reader) StatObject(d *osdir.Dir, base string) (ObjectFile, error) {
	if d == nil {
		return ObjectFile{}, nil
	}
	m, err := r.Tree.StatFollowing(d, base)
	if osdir.IsNoFile(err) {
		return ObjectFile{}, nil
	}
	if err != nil {
		return ObjectFile{}, bucketdir.Failure(err)
	}
	if m.Kind != osdir.KindFile {
		return ObjectFile{}, nil
	}
	return ObjectFile{d, base, m}, nil
}

// On a disk that folds case, opening a name may open a file with another spelling. Files that this
// package has written cannot be confused that way. For files of other programs, the functions below
// read the directories to check the spelling.

// hasExactName reports whether the file was created with exactly this spelling of its name.
func (r *Reader) hasExactName(file ObjectFile) (bool, error) {
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return false, bucketdir.UnlessAbsent(err)
	}
	defer f.Close()
	return r.fileHasExactName(f, file.Dir.PathOf(file.Base))
}

// fileHasExactName reports whether the open file f was created with the spelling of path. If f has
// attributes, this package has written it, and no other spelling of its name opens it.
func (r *Reader) fileHasExactName(f *osdir.File, path string) (bool, error) {
	a, err := r.AttrsOfFile(f)
	if err != nil {
		return false, err
	}
	if a != nil {
		return true, nil
	}
	return r.Tree.ExistsExactly(path)
}

// IsStillCurrent reports whether f is still the file of the object at l. If it is not, the file's
// sidecar may have been removed together with the object. The caller must then open the object
// again.
func (r *Reader) IsStillCurrent(l bucketdir.Location, f *osdir.File) bool {
	current, err := r.OpenCurrent(l)
	if err != nil || current == nil {
		return false
	}
	defer current.Close()
	isSameInode := current.Meta.Ino == f.Meta.Ino
	isUnchanged := current.Meta.MTime == f.Meta.MTime && current.Meta.Size == f.Meta.Size
	return isSameInode && isUnchanged
}

// OpenCurrent opens the current object. If the object does not exist, it returns nil. It tries the
// plain name and then the alternate name. Then it tries both again, because a write may have moved
// the object back to the plain name in between.
func (r *Reader) OpenCurrent(l bucketdir.Location) (*osdir.File, error) {
	for range 2 {
		f, err := r.openPlain(l)
		if f != nil || err != nil {
			return f, err
		}
		f, err = r.OpenIn(l.AltDir, l.AltBase)
		if f != nil || err != nil {
			return f, err
		}
	}

	if l.Literal == "" {
		return nil, nil
	}
	exact, err := r.Tree.ExistsExactly(l.Literal)
	if err != nil || !exact {
		return nil, err
	}
	return r.OpenIn(osdir.Split(l.Literal))
}

// openPlain opens the file with the plain name. If there is no such file, or if the disk folds case and
// the file is spelled differently, it returns nil.
func (r *Reader) openPlain(l bucketdir.Location) (*osdir.File, error) {
	f, err := r.OpenIn(l.Dir, l.Base)
	if f == nil || err != nil {
		return nil, err
	}
	if !r.Tree.Strict.Load() {
		return f, nil
	}
	exact, err := r.fileHasExactName(f, osdir.Join(l.Dir, l.Base))
	if err != nil || !exact {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// OpenIn opens a regular file. If no regular file has the name, it returns nil.
func (r *Reader) OpenIn(path, base string) (*osdir.File, error) {
	r.Tree.Opening(path)
	f, err := r.Tree.Top.Open(osdir.Join(path, base))
	if osdir.IsNoFile(err) || osdir.IsNoReader(err) {
		return nil, nil
	}
	if err != nil {
		return nil, bucketdir.Failure(err)
	}
	if f.Meta.Kind != osdir.KindFile {
		_ = f.Close()
		return nil, nil
	}
	return f, nil
}

// statCurrent finds the file of an object without the lock of the key.
func (r *Reader) statCurrent(key string) (ObjectFile, error) {
	l, ok := r.Tree.Names().Locate(key)
	if !ok {
		return ObjectFile{}, nil
	}
	f, err := r.OpenCurrent(l)
	if f == nil || err != nil {
		return ObjectFile{}, err
	}
	defer f.Close()
	return ObjectFile{Dir: r.Tree.Top, Meta: f.Meta}, nil
}
