package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands accept the short flags of cp, rm, du, rsync and gsutil, such as -R for -r.
func TestFlagLettersOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:d/a", "1")
	s.put("box:d/s/b", "22")

	// -R stands for -r.
	require.Equal(t, "d/a\nd/s/b\n", s.run("ls", "-R", "box:"))
	s.run("cp", "-R", "box:d", "box:e")
	require.Equal(t, "e/a\ne/s/b\n", s.run("ls", "-r", "box:e"))
	s.run("mv", "-R", "box:e", "box:f")

	// -n stands for --dry-run, so that box:f stays.
	stdout, _ := s.requireExit(exitOK, "rm", "-R", "-n", "box:f")
	require.Equal(t, "f/a\nf/s/b\n", stdout)
	_, stderr := s.requireExit(exitOK, "sync", "-n", "--delete", "box:d/", "box:f/")
	require.Contains(t, stderr, "dry run")
	require.Equal(t, "f/a\nf/s/b\n", s.run("ls", "-r", "box:f"))

	// du -s prints one line: 3 bytes in 2 objects.
	require.Regexp(t, `^ +3 +2 +d/\n$`, s.run("du", "-s", "box:d"))
	s.requireExit(exitUsage, "du", "-s", "--depth", "1", "box:d")

	require.NotContains(t, s.run("rm", "--help"), "--R", "help shows one form")
}

// With -f, rm says nothing about what is missing, as the rm of the system does.
func TestRmForceSaysNothingOfWhatIsMissing(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "1")
	for _, args := range [][]string{{bucket + "/none"}, {"-r", bucket + "/none"}, {bucket + "/none*"}} {
		stdout, stderr := s.requireExit(exitOK, append([]string{"rm", "-f"}, args...)...)
		require.Empty(t, stdout+stderr, args)
	}
	s.run("rm", "-f", bucket+"/a")
	require.Empty(t, s.run("ls", bucket))
}

// The hint says what to type if a flag stands before the command, or if a command or a flag's letter is that of another
// program.
func TestInvalidCommandLines(t *testing.T) {
	s := newShell(t)

	tests := []struct {
		name    string
		args    []string
		wantErr string
	}{
		{"a flag of gsutil before the command", []string{"-m", "cp", "a", "gs://b"},
			"unknown flag -m before a command\nhint: leave -m out"},
		{"a flag of the command before it", []string{"-r", "ls", "x"},
			"unknown flag -r before a command\nhint: write the flags of a command after its name"},
		{"an unknown flag before the command", []string{"--concurrency", "4", "--fast", "cp", "a", "b"},
			"unknown flag --fast before a command"},
		{"only an unknown flag", []string{"--fast"}, "unknown flag: --fast"},
		{"a command that only resembles another", []string{"tail", "x"},
			"unknown command \"tail\" for \"omnibucket\"\nhint: use cat\n"},
		{"one that also resembles others", []string{"put", "x"}, "hint: use cp\n"},
		{"a letter with two meanings", []string{"cp", "-n", "a", "b"},
			"hint: use --ignore-existing to keep what is there, or --dry-run to change nothing"},
		{"a location without an address", []string{"ls", "bad:a"}, "location bad must have an address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.env["OMNIBUCKET_BAD"] = "x"
			_, stderr := s.requireExit(exitUsage, tt.args...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}
	require.Contains(t, s.run("-v", "--concurrency=2", "--retries", "1", "help", "cp"), "omnibucket cp")
}

// Commands refuse --exclude "*" beside --include, because it excludes everything. In the AWS CLI, a later --include
// overrides it.
func TestExcludeEverything(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.jpg": "1", "b.txt": "1"})

	for _, pattern := range []string{"*", "**", "/*", "./**", "**/*"} {
		for _, command := range [][]string{{"cp", "-r"}, {"sync"}, {"mv", "-r"}} {
			args := append(command, "--exclude", pattern, "--include", "*.jpg", dir, newMemoryAddress(t))
			_, stderr := s.requireExit(exitUsage, args...)
			require.Contains(t, stderr, "hint: leave that pattern out: --include '*.jpg' alone selects nothing else",
				args)
		}
	}
	_, stderr := s.requireExit(exitUsage, "rm", "-r", "--exclude", "*", "--include", "*.txt", dir)
	require.Contains(t, stderr, "every key")

	// Without --include, or with a narrower pattern, --exclude is accepted.
	s.run("check", "--exclude", "*", dir, newMemoryAddress(t))
	s.run("cp", "-r", "--exclude", "*.txt", "--include", "*.jpg", dir, newMemoryAddress(t))
}

// If a tree is given without --recursive, the error has a hint.
func TestTreeWithoutRecursive(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"d/a": "1"})
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:tree/a", "1")

	tests := []struct {
		name string
		code int
		args []string
		hint string
	}{
		{name: "mv of a directory", code: 2, args: []string{"mv", "d", "d2"}, hint: "use -r to move a tree"},
		{name: "cp of a directory", code: 2, args: []string{"cp", "d", "./x"}, hint: "use -r to copy a tree"},
		{
			name: "cp of a folder",
			code: 2,
			args: []string{"cp", "box:tree/", "./x"},
			hint: "use -r to copy a tree",
		},
		{
			name: "cp of a folder without its slash",
			code: 3,
			args: []string{"cp", "box:tree", "./x"},
			hint: "use -r to copy a tree: a folder has this name",
		},
		{
			name: "mv of a folder to another",
			code: 3,
			args: []string{"mv", "box:tree", "box:tree2"},
			hint: "use -r to move a tree: a folder has this name",
		},
		{
			name: "mv of a folder to a directory",
			code: 3,
			args: []string{"mv", "box:tree", "./x"},
			hint: "use -r to move a tree: a folder has this name",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(tt.code, tt.args...)
			require.Contains(t, stderr, "hint: "+tt.hint+"\n")
			require.Equal(t, "1", readFile(t, "d/a"))
			require.Equal(t, "1", s.run("cat", "box:tree/a"))
			require.NoFileExists(t, "x")
		})
	}

	_, stderr := s.requireExit(exitNotFound, "cp", "box:none", "./x")
	require.NotContains(t, stderr, "hint:")
}

// Commands of other programs get a hint.
func TestHintForCommandsOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	for _, tt := range []struct {
		args []string
		hint string
	}{
		{[]string{"versions", "box:"}, "use ls --versions"},
		{[]string{"s3", "ls"}, "leave out s3"},
		{[]string{"rcat", "box:a"}, "use cp with - as the source"},
		{[]string{"pipe", "box:a"}, "use cp with - as the source"},
		{[]string{"env"}, "use config list"},
		{[]string{"find", ".", "--name", "*.go"}, "use --include"},
	} {
		_, stderr := s.requireExit(exitUsage, tt.args...)
		require.Contains(t, stderr, "hint: "+tt.hint, "%q", tt.args)
	}
}

// rm and expire print the number of removed objects to standard error.
func TestRmAndExpireCountWhatTheyRemoved(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "text", "b/c.txt": "text", "b/d.txt": "text"})
	box := newMemoryAddress(t)
	s.run("cp", filepath.Join(dir, "a.txt"), box+"/a.txt")
	s.run("cp", "-r", filepath.Join(dir, "b"), box+"/b")

	_, stderr := s.requireExit(exitOK, "rm", "-r", box+"/b")
	require.Equal(t, "2 deleted (8 B)\n", stderr)
	_, stderr = s.requireExit(exitOK, "expire", "--age", "100d", "--all", box)
	require.Regexp(t, `^0 deleted in `, stderr)

	_, stderr = s.requireExit(exitOK, "--quiet", "rm", "-r", "--all", box)
	require.Empty(t, stderr)
}
