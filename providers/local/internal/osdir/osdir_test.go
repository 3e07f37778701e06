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
	for e, err := range d.Each {
		require.NoError(t, err)
		found = append(found, e.Name)
	}
	slices.Sort(found)
	return found
}

// A name may be replaced while the method Each reads the directory. Each returns it nevertheless. Run this test on
// Btrfs, too, where a replaced name moves to the end.
func TestEachSeesReplacedName(t *testing.T) {
	path, top := openTemp(t)
	want := []string{"a", "sub"}
	for i := range 2500 {
		name := fmt.Sprintf("name-%04d", i)
		want = append(want, name)
		require.NoError(t, os.WriteFile(filepath.Join(path, name), nil, 0o600))
	}
	slices.Sort(want)

	// Two of the last names are replaced after Each has returned the first name.
	replace := func(name string) {
		require.NoError(t, os.WriteFile(filepath.Join(path, "new"), nil, 0o600))
		require.NoError(t, os.Rename(filepath.Join(path, "new"), filepath.Join(path, name)))
	}
	var got []string
	for e, err := range top.Each {
		require.NoError(t, err)
		if len(got) == 0 {
			replace("name-2400")
			replace("name-2499")
		}
		got = append(got, e.Name)
	}

	// The method Each may return a replaced name twice, and the name "new" in between.
	slices.Sort(got)
	got = slices.Compact(got)
	got = slices.DeleteFunc(got, func(name string) bool { return name == "new" })
	require.Equal(t, want, got)
}

// Split splits a path into a directory and a name, which Join joins again.
func TestSplitAndJoin(t *testing.T) {
	tests := []struct {
		path     string
		wantDir  string
		wantBase string
	}{
		{path: "a", wantDir: "", wantBase: "a"},
		{path: "a/b", wantDir: "a", wantBase: "b"},
		{path: "a/b/c", wantDir: "a/b", wantBase: "c"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			dir, base := Split(tt.path)
			require.Equal(t, tt.wantDir, dir)
			require.Equal(t, tt.wantBase, base)
			require.Equal(t, tt.path, Join(dir, base))
		})
	}
}

// The method Each reads the entries of a directory from the beginning at every call.
func TestEachTwice(t *testing.T) {
	_, top := openTemp(t)
	for range 2 {
		require.Equal(t, []string{"a", "sub"}, listNames(t, top))
	}
}

// The method Each stops when the loop over its entries does.
func TestEachStops(t *testing.T) {
	_, top := openTemp(t)
	visits := 0
	for _, err := range top.Each {
		require.NoError(t, err)
		visits++
		break
	}
	require.Equal(t, 1, visits)
}

// The method Each finds no entries in a directory that was removed.
func TestEachOfRemovedDirectory(t *testing.T) {
	path, top := openTemp(t)
	sub := openSub(t, top)
	if err := os.RemoveAll(filepath.Join(path, "sub")); err != nil {
		t.Skip("an open directory cannot be removed here:", err)
	}
	require.Empty(t, listNames(t, sub))
}

// Open does not find what is at the end of a symbolic link that leads out of the root.
func TestOpenLinkOutOfRoot(t *testing.T) {
	path, top := openTemp(t)
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	if err := os.Symlink(outside, filepath.Join(path, "link")); err != nil {
		t.Skip(err)
	}
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "secret")))

	// The link itself can be seen, but not what it leads to.
	meta, err := top.Stat("link")
	require.NoError(t, err)
	require.Equal(t, KindLink, meta.Kind)

	for _, name := range []string{"link", "link/secret"} {
		_, err = Open(top.root, top, name)
		require.True(t, IsNoFile(err), "%s: %v", name, err)
	}

	_, err = top.Open("secret")
	require.True(t, IsNoFile(err), "%v", err)
}

// IsNoFile is true for the error of each name that no file has, and IsNotExist only if a file could have the name.
func TestIsNotExistAndIsNoFile(t *testing.T) {
	_, top := openTemp(t)
	tests := []struct {
		name         string
		file         string
		wantNotExist bool
		wantNoFile   bool
	}{
		{name: "missing", file: "missing", wantNotExist: true, wantNoFile: true},
		{name: "too long", file: strings.Repeat("n", 300), wantNotExist: false, wantNoFile: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := top.Stat(tt.file)
			require.Equal(t, tt.wantNotExist, IsNotExist(err), "%v", err)
			require.Equal(t, tt.wantNoFile, IsNoFile(err), "%v", err)
		})
	}
}

// If a file is opened as a directory, IsNoFile is true for the error. If a path below a file is opened, IsNotExist is
// true.
func TestOpenOfFile(t *testing.T) {
	_, top := openTemp(t)

	_, err := Open(top.root, top, "a")
	require.True(t, IsNoFile(err), "%v", err)

	_, err = Open(top.root, top, "a/below")
	require.True(t, IsNotExist(err), "%v", err)
}

// Unlink removes only files, and Rmdir only directories.
func TestUnlinkAndRmdir(t *testing.T) {
	// The directory has the files "a" and "sub/b".
	_, top := openTemp(t)
	require.Error(t, top.Rmdir("a"))
	require.Error(t, top.Unlink("sub"))

	// Rmdir removes no directory with an entry.
	require.Error(t, top.Rmdir("sub"))
	require.Equal(t, []string{"a", "sub"}, listNames(t, top))

	// Without its file, "sub" can be removed.
	sub, err := Open(top.root, top, "sub")
	require.NoError(t, err)
	require.NoError(t, sub.Unlink("b"))
	sub.Close()
	require.NoError(t, top.Rmdir("sub"))
	require.NoError(t, top.Unlink("a"))
	require.Empty(t, listNames(t, top))
}

// Rename, Link and Exchange change the names of files, and Rename replaces no directory.
func TestRenameAndLink(t *testing.T) {
	// The directory has the file "a", with the content "first", and the file "sub/b", with the content "second".
	path, top := openTemp(t)
	sub := openSub(t, top)

	// A file replaces no directory, and a link no file.
	require.True(t, IsObstructed(top.Rename("sub", top, "a")))
	require.ErrorIs(t, top.Link("a", sub, "b"), fs.ErrExist)

	// Link gives the file "a" a second name, "sub/c".
	require.NoError(t, sub.Link("c", top, "a"))
	if runtime.GOOS != "windows" {
		meta, err := top.Stat("a")
		require.NoError(t, err)
		require.Equal(t, 2, meta.Links)
	}

	// Only Linux can exchange the files of two names.
	err := top.Exchange("a", sub, "b")
	if runtime.GOOS == "linux" {
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(path, "a"))
		require.NoError(t, err)
		require.Equal(t, "second", string(content))
	} else {
		require.Error(t, err)
	}

	// Rename moves the file "sub/c" over the file "a".
	require.NoError(t, top.Rename("a", sub, "c"))
	require.Equal(t, []string{"b"}, listNames(t, sub))
	require.NoError(t, sub.Sync())
}

// IsAt reports whether an open directory is the one that is at a path now.
func TestIsAt(t *testing.T) {
	path, top := openTemp(t)
	sub := openSub(t, top)
	subPath := filepath.Join(path, "sub")

	isAt, err := sub.IsAt(subPath)
	require.NoError(t, err)
	require.True(t, isAt)

	// The directory is moved away.
	if err := os.Rename(subPath, filepath.Join(path, "moved")); err != nil {
		t.Skip("an open directory cannot be moved here:", err)
	}
	_, err = sub.IsAt(subPath)
	require.True(t, IsNotExist(err), "%v", err)

	// Another directory takes its place.
	require.NoError(t, os.Mkdir(subPath, 0o700))
	isAt, err = sub.IsAt(subPath)
	require.NoError(t, err)
	require.False(t, isAt)
}

// Create fails if the file exists.
func TestCreateExisting(t *testing.T) {
	_, top := openTemp(t)
	_, err := top.Create("a")
	require.ErrorIs(t, err, fs.ErrExist)
}

// Xattr returns the value that SetXattr has stored, and nil if there is none.
func TestXattr(t *testing.T) {
	_, top := openTemp(t)
	f, err := top.Create("new")
	require.NoError(t, err)
	defer f.Close()

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

// Locks that are taken through different open files of one path exclude each other, even in the same process.
func TestLockOpenFiles(t *testing.T) {
	path, _ := openTemp(t)
	var files [3]*os.File
	for i := range files {
		f, err := os.OpenFile(filepath.Join(path, "a"), os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		files[i] = f
	}

	// Locks of ranges exclude each other only if they overlap. A range is an offset and a length.
	if RangesWork(files[0]) {
		// The first file locks the bytes 0 and 1, so that the second one can lock only byte 2.
		require.NoError(t, TryLockRange(files[0], 0, 2))
		require.NoError(t, TryLockRange(files[1], 2, 1))
		require.ErrorIs(t, TryLockRange(files[1], 1, 1), ErrLocked)

		// After the first file is unlocked, byte 1 can be locked.
		require.NoError(t, UnlockRange(files[0], 0, 2))
		require.NoError(t, TryLockRange(files[1], 1, 1))
		require.NoError(t, UnlockRange(files[1], 1, 1))
		require.NoError(t, UnlockRange(files[1], 2, 1))
	}

	// A file can be locked only after the last one that shares it was closed.
	require.NoError(t, TryShare(files[0]))
	require.NoError(t, TryShare(files[1]))
	require.ErrorIs(t, TryLock(files[2]), ErrLocked)
	require.NoError(t, files[0].Close())
	require.ErrorIs(t, TryLock(files[2]), ErrLocked)
	require.NoError(t, files[1].Close())
	require.NoError(t, TryLock(files[2]))
}
