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

// Names of other programs suggest a command.
func TestHintForNamesOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	for other, want := range map[string]string{
		"copy": "cp", "put": "cp", "get": "cp", "move": "mv", "list": "ls", "delete": "rm", "remove": "rm", "mirror": "sync", "rsync": "sync",
		"presign": "sign", "share": "sign", "mkdir": "mb", "rmdir": "rb", "md5sum": "hash", "info": "stat", "compare": "diff", "size": "du",
	} {
		_, stderr := s.exits(exitUsage, other, "x")
		require.Contains(t, stderr, "hint: use ", other)
		require.Regexp(t, "hint: .* "+want+"\\b", stderr, other)
	}
}

// Flags of other programs have a hint.
func TestHintForFlagsOfOtherPrograms(t *testing.T) {
	s := newShell(t)
	tests := []struct{ command, flag, hint string }{
		{"cp", "--sse", "set kms_key= in the address"},
		{"cp", "--acl", "use --public"},
		{"sync", "--acl", ""},
		{"sync", "--dryrun", "use --dry-run\n"},
		{"sync", "--max-age", "use --newer\n"},
		{"sign", "--max-age", ""},
		{"sign", "--expires", "use --ttl\n"},
		{"cp", "--expires", ""},
		{"ls", "--endpoint-url", "use --endpoint\n"},
		{"sign", "--expires-in", "use --ttl\n"},
		{"ls", "--fast", ""},
		{"ls", "--recursiv", "use --recursive\n"},
		{"ls", "--qiet", "use --quiet\n"},
		{"sync", "--exclude-form", "use --exclude-from\n"},
		{"sync", "--max", "use --max-delete or --max-size\n"},
		{"ls", "-Z", ""},
	}
	for _, tt := range tests {
		_, stderr := s.exits(exitUsage, tt.command, tt.flag, "x", "y")
		require.Contains(t, stderr, "unknown ", tt.command)
		if tt.hint == "" {
			require.NotContains(t, stderr, "hint:", tt)
			continue
		}
		require.Contains(t, stderr, "hint: "+tt.hint, tt.command)
	}
	root := rootCommand(&program.Program{})
	for name, hint := range otherFlags {
		if flag, isFlag := strings.CutPrefix(hint, "--"); isFlag {
			require.True(t, slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Flag(flag) != nil }), "%s: %s", name, hint)
		}
	}
}

// For du, ls and find, the flag -h means --human and prints sizes with units. For cat, it prints the help.
func TestFlagHHumanSizes(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "12345")
	for _, args := range [][]string{
		{"du", "-h", bucket},
		{"ls", "-lh", bucket},
		{"find", "-l", "-h", bucket},
	} {
		require.Contains(t, s.ok(args...), "5 B", args)
		require.Contains(t, s.ok(args[0], "--help"), "-h, --human", args)
	}
	require.Contains(t, s.ok("cat", "-h"), "Usage:")
}

// Errors of a command name its flags, and not options of the library. Details of the SDK appear only with -v.
func TestHintNamesWhatACommandHas(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	_, stderr := s.exits(exitUsage, "cp", "--tag", "=x", filepath.Join(dir, "a"), newMemoryAddress(t)+"/a")
	require.Contains(t, stderr, "--tag")
	require.NotContains(t, stderr, "WithTags")

	server := startS3Box(t, s, s3server.Config{})
	server.Close()

	_, stderr = s.exits(exitFailure, "ls", "--retries", "0", "box:")
	require.Contains(t, stderr, "connection refused")
	require.Contains(t, stderr, "hint: no program accepts connections there: check the endpoint")

	for _, noise := range []string{
		"operation error", "StatusCode", "RequestID", "request send failed", "REDACTED",
	} {
		require.NotContains(t, stderr, noise)
	}

	_, stderr = s.exits(exitFailure, "ls", "-v", "--retries", "0", "box:")
	require.Contains(t, stderr, "operation error", "-v has all")
}

// rm of local paths removes exactly these, and leaves no internal files of a bucket in their directory.
func TestRmOfAPathLeavesNoFilesOfABucket(t *testing.T) {
	tests := []struct {
		name string
		args []string
		left []string
	}{
		{"a file", []string{"rm", "a"}, []string{"b.tmp", "c.tmp", "tree"}},
		{"wildcards", []string{"rm", "*.tmp"}, []string{"a", "tree"}},
		{"a tree", []string{"rm", "-r", "tree"}, []string{"a", "b.tmp", "c.tmp"}},
		{"a dry run", []string{"rm", "--dry-run", "a"}, []string{"a", "b.tmp", "c.tmp", "tree"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			t.Chdir(dir)
			writeFiles(t, dir, map[string]string{"a": "", "b.tmp": "", "c.tmp": "", "tree/x/1": "", "tree/2": ""})
			s.exits(exitOK, append(tt.args, "-v")...)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			var leftovers []string
			for _, entry := range entries {
				leftovers = append(leftovers, entry.Name())
			}

			require.Equal(t, tt.left, leftovers)
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
	s.exits(exitOK, "rm", "-r", filepath.Join(dir, "tree"))

	require.Equal(t, "kept", readFile(t, filepath.Join(outside, "kept")))
}

// The duration of a signed URL may be in days.
func TestSignExpiresInDays(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "a")
	address := bucket + "/a?signing_base_url=http://127.0.0.1:8080/.signed"
	require.Contains(t, s.ok("sign", "--ttl", "7d", address), "http://127.0.0.1:8080/")
	require.Contains(t, s.ok("sign", "--ttl", "1w", address), "http://127.0.0.1:8080/")
	for _, bad := range []string{"soon", "8d", "-1h", ""} {
		_, stderr := s.exits(exitUsage, "sign", "--ttl", bad, address)
		require.Contains(t, stderr, "ttl", bad)
	}
}

// The version needs no configuration.
func TestVersionNeedsNoConfiguration(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	invalid := filepath.Join(dir, "invalid.yaml")
	writeFiles(t, dir, map[string]string{"invalid.yaml": "x"})
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
			require.NotEmpty(t, s.ok(args...), args)
		}
		s.exits(exitUsage, "ls", newMemoryAddress(t))
	}
}

// Two objects are compared.
func TestDiffAndCheckOfTwoObjects(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "same", "b": "other", "tree/c": ""})
	s.put(bucket+"/x/a", "same")
	s.put(bucket+"/x/ab", "more")
	file := func(name string) string { return filepath.Join(dir, name) }

	for _, command := range []string{"diff", "check"} {
		stdout, stderr := s.exits(exitOK, command, file("a"), bucket+"/x/a")
		require.Empty(t, stdout)
		require.Contains(t, stderr, "1 the same, 0 different")

		stdout, _ = s.exits(exitFailure, command, bucket+"/x/a", file("b"))
		require.Equal(t, "! a\n", stdout)
		stdout, _ = s.exits(exitFailure, command, bucket+"/x/a", bucket+"/x/ab")
		if command == "check" {
			require.Equal(t, "! a\n", stdout)
		}
		s.exits(exitNotFound, command, file("none"), bucket+"/x/a")
		s.exits(exitNotFound, command, file("a"), bucket+"/x/none")
		_, stderr = s.exits(exitUsage, command, file("a"), bucket+"/x/")
		require.Contains(t, stderr, "two trees or two objects")
	}
}
