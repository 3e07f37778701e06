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

// StatObject returns the file base in dir, after a symbolic link. It returns the zero value if dir is nil
// or there is no regular file with the name.
func (r *Reader) StatObject(dir *osdir.Dir, base string) (ObjectFile, error) {
	if dir == nil {
		return ObjectFile{}, nil
	}
	meta, err := r.Tree.StatFollowing(dir, base)
	if osdir.IsNoFile(err) {
		return ObjectFile{}, nil
	}
	if err != nil {
		return ObjectFile{}, bucketdir.WrapError(err)
	}
	if meta.Kind != osdir.KindFile {
		return ObjectFile{}, nil
	}
	return ObjectFile{Dir: dir, Base: base, Meta: meta}, nil
}

// On a disk that folds case, opening a name may open a file with another spelling. Files that this
// package has written cannot be confused that way. For files of other programs, the functions below
// read the directories to check the spelling.

// hasExactName reports whether the name of the file on the disk is spelled exactly as file.Base.
func (r *Reader) hasExactName(file ObjectFile) (bool, error) {
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return false, bucketdir.IgnoreNotExist(err)
	}
	defer f.Close()
	return r.fileHasExactName(f, file.Dir.PathOf(file.Base))
}

// fileHasExactName reports whether the name of the open file f on the disk is spelled exactly as path.
func (r *Reader) fileHasExactName(f *osdir.File, path string) (bool, error) {
	attrs, err := r.AttrsOfFile(f)
	if err != nil {
		return false, err
	}
	if attrs != nil {
		// This package has written the file, under a name that no other spelling opens.
		return true, nil
	}
	return r.Tree.ExistsExactly(path)
}

// IsStillCurrent reports whether f is still the file of the object at loc. If not, its sidecar may have
// been removed with the object, and the caller must open the object again.
func (r *Reader) IsStillCurrent(loc bucketdir.Location, f *osdir.File) bool {
	current, err := r.OpenCurrent(loc)
	if err != nil || current == nil {
		return false
	}
	defer current.Close()

	isSameInode := current.Meta.Ino == f.Meta.Ino
	isUnchanged := current.Meta.MTime == f.Meta.MTime && current.Meta.Size == f.Meta.Size
	return isSameInode && isUnchanged
}

// OpenCurrent opens the file of the current object, which has a plain, an alternate or a literal
// name. It returns nil if there is no object.
func (r *Reader) OpenCurrent(loc bucketdir.Location) (*osdir.File, error) {
	// Try twice, because a write may move the object from its alternate name to its plain name in
	// between.
	for range 2 {
		f, err := r.openPlain(loc)
		if f != nil || err != nil {
			return f, err
		}
		f, err = r.OpenIn(loc.AltDir, loc.AltBase)
		if f != nil || err != nil {
			return f, err
		}
	}

	if loc.Literal == "" {
		return nil, nil
	}
	exists, err := r.Tree.ExistsExactly(loc.Literal)
	if err != nil || !exists {
		return nil, err
	}
	return r.OpenIn(osdir.Split(loc.Literal))
}

// openPlain opens the file with the object's plain name. It returns nil if there is none, or if its
// name has another spelling, on a disk that folds case.
func (r *Reader) openPlain(loc bucketdir.Location) (*osdir.File, error) {
	f, err := r.OpenIn(loc.Dir, loc.Base)
	if f == nil || err != nil {
		return nil, err
	}
	if !r.Tree.Strict.Load() {
		return f, nil
	}

	// The disk folds case, so the file may have another spelling of the name.
	isExact, err := r.fileHasExactName(f, osdir.Join(loc.Dir, loc.Base))
	if err != nil || !isExact {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// OpenIn opens the file base in the directory path. It returns nil if there is no regular file with
// the name.
func (r *Reader) OpenIn(path, base string) (*osdir.File, error) {
	// A test may change the directory now.
	r.Tree.Opening(path)
	f, err := r.Tree.Top.Open(osdir.Join(path, base))
	if osdir.IsNoFile(err) || osdir.IsNoReader(err) {
		// The name does not exist, or is that of a socket.
		return nil, nil
	}
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}
	if f.Meta.Kind != osdir.KindFile {
		_ = f.Close()
		return nil, nil
	}
	return f, nil
}

// statCurrent describes the file of the current object without the lock of the key. The result is not
// found if there is no object.
func (r *Reader) statCurrent(key string) (ObjectFile, error) {
	loc, ok := r.Tree.Names().Locate(key)
	if !ok {
		return ObjectFile{}, nil
	}
	f, err := r.OpenCurrent(loc)
	if f == nil || err != nil {
		return ObjectFile{}, err
	}
	defer f.Close()
	return ObjectFile{Dir: r.Tree.Top, Meta: f.Meta}, nil
}
