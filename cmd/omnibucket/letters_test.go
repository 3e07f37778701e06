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

	// -n stands for --dry-run, so box:f stays.
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

// The hint says what to type if a flag stands before the command. It also does so for a command or
// a flag's letter of another program.
func TestInvalidCommandLines(t *testing.T) {
	s := newShell(t)

	tests := []struct {
		name    string
		args    []string
		wantErr string
	}{
		{
			name:    "a flag of gsutil before the command",
			args:    []string{"-m", "cp", "a", "gs://b"},
			wantErr: "unknown flag -m before a command\nhint: leave -m out",
		},
		{
			name:    "a flag of the command before it",
			args:    []string{"-r", "ls", "x"},
			wantErr: "unknown flag -r before a command\nhint: write the flags of a command after its name",
		},
		{
			name:    "an unknown flag before the command",
			args:    []string{"--concurrency", "4", "--fast", "cp", "a", "b"},
			wantErr: "unknown flag --fast before a command",
		},
		{name: "only an unknown flag", args: []string{"--fast"}, wantErr: "unknown flag: --fast"},
		{
			name:    "a command of another program",
			args:    []string{"tail", "x"},
			wantErr: "unknown command \"tail\" for \"omnibucket\"\nhint: use cat\n",
		},
		{
			name:    "a command of another program that resembles several",
			args:    []string{"put", "x"},
			wantErr: "hint: use cp\n",
		},
		{
			name:    "a letter with two meanings",
			args:    []string{"cp", "-n", "a", "b"},
			wantErr: "hint: use --ignore-existing to keep what is there, or --dry-run to change nothing",
		},
		{
			name:    "a location without an address",
			args:    []string{"ls", "bad:a"},
			wantErr: "location bad must have an address",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.env["OMNIBUCKET_BAD"] = "x"
			_, stderr := s.requireExit(exitUsage, tt.args...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}

	// Global flags may stand before the command.
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
		name     string
		args     []string
		wantExit int
		wantHint string
	}{
		{
			name:     "mv of a directory",
			args:     []string{"mv", "d", "d2"},
			wantExit: exitUsage,
			wantHint: "use -r to move a tree",
		},
		{
			name:     "cp of a directory",
			args:     []string{"cp", "d", "./x"},
			wantExit: exitUsage,
			wantHint: "use -r to copy a tree",
		},
		{
			name:     "cp of a folder",
			args:     []string{"cp", "box:tree/", "./x"},
			wantExit: exitUsage,
			wantHint: "use -r to copy a tree",
		},
		{
			name:     "cp of a folder without its slash",
			args:     []string{"cp", "box:tree", "./x"},
			wantExit: exitNotFound,
			wantHint: "use -r to copy a tree: a folder has this name",
		},
		{
			name:     "mv of a folder to another",
			args:     []string{"mv", "box:tree", "box:tree2"},
			wantExit: exitNotFound,
			wantHint: "use -r to move a tree: a folder has this name",
		},
		{
			name:     "mv of a folder to a directory",
			args:     []string{"mv", "box:tree", "./x"},
			wantExit: exitNotFound,
			wantHint: "use -r to move a tree: a folder has this name",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(tt.wantExit, tt.args...)
			require.Contains(t, stderr, "hint: "+tt.wantHint+"\n")

			// Nothing was moved or copied.
			require.Equal(t, "1", readFile(t, "d/a"))
			require.Equal(t, "1", s.run("cat", "box:tree/a"))
			require.NoFileExists(t, "x")
		})
	}

	// If no folder has the name, there is no hint.
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
		{args: []string{"versions", "box:"}, hint: "use ls --versions"},
		{args: []string{"s3", "ls"}, hint: "leave out s3"},
		{args: []string{"rcat", "box:a"}, hint: "use cp with - as the source"},
		{args: []string{"pipe", "box:a"}, hint: "use cp with - as the source"},
		{args: []string{"env"}, hint: "use config list"},
		{args: []string{"find", ".", "--name", "*.go"}, hint: "use --include"},
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

	// rm removes the two files of the folder b. expire removes nothing, because the objects are new.
	_, stderr := s.requireExit(exitOK, "rm", "-r", box+"/b")
	require.Equal(t, "2 deleted (8 B)\n", stderr)
	_, stderr = s.requireExit(exitOK, "expire", "--age", "100d", "--all", box)
	require.Regexp(t, `^0 deleted in `, stderr)

	// With --quiet, rm does not print the number.
	_, stderr = s.requireExit(exitOK, "--quiet", "rm", "-r", "--all", box)
	require.Empty(t, stderr)
}
