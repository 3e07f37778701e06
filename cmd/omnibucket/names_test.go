package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/s3server"
)

// If a command has the name of one in another program, the error suggests the command of omnibucket
// that does the same.
func TestHintForNamesOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	for other, want := range map[string]string{
		"compare": "diff",
		"copy":    "cp",
		"delete":  "rm",
		"get":     "cp",
		"info":    "stat",
		"list":    "ls",
		"md5sum":  "hash",
		"mirror":  "sync",
		"mkdir":   "mb",
		"move":    "mv",
		"presign": "sign",
		"put":     "cp",
		"remove":  "rm",
		"rmdir":   "rb",
		"rsync":   "sync",
		"share":   "sign",
		"size":    "du",
	} {
		_, stderr := s.requireExit(exitUsage, other, "x")
		require.Contains(t, stderr, "hint: use ", other)
		require.Regexp(t, "hint: .* "+want+"\\b", stderr, other)
	}
}

// For a flag of another program or a misspelled flag, the error has a hint if the command has a similar flag.
func TestHintForFlagsOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	// If a case has no hint, the command has no similar flag.
	tests := []struct{ command, flag, hint string }{
		{command: "cp", flag: "--sse", hint: "set kms_key= in the address"},
		{command: "cp", flag: "--acl", hint: "use --public"},
		{command: "sync", flag: "--acl"},
		{command: "sync", flag: "--dryrun", hint: "use --dry-run\n"},
		{command: "sync", flag: "--max-age", hint: "use --newer\n"},
		{command: "sign", flag: "--max-age"},
		{command: "sign", flag: "--expires", hint: "use --ttl\n"},
		{command: "cp", flag: "--expires"},
		{command: "ls", flag: "--endpoint-url", hint: "use --endpoint\n"},
		{command: "sign", flag: "--expires-in", hint: "use --ttl\n"},
		{command: "ls", flag: "--fast"},
		{command: "ls", flag: "--recursiv", hint: "use --recursive\n"},
		{command: "ls", flag: "--qiet", hint: "use --quiet\n"},
		{command: "sync", flag: "--exclude-form", hint: "use --exclude-from\n"},
		{command: "sync", flag: "--max", hint: "use --max-delete or --max-size\n"},
		{command: "ls", flag: "-Z"},
	}
	for _, tt := range tests {
		_, stderr := s.requireExit(exitUsage, tt.command, tt.flag, "source", "destination")
		require.Contains(t, stderr, "unknown ", tt.command)
		if tt.hint == "" {
			require.NotContains(t, stderr, "hint:", tt)
			continue
		}
		require.Contains(t, stderr, "hint: "+tt.hint, tt.command)
	}
}

// Each flag that a hint names exists for at least one command.
func TestHintedFlagsExist(t *testing.T) {
	root := rootCommand(&program.Program{})
	for name, hint := range otherFlags {
		flag, isFlag := strings.CutPrefix(hint, "--")
		if !isFlag {
			continue
		}
		exists := slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Flag(flag) != nil })
		require.True(t, exists, "%s: %s", name, hint)
	}
}

// For du, ls and find, -h means --human and prints sizes with units. For other commands, it prints the help.
func TestFlagHHumanSizes(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "12345")
	for _, args := range [][]string{
		{"du", "-h", bucket},
		{"ls", "-lh", bucket},
		{"find", "-l", "-h", bucket},
	} {
		require.Contains(t, s.run(args...), "5 B", args)
		require.Contains(t, s.run(args[0], "--help"), "-h, --human", args)
	}
	require.Contains(t, s.run("cat", "-h"), "Usage:")
}

// An error names the flags of the command, and not options of the library.
func TestHintNamesWhatACommandHas(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})

	_, stderr := s.requireExit(exitUsage, "cp", "--tag", "=x", filepath.Join(dir, "a"), newMemoryAddress(t)+"/a")
	require.Contains(t, stderr, "--tag")
	require.NotContains(t, stderr, "WithTags")
}

// An error has the details of an SDK only with -v.
func TestErrorsHaveDetailsOnlyIfVerbose(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	server.Close()

	// Without -v, the error has the reason and a hint, but no details.
	_, stderr := s.requireExit(exitFailure, "ls", "--retries", "0", "box:")
	require.Contains(t, stderr, "connection refused")
	require.Contains(t, stderr, "hint: no program accepts connections there: check the endpoint")
	for _, detail := range []string{
		"operation error", "StatusCode", "RequestID", "request send failed", "REDACTED",
	} {
		require.NotContains(t, stderr, detail)
	}

	// With -v, it has details.
	_, stderr = s.requireExit(exitFailure, "ls", "-v", "--retries", "0", "box:")
	require.Contains(t, stderr, "operation error")
}

// rm of local paths removes exactly these paths. It leaves no internal files of a bucket in their
// directory.
func TestRmOfAPathLeavesNoFilesOfABucket(t *testing.T) {
	tests := []struct {
		name      string
		args      []string
		wantNames []string // in the directory after the command
	}{
		{name: "a file", args: []string{"rm", "a"}, wantNames: []string{"b.tmp", "c.tmp", "tree"}},
		{name: "wildcards", args: []string{"rm", "*.tmp"}, wantNames: []string{"a", "tree"}},
		{name: "a tree", args: []string{"rm", "-r", "tree"}, wantNames: []string{"a", "b.tmp", "c.tmp"}},
		{name: "a dry run", args: []string{"rm", "--dry-run", "a"}, wantNames: []string{"a", "b.tmp", "c.tmp", "tree"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			t.Chdir(dir)
			writeFiles(t, dir, map[string]string{"a": "", "b.tmp": "", "c.tmp": "", "tree/x/1": "", "tree/2": ""})

			s.requireExit(exitOK, append(tt.args, "-v")...)

			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			require.Equal(t, tt.wantNames, names)
		})
	}
}

// rm does not follow a symbolic link to a file outside of the directory.
func TestRmOfAPathFollowsNoLink(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	outside := t.TempDir()
	writeFiles(t, outside, map[string]string{"kept": "kept"})
	writeFiles(t, dir, map[string]string{"tree/a": ""})
	if err := os.Symlink(outside, filepath.Join(dir, "tree", "link")); err != nil {
		t.Skip(err)
	}

	s.requireExit(exitOK, "rm", "-r", filepath.Join(dir, "tree"))
	require.Equal(t, "kept", readFile(t, filepath.Join(outside, "kept")))
}

// The duration of a signed URL may be in days or weeks, up to 7 days.
func TestSignExpiresInDays(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "a")
	address := bucket + "/a?signing_base_url=http://127.0.0.1:8080/.signed"
	require.Contains(t, s.run("sign", "--ttl", "7d", address), "http://127.0.0.1:8080/")
	require.Contains(t, s.run("sign", "--ttl", "1w", address), "http://127.0.0.1:8080/")

	for _, invalid := range []string{"soon", "8d", "-1h", ""} {
		_, stderr := s.requireExit(exitUsage, "sign", "--ttl", invalid, address)
		require.Contains(t, stderr, "ttl", invalid)
	}
}

// Commands that open no location work without a valid configuration.
func TestVersionNeedsNoConfiguration(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	invalid := filepath.Join(dir, "invalid.yaml")
	writeFiles(t, dir, map[string]string{"invalid.yaml": "x"})

	// The file of the configuration does not exist, or is invalid.
	for _, file := range []string{filepath.Join(dir, "new.yaml"), invalid} {
		s.env["OMNIBUCKET_CONFIG"] = file
		for _, args := range [][]string{
			{"version"},
			{"--version"},
			{"help"},
			{"help", "cp"},
			{"completion", "bash"},
			{},
		} {
			require.NotEmpty(t, s.run(args...), args)
		}

		// A command that opens a location refuses a missing configuration and an invalid one.
		s.requireExit(exitUsage, "ls", newMemoryAddress(t))
	}
}

// diff and check compare two objects, whatever their keys are.
func TestDiffAndCheckOfTwoObjects(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "same", "b": "other", "tree/c": ""})
	s.put(bucket+"/x/a", "same")
	s.put(bucket+"/x/ab", "more")
	fileA := filepath.Join(dir, "a")

	for _, command := range []string{"diff", "check"} {
		// The objects are the same.
		stdout, stderr := s.requireExit(exitOK, command, fileA, bucket+"/x/a")
		require.Empty(t, stdout)
		require.Contains(t, stderr, "1 the same, 0 different")

		// The objects differ, for which "!" stands.
		stdout, _ = s.requireExit(exitFailure, command, bucket+"/x/a", filepath.Join(dir, "b"))
		require.Equal(t, "! a\n", stdout)
		stdout, _ = s.requireExit(exitFailure, command, bucket+"/x/a", bucket+"/x/ab")
		require.Equal(t, "! a\n", stdout)

		// One of the objects is missing.
		s.requireExit(exitNotFound, command, filepath.Join(dir, "none"), bucket+"/x/a")
		s.requireExit(exitNotFound, command, fileA, bucket+"/x/none")

		// An object cannot be compared with a folder.
		_, stderr = s.requireExit(exitUsage, command, fileA, bucket+"/x/")
		require.Contains(t, stderr, "two trees or two objects")
	}
}
