package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runSync runs sync. It returns the report on standard error, and the printed changes
// in order.
func (s *shell) runSync(args ...string) (changes []string, report string) {
	s.t.Helper()
	stdout, stderr := s.requireExit(exitOK, append([]string{"sync"}, args...)...)
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

	// Sync a directory to a bucket, without b/d.tmp.
	changes, report := s.runSync("-v", "--exclude", "**/*.tmp", dir, first+"/site")
	require.Equal(t, []string{"transferred a", "transferred b/c", "transferred e é/f?"}, changes)
	require.Regexp(t, `^3 transferred \(3 B\), 0 the same in \S+, .+/s\n$`, report)

	// Sync this bucket to a second one, and the second one to a directory.
	_, report = s.runSync(first+"/site", second+"#copy/")
	require.Contains(t, report, "3 transferred")
	_, report = s.runSync(second+"#copy", back)
	require.Contains(t, report, "3 transferred")
	require.Equal(t, "f", readFile(t, filepath.Join(back, "e é", "f?")))

	// A sync of copies of copies finds no difference.
	_, report = s.runSync(back, first+"/site/")
	require.Contains(t, report, "0 transferred (0 B), 3 the same")

	// Only b/c and b/d.tmp are included.
	_, report = s.runSync("--include", "b/**", "--checksum", "--concurrency", "2", dir, first+"/part")
	require.Contains(t, report, "2 transferred")

	// Only b/d.tmp, which the first sync excluded, is transferred.
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

	// A dry run prints what would be done, and changes nothing.
	before := s.run("ls", "-r", "-l", bucket)
	changes, report := s.runSync("--delete", "--dry-run", "--exclude", "kept", dir, bucket+"/site")
	require.Equal(t, []string{"deleted old", "transferred a"}, changes)
	require.Contains(t, report, "dry run: 1 transferred")
	require.Equal(t, before, s.run("ls", "-r", "-l", bucket), "a dry run changes nothing")

	// sync does what its dry run has printed. It keeps excluded files, and objects beside the
	// destination.
	s.runSync("--delete", "--exclude", "kept", dir, bucket+"/site")
	require.Equal(t, "site-other\nsite/a\nsite/kept/x\n", s.run("ls", "-r", bucket))
}

// Patterns without a slash, such as *.jpg, match at any depth. Those that begin with a slash match only at the top.
func TestSyncPatternsWithoutASlash(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	// sync transfers each of these files, unless the patterns exclude it.
	writeFiles(t, dir, map[string]string{"f": "x", "new.jpg": "n", "sub/new.jpg": "n"})
	// The directory has none of these files, so sync --delete removes each of these objects, unless
	// the patterns exclude it.
	for _, key := range []string{"top.jpg", "a/deep.jpg", "a/old", "cache/x", "a/cache/y"} {
		s.put(bucket+"/"+key, "x")
	}

	tests := []struct {
		name  string
		flags []string
		want  []string // the changes that sync reports
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
			s := s.inSubtest(t)
			changes, _ := s.runSync(append(append([]string{"--delete", "--dry-run"}, tt.flags...), dir, bucket)...)
			require.Equal(t, tt.want, changes)
		})
	}
}

// If some files cannot be stored, sync stores the others and prints an error for each that failed.
func TestSyncFailures(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"good": "", `bad\name`: "", "worse.": ""})

	_, stderr := s.requireExit(exitUsage, "sync", dir, bucket)

	lines := splitLines(stderr)
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "1 transferred (0 B), 0 the same, 2 failed")
	require.Contains(t, lines[1]+lines[2], "worse.")
	require.Equal(t, "good\n", s.run("ls", "-r", bucket))
}

// sync refuses arguments that it cannot use, and fails if the source does not exist.
func TestSyncRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()

	s.requireExit(exitUsage, "sync", "-", bucket)
	s.requireExit(exitUsage, "sync", bucket, "mem://")
	s.requireExit(exitUsage, "sync", "--concurrency", "0", dir, bucket)
	s.requireExit(exitUsage, "sync", "--include", "[", dir, bucket)
	s.requireExit(exitNotFound, "sync", newDirectoryAddress(t)+"/none", dir)
	s.requireExit(exitNotFound, "sync", filepath.Join(dir, "none"), bucket)
}

// sync --resume creates its directory.
func TestSyncResumeCreatesItsDirectory(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	partials := filepath.Join(t.TempDir(), "kept")

	s.runSync("--resume", partials, dir, newMemoryAddress(t))
	require.DirExists(t, partials)
}

// sync ignores symbolic links, and follows them with --links.
func TestSyncFollowsLinks(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))

	_, report := s.runSync(dir, bucket)
	require.Contains(t, report, "1 ignored")

	_, report = s.runSync("--links", dir, bucket)
	require.Contains(t, report, "1 transferred")
	require.Equal(t, "a", s.run("cat", bucket+"/link"))
}

// sync --delete refuses an empty source without --empty-source, because the name of the source may
// be misspelled.
func TestSyncEmptySourceRemovesNothing(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	empty := t.TempDir()
	s.put(bucket+"/photos/b", "b")
	s.setLocation("photos", bucket+"/photos")
	// "misspelled:" stands for a folder that does not exist.
	s.setLocation("misspelled", bucket+"/phtoos")

	tests := []struct {
		name, source      string
		codeWithoutDelete int // exit code of sync without --delete
	}{
		{name: "a misspelled folder", source: bucket + "/phtoos", codeWithoutDelete: exitNotFound},
		{name: "a location of such a folder", source: "misspelled:", codeWithoutDelete: exitOK},
		{name: "a folder below it", source: "misspelled:2026/", codeWithoutDelete: exitNotFound},
		{name: "an empty bucket", source: "mem://empty-source-of-a-sync", codeWithoutDelete: exitOK},
		{name: "an empty directory", source: empty, codeWithoutDelete: exitOK},
		{name: "an empty directory as a bucket", source: "file://" + filepath.ToSlash(empty), codeWithoutDelete: exitOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			writeFiles(t, dir, map[string]string{"a": "a"})

			// sync --delete fails. It removes nothing from a directory or a bucket.
			for _, dryRun := range []string{"--dry-run=false", "--dry-run"} {
				stdout, stderr := s.requireExit(exitNotFound, "sync", "--delete", dryRun, tt.source, dir)
				require.Empty(t, stdout)
				require.Contains(t, stderr, "--empty-source")
				require.NotContains(t, stderr, "WithEmptySource")
				s.requireExit(exitNotFound, "sync", "--delete", dryRun, tt.source, "photos:")
			}
			require.FileExists(t, filepath.Join(dir, "a"))
			require.Equal(t, "b", s.run("cat", "photos:b"))

			// Without --delete, only a missing folder is an error.
			s.requireExit(tt.codeWithoutDelete, "sync", tt.source, dir)

			// With --empty-source, sync removes what the source does not have.
			_, report := s.runSync("--delete", "--empty-source", tt.source, dir)
			require.Contains(t, report, "1 deleted")
			require.NoFileExists(t, filepath.Join(dir, "a"))
		})
	}
}

// An invalid address is not taken for a local path. So a job with a missing variable fails.
func TestInvalidAddressIsNoPath(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"src/a": "a"})

	tests := []struct{ address, wantErr string }{
		{address: "nosuch:dst", wantErr: "OMNIBUCKET_NOSUCH is not set"},
		{address: "nosuch:", wantErr: "OMNIBUCKET_NOSUCH is not set"},
		{address: "s3:/site/x", wantErr: "two slashes"},
		{address: "file:/srv/files", wantErr: "two slashes"},
		{address: "no.such:dst", wantErr: "name of letters"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			s := s.inSubtest(t)
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
				_, stderr := s.requireExit(exitUsage, args...)
				require.Contains(t, stderr, tt.wantErr)
			}
		})
	}

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was created")
}

// A local path with a colon in its name must begin with "./".
func TestPathWithAColon(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	bucket := newMemoryAddress(t)
	writeFiles(t, dir, map[string]string{"a:b": "colon"})

	s.run("cp", "./a:b", bucket)
	require.Equal(t, "colon", s.run("cat", bucket+"/a:b"))
}

// sync --delete and cp -r refuse a destination that contains the source, or is in it, however the two are spelled.
func TestSyncNeverRemovesItsOwnSource(t *testing.T) {
	tests := []struct{ name, from, to string }{
		{name: "a directory in the bucket", from: "site/public", to: "file://TOP/site"},
		{name: "a bucket in the bucket", from: "file://TOP/site/public", to: "file://TOP/site"},
		{name: "a folder of the bucket that is a directory", from: "file://TOP/site#public", to: "site/public"},
		{name: "a bucket in the directory", from: "file://TOP/site/public", to: "site"},
		{name: "the bucket around the destination", from: "file://TOP/site", to: "file://TOP/site/public"},
		{name: "the directory around the destination", from: "site", to: "file://TOP/site/public"},
		{name: "through a symbolic link", from: "link", to: "file://TOP/site"},
		{name: "through ..", from: "site/public/../public", to: "file://TOP/site"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			dir := t.TempDir()
			t.Chdir(dir)
			writeFiles(t, dir, map[string]string{"site/notes.txt": "keep", "site/public/index.html": "one"})
			require.NoError(t, os.Symlink("site/public", "link"))
			from := strings.Replace(tt.from, "TOP", filepath.ToSlash(dir), 1)
			to := strings.Replace(tt.to, "TOP", filepath.ToSlash(dir), 1)

			for _, command := range [][]string{
				{"sync", "--delete"},
				{"sync", "--delete", "--exclude", "*.tmp"},
				{"cp", "-r"},
			} {
				_, stderr := s.requireExit(exitUsage, append(command, from+"/", to)...)
				require.Contains(t, stderr, "must not overlap")
			}
			require.Equal(t, "one", readFile(t, "site/public/index.html"))
			require.Equal(t, "keep", readFile(t, "site/notes.txt"))
		})
	}
}

// sync refuses a directory for --resume, --journal or --backup-dir that is empty, is no bucket, or
// overlaps with the source or the destination. In these cases, it writes nothing.
func TestSyncInvalidPlaces(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	t.Chdir(dir)
	writeFiles(t, dir, map[string]string{"files/a": "a"})
	s.setLocation("box", newMemoryAddress(t))

	// The location "unknown:" does not exist.
	for _, flag := range [][]string{
		{"--resume", ""},
		{"--backup-dir", ""},
		{"--resume", "box:"},
		{"--resume", "unknown:"},
		{"--journal", "unknown:"},
		{"--backup-dir", "unknown:"},
		{"--journal", "box:in/journal"},
		{"--journal", "files"},
		{"--journal", filepath.Join(dir, "files", "journal")},
	} {
		s.requireExit(exitUsage, append([]string{"sync", "files", "box:in"}, flag...)...)
	}
	s.requireExit(exitNotFound, "ls", "box:in")
	require.NoDirExists(t, "box:", "the location is not taken for a path")

	// A journal beside the destination is accepted.
	s.requireExit(exitOK, "sync", "--journal", "box:journals", "files", "box:in")
}
