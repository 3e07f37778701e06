// Package osdir provides the functions of the operating system that package local needs: open
// directories, their entries, and open files. It does not depend on objects, keys or the API of
// storage.
//
// Package os is not enough, because other processes also change the directories of a bucket. So a
// store keeps a directory open, and works relative to it. It also swaps two names, locks a range of
// a file, flushes a directory, and stores an extended attribute. On Linux, macOS and FreeBSD, Dir
// and File use system calls. On Windows they use os.Root. No function can leave the root, even
// through symbolic links.
//
// Errors are those of the system. IsNotExist, IsObstructed and similar functions hide differences
// between systems. For example, a missing parent is another error on Windows. If a system lacks a
// call, the function fails with an error that the caller expects, such as errors.ErrUnsupported for
// attributes.
//
// A path is relative to the root and has slashes. It is "" for the root itself.
package osdir

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"
)

// A Kind is the kind of an entry of a directory.
type Kind uint8

// These are the kinds of entries. A link is a symbolic link.
const (
	KindUnknown Kind = iota
	KindFile
	KindDir
	KindLink
	KindOther
)

// Meta is the result of a stat: the properties of a file or directory.
type Meta struct {
	Ino   uint64
	Size  int64
	MTime int64 // Unix time in nanoseconds; it overflows before 1678 and after 2262
	Sec   int64 // the same time in seconds, which does not overflow
	Kind  Kind
	Mode  uint32 // permissions; 0 on Windows
	UID   uint32 // id of the owner; 0 on Windows
	Links int    // number of names of the file; 0 if unknown
}

// Time returns the time of the last write. If MTime has overflowed, Sec*1e9 overflows by the same
// amount. So the difference between MTime and Sec*1e9 is still right.
func (m Meta) Time() time.Time { return time.Unix(m.Sec, m.MTime-m.Sec*1e9).UTC() }

// A Dir is an open directory inside a root. It was opened through os.Root, or by a system call that
// cannot leave the root. Each name that its methods accept is one path component. The methods do
// not follow symbolic links, so they reach only files inside the root. Operations relative to a Dir
// need not resolve the path again.
type Dir struct {
	Path   string
	root   *os.Root
	handle dirHandle
}

// An Entry is one name in a directory.
type Entry struct {
	Name string
	Kind Kind // KindUnknown if the file system does not report it
}

// Open opens a directory inside root. top is the directory of root itself, if it is already open, and
// nil otherwise.
func Open(root *os.Root, top *Dir, path string) (*Dir, error) {
	handle, err := openHandle(root, top, path)
	if err != nil {
		return nil, err
	}
	return &Dir{root: root, Path: path, handle: handle}, nil
}

// openDirFile opens a directory through os.Root.
func openDirFile(root *os.Root, path string) (*os.File, error) {
	path = cmp.Or(path, ".")
	return root.OpenFile(path, openDirFlags, 0)
}

// Close closes the directory. If d is nil, it does nothing.
func (d *Dir) Close() {
	if d != nil {
		d.handle.close()
	}
}

// Names returns the names of the entries for which keep returns true, sorted and each once.
func (d *Dir) Names(keep func(Entry) bool) ([]string, error) {
	names, err := d.unsortedNames(keep)
	slices.Sort(names)
	return slices.Compact(names), err
}

// unsortedNames returns the names of the entries for which keep returns true. After an error, it returns
// the names before the error, too.
func (d *Dir) unsortedNames(keep func(Entry) bool) (names []string, err error) {
	for e, err := range d.Each {
		if err != nil {
			return names, err
		}
		if keep(e) {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// PathOf returns the path of the entry base.
func (d *Dir) PathOf(base string) string { return Join(d.Path, base) }

// Join returns the path of an entry of a directory. If dir is "", it returns name.
func Join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// Split splits a path at its last slash. Without a slash, dir is "".
func Split(path string) (dir, base string) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return "", path
	}
	return path[:slash], path[slash+1:]
}

// UnlinkInUse removes a file of d. If another program has the file open on Windows, it tries again, as
// [RetryInUse] does.
func (d *Dir) UnlinkInUse(ctx context.Context, base string) error {
	return RetryInUse(ctx, func() error { return d.Unlink(base) })
}
