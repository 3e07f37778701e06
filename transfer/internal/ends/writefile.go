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

// checkPath fails if key is not a path below the directory, or if a file system may take it for
// another name.
func checkPath(key string) error {
	if reserved(key) {
		return invalid(
			"key",
			"must not be named "+reservedName+", which local buckets use, or like a temporary file of this package",
		)
	}
	if strings.ContainsRune(key, 0) || path.Clean(key) != key || !filepath.IsLocal(filepath.FromSlash(key)) ||
		runtime.GOOS == "windows" && invalidOnWindows(key) {
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

// collision returns the error for two keys that one directory cannot hold, such as a and a/b.
func collision(key, file string) error {
	return invalid("key",
		fmt.Sprintf("%q needs a directory in place of the file %q: a directory cannot hold both", key, file))
}

// writeFile creates a temporary file, calls the function write to fill it, and renames it to key.
// So the file at key is never incomplete. The function write returns the modification time of the
// file. listed is true if the job has listed a file with this key. writeFile then replaces that
// file.
func (t *tree) writeFile(key string, listed bool, p permissions, open opener,
	write func(f *os.File) (modified time.Time, err error)) (err error) {
	defer func() {
		err = durable.OfFile(err, key)
	}()
	if err := checkPath(key); err != nil {
		return err
	}
	replaced, err := t.checkTarget(key, listed)
	if err != nil {
		return err
	}
	if p.source == nil && replaced != nil {
		p.file = replaced.Mode().Perm()
	}
	if runtime.GOOS == "windows" {
		// Make the file writable, because no later job could replace a read-only file.
		p.file |= 0o200
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

func (t *tree) checkWrite(key string, listed bool) error {
	err := checkPath(key)
	if err == nil && t.root != nil {
		_, err = t.checkTarget(key, listed)
	}
	return fileError("write", key, err)
}

// closeFile closes a complete file, and then sets its time, because closing sets the time on
// Windows. It first syncs the content. Otherwise, a power failure could leave a file that has its
// new name but not its content.
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

// checkTarget fails if key is the name of something that must not be replaced. It returns the file
// that will be replaced, or nil if there is none.
func (t *tree) checkTarget(key string, listed bool) (fs.FileInfo, error) {
	info, err := t.root.Lstat(key)
	if err != nil && listed && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, t.checkDirs(key) // other errors on the path are returned by makeDirs
	}
	if info.IsDir() {
		return nil, invalid("key", "is the name of an existing directory, which a file cannot replace")
	}
	if !info.Mode().IsRegular() {
		return nil, invalid("key", "is the name of an existing link or special file, which is not replaced")
	}
	if !listed {
		return nil, &storage.Error{
			Code: storage.PreconditionFailed,
			Err:  errors.New("key is the name of another file, which was created meanwhile or differs in case"),
		}
	}
	return info, nil
}

// named returns the file if the directory has a file with exactly this name. Some file systems
// ignore case, or treat two forms of a letter as equal. If that may apply to this name, named
// returns false.
func (t *tree) named(key string) (entry, bool) {
	info, err := t.root.Lstat(key)
	if err != nil || !info.Mode().IsRegular() {
		return entry{}, false
	}
	for i, c := range []byte(key) {
		folded, err := t.root.Lstat(key[:i] + string(rune(c^0x20)) + key[i+1:]) // one letter in the other case
		if c > unicode.MaxASCII || err == nil && os.SameFile(info, folded) {
			return entry{}, false
		}
	}
	return entry{key: key, size: info.Size(), modified: info.ModTime()}, true
}

// checkDirs fails if a directory in the path of key is a file or a symbolic link. A job must not
// write a file through a link, because the file would then be in another directory. The source has
// no object with the path of the file in that directory. The next job with WithDelete would
// therefore remove the file.
func (t *tree) checkDirs(key string) error {
	for i, c := range []byte(key) {
		if c != '/' {
			continue
		}
		info, err := t.root.Lstat(key[:i])
		if err != nil {
			return nil // deeper directories do not exist, either
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return invalid("key", fmt.Sprintf("needs a directory in place of the link %q, which is not followed", key[:i]))
		}
		if !info.IsDir() {
			return collision(key, key[:i])
		}
	}
	return nil
}

// A temporary is a temporary file, which is renamed when it is complete.
type temporary struct {
	file *os.File
	path string
	end  func(renamed bool, err error) // called once
}

// An opener creates a temporary file in the directory of the final file, so that both are on one
// file system and it can be renamed.
type opener func(mode fs.FileMode) (temporary, error)

// small returns an opener for a small file. If this process is killed, no later job continues the
// temporary file.
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

// createBeside creates a temporary file with the given opener. If the directory for the file does
// not exist, createBeside creates the directory first.
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

// makeDirs creates the directories in the path of key. If one of them is a file, the error names
// that file.
func (t *tree) makeDirs(key, dir string, p permissions) error {
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		parent := dir[:i]
		err := t.root.Mkdir(parent, p.forDir(parent))
		if err == nil {
			err = t.noteChange(path.Dir(parent))
		}
		if err == nil {
			continue
		}
		if info, failure := t.root.Stat(parent); failure == nil && info.IsDir() {
			continue
		}
		if _, failure := t.root.Lstat(parent); failure == nil {
			return collision(key, parent)
		}
		return err
	}
	return nil
}
