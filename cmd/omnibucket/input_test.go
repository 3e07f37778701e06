package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mark is the byte order mark of UTF-8. Editors of Windows write it.
const mark = "\uFEFF"

// Commands ignore a byte order mark at the beginning of the files that they read, but nowhere else.
func TestByteOrderMark(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b")
	file := filepath.Join(t.TempDir(), "file")
	write := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}

	// Files of patterns.
	write(mark + "a\r\n")
	require.Equal(t, "a\n", s.run("ls", "--include-from", file, "box:"))
	require.Equal(t, "b\n", s.run("ls", "--exclude-from", file, "box:"))
	write(mark + "# a comment\na\n")
	require.Equal(t, "b\n", s.run("ls", "--exclude-from", file, "box:"))
	write("a\n" + mark + "b\n")
	require.Equal(t, "b\n", s.run("ls", "--exclude-from", file, "box:"), "only at the start")
	write(mark)
	require.Equal(t, "a\nb\n", s.run("ls", "--exclude-from", file, "box:"))

	// The mark may also be in a file of the command "run", and in its standard input.
	write(mark + "cat box:a\n")
	stdout, _ := s.requireExit(exitOK, "run", file)
	require.Equal(t, "a", stdout)
	s.stdin = mark + "cat box:b"
	stdout, _ = s.requireExit(exitOK, "run", "-")
	require.Equal(t, "b", stdout)

	// The mark may be in a configuration, which config can change.
	write(mark + "locations:\n  marked: " + newMemoryAddress(t) + "\n")
	require.Equal(t, "a\n", s.run("ls", "--config", file, "--exclude", "b", "marked:"))
	s.run("config", "add", "--config", file, "other", "mem://other")
	require.Equal(t,
		"marked  "+newMemoryAddress(t)+"\nother   mem://other\n",
		s.run("config", "list", "--config", file))

	// The mark may be in a file with rules of a bucket.
	bucket := newDirectoryAddress(t) + "/made"
	s.run("mb", bucket)
	write(mark + `[{"Prefix":"tmp/","ExpireAfterDays":7}]`)
	s.run("bucket", "--lifecycle", file, bucket)
}

// A file of patterns that is in UTF-16 is refused.
func TestPatternsInUTF16(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b")
	file := filepath.Join(t.TempDir(), "file")
	const utf16 = "\xff\xfeb\x00\r\x00\n\x00" // a byte order mark, and the line "b"
	require.NoError(t, os.WriteFile(file, []byte(utf16), 0o644))

	_, stderr := s.requireExit(exitUsage, "rm", "-r", "--all", "--exclude-from", file, "box:")
	require.Contains(t, stderr, "--exclude-from must name a file of text in UTF-8")
	s.requireExit(exitUsage, "ls", "--include-from", file, "box:")
}
