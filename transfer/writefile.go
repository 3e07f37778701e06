package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
)

// checkPath refuses a key that is not a path below the directory, or that names
// another file than it seems to.
func checkPath(key string) error {
	switch {
	case reserved(key):
		return invalid(
			"key",
			"must not be named "+reservedName+", which local buckets use, or like a temporary file of this package",
		)
	case strings.ContainsRune(key, 0), path.Clean(key) != key, !filepath.IsLocal(filepath.FromSlash(key)),
		runtime.GOOS == "windows" && invalidOnWindows(key):
		return invalid("key", "must be a valid file path on this system")
	}
	return nil
}

// invalidOnWindows reports whether Windows would read key as another name.
func invalidOnWindows(key string) bool {
	if strings.ContainsAny(key, `\:*?"<>|`) || strings.ContainsFunc(key, func(r rune) bool { return r < 0x20 }) {
		return true
	}
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, " ") {
			return true
		}
	}
	return false
}

// collision returns the error of two keys that one directory cannot hold.
func collision(key, file string) error {
	return invalid(
		"key", fmt.Sprintf("%q needs a directory in place of the file %q: a directory cannot hold both", key, file),
	)
}

// writeFile has write fill a temporary file and then renames it to key, with its time. The file
// with that key is never incomplete. If known is set, the destination had a file, which is
// replaced.
func (t *tree) writeFile(key string, known bool, p permissions, open opener,
	write func(f *os.File) (modified time.Time, err error)) (err error) {
	defer func() { err = durable.OfFile(err, key) }()
	if err := checkPath(key); err != nil {
		return err
	}
	replaced, err := t.checkTarget(key, known)
	if err != nil {
		return err
	}
	if p.source == nil && replaced != nil {
		p.file = replaced.Mode().Perm()
	}
	if runtime.GOOS == "windows" {
		p.file |= 0o200 // no later job could replace a read-only file
	}
	temp, err := t.createBeside(key, p, open)
	if err != nil {
		return err
	}
	renamed := false
	defer func() { temp.end(renamed, err) }()
	if p.source == nil && replaced != nil {
		if err := copyPermissions(temp.file, p.file); err != nil {
			return err
		}
	}
	modified, err := write(temp.file)
	if err != nil {
		return err
	}
	if err := t.closeFile(temp.file, temp.path, modified); err != nil {
		return err
	}
	if err := t.root.Rename(temp.path, key); err != nil {
		return err
	}
	renamed = true
	return t.noteChange(path.Dir(key))
}

func (t *tree) checkWrite(key string, known bool) error {
	err := checkPath(key)
	if err == nil && t.root != nil {
		_, err = t.checkTarget(key, known)
	}
	return fileError("write", key, err)
}

// closeFile closes a complete file and then sets its time, because closing sets it on Windows. It syncs the
// content before the file gets its name, because a name may survive a power failure that unsynced content does
// not.
func (t *tree) closeFile(f *os.File, temp string, modified time.Time) error {
	if t.sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil || modified.IsZero() {
		return err
	}
	return t.root.Chtimes(temp, time.Time{}, modified)
}

// checkTarget fails unless key is free or a file that may be replaced, which it
// returns.
func (t *tree) checkTarget(key string, known bool) (fs.FileInfo, error) {
	info, err := t.root.Lstat(key)
	switch {
	case err != nil && known && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, t.checkDirs(key) // makeDirs returns any other error on the path
	case info.IsDir():
		return nil, invalid("key", "is the name of an existing directory, which a file cannot replace")
	case !info.Mode().IsRegular():
		return nil, invalid("key", "is the name of an existing link or special file, which is not replaced")
	case !known:
		return nil, &storage.Error{
			Code: storage.PreconditionFailed,
			Err:  errors.New("key is the name of another file, which was created meanwhile or differs in case"),
		}
	}
	return info, nil
}

// named returns the file that has this very name. It returns false if the file system may also find the file under a
// name that differs in case, or in how its letters are composed.
func (t *tree) named(key string) (entry, bool) {
	info, err := t.root.Lstat(key)
	if err != nil || !info.Mode().IsRegular() {
		return entry{}, false
	}
	for i, c := range []byte(key) {
		folded, err := t.root.Lstat(key[:i] + string(rune(c^0x20)) + key[i+1:]) // a letter in its other case
		if c > unicode.MaxASCII || err == nil && os.SameFile(info, folded) {
			return entry{}, false
		}
	}
	return entry{key: key, size: info.Size(), modified: info.ModTime()}, true
}

// checkDirs fails if a file or a symbolic link is in the way of a directory of key. A walk does not follow
// links: with WithDelete, the next job would remove the file under its other name.
func (t *tree) checkDirs(key string) error {
	for i, c := range []byte(key) {
		if c != '/' {
			continue
		}
		info, err := t.root.Lstat(key[:i])
		switch {
		case err != nil:
			return nil // nothing below it exists either
		case info.Mode()&fs.ModeSymlink != 0:
			return invalid(
				"key", fmt.Sprintf("needs a directory in place of the link %q, which is not followed", key[:i]),
			)
		case !info.IsDir():
			return collision(key, key[:i])
		}
	}
	return nil
}

// A temporary is a file that gets its name when it is complete.
type temporary struct {
	file *os.File
	path string
	end  func(renamed bool, err error) // called once
}

// An opener creates a temporary in the directory of the file that it becomes, so that the rename stays on one file
// system.
type opener func(mode fs.FileMode) (temporary, error)

// small opens a temporary for a file that no later job continues.
func (t *tree) small(key string) opener {
	return func(mode fs.FileMode) (temporary, error) {
		f, path, err := t.temps.Create(key, mode)
		return temporary{f, path, func(renamed bool, _ error) {
			_ = f.Close()
			if !renamed {
				_ = t.root.Remove(path)
			}
		}}, err
	}
}

// createBeside opens a temporary, and makes the directories that it needs.
func (t *tree) createBeside(key string, p permissions, open opener) (temporary, error) {
	dir := path.Dir(key)
	temp, err := open(p.file)
	if errors.Is(err, fs.ErrNotExist) || dir != "." && err != nil {
		if err := t.makeDirs(key, dir, p); err != nil {
			return temporary{}, err
		}
		temp, err = open(p.file)
	}
	return temp, err
}

// makeDirs creates the directories of key. If a file is in the way, the error names
// it.
func (t *tree) makeDirs(key, dir string, p permissions) error {
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		at := dir[:i]
		err := t.root.Mkdir(at, p.forDir(at))
		if err == nil {
			err = t.noteChange(path.Dir(at))
		}
		if err == nil {
			continue
		}
		if info, failed := t.root.Stat(at); failed == nil && info.IsDir() {
			continue
		}
		if _, failed := t.root.Lstat(at); failed == nil {
			return collision(key, at)
		}
		return err
	}
	return nil
}
