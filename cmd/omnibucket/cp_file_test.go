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

// cp between local paths keeps the mode and the time of a file, and leaves no temporary file.
func TestCpBetweenPaths(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	writeFiles(t, dir, map[string]string{"run.sh": "echo", "other": "1"})
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chmod(path("run.sh"), 0o750))
	require.NoError(t, os.Chtimes(path("run.sh"), modified, modified))

	// Copy a file into a new directory.
	printed := s.run("cp", "-v", path("run.sh"), path("new/deep")+"/")
	require.Equal(t, "copied "+path("run.sh")+" to "+path("new/deep/run.sh")+"\n", printed)
	require.Equal(t, "echo", readFile(t, path("new/deep/run.sh")))
	info, err := os.Stat(path("new/deep/run.sh"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o750), info.Mode().Perm())
	require.True(t, info.ModTime().Equal(modified))

	// Copy a file over another one.
	s.run("cp", "--no-sync", path("other"), path("new/deep/run.sh"))
	require.Equal(t, "1", readFile(t, path("new/deep/run.sh")))
	entries, err := os.ReadDir(path("new/deep"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

// Between local paths, cp copies and mv moves trees, and the files that match a wildcard.
func TestCpOfTreesBetweenPaths(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	writeFiles(t, dir, map[string]string{"tree/1": "1", "tree/x/2": "2"})

	// Copy and move trees, and move a file into an existing directory.
	s.run("cp", "-r", path("tree"), path("copies")+"/")
	require.Equal(t, "2", readFile(t, path("copies/tree/x/2")))
	s.run("mv", path("tree/1"), path("copies"))
	require.NoFileExists(t, path("tree/1"))
	require.Equal(t, "1", readFile(t, path("copies/1")))
	s.run("mv", "-r", path("copies")+"/", path("moved"))
	require.Equal(t, "1", readFile(t, path("moved/1")))

	// Without -r, wildcards match no directory.
	s.run("cp", path("moved/*"), path("matched")+"/")
	require.Equal(t, "1", readFile(t, path("matched/1")))
	require.NoDirExists(t, path("matched/tree"))
}

// cp and mv refuse to write a file to itself, even if the destination is another hard link to the
// file. They also refuse devices.
func TestCpBetweenPathsRefuses(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	linked := filepath.Join(dir, "linked")
	writeFiles(t, dir, map[string]string{"file": "kept"})
	require.NoError(t, os.Link(file, linked))

	// The destination is the source.
	s.requireExit(exitUsage, "cp", file, linked)
	s.requireExit(exitUsage, "mv", file, file)
	s.requireExit(exitUsage, "mv", file, linked)

	// The source is missing.
	s.requireExit(exitNotFound, "cp", filepath.Join(dir, "none"), file)

	// The destination or the source is a device.
	s.requireExit(exitUsage, "cp", file, os.DevNull)
	s.requireExit(exitUsage, "cp", os.DevNull, file)
	require.Equal(t, "kept", readFile(t, file))
}

// A path that exists but cannot be opened is a failure with exit code 1, and not reported as missing.
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
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "too many levels of symbolic links", args)
		require.NotContains(t, stderr, "not found", args)
	}
}

// If a file changes while cp or mv reads it, the command fails and stores nothing.
func TestCpOfAChangingFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFiles(t, dir, map[string]string{"file": ""})

	// The file is a hole of 64 GiB. cp and mv end in time only because they notice that the file
	// changes.
	require.NoError(t, os.Truncate(file, 64<<30))

	// Another goroutine changes the time of the file until the test ends.
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
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "object changed while it was read", args)
		require.Contains(t, stderr, "hint: repeat the command when no program writes to the file", args)
	}

	require.FileExists(t, file)
	require.NoFileExists(t, filepath.Join(dir, "copy"))
	require.Empty(t, s.run("ls", bucket))
}

// cp refuses to replace a link to a file of /proc, such as /dev/stdout.
func TestCpToALinkToProc(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	const procFile = "/proc/self/exe"
	if _, err := os.Stat(procFile); err != nil || os.Symlink(procFile, link) != nil {
		t.Skip("this system has no such file")
	}
	writeFiles(t, dir, map[string]string{"a": "a"})

	for _, source := range []string{"box:a", filepath.Join(dir, "a")} {
		_, stderr := s.requireExit(exitUsage, "cp", source, link)
		require.Contains(t, stderr, "must be a regular file")
		_, err := os.Readlink(link)
		require.NoError(t, err)
	}
}

// An error of cp names the destination, and not the temporary file that cp writes first.
func TestCpErrorHidesTemporaryFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	tooLong := filepath.Join(dir, strings.Repeat("x", 300)) // names of files have at most 255 bytes

	_, stderr := s.requireExit(exitFailure, "cp", filepath.Join(dir, "a"), tooLong)
	require.Contains(t, stderr, "rename "+tooLong+": ")
	require.NotContains(t, stderr, ".omnibucket-")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
