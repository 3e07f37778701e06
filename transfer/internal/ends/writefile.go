package ends

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
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// CheckPath fails if key is not a path below the directory, is reserved, or may be taken for another
// name by a file system.
func CheckPath(key string) error {
	if isReserved(key) {
		return joberror.Invalid(
			"key",
			"must not be named "+reservedName+", which local buckets use, or like a temporary file of this package",
		)
	}
	if !isLocalPath(key) {
		return joberror.Invalid("key", "must be a valid file path on this system")
	}
	return nil
}

// isLocalPath reports whether key is a path below the directory that this system does not take for
// another one.
func isLocalPath(key string) bool {
	if strings.ContainsRune(key, 0) || path.Clean(key) != key {
		return false
	}
	if runtime.GOOS == "windows" && invalidOnWindows(key) {
		return false
	}
	return filepath.IsLocal(filepath.FromSlash(key))
}

// invalidOnWindows reports whether Windows would take key for another name.
func invalidOnWindows(key string) bool {
	isControl := func(r rune) bool { return r < 0x20 }
	if strings.ContainsAny(key, `\:*?"<>|`) || strings.ContainsFunc(key, isControl) {
		return true
	}
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, " ") {
			return true
		}
	}
	return false
}

// Collision returns the error for two keys that one directory cannot hold, such as a and a/b.
func Collision(key, file string) error {
	return joberror.Invalid("key",
		fmt.Sprintf("%q needs a directory in place of the file %q: a directory cannot hold both", key, file))
}

// WriteFile creates a temporary file, calls write to fill it, and renames it to key, so that the file
// at key is never incomplete. write returns the modification time of the file. An existing file is
// replaced only if listed is true, because the job has listed it.
func (t *Tree) WriteFile(
	key string, listed bool, p Permissions, open Opener, write func(f *os.File) (modified time.Time, err error),
) error {
	err := t.writeFile(key, listed, p, open, write)
	return localfile.WithPath(err, key)
}

// writeFile does the work of WriteFile, which adds the path to its errors.
func (t *Tree) writeFile(
	key string, listed bool, p Permissions, open Opener, write func(f *os.File) (modified time.Time, err error),
) (err error) {
	target, err := t.newTarget(key, listed, p)
	if err != nil {
		return err
	}
	temp, err := t.createBeside(key, target.permissions, open)
	if err != nil {
		return err
	}

	// Unless the temporary file was renamed, End removes it, or keeps it for a later job.
	renamed := false
	defer func() { temp.End(renamed, err) }()

	if err := target.keepPermissions(temp.File); err != nil {
		return err
	}
	modified, err := write(temp.File)
	if err != nil {
		return err
	}
	renamed, err = t.rename(temp.File, temp.Path, key, modified)
	return err
}

// Adopt closes a complete temporary file, which was opened in this directory, and renames it to key, as
// WriteFile does. It reports whether the file was renamed, which it may be even if Adopt then fails.
func (t *Tree) Adopt(
	key string, listed bool, temp *os.File, tempPath string, modified time.Time,
) (renamed bool, err error) {
	target, err := t.newTarget(key, listed, DefaultPermissions)
	if err == nil {
		err = target.keepPermissions(temp)
	}
	if err == nil {
		renamed, err = t.rename(temp, tempPath, key, modified)
	}
	return renamed, localfile.WithPath(err, key)
}

// A target is a file that is about to be written.
type target struct {
	permissions Permissions
	// keepsPermissions is true if permissions are those of the file that is replaced.
	keepsPermissions bool
}

// newTarget fails if a file with this key must not be written. An existing file is replaced only if
// listed is true. p has the permissions of a file that replaces none.
func (t *Tree) newTarget(key string, listed bool, p Permissions) (target, error) {
	if err := CheckPath(key); err != nil {
		return target{}, err
	}
	replaced, err := t.checkTarget(key, listed)
	if err != nil {
		return target{}, err
	}

	// Unless it is a copy of another file, the new file gets the permissions of the one that it replaces.
	keepsPermissions := p.Source == nil && replaced != nil
	if keepsPermissions {
		p.File = replaced.Mode().Perm()
	}
	if runtime.GOOS == "windows" {
		// Make the file writable, because no later job could replace a read-only file.
		p.File |= 0o200
	}
	return target{permissions: p, keepsPermissions: keepsPermissions}, nil
}

// keepPermissions gives the temporary file the permissions of the file that it replaces, if it keeps
// those. The umask may have removed some of them.
func (t target) keepPermissions(temp *os.File) error {
	if !t.keepsPermissions {
		return nil
	}
	return copyPermissions(temp, t.permissions.File)
}

// rename closes a complete temporary file, and renames it to key. It reports whether the file was
// renamed, which it may be even if rename then fails.
func (t *Tree) rename(temp *os.File, tempPath, key string, modified time.Time) (renamed bool, err error) {
	if err := t.closeFile(temp, tempPath, modified); err != nil {
		return false, err
	}
	if err := t.Root.Rename(tempPath, key); err != nil {
		return false, err
	}
	return true, t.noteChange(path.Dir(key))
}

// CheckWrite fails if WriteFile could not write a file with this key. An existing file can be replaced
// only if listed is true, because the job has listed it.
func (t *Tree) CheckWrite(key string, listed bool) error {
	if err := CheckPath(key); err != nil {
		return joberror.OfFile("write", key, err)
	}
	if t.Root == nil {
		// In this dry run, the directory does not exist.
		return nil
	}
	_, err := t.checkTarget(key, listed)
	return joberror.OfFile("write", key, err)
}

// closeFile syncs and closes a complete file, and then sets its time, because closing sets the time on
// Windows. Without the sync, a power failure could leave a file that has its new name but not its
// content.
func (t *Tree) closeFile(f *os.File, temp string, modified time.Time) error {
	if t.Sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	if modified.IsZero() {
		return nil
	}
	return t.Root.Chtimes(temp, time.Time{}, modified)
}

// checkTarget fails if key is the name of something that must not be replaced: a directory, a link, or
// a file that the job has not listed. It returns the file that will be replaced, or nil if there is
// none.
func (t *Tree) checkTarget(key string, listed bool) (fs.FileInfo, error) {
	info, err := t.Root.Lstat(key)
	if err != nil {
		if listed && !errors.Is(err, fs.ErrNotExist) {
			// The listed file still exists, but cannot be read.
			return nil, err
		}
		// There is no file to replace. If a directory cannot be read, makeDirs fails later.
		return nil, t.checkDirs(key)
	}
	if info.IsDir() {
		return nil, joberror.Invalid("key", "is the name of an existing directory, which a file cannot replace")
	}
	if !info.Mode().IsRegular() {
		return nil, joberror.Invalid("key", "is the name of an existing link or special file, which is not replaced")
	}
	if !listed {
		return nil, &storage.Error{
			Code: storage.PreconditionFailed,
			Err:  errors.New("key is the name of another file, which was created meanwhile or differs in case"),
		}
	}
	return info, nil
}

// ExactFile returns the file with exactly this name, if the directory has it. It returns false for a
// name that the file system may take for that of another file, because it ignores case or treats two
// forms of a letter as equal.
func (t *Tree) ExactFile(key string) (Entry, bool) {
	info, err := t.Root.Lstat(key)
	if err != nil || !info.Mode().IsRegular() {
		return Entry{}, false
	}
	for i, c := range []byte(key) {
		if c > unicode.MaxASCII {
			return Entry{}, false
		}

		// The bit 0x20 is the difference between the two cases of a letter.
		otherCase := key[:i] + string(rune(c^0x20)) + key[i+1:]
		otherInfo, err := t.Root.Lstat(otherCase)
		ignoresCase := err == nil && os.SameFile(info, otherInfo)
		if ignoresCase {
			return Entry{}, false
		}
	}
	return Entry{Key: key, Size: info.Size(), Modified: info.ModTime()}, true
}

// checkDirs fails if a directory in the path of key is a file or a symbolic link. A file that is
// written through a link would be in another directory, in which the source has no such file, so that
// the next job with WithDelete would remove it.
func (t *Tree) checkDirs(key string) error {
	for i, c := range []byte(key) {
		if c != '/' {
			continue
		}
		dir := key[:i]
		info, err := t.Root.Lstat(dir)
		if err != nil {
			// Deeper directories do not exist, either.
			return nil
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			rule := fmt.Sprintf("needs a directory in place of the link %q, which is not followed", dir)
			return joberror.Invalid("key", rule)
		}
		if !info.IsDir() {
			return Collision(key, dir)
		}
	}
	return nil
}

// A TempFile is a temporary file, which is renamed when it is complete.
type TempFile struct {
	File *os.File
	Path string
	End  func(renamed bool, err error) // called once
}

// An Opener creates a temporary file in the directory of the final file, so that both are on one
// file system and it can be renamed.
type Opener func(mode fs.FileMode) (TempFile, error)

// SmallFileOpener returns an opener of temporary files for a small file. If this process is killed, no
// later job continues the temporary file.
func (t *Tree) SmallFileOpener(key string) Opener {
	return func(mode fs.FileMode) (TempFile, error) {
		f, path, err := t.temps.Create(key, mode)
		end := func(renamed bool, _ error) {
			_ = f.Close()
			if !renamed {
				_ = t.Root.Remove(path)
			}
		}
		return TempFile{File: f, Path: path, End: end}, err
	}
}

// createBeside creates a temporary file with the given opener. If that fails because a directory of key
// is missing, it creates the directories and tries again.
func (t *Tree) createBeside(key string, p Permissions, open Opener) (TempFile, error) {
	dir := path.Dir(key)
	temp, err := open(p.File)
	if err == nil {
		return temp, nil
	}
	// If the file is at the top, only a missing directory is a reason to try again.
	isAtTop := dir == "."
	if isAtTop && !errors.Is(err, fs.ErrNotExist) {
		return temp, err
	}

	// If one of the directories is a file, makeDirs returns the better error.
	if err := t.makeDirs(key, dir, p); err != nil {
		return TempFile{}, err
	}
	return open(p.File)
}

// makeDirs creates the directory dir of key, and those above it. If one of them is a file, the error
// names it.
func (t *Tree) makeDirs(key, dir string, p Permissions) error {
	for i, c := range []byte(dir) {
		if c != '/' {
			continue
		}
		parent := dir[:i]
		if err := t.makeDir(key, parent, p); err != nil {
			return err
		}
	}
	return t.makeDir(key, dir, p)
}

// makeDir creates one directory in the path of key, unless it exists.
func (t *Tree) makeDir(key, dir string, p Permissions) error {
	err := t.makeNewDir(dir, p)
	if err == nil {
		return nil
	}

	// It may exist already, or be a link to a directory.
	if info, statErr := t.Root.Stat(dir); statErr == nil && info.IsDir() {
		return nil
	}
	if _, statErr := t.Root.Lstat(dir); statErr == nil {
		return Collision(key, dir)
	}
	return err
}

// makeNewDir creates a directory that does not exist yet.
func (t *Tree) makeNewDir(dir string, p Permissions) error {
	if err := t.Root.Mkdir(dir, p.forDir(dir)); err != nil {
		return err
	}
	return t.noteChange(path.Dir(dir))
}
