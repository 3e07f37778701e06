package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// runSync runs sync. It returns the report on standard error, and the printed changes
// in order.
func (s *shell) runSync(args ...string) (changes []string, report string) {
	s.t.Helper()
	stdout, stderr := s.exits(exitOK, append([]string{"sync"}, args...)...)
	changes = splitLines(stdout)
	slices.Sort(changes)
	return changes, stderr
}

// sync copies what differs, in any direction between directories and buckets.
func TestSync(t *testing.T) {
	s := newShell(t)
	first := newMemoryAddress(t)
	second := newDirectoryAddress(t)
	dir := t.TempDir()
	back := filepath.Join(t.TempDir(), "new", "tree")
	writeFiles(t, dir, map[string]string{"a": "a", "b/c": "c", "b/d.tmp": "d", "e é/f?": "f"})

	changes, report := s.runSync("-v", "--exclude", "**/*.tmp", dir, first+"/site")
	require.Equal(t, []string{"transferred a", "transferred b/c", "transferred e é/f?"}, changes)
	require.Regexp(t, `^3 transferred \(3 B\), 0 the same in \S+, .+/s\n$`, report)

	_, report = s.runSync(first+"/site", second+"#copy/")
	require.Contains(t, report, "3 transferred")
	_, report = s.runSync(second+"#copy", back)
	require.Contains(t, report, "3 transferred")
	require.Equal(t, "f", readFile(t, filepath.Join(back, "e é", "f?")))

	_, report = s.runSync(back, first+"/site/")
	require.Contains(t, report, "0 transferred (0 B), 3 the same")
	_, report = s.runSync("--include", "b/**", "--checksum", "--concurrency", "2", dir, first+"/part")
	require.Contains(t, report, "2 transferred")

	_, report = s.runSync(dir, back)
	require.Contains(t, report, "1 transferred")
}

// sync --delete removes what the source lacks, but not what the flags exclude.
func TestSyncRemovesFilesThatTheSourceLacks(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	s.put(bucket+"/site/old", "")
	s.put(bucket+"/site/kept/x", "")
	s.put(bucket+"/site-other", "")

	list := s.ok("ls", "-r", "-l", bucket)
	changes, report := s.runSync("--delete", "--dry-run", "--exclude", "kept", dir, bucket+"/site")
	require.Equal(t, []string{"deleted site/old", "transferred a"}, prefixed(changes, "old", "site/old"))
	require.Contains(t, report, "dry run: 1 transferred")
	require.Equal(t, list, s.ok("ls", "-r", "-l", bucket), "a dry run changes nothing")

	s.runSync("--delete", "--exclude", "kept", dir, bucket+"/site")
	require.Equal(t, "site-other\nsite/a\nsite/kept/x\n", s.ok("ls", "-r", bucket))
}

// prefixed returns a list of changes with one key replaced.
func prefixed(changes []string, key, as string) []string {
	for i := range changes {
		changes[i] = strings.Replace(changes[i], " "+key, " "+as, 1)
	}
	return changes
}

// Patterns without a slash match at any depth.
func TestSyncPatternsWithoutASlash(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"f": "x", "new.jpg": "n", "sub/new.jpg": "n"})
	for _, key := range []string{"top.jpg", "a/deep.jpg", "a/old", "cache/x", "a/cache/y"} {
		s.put(bucket+"/"+key, "x")
	}

	tests := []struct {
		name  string
		flags []string
		want  []string
	}{
		{
			name:  "excluded",
			flags: []string{"--exclude", "*.jpg", "--exclude", "cache/"},
			want:  []string{"deleted a/old", "transferred f"},
		},
		{
			name:  "excluded at the top",
			flags: []string{"--exclude", "/*.jpg", "--exclude", "/cache/"},
			want:  []string{"deleted a/cache/y", "deleted a/deep.jpg", "deleted a/old", "transferred f", "transferred sub/new.jpg"},
		},
		{
			name:  "included",
			flags: []string{"--include", "*.jpg"},
			want:  []string{"deleted a/deep.jpg", "deleted top.jpg", "transferred new.jpg", "transferred sub/new.jpg"},
		},
		{
			name:  "included at the top",
			flags: []string{"--include", "/*.jpg"},
			want:  []string{"deleted top.jpg", "transferred new.jpg"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			changes, _ := s.runSync(append(append([]string{"--delete", "--dry-run"}, tt.flags...), dir, bucket)...)
			require.Equal(t, tt.want, changes)
		})
	}
}

// If some files cannot be stored, sync stores the others, and names each that failed.
func TestSyncFailures(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"good": "", `bad\name`: "", "worse.": ""})
	_, stderr := s.exits(exitUsage, "sync", dir, bucket)

	lines := splitLines(stderr)
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "1 transferred (0 B), 0 the same, 2 failed")
	require.Contains(t, lines[1]+lines[2], "worse.")
	require.Equal(t, "good\n", s.ok("ls", "-r", bucket))

	s.exits(exitUsage, "sync", "-", bucket)
	s.exits(exitUsage, "sync", bucket, "mem://")
	s.exits(exitUsage, "sync", "--concurrency", "0", dir, bucket)
	s.exits(exitUsage, "sync", "--include", "[", dir, bucket)
	s.exits(exitNotFound, "sync", newDirectoryAddress(t)+"/none", dir)
	s.exits(exitNotFound, "sync", filepath.Join(dir, "none"), bucket)
}

// sync ignores symbolic links, but follows them with --links. --resume makes its directory.
func TestSyncResumesAndFollowsLinks(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	partials := filepath.Join(t.TempDir(), "kept")
	writeFiles(t, dir, map[string]string{"a": "a"})
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))

	_, report := s.runSync("--resume", partials, dir, bucket)
	require.Contains(t, report, "1 ignored")
	require.DirExists(t, partials)

	_, report = s.runSync("--links", dir, bucket)
	require.Contains(t, report, "1 transferred")
	require.Equal(t, "a", s.ok("cat", bucket+"/link"))
}

// An empty source removes nothing.
func TestSyncEmptySourceRemovesNothing(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	empty := t.TempDir()
	s.put(bucket+"/photos/b", "b")
	s.env["OMNIBUCKET_BK"] = bucket + "/phtoos"
	s.env["OMNIBUCKET_PHOTOS"] = bucket + "/photos"

	tests := []struct {
		name, source string
		code         int // without --delete
	}{
		{"a misspelled folder", bucket + "/phtoos", program.ExitNotFound},
		{"a name of such a folder", "bk:", 0},
		{"a folder below it", "bk:2026/", program.ExitNotFound},
		{"an empty bucket", "mem://empty-source-of-a-sync", 0},
		{"an empty directory", empty, 0},
		{"an empty directory as a bucket", "file://" + filepath.ToSlash(empty), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			writeFiles(t, dir, map[string]string{"a": "a"})
			for _, extra := range [][]string{nil, {"--dry-run"}} {
				args := append([]string{"sync", "--delete"}, extra...)
				stdout, stderr := s.exits(exitNotFound, append(args, tt.source, dir)...)
				require.Empty(t, stdout)
				require.Contains(t, stderr, "--empty-source")
				require.NotContains(t, stderr, "WithEmptySource")
				s.exits(exitNotFound, append(args, tt.source, "photos:")...)
			}
			require.FileExists(t, filepath.Join(dir, "a"))
			require.Equal(t, "b", s.ok("cat", "photos:b"))
			s.exits(tt.code, "sync", tt.source, dir)

			_, report := s.runSync("--delete", "--empty-source", tt.source, dir)
			require.Contains(t, report, "1 deleted")
			require.NoFileExists(t, filepath.Join(dir, "a"))
		})
	}
}

// An invalid address is not taken for a local path. A nightly job with a missing variable must fail.
func TestInvalidAddressIsNoPath(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"src/a": "a"})

	tests := []struct{ address, wantErr string }{
		{"nosuch:dst", "OMNIBUCKET_NOSUCH is not set"},
		{"nosuch:", "OMNIBUCKET_NOSUCH is not set"},
		{"s3:/site/x", "two slashes"},
		{"file:/srv/files", "two slashes"},
		{"no.such:dst", "name of letters"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			s.t = t
			for _, args := range [][]string{
				{"sync", "src", tt.address},
				{"sync", tt.address, "dst"},
				{"sync", "--delete", tt.address, "src"},
				{"cp", "src/a", tt.address},
				{"cp", tt.address, "dst"},
				{"cp", "-r", "src", tt.address},
				{"cp", "-r", tt.address, "dst"},
				{"ls", tt.address},
				{"cat", tt.address},
				{"stat", tt.address},
				{"rm", tt.address},
				{"sign", tt.address},
				{"mb", tt.address},
				{"rb", tt.address},
				{"serve", tt.address},
			} {
				_, stderr := s.exits(exitUsage, args...)
				require.Contains(t, stderr, tt.wantErr)
			}
		})
	}

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was created")

	s.t = t
	bucket := newMemoryAddress(t)
	writeFiles(t, dir, map[string]string{"a:b": "colon"})
	s.ok("cp", "./a:b", bucket)
	require.Equal(t, "colon", s.ok("cat", bucket+"/a:b"))
}

// sync --delete and cp -r refuse a destination that contains the source, or is in it, however the two are spelled.
func TestSyncNeverRemovesItsOwnSource(t *testing.T) {
	tests := []struct{ name, from, to string }{
		{"a directory in the bucket", "site/public", "file://TOP/site"},
		{"a bucket in the bucket", "file://TOP/site/public", "file://TOP/site"},
		{"a folder of the bucket that is a directory", "file://TOP/site#public", "site/public"},
		{"a bucket in the directory", "file://TOP/site/public", "site"},
		{"the bucket around the destination", "file://TOP/site", "file://TOP/site/public"},
		{"the directory around the destination", "site", "file://TOP/site/public"},
		{"through a symbolic link", "link", "file://TOP/site"},
		{"through ..", "site/public/../public", "file://TOP/site"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			t.Chdir(dir)
			writeFiles(t, dir, map[string]string{"site/notes.txt": "keep", "site/public/index.html": "one"})
			require.NoError(t, os.Symlink("site/public", "link"))
			address := func(text string) string { return strings.Replace(text, "TOP", filepath.ToSlash(dir), 1) }

			for _, command := range [][]string{
				{"sync", "--delete"},
				{"sync", "--delete", "--exclude", "*.tmp"},
				{"cp", "-r"},
			} {
				_, stderr := s.exits(exitUsage, append(command, address(tt.from)+"/", address(tt.to))...)
				require.Contains(t, stderr, "must not overlap")
			}
			require.Equal(t, "one", readFile(t, "site/public/index.html"))
			require.Equal(t, "keep", readFile(t, "site/notes.txt"))
		})
	}
}

// sync refuses an invalid place for its state or backups, such as one inside the source. It accepts a journal
// beside the destination.
func TestSyncStateHasItsPlace(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"files/a": "a"})
	s.setBox(newMemoryAddress(t))
	for _, args := range [][]string{
		{"--resume", ""},
		{"--backup-dir", ""},
		{"--resume", "box:"},
		{"--resume", "none:"},
		{"--journal", "none:"},
		{"--backup-dir", "none:"},
		{"--journal", "box:in/j"},
		{"--journal", "files"},
		{"--journal", filepath.Join(dir, "files", "x")},
	} {
		s.exits(exitUsage, append([]string{"sync", "files", "box:in"}, args...)...)
	}

	require.NoDirExists(t, "box:")
	s.exits(exitNotFound, "ls", "box:in")
	s.exits(exitOK, "sync", "--journal", "box:journals", "files", "box:in")
}
