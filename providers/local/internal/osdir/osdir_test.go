package osdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openTemp opens a temporary directory that has the files a and sub/b.
func openTemp(t *testing.T) (path string, top *Dir) {
	path = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, "a"), []byte("first"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(path, "sub"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(path, "sub", "b"), []byte("second"), 0o600))
	root, err := os.OpenRoot(path)
	require.NoError(t, err)
	root, err = ShareRoot(root)
	require.NoError(t, err)
	t.Cleanup(func() { _ = root.Close() })
	top, err = Open(root, nil, "")
	require.NoError(t, err)
	t.Cleanup(top.Close)
	return path, top
}

// openSub opens the directory "sub".
func openSub(t *testing.T, top *Dir) *Dir {
	sub, err := Open(top.root, top, "sub")
	require.NoError(t, err)
	t.Cleanup(sub.Close)
	return sub
}

// listNames returns the sorted names of the entries of a directory.
func listNames(t *testing.T, d *Dir) (found []string) {
	require.NoError(t, d.Each(func(e Entry) bool {
		found = append(found, e.Name)
		return true
	}))
	slices.Sort(found)
	return found
}

// Each sees a name that is replaced while it reads the directory. Run it on Btrfs, too: there a replaced name
// moves to the end.
func TestEachSeesReplacedName(t *testing.T) {
	path, top := openTemp(t)
	all := []string{"a", "sub"}
	for i := range 2500 {
		all = append(all, fmt.Sprintf("name-%04d", i))
		require.NoError(t, os.WriteFile(filepath.Join(path, all[len(all)-1]), nil, 0o600))
	}
	slices.Sort(all)
	replace := func(name string) {
		require.NoError(t, os.WriteFile(filepath.Join(path, "new"), nil, 0o600))
		require.NoError(t, os.Rename(filepath.Join(path, "new"), filepath.Join(path, name)))
	}
	var names []string
	require.NoError(t, top.Each(func(e Entry) bool {
		if len(names) == 0 {
			replace("name-2400")
			replace("name-2499")
		}
		names = append(names, e.Name)
		return true
	}))

	slices.Sort(names)
	require.Equal(t, all, slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return name == "new"
	}))
}

// A path is split into a directory and a name, and joined again.
func TestSplitAndJoin(t *testing.T) {
	tests := []struct{ path, dir, base string }{
		{path: "a", dir: "", base: "a"},
		{path: "a/b", dir: "a", base: "b"},
		{path: "a/b/c", dir: "a/b", base: "c"},
	}
	for _, tt := range tests {
		dir, base := Split(tt.path)
		require.Equal(t, tt.dir, dir)
		require.Equal(t, tt.base, base)
		require.Equal(t, tt.path, Join(dir, base))
	}
}

// Each can read the entries of a directory again.
func TestEachTwice(t *testing.T) {
	_, top := openTemp(t)
	for range 2 {
		require.Equal(t, []string{"a", "sub"}, listNames(t, top))
	}
	visits := 0
	require.NoError(t, top.Each(func(Entry) bool {
		visits++
		return false
	}))
	require.Equal(t, 1, visits, "it stops when the function returns false")
}

// Each finds no entries in a directory that was removed.
func TestEachOfRemovedDirectory(t *testing.T) {
	path, top := openTemp(t)
	sub := openSub(t, top)
	if err := os.RemoveAll(filepath.Join(path, "sub")); err != nil {
		t.Skip("an open directory cannot be removed here:", err)
	}
	require.Empty(t, listNames(t, sub))
}

// Links out of the root are not followed.
func TestOpenLinkOutOfRoot(t *testing.T) {
	path, top := openTemp(t)
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	if err := os.Symlink(outside, filepath.Join(path, "link")); err != nil {
		t.Skip(err)
	}
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "secret")))

	m, err := top.Stat("link")
	require.NoError(t, err)
	require.Equal(t, KindLink, m.Kind)

	for _, name := range []string{"link", "link/secret"} {
		_, err = Open(top.root, top, name)
		require.True(t, IsNoFile(err), "%s: %v", name, err)
	}

	_, err = top.Open("secret")
	require.True(t, IsNoFile(err), "%v", err)
}

// IsNotExist and IsNoFile tell whether a file of that name can exist.
func TestIsNotExistAndIsNoFile(t *testing.T) {
	_, top := openTemp(t)
	tests := []struct {
		name             string
		notExist, noFile bool
	}{
		{name: "missing", notExist: true, noFile: true},
		{name: strings.Repeat("n", 300), notExist: false, noFile: true},
	}
	for _, tt := range tests {
		_, err := top.Stat(tt.name)
		require.Equal(t, tt.notExist, IsNotExist(err), "%v", err)
		require.Equal(t, tt.noFile, IsNoFile(err), "%v", err)
	}
}

// The errors of opening a file, or a path below it, as a directory belong to IsNoFile and IsNotExist.
func TestOpenOfFile(t *testing.T) {
	_, top := openTemp(t)
	_, err := Open(top.root, top, "a/below")
	require.True(t, IsNotExist(err), "a file is no parent: %v", err)
	_, err = Open(top.root, top, "a")
	require.True(t, IsNoFile(err), "a file is no directory: %v", err)
}

// Unlink removes only files, and Rmdir only directories.
func TestUnlinkAndRmdir(t *testing.T) {
	_, top := openTemp(t)
	require.Error(t, top.Rmdir("a"))
	require.Error(t, top.Unlink("sub"))
	require.Error(t, top.Rmdir("sub"), "it is not empty")
	require.Equal(t, []string{"a", "sub"}, listNames(t, top))

	sub, err := Open(top.root, top, "sub")
	require.NoError(t, err)
	require.NoError(t, sub.Unlink("b"))
	sub.Close()
	require.NoError(t, top.Rmdir("sub"))
	require.NoError(t, top.Unlink("a"))
	require.Empty(t, listNames(t, top))
}

// Names of files are linked and renamed, and no directory is replaced.
func TestRenameAndLink(t *testing.T) {
	path, top := openTemp(t)
	sub := openSub(t, top)
	require.True(t, IsObstructed(top.Rename("sub", top, "a")), "a directory is not replaced by a file")
	require.ErrorIs(t, top.Link("a", sub, "b"), fs.ErrExist)

	// Link gives a file a second name.
	require.NoError(t, sub.Link("c", top, "a"))
	if runtime.GOOS != "windows" {
		m, err := top.Stat("a")
		require.NoError(t, err)
		require.Equal(t, 2, m.Links)
	}

	// Only Linux can exchange two names.
	err := top.Exchange("a", sub, "b")
	if runtime.GOOS == "linux" {
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(path, "a"))
		require.NoError(t, err)
		require.Equal(t, "second", string(content))
	} else {
		require.Error(t, err)
	}

	// Rename moves a name to another directory.
	require.NoError(t, top.Rename("a", sub, "c"))
	require.Equal(t, []string{"b"}, listNames(t, sub))
	require.NoError(t, sub.Sync())
}

// IsAt reports whether the directory is the one that is at a path now.
func TestIsAt(t *testing.T) {
	path, top := openTemp(t)
	sub := openSub(t, top)

	exists, err := sub.IsAt(filepath.Join(path, "sub"))
	require.NoError(t, err)
	require.True(t, exists)

	if err := os.Rename(filepath.Join(path, "sub"), filepath.Join(path, "moved")); err != nil {
		t.Skip("an open directory cannot be moved here:", err)
	}
	_, err = sub.IsAt(filepath.Join(path, "sub"))
	require.True(t, IsNotExist(err), "%v", err)

	require.NoError(t, os.Mkdir(filepath.Join(path, "sub"), 0o700))
	exists, err = sub.IsAt(filepath.Join(path, "sub"))
	require.NoError(t, err)
	require.False(t, exists)
}

// Xattr returns the value that SetXattr has stored, which is nil for a new file.
func TestXattr(t *testing.T) {
	_, top := openTemp(t)
	f, err := top.Create("new")
	require.NoError(t, err)
	defer f.Close()

	_, err = top.Create("new")
	require.ErrorIs(t, err, fs.ErrExist)

	value, err := f.Xattr()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Nil(t, value)

	for _, size := range []int{0, 100, 1000} {
		require.NoError(t, f.SetXattr(bytes.Repeat([]byte("x"), size)))
		value, err = f.Xattr()
		require.NoError(t, err)
		require.Len(t, value, size)
	}

	require.NoError(t, f.RemoveXattr())
	value, err = f.Xattr()
	require.NoError(t, err)
	require.Nil(t, value)
}

// Locks of open files exclude each other.
func TestLockOpenFiles(t *testing.T) {
	path, _ := openTemp(t)
	files := [3]*os.File{}
	for i := range files {
		f, err := os.OpenFile(filepath.Join(path, "a"), os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		files[i] = f
	}

	// Locks of ranges exclude each other only where they overlap.
	if RangesWork(files[0]) {
		require.NoError(t, TryLockRange(files[0], 0, 2))
		require.NoError(t, TryLockRange(files[1], 2, 1))
		require.ErrorIs(t, TryLockRange(files[1], 1, 1), ErrLocked)
		require.NoError(t, UnlockRange(files[0], 0, 2))
		require.NoError(t, TryLockRange(files[1], 1, 1))
		require.NoError(t, UnlockRange(files[1], 1, 1))
		require.NoError(t, UnlockRange(files[1], 2, 1))
	}

	// A file that others share is not locked until the last of them is closed.
	require.NoError(t, TryShare(files[0]))
	require.NoError(t, TryShare(files[1]))
	require.ErrorIs(t, TryLock(files[2]), ErrLocked)
	require.NoError(t, files[0].Close())
	require.ErrorIs(t, TryLock(files[2]), ErrLocked)
	require.NoError(t, files[1].Close())
	require.NoError(t, TryLock(files[2]))
}
