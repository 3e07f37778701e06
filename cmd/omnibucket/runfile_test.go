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
		{line: "", want: nil},
		{line: "  # a comment", want: nil},
		{line: "cp a b", want: []string{"cp", "a", "b"}},
		{line: " cp\ta  b\r", want: []string{"cp", "a", "b"}},
		{line: `cp 'a b' "c d"`, want: []string{"cp", "a b", "c d"}},
		{line: `cp a\ b 'it'\''s' "\"q\" \n"`, want: []string{"cp", "a b", "it's", `"q" \n`}},
		{line: `ls ''`, want: []string{"ls", ""}},
		{line: "ls a#b", want: []string{"ls", "a#b"}},
		{line: "cp a b # c d", want: []string{"cp", "a", "b"}},
		{line: "cp a b #'c", want: []string{"cp", "a", "b"}},
		{line: "cp a\t#", want: []string{"cp", "a"}},
		{line: `cp '# a' "#b" \#c`, want: []string{"cp", "# a", "#b", "#c"}},
		{line: `ls ''#a`, want: []string{"ls", "#a"}},
		{line: "cp file:///srv#a b: # c", want: []string{"cp", "file:///srv#a", "b:"}},
		{line: "ls $HOME", want: []string{"ls", "$HOME"}},
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

func TestRunRunsEachLine(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	putObjects(t, s, newMemoryAddress(t), "a")
	s.env["OMNIBUCKET_DISK"] = newDirectoryAddress(t)
	file := filepath.Join(dir, "commands")
	write := func(lines ...string) {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
	}
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("cp box:a 'disk:many/%d it'\\''s'", i))
	}
	write(append(many, "# a comment", "", "wait", "omnibucket ls -r disk:")...)

	stdout, stderr := s.exits(0, "run", file)
	require.Len(t, splitLines(stdout), 50)
	require.Equal(t, "51 commands, 0 failed\n", stderr)

	write("cat box:a")
	_, stderr = s.exits(0, "run", file)
	require.Equal(t, "1 command, 0 failed\n", stderr)

	write("cat box:none", "cat box:a", "nonsense", "cp --if-absent box:a box:a", "cp - box:b", "run "+file, "ls 'box:")
	stdout, stderr = s.exits(3, "run", "--lines", "1", file)
	require.Equal(t, "a", stdout)
	for _, want := range []string{
		"line 1: omnibucket: ", "line 3: omnibucket: unknown command", "line 4: ", "line 5: ", "line 6: ",
		"line 7: ", "7 commands, 6 failed",
	} {
		require.Contains(t, stderr, want)
	}
	s.exits(3, "cat", "box:b")

	write("cat box:a", "cat box:none")
	s.in = "cat box:a\nrm --dry-run box:a\n"

	stdout, _ = s.exits(0, "run", "--lines", "1", "-")
	require.Equal(t, "aa\n", stdout)
	stdout, _ = s.exits(3, "run", "--lines", "1", "--json", file)
	require.Contains(t, stdout, `{"event":"command","line":2,"command":"cat box:none","exitCode":3,`)

	stdout, _ = s.exits(3, "run", "--lines", "1", "-v", file)
	require.Contains(t, stdout, "line 1: exit code 0: cat box:a\n")
	write("cat box:none", "rm box:a")
	s.exits(3, "run", "--lines", "1", "--stop-on-error", file)
	require.Equal(t, "a", s.ok("cat", "box:a"))

	write("rm box:a")
	s.exits(0, "run", "--dry-run", file)
	require.Equal(t, "a", s.ok("cat", "box:a"), "global flags hold for all lines")

	s.exits(3, "run", file+"-none")
	write("cat " + strings.Repeat("a", longestLine))
	_, stderr = s.exits(2, "run", file)
	require.Contains(t, stderr, "a line must have at most 1 MiB")

	_, stderr = s.exits(2, "ls", "--exclude-from", file, "box:")
	require.Contains(t, stderr, "patterns of at most 64 KiB")
	s.exits(2, "ls", "--exclude-from", dir, "box:")
	s.exits(2, "run", "--lines", "0", file)
}

// A line of run may end with a comment, which is no argument.
func TestRunCommentAfterACommand(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "b", "c#d")
	s.in = "rm box:a # and not box:b\nrm 'box:c#d' #box:b\ncat box:b# #\n"
	_, stderr := s.exits(3, "run", "--lines", "1", "-")
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

	s.exits(0, "--bwlimit", "200K", "run", "-")
	require.Greater(t, time.Since(start), 700*time.Millisecond)
}

// If one line of run has --dry-run, only that line changes nothing.
func TestRunLinesHaveTheirFlags(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "b")

	for _, lines := range []string{
		"rm --dry-run box:a\nrm box:b\n", "cat box:a\nrm --dry-run box:a\nrm box:b\n",
	} {
		s.put("box:b", "b")
		s.in = lines
		s.exits(0, "run", "--lines", "1", "-")
		require.Equal(t, "a\n", s.ok("ls", "box:"))
	}

	t.Setenv("AWS_PROFILE", "")
	s.in = "--aws-profile other ls box:\n"
	_, stderr := s.exits(2, "run", "-")
	require.Contains(t, stderr, "--aws-profile must be the same for all lines")
	require.Empty(t, os.Getenv("AWS_PROFILE"))
}

// With --stop-on-error, no further line begins after a failure. A failure does not interrupt the lines in
// progress.
func TestRunStopOnError(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	s.put("box:a", strings.Repeat("x", 100<<10))
	s.in = "cp --bwlimit 200K box:a box:b\ncp --bwlimit 200K box:a " + filepath.Join(t.TempDir(), "b") + "\ncat box:none\nwait\nrm box:a\n"
	_, stderr := s.exits(3, "run", "--stop-on-error", "-")
	require.Contains(t, stderr, "3 commands, 1 failed")
	s.ok("stat", "box:a")
}

// run prints the output of one line after the other, even if a line prints more than run buffers.
func TestRunDoesNotMixOutputs(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	var lines []string
	for _, c := range "abcdef" {
		s.put("box:"+string(c), strings.Repeat(string(c), keptOutput+1000))
		lines = append(lines, "cat box:"+string(c))
	}
	s.in = strings.Join(lines, "\n")

	stdout, _ := s.exits(0, "run", "-")
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
	putObjects(t, s, newMemoryAddress(t), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	require.Equal(t, 130, run(ctx, []string{"run", "-"}, s.environment(strings.NewReader("rm box:a\n"), io.Discard, &errs)))
	require.Equal(t, "a", s.ok("cat", "box:a"))
}
