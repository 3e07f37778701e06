package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/reading"
	"github.com/omnibucket/storage/s3server"
)

// mv moves objects and trees between keys, buckets and local files.
func TestMv(t *testing.T) {
	for _, newAddress := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "new", "c")
		putObjects(t, s, newAddress(t), "a", "b", "tree/1", "tree/x/2")

		// From key to key.
		s.ok("mv", "box:a", "box:c")
		s.ok("mv", "box:b", "box:new/")
		require.Equal(t, "c\nnew/b\ntree/1\ntree/x/2\n", s.ok("ls", "-r", "box:"))

		// An object to a file, and back.
		s.ok("mv", "box:c", file)
		require.Equal(t, "a", readFile(t, file))
		s.ok("mv", file, "box:")
		require.NoFileExists(t, file)

		// A tree to a directory, and back.
		s.ok("mv", "-r", "box:tree", dir+"/")
		s.exits(3, "ls", "box:tree")
		require.Equal(t, "tree/x/2", readFile(t, filepath.Join(dir, "tree", "x", "2")))
		s.ok("mv", "-r", filepath.Join(dir, "tree")+"/", "box:back")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.ok("ls", "-r", "box:"))

		// A dry run moves nothing.
		s.ok("mv", "--dry-run", "box:c", "box:d")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.ok("ls", "-r", "box:"))
	}
}

// If mv refuses its arguments or fails, the objects stay where they are.
func TestMvNeverLosesAnObject(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	file := filepath.Join(dir, "a") // the object a
	putObjects(t, s, bucket, "a", "tree/1")

	for _, args := range [][]string{
		// The destination is the source.
		{"box:a", "box:a"},
		{"box:a", bucket},
		{file, "box:a"},
		{"box:a", file},
		{"box:a", dir},
		// A tree would come into itself.
		{"-r", "box:tree", "box:tree/inner/"},
		{"-r", "box:tree/", "box:tree"},
		{"-r", filepath.Join(dir, "tree"), bucket},
		// These cannot be moved.
		{"--version", "1", "box:a", "box:b"},
		{"-", "box:a"},
		{"box:a", "-"},
		{"box:tree", "box:b"},
	} {
		env := s.environment(strings.NewReader("lost"), &bytes.Buffer{}, &bytes.Buffer{})
		require.NotZero(t, run(t.Context(), append([]string{"mv"}, args...), env), args)
		require.Equal(t, "a", s.ok("cat", "box:a"), args)
		require.Equal(t, "tree/1", s.ok("cat", "box:tree/1"), args)
	}

	s.put("box:b", "b")
	s.exits(4, "mv", "--if-absent", "box:a", "box:b")
	require.Equal(t, "a", s.ok("cat", "box:a"))

	s.exits(3, "mv", "box:none", "box:b")
	require.Equal(t, "b", s.ok("cat", "box:b"))
}

// Each command that has the flags to select objects selects the same ones.
func TestFilters(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"new.txt":     "0123456789",
		"old.txt":     "x",
		"sub/old.log": "xx",
		"sub/new.log": "xxx",
		"skip/x":      "1",
	})
	threeDaysAgo := time.Now().Add(-72 * time.Hour)
	for _, name := range []string{"old.txt", "sub/old.log"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), threeDaysAgo, threeDaysAgo))
	}
	list := filepath.Join(t.TempDir(), "patterns")
	require.NoError(t, os.WriteFile(list, []byte("# not these\n\nskip/\n*.log\r\n"), 0o644))
	bucket := "file://" + filepath.ToSlash(dir)
	twoDaysAgo := time.Now().Add(-48 * time.Hour).Format("2006-01-02T15:04")

	tests := []struct {
		name  string
		flags []string
		want  string
	}{
		{name: "include", flags: []string{"--include", "*.log"}, want: "sub/new.log sub/old.log"},
		{name: "exclude", flags: []string{"--exclude", "sub", "--exclude", "skip/"}, want: "new.txt old.txt"},
		{name: "exclude from a file", flags: []string{"--exclude-from", list}, want: "new.txt old.txt"},
		{
			name:  "include from a file",
			flags: []string{"--include-from", list, "--exclude", "old*"},
			want:  "skip/x sub/new.log",
		},
		{name: "at least", flags: []string{"--min-size", "3"}, want: "new.txt sub/new.log"},
		{name: "at most", flags: []string{"--max-size", "1B"}, want: "old.txt skip/x"},
		{name: "newer than a duration", flags: []string{"--newer", "2d"}, want: "new.txt skip/x sub/new.log"},
		{name: "older than a duration", flags: []string{"--older", "1d12h"}, want: "old.txt sub/old.log"},
		{
			name:  "newer than a time",
			flags: []string{"--newer", twoDaysAgo},
			want:  "new.txt skip/x sub/new.log",
		},
		{name: "several", flags: []string{"--older", "1d", "--include", "*.log"}, want: "sub/old.log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			want := strings.Fields(tt.want)
			withFlags := func(command ...string) []string {
				return slices.Concat(command[:1], tt.flags, command[1:])
			}

			// Commands that print keys.
			require.Equal(t, want, strings.Fields(s.ok(withFlags("ls", "-r", bucket)...)))
			require.Equal(t, want, strings.Fields(s.ok(withFlags("find", bucket)...)))
			require.Equal(t, want, strings.Fields(s.ok(withFlags("rm", "-r", "--all", "--dry-run", bucket)...)))
			hashes := s.ok(withFlags("hash", bucket)...)
			require.Len(t, strings.Split(strings.TrimSpace(hashes), "\n"), len(want))

			// Commands that copy.
			dst := newMemoryAddress(t)
			s.ok(withFlags("cp", "-r", dir+"/", dst)...)
			require.Equal(t, want, strings.Fields(s.ok("ls", "-r", dst)))
			s.runSync(append(tt.flags, dir, dst+"/synced")...)
			require.Len(t, strings.Fields(s.ok("ls", "-r", dst+"/synced")), len(want))

			// A comparison with an empty directory.
			changes, _ := s.exits(1, withFlags("diff", dir, t.TempDir())...)
			require.Len(t, splitLines(changes), len(want))
		})
	}
}

// Values of filters that mean nothing are refused, and so is a filter that cannot select.
func TestFiltersInvalid(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	writeFiles(t, dir, map[string]string{"old.txt": "x"})
	for _, flag := range [][]string{
		{"--min-size", "x"},
		{"--max-size", "-1"},
		{"--min-size", "99999999P"},
		{"--newer", "yesterday"},
		{"--older", "-1h"},
		{"--newer", ""},
		{"--include", "["},
		{"--older", "999999999999w"},
	} {
		s.exits(2, append(append([]string{"find"}, flag...), bucket)...)
	}

	list := filepath.Join(t.TempDir(), "patterns")
	s.exits(3, "find", "--exclude-from", list, bucket)
	require.NoError(t, os.WriteFile(list, []byte("# nothing\n"), 0o644))
	s.exits(2, "rm", "-r", "--all", "--include-from", list, bucket)
	s.exits(2, "cp", "--older", "1d", filepath.Join(dir, "old.txt"), newMemoryAddress(t))
}

// A size is a number with an optional unit, of which each is 1024 times the one before.
func TestSizes(t *testing.T) {
	tests := []struct {
		text string
		want int64
	}{
		{"0", 0},
		{"1024", 1024},
		{"10k", 10 << 10},
		{"1.5M", 3 << 19},
		{"2GiB", 2 << 30},
		{"1TB", 1 << 40},
		{"7B", 7},
	}
	for _, tt := range tests {
		got, err := argument.Size("--min-size", tt.text)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt.text)
	}
}

// A duration may have days and weeks, which time.ParseDuration does not know.
func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		text string
		want time.Duration
	}{
		{"90m", 90 * time.Minute},
		{"2w", 14 * day},
		{"1d12h", 36 * time.Hour},
		{"1w1d", 8 * day},
		{"0s", 0},
	}
	for _, tt := range tests {
		got, err := argument.Duration("--age", tt.text)
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt.text)
	}
}

// FormatSize prints one digit after the point, in the unit that gives a number below 1024.
func TestFormatSize(t *testing.T) {
	tests := []struct {
		size int64
		want string
	}{
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{1<<20 - 1, "1.0 MiB"},
		{1<<50 - 1, "1.0 PiB"},
		{1 << 50, "1.0 PiB"},
		{7 << 60, "7.0 EiB"},
		{math.MaxInt64, "8.0 EiB"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, console.FormatSize(tt.size))
	}
}

// du prints bytes, objects and the name of each folder, and the sum of all.
func TestDu(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "p/1", "p/q/22", "p/q/r/333", "z/4")
	du := func(args ...string) []string {
		return strings.Fields(s.ok(append([]string{"du"}, args...)...))
	}

	require.Equal(t, strings.Fields("22 5 ."), du("box:"))
	require.Equal(t, strings.Fields("18 3 p/ 3 1 z/ 22 5 ."), du("--depth", "1", "box:"))
	require.Equal(t, strings.Fields("9 1 p/q/r/ 15 2 p/q/ 18 3 p/"), du("--depth", "9", "box:p"))
	require.Equal(t, strings.Fields("1 1 a 3 1 p/1"), du("box:a", "box:p/1"))
	require.Equal(t, `{"key":"p/","bytes":18,"objects":3}`+"\n", s.ok("du", "--json", "box:p"))
	require.Contains(t, s.ok("du", "--human", "box:"), "22 B")

	s.exits(3, "du", "box:none")
	s.exits(2, "du", "--depth", "-1", "box:")
}

// find prints the keys under its arguments, up to a depth and a number.
func TestFind(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "p/1", "p/q/2")
	require.Equal(t, "a\np/1\np/q/2\n", s.ok("find", "box:"))
	require.Equal(t, "p/1\x00p/q/2\x00", s.ok("find", "--print0", "box:p"))
	require.Equal(t, "a\np/1\n", s.ok("find", "--max-depth", "2", "box:"))
	require.Equal(t, "a\n", s.ok("find", "--limit", "1", "box:", "box:p"))
	require.Equal(t, "p/1\na\n", s.ok("find", "--exclude", "2", "box:p", "box:a"))
	require.Empty(t, s.ok("find", "--include", "none", "box:"))

	s.exits(3, "find", "box:none/")
	s.exits(2, "find", "--limit", "0", "box:")
}

// tree draws folders and objects, up to a depth, also with their sizes.
func TestTree(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "p/1", "p/q/2", "z")
	require.Equal(t, ".\n├── a\n├── p/\n│   ├── 1\n│   └── q/\n│       └── 2\n└── z\n", s.ok("tree", "box:"))
	require.Equal(t, ".\n└── p/\n    └── q/\n", s.ok("tree", "--folders", "box:"))
	require.Equal(t, ".\n├── a\n├── p/\n└── z\n", s.ok("tree", "--depth", "1", "box:"))
	require.Equal(t, "p/\n├── 1  (3 B)\n└── q/\n    └── 2  (5 B)\n", s.ok("tree", "-l", "box:p"))
	require.Equal(t, 6, strings.Count(s.ok("tree", "--json", "box:"), "\n"))
	s.exits(3, "tree", "box:none")
}

// head prints the first ten lines of an object, or as many lines or bytes as a flag says.
func TestHead(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	lines := strings.Repeat("line\n", 20)
	s.put("box:a", lines)

	s.put("box:long", strings.Repeat("x", 100_000)+"\nsecond")
	require.Equal(t, lines[:50], s.ok("head", "box:a"))
	require.Equal(t, "line\n", s.ok("head", "-n", "1", "box:a"))
	require.Equal(t, lines, s.ok("head", "-n", "99", "box:a"))
	require.Equal(t, "lin", s.ok("head", "-c", "3", "box:a"))
	require.Empty(t, s.ok("head", "-c", "0", "box:a"))
	require.Len(t, s.ok("head", "-n", "1", "box:long"), 100_001)
	require.Equal(t, "linex", s.ok("head", "-c", "4", "box:a")+s.ok("head", "-c", "1", "box:lo*"))

	s.exits(3, "head", "box:none")
	s.exits(2, "head", "-n", "1", "-c", "1", "box:a")
	s.exits(2, "head", "-n", "-1", "box:a")
}

// hash prints the hash of each object by each algorithm, also if it must read the content.
func TestHash(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "p/1")
	for algorithm, want := range map[string]string{
		"crc32c": "c1d04330", "md5": "0cc175b9c0f1b6a831c399e269772661", "sha1": "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
		"sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
	} {
		require.Equal(t, want+"  a\n", s.ok("hash", "--algorithm", algorithm, "box:a"))
		require.Equal(t, want+"  a\n", s.ok("hash", "--algorithm", algorithm, "--read", "box:a"))
	}
	require.Equal(t, 2, strings.Count(s.ok("hash", "box:"), "\n"))
	require.Contains(t, s.ok("hash", "--json", "box:p"), `"key":"p/1","size":3,"algorithm":"sha256"`)
	s.exits(2, "hash", "--algorithm", "rot13", "box:a")
}

// diff and check print what differs between two trees, and exit with 1.
func TestDiffAndCheck(t *testing.T) {
	s := newShell(t)
	dir := newTreeToCompare(t, s)
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{
			name: "check",
			args: []string{"check"},
			want: []string{"! changed", "! grown", "< only here", "> only there"},
		},
		{
			name: "diff by checksum",
			args: []string{"diff", "--checksum"},
			want: []string{"! changed", "! grown", "< only here", "> only there"},
		},
		{
			name: "check of sizes",
			args: []string{"check", "--size"},
			want: []string{"! grown", "< only here", "> only there"},
		},
		{
			name: "diff of sizes",
			args: []string{"diff", "--size"},
			want: []string{"! grown", "< only here", "> only there"},
		},
		{
			name: "check one way",
			args: []string{"check", "--one-way"},
			want: []string{"! changed", "! grown", "< only here"},
		},
		{
			name: "a filter",
			args: []string{"check", "--include", "only*"},
			want: []string{"< only here", "> only there"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			stdout, stderr := s.exits(1, append(tt.args, dir, "box:t")...)

			// The lines come in any order. A key begins at the third byte.
			lines := splitLines(stdout)
			slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
			require.Equal(t, tt.want, lines)
			require.Contains(t, stderr, "only in the first")
		})
	}
}

// The exit code of check says whether the trees are equal, are different, are missing, or cannot be compared.
func TestCheckExitCodes(t *testing.T) {
	s := newShell(t)
	dir := newTreeToCompare(t, s)

	stdout, stderr := s.exits(0, "check", "--exclude", "*", dir, "box:t")
	require.Empty(t, stdout+stderr)
	stdout, stderr = s.exits(0, "check", "--include", "same", dir, "box:t")
	require.Empty(t, stdout)
	require.Contains(t, stderr, "1 the same")
	s.exits(0, "check", "box:t", "box:t")

	stdout, _ = s.exits(1, "check", "--json", "--include", "changed", "box:t", dir)
	require.Contains(t, stdout, `{"key":"changed","difference":"different"}
{"event":"summary","same":0,"different":1,"onlyFirst":0,"onlySecond":0,"notCompared":0,`)

	s.exits(3, "check", dir+"/none", "box:t")
	s.exits(3, "check", dir, "box:none")
	s.exits(3, "diff", "box:t", dir+"/none")
	s.exits(2, "check", "--size", "--times", dir, "box:t")
}

// newTreeToCompare writes files into a new directory, and objects under box:t. One has the same content, one has
// other content, one has another size, and one is only in the directory or only in the bucket.
func newTreeToCompare(t *testing.T, s *shell) (dir string) {
	t.Helper()
	dir = t.TempDir()
	writeFiles(t, dir, map[string]string{"same": "same", "changed": "one", "grown": "x", "only here": "1"})
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	s.put("box:t/same", "same")
	s.put("box:t/changed", "two")
	s.put("box:t/grown", "xx")
	s.put("box:t/only there", "2")
	return dir
}

// In a bucket that keeps versions, undelete brings back removed objects, and restore --at the state of a time.
func TestVersionedStores(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t) + "/kept"} {
		s.env["OMNIBUCKET_BOX"] = address
		s.ok("mb", "--versioned", address)
		s.put("box:p/a", "one")
		s.put("box:p/b", "kept")
		timestamp := timeBetween(s)
		s.put("box:p/a", "two")
		s.ok("rm", "box:p/b")
		s.put("box:p/new", "new")

		// A dry run of undelete changes nothing.
		_, stderr := s.exits(0, "undelete", "--dry-run", "box:p/")
		require.Contains(t, stderr, "1 transferred")
		s.exits(3, "cat", "box:p/b")

		// undelete brings back only what was removed.
		s.exits(0, "undelete", "box:p/b")
		require.Equal(t, "kept", s.ok("cat", "box:p/b"))
		s.ok("rm", "box:p/b")
		s.exits(0, "undelete", "box:**")
		require.Equal(t, "kept", s.ok("cat", "box:p/b"))
		require.Equal(t, "two", s.ok("cat", "box:p/a"))

		// restore --at removes what is newer only with --delete.
		s.exits(0, "restore", "--at", timestamp, "box:p/a")
		require.Equal(t, "one", s.ok("cat", "box:p/a"))
		require.Equal(t, "new", s.ok("cat", "box:p/new"))
		s.exits(0, "restore", "--at", timestamp, "--delete", "box:p")
		require.Equal(t, "p/a\np/b\n", s.ok("ls", "-r", "box:p"))
		s.exits(0, "undelete", "box:")
		require.Equal(t, "new", s.ok("cat", "box:p/new"), "its versions stayed")
	}

	// Keys that never were are missing, and a pattern that matches something may restore nothing.
	s.exits(3, "undelete", "box:none")
	s.exits(3, "undelete", "box:none*")
	s.exits(3, "restore", "--at", "1d", "box:p/none/")
	s.exits(0, "undelete", "box:p/*")

	s.exits(2, "restore", "box:p")
	s.exits(2, "restore", "--at", "soon", "box:p")
	s.exits(2, "restore", "--at", "1d", "--days", "1", "box:p")
	s.exits(2, "restore", "--at", "1d", "--tier", "Bulk", "box:p")
}

// In a bucket that keeps no versions, undelete fails, and says how to keep them.
func TestUndeleteWithoutVersions(t *testing.T) {
	s := newShell(t)
	_, stderr := s.exits(1, "undelete", newMemoryAddress(t)+"-plain")
	require.Contains(t, stderr, "the bucket keeps no old versions")
	require.Contains(t, stderr, "bucket --versioning on")

	_, stderr = s.exits(1, "undelete", newDirectoryAddress(t))
	require.Contains(t, stderr, "the bucket keeps no old versions")
	require.NotContains(t, stderr, "transferred", "an error says all of what was not begun")

	text := "mem://without-versions-of-undelete"
	s.put(text+"/a", "a")
	s.exits(1, "undelete", text)
}

// S3 lists the current versions of any bucket, also of one that keeps no old ones.
func TestUndeleteOnS3(t *testing.T) {
	s := newShell(t)
	startS3Box(t, s, s3server.Config{})
	s.put("box:a", "a")
	for _, args := range [][]string{
		{"undelete", "box:a"},
		{"undelete", "box:"},
		{"restore", "--at", "1h", "box:a"},
	} {
		_, stderr := s.exits(1, args...)
		require.Contains(t, stderr, "the bucket keeps no old versions", args)
	}

	s.ok("bucket", "--versioning", "on", "box:")
	s.put("box:a", "b")
	s.exits(0, "undelete", "box:a")
}

// In a bucket with soft delete, undelete brings back removed objects, and reports the others as unchanged.
func TestUndeleteAfterSoftDelete(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{newMemoryAddress(t) + "-softly", newDirectoryAddress(t) + "/softly"} {
		s.env["OMNIBUCKET_BOX"] = address
		s.ok("mb", address)
		s.ok("bucket", "--soft-delete", "7d", "box:")
		require.Contains(t, s.ok("stat", "box:"), "168h0m0s")
		s.put("box:p/a", "one")
		s.put("box:stays", "x")
		s.ok("rm", "box:p/a")

		stdout, _ := s.exits(0, "undelete", "--json", "box:")
		require.Contains(t, stdout, `{"event":"restored","key":"p/a","bytes":3}`)
		require.Contains(t, stdout, `{"event":"unchanged","key":"stays","bytes":1}`)
		require.Equal(t, "one", s.ok("cat", "box:p/a"))

		stdout, _ = s.exits(0, "undelete", "--dry-run", "box:")
		require.NotContains(t, stdout, "unchanged")
		s.ok("rb", "--force", "box:")
	}
}

// timeBetween returns a time after everything that was written to box:, and before what will be. It writes an object
// until the clock of the store has moved on.
func timeBetween(s *shell) string {
	s.t.Helper()
	first := timeOfNewObject(s)
	for !timeOfNewObject(s).After(first) {
		continue
	}
	return first.Format(time.RFC3339Nano)
}

// timeOfNewObject stores box:clock, and returns the time of its newest version.
func timeOfNewObject(s *shell) time.Time {
	s.t.Helper()
	s.put("box:clock", "")
	line, _, _ := strings.Cut(s.ok("ls", "--versions", "--json", "box:clock"), "\n")
	var newest reading.VersionLine
	require.NoError(s.t, json.Unmarshal([]byte(line), &newest))
	return newest.Modified
}

// bucket changes the settings that its flags name, and prints all of them without flags.
func TestBucket(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.ok("mb", address)
	rules := filepath.Join(t.TempDir(), "rules.json")
	require.NoError(t, os.WriteFile(rules, []byte(`[{"Prefix":"tmp/","ExpireAfterDays":7}]`), 0o644))

	// Set each setting, from a file and from standard input.
	changed := s.ok("bucket", "-v", "--versioning", "on", "--public", "on", "--lifecycle", rules, address)
	require.Equal(t, "changed kept\n", changed)
	s.in = `[{"Origins":["*"],"Methods":["GET"]}]`
	s.ok("bucket", "--cors", "-", address)
	text := s.ok("bucket", address)
	for _, want := range []string{`(?m)^versioning +true$`, `(?m)^public +true$`, `tmp/`, `GET`} {
		require.Regexp(t, want, text)
	}
	require.Contains(t, s.ok("bucket", "--json", address), `"expireAfterDays":7`)

	// A dry run changes nothing.
	s.ok("bucket", "--dry-run", "--public", "off", address)
	require.Regexp(t, `(?m)^public +true$`, s.ok("bucket", address))

	// Remove the rules, by none and by an empty list.
	s.ok("bucket", "--cors", "none", "--lifecycle", "none", "--public", "off", address)
	require.NotContains(t, s.ok("bucket", "--json", address), "expireAfterDays")
	s.ok("bucket", "--lifecycle", rules, address)
	s.in = "[]"
	s.ok("bucket", "--lifecycle", "-", address)
	require.NotContains(t, s.ok("bucket", "--json", address), "expireAfterDays")
}

// Rules that are no list of rules are refused, and the bucket keeps those that it has.
func TestBucketInvalidRules(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.ok("mb", address)
	s.in = `[{"Prefix":"tmp/","ExpireAfterDays":7}]`
	s.ok("bucket", "--lifecycle", "-", address)

	for _, text := range []string{
		"null", "", " ", "{}", `[{"Prefix":"tmp/","ExpireAfterDays":8}] []`, "[] rest", "[",
	} {
		s.in = text
		s.exits(2, "bucket", "--lifecycle", "-", address)
		require.Contains(t, s.ok("bucket", "--json", address), `"expireAfterDays":7`, "%q must not change rules", text)
	}

	s.in = `[{"Prefx":"tmp/"}]`
	_, stderr := s.exits(2, "bucket", "--lifecycle", "-", address)
	require.Contains(t, stderr, "Prefx")
	s.in = ""
	s.exits(2, "bucket", "--cors", "-", address)
}

// Values and arguments of bucket that mean nothing are refused.
func TestBucketInvalidArguments(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.ok("mb", address)
	s.exits(2, "bucket", "--versioning", "maybe", address)
	s.exits(2, "bucket", "--retention", "forever", address)
	s.exits(3, "bucket", "--cors", filepath.Join(t.TempDir(), "none"), address)
	s.exits(3, "bucket", address+"-none")
	s.exits(2, "bucket", address+"#a")
}

// expire removes what is older than --age, or what the lifecycle rules of the bucket let expire.
func TestExpire(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	putObjects(t, s, bucket, "tmp/old", "tmp/new", "tmp/keep", "other")
	tenDaysAgo := time.Now().Add(-10 * 24 * time.Hour)
	for _, name := range []string{"tmp/old", "tmp/keep", "other"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), tenDaysAgo, tenDaysAgo))
	}

	// By age, first in a dry run.
	stdout, stderr := s.exits(0, "expire", "--age", "7d", "--dry-run", "--exclude", "keep", "box:tmp")
	require.Equal(t, "deleted old\n", stdout)
	require.Contains(t, stderr, "1 deleted")
	s.exits(0, "expire", "--age", "7d", "--exclude", "keep", "box:tmp")
	require.Equal(t, "other\ntmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))

	// By the rules of the bucket.
	s.in = `[{"Prefix":"oth","ExpireAfterDays":1}]`
	s.ok("bucket", "--lifecycle", "none", "box:")
	s.ok("bucket", "--lifecycle", "-", "box:")
	s.exits(0, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))

	// Invalid arguments remove nothing.
	for _, args := range [][]string{
		{"box:tmp"},
		{"--age", "7d", "box:"},
		{"--age", "0s", "box:tmp"},
		{"--age", "x", "box:tmp"},
		{"--lifecycle", "--age", "7d", "box:"},
		{"--lifecycle", "box:tmp"},
		{"--age", "1d", "box:t*"},
	} {
		s.exits(2, append([]string{"expire"}, args...)...)
	}
	require.Equal(t, "tmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))
}

// version prints the versions of the program and of Go.
func TestVersion(t *testing.T) {
	s := newShell(t)
	require.Contains(t, s.ok("version"), "go1.")
	require.Contains(t, s.ok("version", "--json"), `"version":`)
	s.exits(2, "version", "x")
}

// A release says its version: it is built at a tag of the library, which is no tag of this module.
func TestVersionOfARelease(t *testing.T) {
	s := newShell(t)
	release = "v0.1.0"
	defer func() {
		release = ""
	}()
	require.Contains(t, s.ok("version"), "omnibucket v0.1.0 ")
	require.Contains(t, s.ok("version", "--json"), `"omnibucket v0.1.0 `)
}

// Numbers that mean nothing, and flags that have no effect, are refused. The message names the flag.
func TestInvalidNumbersAndFlags(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	dir := t.TempDir()
	tests := []struct {
		flag string
		args []string
	}{
		{"--depth", []string{"tree", "--depth", "-1", "box:"}},
		{"--max-depth", []string{"find", "--max-depth", "-1", "box:"}},
		{"--shard", []string{"sync", "--shard", "+0/3", dir, "box:"}},
		{"--shard", []string{"sync", "--shard", "0/+3", dir, "box:"}},
		{"--max-delete", []string{"sync", "--max-delete", "3", dir, "box:"}},
		{"--empty-source", []string{"sync", "--empty-source", dir, "box:"}},
	}
	for _, tt := range tests {
		_, stderr := s.exits(2, tt.args...)
		require.Contains(t, stderr, tt.flag)
	}
}

// If sync refuses its arguments, it prints no summary.
func TestSyncArgumentErrorHasNoSummary(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	s.put("box:a/b", "b")
	for _, args := range [][]string{
		{"sync", "box:a", "box:"},
		{"sync", "--include", "[", "box:a", "box:b"},
		{"sync", "--size-only", "--checksum", "box:a", "box:b"},
	} {
		stdout, stderr := s.exits(2, append(args, "--json")...)
		require.Empty(t, stdout, args)
		require.NotContains(t, stderr, "transferred", args)

		_, stderr = s.exits(2, args...)
		require.NotContains(t, stderr, "transferred", args)
	}
}
