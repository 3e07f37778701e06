package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cp and mv between local paths keep the mode and the time, and leave no temporary file.
func TestCpBetweenPaths(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	pathOf := func(path string) string { return filepath.Join(dir, filepath.FromSlash(path)) }
	writeFiles(t, dir, map[string]string{"run.sh": "echo", "tree/1": "1", "tree/x/2": "2"})
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chmod(pathOf("run.sh"), 0o750))

	require.NoError(t, os.Chtimes(pathOf("run.sh"), modified, modified))
	require.Equal(t, "copied "+pathOf("run.sh")+" to "+pathOf("new/deep/run.sh")+"\n", s.ok("cp", "-v", pathOf("run.sh"), pathOf("new/deep")+"/"))
	require.Equal(t, "echo", readFile(t, pathOf("new/deep/run.sh")))

	info, err := os.Stat(pathOf("new/deep/run.sh"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o750), info.Mode().Perm())
	require.True(t, info.ModTime().Equal(modified))

	s.ok("cp", "--no-sync", pathOf("tree/1"), pathOf("new/deep/run.sh"))
	require.Equal(t, "1", readFile(t, pathOf("new/deep/run.sh")))
	s.ok("cp", "-r", pathOf("tree"), pathOf("copies")+"/")
	require.Equal(t, "2", readFile(t, pathOf("copies/tree/x/2")))

	s.ok("mv", pathOf("tree/1"), pathOf("copies"))
	require.NoFileExists(t, pathOf("tree/1"))
	require.Equal(t, "1", readFile(t, pathOf("copies/1")))

	s.ok("mv", "-r", pathOf("copies")+"/", pathOf("moved"))
	require.Equal(t, "1", readFile(t, pathOf("moved/1")))
	s.ok("cp", pathOf("moved/*"), pathOf("matched")+"/")
	require.Equal(t, "1", readFile(t, pathOf("matched/1")))
	require.NoDirExists(t, pathOf("matched/tree"))

	require.NoError(t, os.Link(pathOf("moved/1"), pathOf("linked")))
	s.exits(2, "cp", pathOf("moved/1"), pathOf("linked"))
	s.exits(2, "mv", pathOf("moved/1"), pathOf("moved/1"))
	s.exits(2, "mv", pathOf("moved/1"), pathOf("linked"))
	s.exits(3, "cp", pathOf("none"), pathOf("moved/1"))
	s.exits(2, "cp", pathOf("moved/1"), os.DevNull)
	s.exits(2, "cp", os.DevNull, pathOf("moved/1"))

	require.Equal(t, "1", readFile(t, pathOf("moved/1")))
	entries, err := os.ReadDir(pathOf("new/deep"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

// If a path cannot be opened but exists, the exit code is not 3.
func TestUnreadablePathIsNotMissing(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	require.NoError(t, os.Symlink(loop, loop))
	s := newShell(t)
	for _, args := range [][]string{
		{"mv", loop, filepath.Join(dir, "new")},
		{"cp", loop, filepath.Join(dir, "new")},
		{"run", loop},
		{"diff", loop, dir},
		{"cp", "-r", "--include-from", loop, dir, filepath.Join(dir, "new")},
		{"bucket", "--cors", loop, newDirectoryAddress(t)},
	} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "too many levels of symbolic links", args)
		require.NotContains(t, stderr, "not found", args)
	}
}

// If a file changes while cp reads it, cp stores nothing. The file is so large that cp ends only because it
// changes.
func TestCpOfAChangingFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFiles(t, dir, map[string]string{"file": ""})
	require.NoError(t, os.Truncate(file, 64<<30)) // it takes no space
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for offset := int64(0); ; offset++ {
			select {
			case <-stop:
				return
			default:
				_ = os.Chtimes(file, time.Time{}, time.Unix(offset, 0))
			}
		}
	})
	defer changing.Wait()
	defer close(stop)
	s := newShell(t)
	bucket := newDirectoryAddress(t)

	for _, args := range [][]string{
		{"cp", file, filepath.Join(dir, "copy")},
		{"cp", file, bucket + "#copy"},
		{"mv", file, filepath.Join(dir, "copy")},
	} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "object changed while it was read", args)
		require.Contains(t, stderr, "hint: repeat the command when no program writes to the file", args)
	}
	require.FileExists(t, file)
	require.NoFileExists(t, filepath.Join(dir, "copy"))
	require.Empty(t, s.ok("ls", bucket))
}

// cp refuses a link to a file of /proc, such as /dev/stdout, as its destination. Otherwise it would replace the
// link by a file.
func TestCpToALinkToProc(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a")
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if _, err := os.Stat("/proc/self/exe"); err != nil || os.Symlink("/proc/self/exe", link) != nil {
		t.Skip("this system has no such file")
	}
	writeFiles(t, dir, map[string]string{"a": "a"})

	for _, source := range []string{"box:a", filepath.Join(dir, "a")} {
		_, stderr := s.exits(2, "cp", source, link)
		require.Contains(t, stderr, "must be a regular file")
		_, err := os.Readlink(link)
		require.NoError(t, err)
	}
}

// An error of cp does not name the temporary file.
func TestCpErrorHidesTemporaryFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	long := filepath.Join(dir, strings.Repeat("x", 300))

	_, stderr := s.exits(1, "cp", filepath.Join(dir, "a"), long)
	require.Contains(t, stderr, "rename "+long+": ")
	require.NotContains(t, stderr, ".omnibucket-")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
