package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/s3server"
)

// If a command would fail, its dry run fails with the same exit code and error.
func TestDryRunFailsAsTheCommand(t *testing.T) {
	s := newShell(t)
	parent := newDirectoryAddress(t)
	made := parent + "/made"
	missing := parent + "/none"
	s.run("mb", made)
	s.put(made+"#a", "a")
	s.put(made+"#b", "b")

	tests := []struct {
		name string
		args []string
		want int
	}{
		{name: "bucket exists", args: []string{"mb", made}, want: exitFailure},
		{name: "bucket is not empty", args: []string{"rb", made}, want: exitFailure},
		{name: "invalid key", args: []string{"cp", made + "#a", made + "#..%2Fa"}, want: exitUsage},
		{name: "cp to a missing bucket", args: []string{"cp", made + "#a", missing + "#a"}, want: exitNotFound},
		{name: "rb of a missing bucket", args: []string{"rb", missing}, want: exitNotFound},
		{
			name: "settings of a missing bucket",
			args: []string{"bucket", "--public", "on", missing},
			want: exitNotFound,
		},
		{
			name: "tags of a missing object",
			args: []string{"tag", "--set", "a=b", made + "#none"},
			want: exitNotFound,
		},
		{
			name: "restore of a missing object",
			args: []string{"restore", "--days", "1", made + "#none"},
			want: exitNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, dryRunErr := s.requireExit(tt.want, append(tt.args, "--dry-run")...)
			_, commandErr := s.requireExit(tt.want, tt.args...)
			require.Equal(t, splitLines(commandErr)[0], splitLines(dryRunErr)[0])
		})
	}

	// With --if-absent, cp fails if the destination, here b, exists.
	s.requireExit(exitPrecondition, "cp", "--if-absent", "--dry-run", made+"#a", made+"#b")
	s.requireExit(exitPrecondition, "cp", "--if-absent", made+"#a", made+"#b")

	// With --if-absent, cp succeeds if the destination, here c, does not exist.
	s.requireExit(exitOK, "cp", "--if-absent", "--dry-run", made+"#a", made+"#c")
	s.requireExit(exitOK, "cp", "--if-absent", made+"#a", made+"#c")

	// No command has removed the bucket.
	require.DirExists(t, filepath.FromSlash(strings.TrimPrefix(made, "file://")))
}

// A dry run refuses what the command refuses, with the same exit code and error.
func TestDryRunRefuses(t *testing.T) {
	s := newShell(t)

	// The working directory has two names of one file, and a folder.
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"a": "a", "folder/x": "x"})
	require.NoError(t, os.Link("a", "hardlink"))

	// memory: and disk: have objects. versioned: keeps versions. r2: has neither tags nor an archive.
	s.setLocation("memory", newMemoryAddress(t))
	parent := newDirectoryAddress(t)
	s.run("mb", parent+"/disk")
	s.setLocation("disk", parent+"/disk")
	s.run("mb", "--versioned", parent+"/versioned")
	s.setLocation("versioned", parent+"/versioned")
	s.startS3Location("r2", s3server.Config{})
	s.addParameter("r2", "profile=r2")
	for _, location := range []string{"memory:", "disk:"} {
		s.put(location+"a", "a")
		s.put(location+"folder/x", "x")
		s.put(location+"folder/hardlink", "h")
	}
	s.put("versioned:a", "a")
	s.put("r2:a", "a")

	tests := []struct {
		name     string
		wantExit int
		args     []string
	}{
		{
			name:     "an invalid content type",
			wantExit: exitUsage,
			args:     []string{"cp", "--content-type", "picture", "a", "memory:b"},
		},
		{
			name:     "an invalid metadata key of a copy",
			wantExit: exitUsage,
			args:     []string{"cp", "--metadata", "a b=1", "memory:a", "memory:b"},
		},
		{
			name:     "an invalid language of standard input",
			wantExit: exitUsage,
			args:     []string{"cp", "--content-language", "\n", "-", "memory:b"},
		},
		{
			name:     "an invalid cache control of a moved file",
			wantExit: exitUsage,
			args:     []string{"mv", "--cache-control", "\n", "a", "memory:b"},
		},
		{name: "tags of a store without them", wantExit: exitFailure, args: []string{"cp", "--tag", "a=b", "a", "r2:b"}},
		{
			name:     "tags of a copy to a store without them",
			wantExit: exitFailure,
			args:     []string{"cp", "--tag", "a=b", "disk:a", "r2:b"},
		},
		{
			name:     "a condition that the store does not support",
			wantExit: exitFailure,
			args:     []string{"rm", "--if-revision", "x", "r2:a"},
		},
		{
			name:     "another revision of the destination of a copy",
			wantExit: exitPrecondition,
			args:     []string{"cp", "--if-revision", "memory:0", "memory:a", "memory:folder/x"},
		},
		{
			name:     "another revision of the destination of an upload",
			wantExit: exitPrecondition,
			args:     []string{"cp", "--if-revision", "memory:0", "a", "memory:a"},
		},
		{
			name:     "another revision of a missing object",
			wantExit: exitPrecondition,
			args:     []string{"cp", "--if-revision", "memory:0", "a", "memory:none"},
		},
		{
			name:     "an existing destination of an upload",
			wantExit: exitPrecondition,
			args:     []string{"cp", "--if-absent", "a", "memory:a"},
		},
		{name: "an invalid key", wantExit: exitUsage, args: []string{"cp", "a", "memory:x//y"}},
		{name: "an invalid key for standard input", wantExit: exitUsage, args: []string{"cp", "-", "memory:x//y"}},
		{
			name:     "a version of a bucket without versions",
			wantExit: exitFailure,
			args:     []string{"cp", "--version", "none", "disk:a", "b"},
		},
		{
			name:     "an unknown version",
			wantExit: exitUsage,
			args:     []string{"cp", "--version", "none", "versioned:a", "b"},
		},
		{
			name:     "an unknown version to restore",
			wantExit: exitUsage,
			args:     []string{"restore", "--days", "1", "--version", "none", "versioned:a"},
		},
		{name: "a destination below a file", wantExit: exitUsage, args: []string{"cp", "memory:a", "a/b"}},
		{name: "a destination below a folder in a file", wantExit: exitUsage, args: []string{"cp", "folder/x", "a/b/c"}},
		{name: "a link to the source", wantExit: exitUsage, args: []string{"cp", "a", "hardlink"}},
		{name: "a device as a source", wantExit: exitUsage, args: []string{"cp", os.DevNull, "b"}},
		{name: "a device as a moved source", wantExit: exitUsage, args: []string{"mv", os.DevNull, "memory:b"}},
		{name: "a missing source", wantExit: exitNotFound, args: []string{"cp", "memory:none", "b"}},
		{name: "a missing file", wantExit: exitNotFound, args: []string{"cp", "none", "memory:b"}},
		{name: "a destination that is the source", wantExit: exitUsage, args: []string{"mv", "memory:a", "memory:a"}},
		{name: "a directory without -r", wantExit: exitUsage, args: []string{"cp", "folder", "memory:b"}},
		{
			name:     "another revision of the object to remove",
			wantExit: exitPrecondition,
			args:     []string{"rm", "--if-revision", "memory:0", "memory:a"},
		},
		{name: "a version of rm without versions", wantExit: exitFailure, args: []string{"rm", "--version", "1", "disk:a"}},
		{
			name:     "an invalid name of a bucket",
			wantExit: exitUsage,
			args:     []string{"mb", "file://" + filepath.ToSlash(dir) + "/UPPER"},
		},
		{
			name:     "a region for an existing bucket",
			wantExit: exitUsage,
			args:     []string{"bucket", "--region", "x", "--cors", "-", "disk:"},
		},
		{name: "invalid tags", wantExit: exitUsage, args: []string{"tag", "--set", "=1", "memory:a"}},
		{
			name:     "an archive of a store without one",
			wantExit: exitFailure,
			args:     []string{"restore", "--days", "1", "r2:a"},
		},
		{name: "zero days of a restored object", wantExit: exitUsage, args: []string{"restore", "--days", "0", "memory:a"}},
		{name: "a tree below a file", wantExit: exitUsage, args: []string{"cp", "-r", "disk:", "a/b"}},
		{name: "a tree to a file", wantExit: exitUsage, args: []string{"sync", "disk:", "a"}},
		{
			name:     "a journal in the source",
			wantExit: exitUsage,
			args:     []string{"sync", "--journal", "folder", "folder", "memory:"},
		},
		{
			name:     "a journal on standard output",
			wantExit: exitUsage,
			args:     []string{"sync", "--journal", "-", "folder", "memory:"},
		},
		{name: "a tree below itself", wantExit: exitUsage, args: []string{"cp", "-r", "folder", "folder/inner/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, dryRunErr := s.requireExit(tt.wantExit, append([]string{"--dry-run"}, tt.args...)...)
			_, commandErr := s.requireExit(tt.wantExit, tt.args...)
			require.Equal(t, program.FirstLine(commandErr), program.FirstLine(dryRunErr))
		})
	}
}

// A copy of a tree with --tag fails as unsupported if the store has no tags, and so does its dry run.
func TestDryRunRefusesAttributesOfTrees(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	s.startS3Location("box", s3server.Config{})
	s.addParameter("box", "profile=r2") // Cloudflare R2 has no tags
	s.put("box:in/x", "x")

	for _, args := range [][]string{
		{"cp", "--tag", "a=b", "-r", dir + "/", "box:"},
		{"cp", "--tag", "a=b", dir + "/*", "box:"},
		{"cp", "--tag", "a=b", "-r", "box:in/", "box:out"},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "unsupported")
		_, stderr = s.requireExit(exitFailure, append(args, "--dry-run")...)
		require.Contains(t, stderr, "unsupported")
	}
	require.Equal(t, "in/x\n", s.run("ls", "-r", "box:"))
}

// A dry run does not read standard input, because it would wait for somebody who types.
func TestDryRunReadsNoInput(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	stdin, _, err := os.Pipe() // a read of it would never end
	require.NoError(t, err)

	args := []string{"cp", "--dry-run", "-", "box:a"}
	code := run(t.Context(), args, s.environment(stdin, io.Discard, io.Discard))
	require.Equal(t, exitOK, code)
	require.NoError(t, stdin.Close())
}

// rb refuses a bucket that has only old versions, and so does its dry run.
func TestRbDryRunWithVersions(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.run("mb", "--versioned", address)
	s.put(address+"#a", "a")
	s.run("rm", address+"#a")

	// Without --force, rb and its dry run fail.
	for _, flag := range []string{"--dry-run", "--dry-run=false"} {
		_, stderr := s.requireExit(exitFailure, "rb", flag, address)
		require.Contains(t, stderr, "not empty")
	}

	// With --force, rb and its dry run succeed.
	s.requireExit(exitOK, "rb", "--force", "--dry-run", address)
	s.run("rb", "--force", address)
}

// serve --s3 refuses --dry-run, because a server has no end.
func TestServeS3RefusesADryRun(t *testing.T) {
	s := newShell(t)
	_, stderr := s.requireExit(exitUsage, "serve", "--s3", "--dry-run", filepath.Join(t.TempDir(), "new"))
	require.Contains(t, stderr, "--dry-run must not be used with serve")
}

// With --requests, sync prints how many requests it sent, and in a dry run how many the job would send.
func TestDryRunCost(t *testing.T) {
	s := newShell(t)
	src := newDirectoryAddress(t)
	dst := newDirectoryAddress(t)
	// Two objects have five bytes each.
	for _, key := range []string{"a", "b"} {
		s.put(src+"#"+key, "12345")
	}

	// A dry run only lists.
	_, stderr := s.requireExit(exitOK, "sync", "--dry-run", "--requests", src, dst)
	require.Contains(t, stderr, "to be done: at least 2 reads, at least 2 writes\n", "copies inside a disk")
	require.Contains(t, stderr, "requests: 0 reads, 0 writes, 2 lists, 0 removals; 0 B sent, 0 B received")

	// With --json, it prints the same numbers.
	stdout, _ := s.requireExit(exitOK, "sync", "--dry-run", "--requests", "--json", src, dst)
	require.Contains(t, stdout, `"forecast":{"reads":2,"writes":2,"removals":0,"sent":0,"received":0,"needed":0,"free":-1}`)
	require.Contains(t, stdout, `{"event":"requests","reads":0,"writes":0,"lists":2,"removals":0,"sent":0,"received":0}`)

	// The job itself sends what the dry run has announced.
	_, stderr = s.requireExit(exitOK, "sync", "--requests", src, dst)
	require.Contains(t, stderr, "requests: 2 reads, 2 writes, 2 lists, 0 removals; 0 B sent, 0 B received")

	// Accesses to a local path are not counted.
	dir := t.TempDir()
	_, stderr = s.requireExit(exitOK, "sync", "--requests", src, dir)
	require.Contains(t, stderr, "requests: 2 reads, 0 writes, 1 lists, 0 removals; 0 B sent, 10 B received")

	// run prints the requests once, for all lines of its file.
	s.stdin = "cat " + src + "#a\ncat --requests " + src + "#b\n"
	_, stderr = s.requireExit(exitOK, "run", "--requests", "-")
	require.Equal(t, 1, strings.Count(stderr, "requests:"))
}
