package local

import (
	"os"
	"time"
)

// A kind is what an entry of a directory is.
type kind uint8

const (
	kindUnknown kind = iota
	kindFile
	kindDir
	kindLink
	kindOther
)

// meta is what one stat tells.
type meta struct {
	ino   uint64
	size  int64
	mtime int64 // nanoseconds since 1970
	kind  kind
	mode  uint32 // permissions; 0 on Windows, which has other ones
	links int    // names that the file has; 0: not known
}

func (m meta) time() time.Time { return time.Unix(0, m.mtime).UTC() }

// A dir is an open directory of the bucket. It was opened through os.Root, or
// by the system's own means of not leaving a directory, so it lies inside; every
// name given to its methods is one component, and none of them follows a
// symbolic link, so what they touch lies inside too. Working relative to it
// saves walking the path again for each step.
type dir struct {
	root   *os.Root
	path   string // slashes; "" is the bucket's root
	handle dirHandle
}

// A dirent is one name in a directory.
type dirent struct {
	name string
	kind kind // kindUnknown where the file system does not say
}

// openDir opens a directory below top, which is nil for the root itself.
func openDir(root *os.Root, top *dir, path string) (*dir, error) {
	h, err := openHandle(root, top, path)
	if err != nil {
		return nil, err
	}
	return &dir{root: root, path: path, handle: h}, nil
}

// openFileOf opens a directory through os.Root.
func openFileOf(root *os.Root, path string) (*os.File, error) {
	if path == "" {
		path = "."
	}
	return root.OpenFile(path, openDirFlags, 0)
}

func (d *dir) close() {
	if d != nil {
		d.handle.close()
	}
}

// name is where the entry called base lies, seen from the root.
func (d *dir) name(base string) string { return join(d.path, base) }
