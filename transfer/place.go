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
		runtime.GOOS == "windows" && strangeToWindows(key):
		return invalid("key", "must be a path that a directory of this system can hold")
	}
	return nil
}

// strangeToWindows reports whether Windows would read key as another name.
func strangeToWindows(key string) bool {
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

// clash is of two keys that cannot both be files of one directory.
func clash(key, file string) error {
	return invalid("key", fmt.Sprintf("%q needs a directory where there is the file %q: a directory cannot hold both", key, file))
}

// place has write fill a file beside its place, and then moves it there: whole,
// with its time, or not at all. known says that a file was seen there: it is
// replaced, and its mode kept.
func (t *tree) place(key string, known bool, write func(f *os.File) (modified time.Time, err error)) error {
	if err := checkPath(key); err != nil {
		return err
	}
	mode, err := t.clear(key, known)
	if err != nil {
		return err
	}
	f, temp, err := t.createBeside(key, mode)
	if err != nil {
		return err
	}
	defer func() { // does nothing after the rename
		_ = f.Close()
		_ = t.root.Remove(temp)
	}()
	modified, err := write(f)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if !modified.IsZero() {
		if err := t.root.Chtimes(temp, time.Time{}, modified); err != nil {
			return err
		}
	}
	return t.root.Rename(temp, key)
}

// clear makes sure that key is free, or a file that may be replaced, and tells
// the mode for the new one.
func (t *tree) clear(key string, known bool) (fs.FileMode, error) {
	info, err := t.root.Lstat(key)
	switch {
	case err != nil && known && !errors.Is(err, fs.ErrNotExist):
		return 0, err
	case err != nil:
		return 0o666, nil // less the umask; what is wrong with the way there, making it will say
	case info.IsDir():
		return 0, invalid("key", "is the name of a directory here: a directory cannot hold both")
	case !info.Mode().IsRegular():
		return 0, invalid("key", "is the name of a link or a special file here, which is not replaced")
	case !known:
		return 0, invalid("key", "is the name of another file here: one that differs in case, or that was made meanwhile")
	}
	return info.Mode().Perm(), nil
}

// createBeside makes the temporary file in the target's own directory, so that
// the rename stays on one file system.
func (t *tree) createBeside(key string, mode fs.FileMode) (*os.File, string, error) {
	dir := path.Dir(key)
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	temp := path.Join(dir, tempPrefix+hex.EncodeToString(random[:]))
	f, err := t.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrNotExist) || dir != "." && err != nil {
		if err := t.makeDir(key, dir); err != nil {
			return nil, "", err
		}
		f, err = t.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	}
	return f, temp, err
}

// makeDir makes the directories that lead to key; where a file is in the way, the
// error names it.
func (t *tree) makeDir(key, dir string) error {
	err := t.root.MkdirAll(dir, 0o777)
	if err == nil {
		return nil
	}
	for at := dir; at != "."; at = path.Dir(at) {
		if info, failed := t.root.Lstat(at); failed == nil && !info.IsDir() {
			return clash(key, at)
		}
	}
	return err
}
