package localfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/words"
)

// ErrReplaced is the error of [RemoveUnchanged] if the file was replaced or changed.
var ErrReplaced = errors.New("the file changed")

const (
	// privatePrefix is the beginning of each private name. Hexadecimal digits, a hyphen and the name of
	// the file follow. The first sixteen digits identify the file that may be removed. The others are
	// random, so that no call ever gives a file the private name of another call's file. A name of an
	// older version has no random digits.
	privatePrefix  = TempPrefix + "removed-"
	identityDigits = 16
	randomDigits   = 8
	// longestName is the number of bytes that file systems permit in a name.
	longestName = 255
)

// IsPrivateName reports whether name is a private name of this package. Such a file is no file of a job.
func IsPrivateName(name string) bool {
	_, _, ok := parsePrivateName(name)
	return ok
}

// parsePrivateName returns the parts of a private name that RemoveUnchanged gives to a file: the identity
// of the file that it may remove, and the original name of that file.
func parsePrivateName(name string) (id, original string, ok bool) {
	rest, ok := strings.CutPrefix(name, privatePrefix)
	if !ok {
		return "", "", false
	}

	digits, original, _ := strings.Cut(rest, "-")
	if original == "" || original == "." || original == ".." {
		return "", "", false
	}

	// The random digits after the identity are optional, because earlier versions wrote none.
	hasLength := len(digits) == identityDigits || len(digits) == identityDigits+randomDigits
	if !hasLength || !isHex(digits) {
		return "", "", false
	}
	return digits[:identityDigits], original, true
}

// privateName returns a new private name for the file info, if its base name is name. A very long name
// loses its end, but no part of a character, because some file systems permit only whole ones.
func privateName(name string, info fs.FileInfo) string {
	return words.Beginning(privatePrefix+identity(info)+hexid.New(randomDigits/2)+"-"+name, longestName)
}

// identity returns digits that differ for any two files that exist at the same time. A file also gets other digits
// when it is written.
func identity(info fs.FileInfo) string {
	sum := fnv.New64a()
	_, _ = fmt.Fprintln(sum, Inode(info), info.Size(), info.ModTime().UnixNano())
	return fmt.Sprintf("%016x", sum.Sum64())
}

// RemoveUnchanged removes the file name, a path with slashes below root, if isUnchanged returns true
// for it. If isUnchanged returns false, or another file has the name by the time of the removal,
// RemoveUnchanged removes nothing and returns [ErrReplaced]. It succeeds if no file has the name.
//
// Between a look at a file and its removal by name, another program may give the name to another
// file. RemoveUnchanged therefore renames the file to a private name first, and then compares. If
// it holds another file, it gives that file its name back. If the process is killed in between, the
// file keeps its private name until [RecoverRenamed] decides what becomes of it.
func RemoveUnchanged(root *os.Root, name string, isUnchanged func(fs.FileInfo) bool) error {
	info, closeFile, err := statOpen(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer closeFile()
	if !info.Mode().IsRegular() || !isUnchanged(info) {
		return ErrReplaced
	}

	// The private name is in the same directory.
	privatePath := path.Join(path.Dir(name), privateName(path.Base(name), info))
	err = root.Rename(name, privatePath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return removeRenamed(root, name, privatePath, info)
}

// removeRenamed ends [RemoveUnchanged] after the file name was renamed to privatePath. If that is the file of
// info, it removes the file. If another file was renamed, that one gets its name back.
func removeRenamed(root *os.Root, name, privatePath string, info fs.FileInfo) error {
	moved, err := root.Lstat(privatePath)
	if errors.Is(err, fs.ErrNotExist) {
		// Another process took the file for one that a killed process had left, and recovered it.
		return checkRecovered(root, name)
	}
	if err != nil {
		return err
	}

	isSame := os.SameFile(info, moved) && identity(info) == identity(moved)
	if isSame {
		return remove(root, privatePath)
	}
	if err := putBack(root, privatePath, name); err != nil {
		return err
	}
	return ErrReplaced
}

// checkRecovered returns what [RecoverRenamed] of another job has done with a file that no longer has
// its private name. It has removed the file to remove, and given any other file its name back.
func checkRecovered(root *os.Root, name string) error {
	_, err := root.Lstat(name)
	if err == nil {
		return ErrReplaced
	}
	return ignoreMissing(err)
}

// statOpen returns the info of a file, and keeps the file open until closeFile is called. An open file keeps
// its inode, so no new file can have the same one. The file is not kept open if the user may not read it, or
// if the system cannot rename an open file.
func statOpen(root *os.Root, name string) (info fs.FileInfo, closeFile func(), err error) {
	if !RemovesOpenFiles() {
		info, err = root.Lstat(name)
		return info, func() {}, err
	}

	f, err := root.OpenFile(name, os.O_RDONLY|Nonblocking, 0)
	if errors.Is(err, fs.ErrPermission) {
		info, err = root.Lstat(name)
		return info, func() {}, err
	}
	if err != nil {
		return nil, nil, err
	}

	info, err = f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return info, func() { _ = f.Close() }, nil
}

// putBack renames a file from privatePath back to name. If another file has that name
// by now, the file gets a new visible name beside it.
func putBack(root *os.Root, privatePath, name string) error {
	err := renameNew(root, privatePath, name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}

	if isSameFile(root, privatePath, name) {
		// The file already has both names.
		return remove(root, privatePath)
	}

	// The new name is like "photo.png.kept-1a2b3c4d".
	dir, base := path.Split(name)
	ending := ".kept-" + hexid.New(4)
	newName := words.Beginning(base, longestName-len(ending)) + ending
	return renameNew(root, privatePath, dir+newName)
}

// isSameFile reports whether a and b are known to be two names of one file.
func isSameFile(root *os.Root, a, b string) bool {
	aInfo, err := root.Lstat(a)
	if err != nil {
		return false
	}
	bInfo, err := root.Lstat(b)
	return err == nil && os.SameFile(aInfo, bInfo)
}

// renameNew renames a file by a hard link. If dst exists, it fails with fs.ErrExist. If src does not exist,
// another job has renamed the file, and renameNew returns nil.
func renameNew(root *os.Root, src, dst string) error {
	err := root.Link(src, dst)
	if err == nil {
		return remove(root, src)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}

	// The file system has no hard links.
	if _, err := root.Lstat(dst); err == nil {
		return fs.ErrExist
	}
	return ignoreMissing(root.Rename(src, dst))
}

func remove(root *os.Root, name string) error { return ignoreMissing(root.Remove(name)) }

// ignoreMissing returns err, or nil if err says that there is no such file.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RecoverRenamed ends [RemoveUnchanged] of a process that was killed when a file had the private name
// privatePath. It removes the file if it is the one that the process meant to remove.
// Otherwise it gives the file its name back, and restored is true. If the process is still alive, it
// finds that its work is done.
func RecoverRenamed(root *os.Root, privatePath string) (restored bool, err error) {
	info, err := root.Lstat(privatePath)
	if err != nil {
		return false, ignoreMissing(err)
	}

	// The private name contains the identity of the file that may be removed.
	dir, base := path.Split(privatePath)
	id, original, _ := parsePrivateName(base)
	if info.Mode().IsRegular() && id == identity(info) {
		return false, remove(root, privatePath)
	}
	return true, putBack(root, privatePath, path.Join(dir, original))
}
