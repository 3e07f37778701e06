package main

import (
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

// splitWords splits a line into words as a shell does, with quotes and comments but without expansions.
func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{line: "", want: nil},
		{line: "  # a comment", want: nil},
		{line: "cp a b", want: []string{"cp", "a", "b"}},
		{line: " cp\ta  b\r", want: []string{"cp", "a", "b"}},
		{line: "ls $HOME", want: []string{"ls", "$HOME"}},

		// Quotes.
		{line: `cp 'a b' "c d"`, want: []string{"cp", "a b", "c d"}},
		{line: `cp a\ b 'it'\''s' "\"q\" \n"`, want: []string{"cp", "a b", "it's", `"q" \n`}},
		{line: `ls ''`, want: []string{"ls", ""}},

		// A comment begins at the start of a word. Inside a word, "#" begins none.
		{line: "ls a#b", want: []string{"ls", "a#b"}},
		{line: "cp a b # c d", want: []string{"cp", "a", "b"}},
		{line: "cp a b #'c", want: []string{"cp", "a", "b"}},
		{line: "cp a\t#", want: []string{"cp", "a"}},
		{line: `cp '# a' "#b" \#c`, want: []string{"cp", "# a", "#b", "#c"}},
		{line: `ls ''#a`, want: []string{"ls", "#a"}},
		{line: "cp file:///srv#a b: # c", want: []string{"cp", "file:///srv#a", "b:"}},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.line)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt.line)
	}
}

// splitWords refuses an open quote, and a backslash at the end.
func TestSplitWordsFails(t *testing.T) {
	for _, line := range []string{"'a", `"a`, `a\`} {
		_, err := splitWords(line)
		require.Error(t, err, line)
	}
}

// run runs the lines of a file as commands. A line "wait" waits for the lines before it.
func TestRunRunsEachLine(t *testing.T) {
	const copies = 50
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	s.setLocation("disk", newDirectoryAddress(t))

	// Many lines store copies under names that are quoted as in a shell. The last line prints these
	// names.
	var lines []string
	for i := range copies {
		lines = append(lines, fmt.Sprintf("cp box:a 'disk:many/%d it'\\''s'", i))
	}
	lines = append(lines, "# a comment", "", "wait", "omnibucket ls -r disk:")

	// The comment, the empty line and "wait" do not count as commands.
	stdout, stderr := s.requireExit(exitOK, "run", writeLines(t, lines...))
	require.Len(t, splitLines(stdout), copies)
	require.Equal(t, "51 commands, 0 failed\n", stderr)
}

// The summary of one line is in the singular.
func TestRunOneLine(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	_, stderr := s.requireExit(exitOK, "run", writeLines(t, "cat box:a"))
	require.Equal(t, "1 command, 0 failed\n", stderr)
}

// run reads the lines from standard input if its file is "-".
func TestRunReadsStandardInput(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	s.stdin = "cat box:a\nrm --dry-run box:a\n"
	stdout, _ := s.requireExit(exitOK, "run", "--lines", "1", "-")
	require.Equal(t, "aa\n", stdout)
}

// If lines fail, the command "run" prints the number and the error of each, and runs all other
// lines. Its exit code is that of the first line that failed.
func TestRunLinesFail(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")

	// Only the second line succeeds. The others name a missing object or an unknown command, do not
	// meet a condition, read standard input, run a file, or lack a quote.
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

	stdout, stderr := s.requireExit(exitNotFound, "run", "--lines", "1", file)
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
	// The command that reads standard input, in line 5, has stored nothing.
	s.requireExit(exitNotFound, "cat", "box:b")
}

// With --json or -v, run prints the exit code of each line.
func TestRunPrintsExitCodes(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	file := writeLines(t, "cat box:a", "cat box:none")

	stdout, _ := s.requireExit(exitNotFound, "run", "--lines", "1", "--json", file)
	require.Contains(t, stdout, `{"event":"command","line":2,"command":"cat box:none","exitCode":3,`)
	stdout, _ = s.requireExit(exitNotFound, "run", "--lines", "1", "-v", file)
	require.Contains(t, stdout, "line 1: exit code 0: cat box:a\n")
}

// With --stop-on-error, run does not begin the line after the one that failed.
func TestRunStopsAfterAFailure(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	s.requireExit(exitNotFound, "run", "--lines", "1", "--stop-on-error", writeLines(t, "cat box:none", "rm box:a"))
	require.Equal(t, "a", s.run("cat", "box:a"))
}

// Global flags of run hold for all lines.
func TestRunGlobalFlags(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	s.requireExit(exitOK, "run", "--dry-run", writeLines(t, "rm box:a"))
	require.Equal(t, "a", s.run("cat", "box:a"))
}

// run refuses a file that is missing or has a line of more than 1 MiB.
func TestRunInvalidFiles(t *testing.T) {
	s := newShell(t)
	file := writeLines(t, "cat "+strings.Repeat("a", longestLine))
	_, stderr := s.requireExit(exitUsage, "run", file)
	require.Contains(t, stderr, "a line must have at most 1 MiB")
	s.requireExit(exitNotFound, "run", file+"-none")
	s.requireExit(exitUsage, "run", "--lines", "0", file)
}

// --exclude-from refuses a file with a pattern of more than 64 KiB, and a directory.
func TestExcludeFromInvalidFiles(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	file := writeLines(t, strings.Repeat("a", longestLine))

	_, stderr := s.requireExit(exitUsage, "ls", "--exclude-from", file, "box:")
	require.Contains(t, stderr, "patterns of at most 64 KiB")
	s.requireExit(exitUsage, "ls", "--exclude-from", filepath.Dir(file), "box:")
}

// writeLines writes lines into a new file, and returns its path.
func writeLines(t *testing.T, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "commands")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644))
	return path
}

// A line of the command "run" may end with a comment. The comment is not an argument.
func TestRunCommentAfterACommand(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b", "c#d")
	s.stdin = "rm box:a # and not box:b\nrm 'box:c#d' #box:b\ncat box:b# #\n"
	_, stderr := s.requireExit(exitNotFound, "run", "--lines", "1", "-")
	require.Contains(t, stderr, "line 3: ")
	require.Equal(t, "b\n", s.run("ls", "box:"))
}

// All lines of the command "run" share the limit of --bwlimit, whatever their buckets are.
func TestRunLinesShareALimit(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.setLocation("disk", newDirectoryAddress(t))
	content := strings.Repeat("x", 100<<10)
	s.put("box:a", content)
	s.put("disk:b", content)
	s.stdin = "cp box:a disk:a\ncp disk:b box:b\n"

	start := time.Now()
	s.requireExit(exitOK, "--bwlimit", "200K", "run", "-")

	// The two lines copy 200 KiB in total. If each line had a limit of its own, they would take
	// only half a second.
	require.Greater(t, time.Since(start), 700*time.Millisecond)
}

// A --dry-run in one line of the command "run" does not concern the lines after it.
func TestRunLinesHaveTheirFlags(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "b")

	// Only box:b is removed, whether the dry run is in the first line or in the second one.
	for _, lines := range []string{
		"rm --dry-run box:a\nrm box:b\n",
		"cat box:a\nrm --dry-run box:a\nrm box:b\n",
	} {
		s.put("box:b", "b")
		s.stdin = lines
		s.requireExit(exitOK, "run", "--lines", "1", "-")
		require.Equal(t, "a\n", s.run("ls", "box:"))
	}
}

// A line of the command "run" cannot choose its own AWS profile, because all lines share the
// environment of the process.
func TestRunLineRefusesAWSProfile(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	t.Setenv("AWS_PROFILE", "")
	s.stdin = "--aws-profile other ls box:\n"
	_, stderr := s.requireExit(exitUsage, "run", "-")
	require.Contains(t, stderr, "--aws-profile must be the same for all lines")
	require.Empty(t, os.Getenv("AWS_PROFILE"))
}

// With --stop-on-error, a failure lets the running lines end, and no further line begins.
func TestRunStopOnError(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:a", strings.Repeat("x", 100<<10))

	// Two slow lines are still running when the third line fails.
	file := writeLines(t,
		"cp --bwlimit 200K box:a box:b",
		"cp --bwlimit 200K box:a "+filepath.Join(t.TempDir(), "b"),
		"cat box:none",
		"wait",
		"rm box:a",
	)

	// The two slow lines succeed. The line that removes box:a does not begin.
	_, stderr := s.requireExit(exitNotFound, "run", "--stop-on-error", file)
	require.Contains(t, stderr, "3 commands, 1 failed")
	s.run("stat", "box:a")
}

// The command "run" prints the output of one line after that of another, even if a line prints more
// than run buffers.
func TestRunDoesNotMixOutputs(t *testing.T) {
	const size = keptOutput + 1000
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	var lines []string
	for _, letter := range []string{"a", "b", "c", "d", "e", "f"} {
		s.put("box:"+letter, strings.Repeat(letter, size))
		lines = append(lines, "cat box:"+letter)
	}
	s.stdin = strings.Join(lines, "\n")

	stdout, _ := s.requireExit(exitOK, "run", "-")

	require.Len(t, stdout, len(lines)*size)
	for len(stdout) > 0 {
		letter := stdout[:1]
		require.True(t, strings.HasPrefix(stdout, strings.Repeat(letter, size)), "output of %s", letter)
		stdout = stdout[size:]
	}
}

// After an interrupt, the command "run" begins no further line.
func TestRunInterrupted(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	env := s.environment(strings.NewReader("rm box:a\n"), io.Discard, io.Discard)
	require.Equal(t, exitInterrupted, run(ctx, []string{"run", "-"}, env))
	require.Equal(t, "a", s.run("cat", "box:a"))
}
