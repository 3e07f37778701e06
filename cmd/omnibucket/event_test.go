package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// events runs a command with --json that must end with this exit code. It returns the lines that the command prints,
// and its standard error.
func (s *shell) events(code int, args ...string) (lines []map[string]any, stderr string) {
	s.t.Helper()
	stdout, stderr := s.requireExit(code, append(args, "--json")...)
	for _, text := range splitLines(stdout) {
		var line map[string]any
		require.NoError(s.t, json.Unmarshal([]byte(text), &line), text)
		lines = append(lines, line)
	}
	return lines, stderr
}

// With --json, a command prints one line of JSON for each object.
func TestEvents(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "one"})
	a := filepath.Join(dir, "a")

	tests := []struct {
		name string
		args []string
		want map[string]any
	}{
		{
			name: "mb",
			args: []string{"mb", "--dry-run", "mem://events-of-mb"},
			want: map[string]any{"event": "created", "key": "events-of-mb", "dryRun": true},
		},
		{
			name: "cp --dry-run",
			args: []string{"cp", "--dry-run", a, bucket + "/a"},
			want: map[string]any{"event": "uploaded", "source": a, "destination": bucket + "/a", "bytes": 3.0, "dryRun": true},
		},
		{
			name: "cp",
			args: []string{"cp", a, bucket + "/a"},
			want: map[string]any{"event": "uploaded", "source": a, "destination": bucket + "/a", "bytes": 3.0},
		},
		{
			name: "cp between buckets",
			args: []string{"cp", bucket + "/a", bucket + "/c d"},
			want: map[string]any{"event": "copied", "source": bucket + "/a", "destination": bucket + "/c%20d", "bytes": 3.0},
		},
		{
			name: "rm",
			args: []string{"rm", bucket + "/a"},
			want: map[string]any{"event": "removed", "key": "a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			lines, stderr := s.events(exitOK, tt.args...)
			require.Empty(t, stderr)
			require.Len(t, lines, 1)
			for field, value := range tt.want {
				require.Equal(t, value, lines[0][field], field)
			}
		})
	}
}

// With --json, a job prints one line of JSON for each file, and then a summary. Errors are lines of JSON, too.
func TestEventsOfAJob(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	// One of the files cannot be stored, because no key has a backslash.
	writeFiles(t, dir, map[string]string{"b": "two", `bad\name`: ""})

	lines, stderr := s.events(exitUsage, "sync", dir, newMemoryAddress(t))

	// The first two lines come in any order.
	require.Len(t, lines, 3)
	byEvent := map[any]map[string]any{}
	for _, line := range lines {
		byEvent[line["event"]] = line
	}
	require.Equal(t, "b", byEvent["transferred"]["key"])
	require.Equal(t, "invalid argument", byEvent["failed"]["code"])
	require.NotEmpty(t, byEvent["failed"]["error"])
	require.Equal(t, "summary", lines[2]["event"])
	require.Equal(t, 1.0, lines[2]["failed"])

	// The error of the command is on standard error.
	var failure map[string]any
	require.NoError(t, json.Unmarshal([]byte(stderr), &failure), stderr)
	require.Equal(t, "error", failure["event"])
}

// Errors are printed as JSON if a flag or the environment asks for it, even if the command line is invalid.
func TestJSONErrors(t *testing.T) {
	s := newShell(t)
	tests := []struct {
		name     string
		variable string // value of OMNIBUCKET_FLAG_JSON
		args     []string
		wantJSON bool
	}{
		{name: "flag", args: []string{"ls", "--json", "--nothing"}, wantJSON: true},
		{name: "flag with a value", args: []string{"cp", "--json=1"}, wantJSON: true},
		{name: "flag that overrides the environment", variable: "true", args: []string{"cp", "--json=false"}, wantJSON: false},
		{name: "environment", variable: "true", args: []string{"cp"}, wantJSON: true},
		{name: "environment that says no", variable: "0", args: []string{"cp"}, wantJSON: false},
		{name: "unknown command", variable: "1", args: []string{"nothing"}, wantJSON: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.env["OMNIBUCKET_FLAG_JSON"] = tt.variable

			_, stderr := s.requireExit(exitUsage, tt.args...)
			require.Equal(t, tt.wantJSON, json.Valid([]byte(stderr)), stderr)
		})
	}

	s.env["OMNIBUCKET_FLAG_JSON"] = ""
	require.Equal(t, s.run("version", "--json"), s.run("--version", "--json"))
}

// The command completion refuses a shell that it does not know.
func TestCompletionRefusesAnUnknownShell(t *testing.T) {
	s := newShell(t)
	stdout, stderr := s.requireExit(exitUsage, "completion", "bsh")
	require.Empty(t, stdout)
	require.Contains(t, stderr, `unknown command "bsh"`)
	require.Contains(t, s.run("completion"), "bash")
}

// A dry run of any command changes nothing.
func TestDryRunChangesNothing(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "one"})
	s.put(bucket+"/a", "old")
	s.put(bucket+"/folder/b", "b")
	before := s.run("ls", "-r", "-l", bucket)

	for _, args := range [][]string{
		{"cp", filepath.Join(dir, "a"), bucket},
		{"cp", "-r", dir + "/", bucket},
		{"cp", bucket + "/a", bucket + "/c"},
		{"sync", "--delete", dir, bucket},
		{"rm", bucket + "/a"},
		{"rm", "-r", "--all", bucket},
		{"rb", "--force", bucket},
		{"mv", bucket + "/a", bucket + "/c"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(exitOK, append(args, "--dry-run")...)
			require.Equal(t, before, s.run("ls", "-r", "-l", bucket))
		})
	}
}

// A dry run of any command creates no directory and no file.
func TestDryRunMakesNoDirectory(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"files/a": "a"})

	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "a")
	files := filepath.Join(dir, "files")
	created := "file://" + filepath.ToSlash(dir) + "/new?create=true"

	for _, args := range [][]string{
		{"cp", filepath.Join(files, "a"), created},
		{"cp", "-r", files, created},
		{"sync", files, created},
		{"sync", "--delete", bucket, created + "#x"},
		{"mv", filepath.Join(files, "a"), created},
		{"rm", created + "#a"},
		{"cp", bucket + "/a", filepath.Join(dir, "new", "a")},
		{"cp", "-r", bucket, filepath.Join(dir, "new")},
		{"cp", filepath.Join(files, "a"), filepath.Join(dir, "new", "a")},
		{"sync", "--journal", filepath.Join(dir, "new"), files, bucket},
		{"sync", "--resume", filepath.Join(dir, "new"), files, bucket},
		{"sync", "--backup-dir", filepath.Join(dir, "new"), files, bucket},
		{"config", "add", "x", "mem://x", "--config", filepath.Join(dir, "new.yaml")},
	} {
		s.requireExit(exitOK, append(args, "--dry-run")...)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, args)
	}

	// A dry run also refuses invalid arguments.
	_, stderr := s.requireExit(exitUsage, "sync", "--dry-run", "--backup-dir", bucket+"/old", files, bucket)
	require.Contains(t, stderr, "--backup-dir must not overlap")
}

// With --quiet, commands print nothing but errors.
func TestQuietPrintsOnlyErrors(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "one"})

	// Without --quiet, sync prints a summary, and rm says that the object does not exist.
	for _, args := range [][]string{{"sync", dir, bucket}, {"rm", bucket + "/none"}} {
		stdout, stderr := s.requireExit(exitOK, append(args, "-q")...)
		require.Empty(t, stdout+stderr)
	}

	// An error is printed.
	_, stderr := s.requireExit(exitNotFound, "cat", "-q", bucket+"/none")
	require.NotEmpty(t, stderr)

	// --verbose asks for the opposite of --quiet.
	s.requireExit(exitUsage, "ls", "-q", "-v", bucket)
}

// --bwlimit limits the bandwidth of a command, and refuses a rate that it cannot parse.
func TestBwlimitOfACommand(t *testing.T) {
	const (
		size        = 100 << 10
		minDuration = 300 * time.Millisecond // size at 200 KiB a second takes half a second
	)
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.stdin = strings.Repeat("x", size)

	start := time.Now()
	s.run("cp", "--bwlimit", "200K", "-", bucket+"/a")
	require.Greater(t, time.Since(start), minDuration)

	_, stderr := s.requireExit(exitUsage, "ls", "--bwlimit", "fast", bucket)
	require.Contains(t, stderr, "--bwlimit: timetable must have rates")
	require.Contains(t, stderr, `hint: use a rate such as 10M`)
}

// sync --delete removes at most as many files as --max-delete says. --backup-dir keeps the files
// that sync replaces and removes.
func TestMaxDeleteAndBackupDir(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	backup := filepath.Join(t.TempDir(), "kept")
	writeFiles(t, dir, map[string]string{"a": "new"})
	s.put(bucket+"/site/a", "older")
	s.put(bucket+"/site/b", "b")
	s.put(bucket+"/site/c", "c")

	// The destination has two files more than the source.
	_, stderr := s.requireExit(exitUsage, "sync", "--delete", "--max-delete", "1", "--dry-run", dir, bucket+"/site")
	require.Contains(t, stderr, "nothing was deleted, because the source lacks 2 files, which is more than 1")
	require.Contains(t, stderr, "hint: check the source, or use a larger --max-delete")

	// The backup gets the replaced file and the removed ones.
	s.runSync("--delete", "--max-delete", "2", "--backup-dir", backup, dir, bucket+"/site")
	require.Equal(t, "site/a\n", s.run("ls", "-r", bucket))
	require.Equal(t, "older", readFile(t, filepath.Join(backup, "a")))
	require.Equal(t, "b", readFile(t, filepath.Join(backup, "b")))
	require.Equal(t, "c", readFile(t, filepath.Join(backup, "c")))

	_, stderr = s.requireExit(exitUsage, "sync", "--backup-dir", bucket+"/site/old", dir, bucket+"/site")
	require.Contains(t, stderr, "--backup-dir must not overlap")
}

// With --json, each line of standard error is JSON, even if the command line is invalid.
func TestJSONOfInvalidCommandLines(t *testing.T) {
	s := newShell(t)
	s.stdin = "ls 'box:\nls --none\nnone\n" // three invalid command lines for run

	for _, args := range [][]string{
		{"ls"},
		{"ls", "--none"},
		{"none"},
		{"lss"},
		{"config", "none"},
		{"run", "-"},
	} {
		_, stderr := s.requireExit(exitUsage, append(args, "--json")...)
		require.NotEmpty(t, stderr, args)
		for _, text := range splitLines(stderr) {
			var line map[string]any
			require.NoError(t, json.Unmarshal([]byte(text), &line), text)
			require.Equal(t, "error", line["event"])
			require.Equal(t, "invalid argument", line["code"])

			// Only the command "run" reads lines from a file. Its error has the number of the line.
			hasNumber := line["line"] != nil
			require.Equal(t, args[0] == "run", hasNumber, text)
		}
	}
}
