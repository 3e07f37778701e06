package local

import (
	"cmp"
	"os"
	"time"
)

// A kind is the kind of an entry of a directory.
type kind uint8

const (
	kindUnknown kind = iota
	kindFile
	kindDir
	kindLink
	kindOther
)

// meta is the result of a stat.
type meta struct {
	ino   uint64
	size  int64
	mtime int64 // Unix time in nanoseconds
	kind  kind
	mode  uint32 // permissions; 0 on Windows
	uid   uint32 // owner; 0 on Windows
	links int    // number of names of the file; 0 if unknown
}

func (m meta) time() time.Time { return time.Unix(0, m.mtime).UTC() }

// A dir is an open directory in the bucket. It was opened through os.Root or a system
// call that cannot leave the bucket, so it lies inside. Each name that its methods take
// is one path component, and none of them follows a symbolic link, so that they reach
// only files inside. Operations relative to a dir need not resolve the path again.
type dir struct {
	root   *os.Root
	path   string // with slashes; "" for the root of the bucket
	handle dirHandle
}

// A dirent is one name in a directory.
type dirent struct {
	name string
	kind kind // kindUnknown if the file system does not report it
}

// openDir opens a directory below top. top is nil if path is the root itself.
func openDir(root *os.Root, top *dir, path string) (*dir, error) {
	h, err := openHandle(root, top, path)
	if err != nil {
		return nil, err
	}
	return &dir{root: root, path: path, handle: h}, nil
}

// openDirFile opens a directory through os.Root.
func openDirFile(root *os.Root, path string) (*os.File, error) {
	path = cmp.Or(path, ".")
	return root.OpenFile(path, openDirFlags, 0)
}

func (d *dir) close() {
	if d != nil {
		d.handle.close()
	}
}

// name returns the path of the entry base, relative to the root.
func (d *dir) name(base string) string { return join(d.path, base) }
