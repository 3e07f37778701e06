package transfer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// checkPath refuses a key that is no path below the directory, or that means
// another file than it says.
func checkPath(key string) error {
	switch {
	case reserved(key):
		return invalid("key", "must not be named "+reservedName+", which is kept for a local bucket's own, or as a temporary file of ours")
	case strings.ContainsRune(key, 0), path.Clean(key) != key, !filepath.IsLocal(filepath.FromSlash(key)),
		runtime.GOOS == "windows" && invalidOnWindows(key):
		return invalid("key", "must be a path that a directory of this system can hold")
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

// collision is of two keys that cannot both be files of one directory.
func collision(key, file string) error {
	return invalid("key", fmt.Sprintf("%q needs a directory where there is the file %q: a directory cannot hold both", key, file))
}

// writeFile has write fill a file beside its place, and then moves it there: whole,
// with its time, or not at all. known says that a file was seen there: it is
// replaced.
func (t *tree) writeFile(key string, known bool, p permissions, write func(f *os.File) (modified time.Time, err error)) error {
	if err := checkPath(key); err != nil {
		return err
	}
	there, err := t.checkTarget(key, known)
	if err != nil {
		return err
	}
	if p.source == nil && there != nil {
		p.file = there.Mode().Perm()
	}
	if runtime.GOOS == "windows" {
		p.file |= 0o200 // else the file is read-only, and no later job could replace it
	}
	f, temp, err := t.createBeside(key, p)
	if err != nil {
		return err
	}
	defer func() { // does nothing after the rename
		_ = f.Close()
		_ = t.root.Remove(temp)
	}()
	if p.source == nil && there != nil {
		if err := copyPermissions(f, p.file); err != nil {
			return err
		}
	}
	modified, err := write(f)
	if err != nil {
		return err
	}
	if err := t.closeFile(f, temp, modified); err != nil {
		return err
	}
	if err := t.root.Rename(temp, key); err != nil {
		return err
	}
	return t.noteChange(path.Dir(key))
}

// closeFile closes a whole file and gives it its time. Its bytes are on the disk
// before it gets its name, which may outlive a power failure that they do not.
func (t *tree) closeFile(f *os.File, temp string, modified time.Time) error {
	setTime := func() error {
		if modified.IsZero() {
			return nil
		}
		return t.root.Chtimes(temp, time.Time{}, modified)
	}
	const windows = runtime.GOOS == "windows" // there closing a file sets its time
	if !windows {
		if err := setTime(); err != nil {
			return err
		}
	}
	if t.sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil || !windows {
		return err
	}
	return setTime()
}

// checkTarget makes sure that key is free, or a file that may be replaced: that one.
func (t *tree) checkTarget(key string, known bool) (fs.FileInfo, error) {
	info, err := t.root.Lstat(key)
	switch {
	case err != nil && known && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, t.checkNoLink(key) // what else is wrong with the way there, making it will say
	case info.IsDir():
		return nil, invalid("key", "is the name of a directory here: a directory cannot hold both")
	case !info.Mode().IsRegular():
		return nil, invalid("key", "is the name of a link or a special file here, which is not replaced")
	case !known:
		return nil, invalid("key", "is the name of another file here: one that differs in case, or that was made meanwhile")
	}
	return info, nil
}

// checkNoLink makes sure that no link leads to key. A walk does not follow it: with
// WithDelete, the next job would remove the file under its other name.
func (t *tree) checkNoLink(key string) error {
	for i, c := range []byte(key) {
		if c != '/' {
			continue
		}
		info, err := t.root.Lstat(key[:i])
		if err != nil {
			return nil // nor is anything below it
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return invalid("key", fmt.Sprintf("needs a directory where there is the link %q, which is not followed", key[:i]))
		}
	}
	return nil
}

// createBeside makes the temporary file in the target's own directory, so that
// the rename stays on one file system.
func (t *tree) createBeside(key string, p permissions) (*os.File, string, error) {
	dir := path.Dir(key)
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	temp := path.Join(dir, tempPrefix+hex.EncodeToString(random[:]))
	f, err := t.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, p.file)
	if errors.Is(err, fs.ErrNotExist) || dir != "." && err != nil {
		if err := t.makeDirs(key, dir, p); err != nil {
			return nil, "", err
		}
		f, err = t.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, p.file)
	}
	return f, temp, err
}

// makeDirs makes the directories that lead to key; where a file is in the way, the
// error names it.
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
