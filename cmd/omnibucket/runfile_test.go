package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// splitWords splits a line into words as a shell does, but expands nothing.
func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{"  # a comment", nil},
		{"cp a b", []string{"cp", "a", "b"}},
		{" cp\ta  b\r", []string{"cp", "a", "b"}},
		{"ls $HOME", []string{"ls", "$HOME"}},
		// Quotes.
		{`cp 'a b' "c d"`, []string{"cp", "a b", "c d"}},
		{`cp a\ b 'it'\''s' "\"q\" \n"`, []string{"cp", "a b", "it's", `"q" \n`}},
		{`ls ''`, []string{"ls", ""}},
		// A comment begins with a word.
		{"ls a#b", []string{"ls", "a#b"}},
		{"cp a b # c d", []string{"cp", "a", "b"}},
		{"cp a b #'c", []string{"cp", "a", "b"}},
		{"cp a\t#", []string{"cp", "a"}},
		{`cp '# a' "#b" \#c`, []string{"cp", "# a", "#b", "#c"}},
		{`ls ''#a`, []string{"ls", "#a"}},
		{"cp file:///srv#a b: # c", []string{"cp", "file:///srv#a", "b:"}},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.line)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt.line)
	}
	for _, line := range []string{"'a", `"a`, `a\`} {
		_, err := splitWords(line)
		require.Error(t, err, line)
	}
}

// run runs the lines of a file as commands, prints their output, and counts their failures.
func TestRunRunsEachLine(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a")
	s.env["OMNIBUCKET_DISK"] = newDirectoryAddress(t)
	var copies []string
	for i := range 50 {
		copies = append(copies, fmt.Sprintf("cp box:a 'disk:many/%d it'\\''s'", i))
	}
	file := writeLines(t, append(copies, "# a comment", "", "wait", "omnibucket ls -r disk:")...)

	stdout, stderr := s.exits(exitOK, "run", file)
	require.Len(t, splitLines(stdout), 50)
	require.Equal(t, "51 commands, 0 failed\n", stderr)

	_, stderr = s.exits(exitOK, "run", writeLines(t, "cat box:a"))
	require.Equal(t, "1 command, 0 failed\n", stderr)

	s.in = "cat box:a\nrm --dry-run box:a\n"
	stdout, _ = s.exits(exitOK, "run", "--lines", "1", "-")
	require.Equal(t, "aa\n", stdout)
}

// If lines fail, run prints the number of each with its error, runs the others, and exits as the first one does.
func TestRunLinesFail(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a")
	nested := writeLines(t, "cat box:a")
	file := writeLines(t,
		"cat box:none",
		"cat box:a",
		"nonsense",
		"cp --if-absent box:a box:a",
		"cp - box:b",
		"run "+nested,
		"ls 'box:",
	)
	stdout, stderr := s.exits(exitNotFound, "run", "--lines", "1", file)
	require.Equal(t, "a", stdout)
	for _, want := range []string{
		"line 1: omnibucket: ",
		"line 3: omnibucket: unknown command",
		"line 4: ",
		"line 5: ",
		"line 6: omnibucket: invalid argument: run must not be used in a file of run",
		"line 7: ",
		"7 commands, 6 failed",
	} {
		require.Contains(t, stderr, want)
	}
	s.exits(exitNotFound, "cat", "box:b")

	file = writeLines(t, "cat box:a", "cat box:none")
	stdout, _ = s.exits(exitNotFound, "run", "--lines", "1", "--json", file)
	require.Contains(t, stdout, `{"event":"command","line":2,"command":"cat box:none","exitCode":3,`)
	stdout, _ = s.exits(exitNotFound, "run", "--lines", "1", "-v", file)
	require.Contains(t, stdout, "line 1: exit code 0: cat box:a\n")

	s.exits(exitNotFound, "run", "--lines", "1", "--stop-on-error", writeLines(t, "cat box:none", "rm box:a"))
	require.Equal(t, "a", s.ok("cat", "box:a"))
}

// Global flags of run hold for all lines.
func TestRunGlobalFlags(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a")
	s.exits(exitOK, "run", "--dry-run", writeLines(t, "rm box:a"))
	require.Equal(t, "a", s.ok("cat", "box:a"))
}

// run refuses files that are missing or have a line of more than 1 MiB. Files of patterns have a smaller limit.
func TestRunInvalidFiles(t *testing.T) {
	s := newShell(t)
	s.setBox(newMemoryAddress(t))
	file := writeLines(t, "cat "+strings.Repeat("a", longestLine))
	_, stderr := s.exits(exitUsage, "run", file)
	require.Contains(t, stderr, "a line must have at most 1 MiB")
	s.exits(exitNotFound, "run", file+"-none")
	s.exits(exitUsage, "run", "--lines", "0", file)

	_, stderr = s.exits(exitUsage, "ls", "--exclude-from", file, "box:")
	require.Contains(t, stderr, "patterns of at most 64 KiB")
	s.exits(exitUsage, "ls", "--exclude-from", filepath.Dir(file), "box:")
}

// writeLines writes lines into a new file, and returns its path.
func writeLines(t *testing.T, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "commands")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644))
	return path
}

// A line of run may end with a comment, which is no argument.
func TestRunCommentAfterACommand(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a", "b", "c#d")
	s.in = "rm box:a # and not box:b\nrm 'box:c#d' #box:b\ncat box:b# #\n"
	_, stderr := s.exits(exitNotFound, "run", "--lines", "1", "-")
	require.Contains(t, stderr, "line 3: ")
	require.Equal(t, "b\n", s.ok("ls", "box:"))
}

// Lines with the same --bwlimit share it, whatever their buckets are.
func TestRunLinesShareALimit(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"], s.env["OMNIBUCKET_DISK"] = newMemoryAddress(t), newDirectoryAddress(t)
	s.put("box:a", strings.Repeat("x", 100<<10))
	s.in = "cp box:a disk:a\ncp disk:b box:b\n"
	s.put("disk:b", strings.Repeat("x", 100<<10))
	s.in = "cp box:a disk:a\ncp disk:b box:b\n"
	start := time.Now()

	s.exits(exitOK, "--bwlimit", "200K", "run", "-")
	require.Greater(t, time.Since(start), 700*time.Millisecond)
}

// If one line of run has --dry-run, only that line changes nothing.
func TestRunLinesHaveTheirFlags(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a", "b")

	for _, lines := range []string{
		"rm --dry-run box:a\nrm box:b\n", "cat box:a\nrm --dry-run box:a\nrm box:b\n",
	} {
		s.put("box:b", "b")
		s.in = lines
		s.exits(exitOK, "run", "--lines", "1", "-")
		require.Equal(t, "a\n", s.ok("ls", "box:"))
	}

	t.Setenv("AWS_PROFILE", "")
	s.in = "--aws-profile other ls box:\n"
	_, stderr := s.exits(exitUsage, "run", "-")
	require.Contains(t, stderr, "--aws-profile must be the same for all lines")
	require.Empty(t, os.Getenv("AWS_PROFILE"))
}

// With --stop-on-error, no further line begins after a failure. A failure does not interrupt the lines in
// progress.
func TestRunStopOnError(t *testing.T) {
	s := newShell(t)
	s.setBox(newMemoryAddress(t))
	s.put("box:a", strings.Repeat("x", 100<<10))
	s.in = "cp --bwlimit 200K box:a box:b\ncp --bwlimit 200K box:a " + filepath.Join(t.TempDir(), "b") + "\ncat box:none\nwait\nrm box:a\n"
	_, stderr := s.exits(exitNotFound, "run", "--stop-on-error", "-")
	require.Contains(t, stderr, "3 commands, 1 failed")
	s.ok("stat", "box:a")
}

// run prints the output of one line after the other, even if a line prints more than run buffers.
func TestRunDoesNotMixOutputs(t *testing.T) {
	s := newShell(t)
	s.setBox(newMemoryAddress(t))
	var lines []string
	for _, c := range "abcdef" {
		s.put("box:"+string(c), strings.Repeat(string(c), keptOutput+1000))
		lines = append(lines, "cat box:"+string(c))
	}
	s.in = strings.Join(lines, "\n")

	stdout, _ := s.exits(exitOK, "run", "-")
	require.Len(t, stdout, len(lines)*(keptOutput+1000))
	changes := 0
	for i := 1; i < len(stdout); i++ {
		if stdout[i] != stdout[i-1] {
			changes++
		}
	}
	require.Equal(t, len(lines)-1, changes)
}

// An interrupt ends run.
func TestRunInterrupted(t *testing.T) {
	s := newShell(t)
	fillBox(t, s, newMemoryAddress(t), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	require.Equal(t, exitInterrupted, run(ctx, []string{"run", "-"}, s.environment(strings.NewReader("rm box:a\n"), io.Discard, &errs)))
	require.Equal(t, "a", s.ok("cat", "box:a"))
}
