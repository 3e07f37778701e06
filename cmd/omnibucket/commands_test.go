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
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "new", "c")
		s.setLocation("box", address)
		s.putKeysAsContent("box:", "a", "b", "tree/1", "tree/x/2")

		// Move an object to another key.
		s.run("mv", "box:a", "box:c")
		s.run("mv", "box:b", "box:new/")
		require.Equal(t, "c\nnew/b\ntree/1\ntree/x/2\n", s.run("ls", "-r", "box:"))

		// Move an object to a file, and back.
		s.run("mv", "box:c", file)
		require.Equal(t, "a", readFile(t, file))
		s.run("mv", file, "box:")
		require.NoFileExists(t, file)

		// Move a tree to a directory, and back.
		s.run("mv", "-r", "box:tree", dir+"/")
		s.requireExit(exitNotFound, "ls", "box:tree")
		require.Equal(t, "tree/x/2", readFile(t, filepath.Join(dir, "tree", "x", "2")))
		s.run("mv", "-r", filepath.Join(dir, "tree")+"/", "box:back")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.run("ls", "-r", "box:"))

		// A dry run moves nothing.
		s.run("mv", "--dry-run", "box:c", "box:d")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.run("ls", "-r", "box:"))
	}
}

// If mv refuses its arguments, it changes no object.
func TestMvNeverLosesAnObject(t *testing.T) {
	s := newShell(t)
	// box:, bucket and dir are the same directory, so fileOfA is the object box:a.
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	fileOfA := filepath.Join(dir, "a")
	s.setLocation("box", bucket)
	s.putKeysAsContent("box:", "a", "tree/1")

	for _, args := range [][]string{
		// The destination is the source.
		{"box:a", "box:a"},
		{"box:a", bucket},
		{fileOfA, "box:a"},
		{"box:a", fileOfA},
		{"box:a", dir},
		// A folder would be moved into itself.
		{"-r", "box:tree", "box:tree/inner/"},
		{"-r", "box:tree/", "box:tree"},
		{"-r", filepath.Join(dir, "tree"), bucket},
		// A version, standard input or output, and a folder without -r cannot be moved.
		{"--version", "1", "box:a", "box:b"},
		{"-", "box:a"},
		{"box:a", "-"},
		{"box:tree", "box:b"},
	} {
		env := s.environment(strings.NewReader("standard input"), &bytes.Buffer{}, &bytes.Buffer{})
		exitCode := run(t.Context(), append([]string{"mv"}, args...), env)
		require.NotZero(t, exitCode, args)
		require.Equal(t, "a", s.run("cat", "box:a"), args)
		require.Equal(t, "tree/1", s.run("cat", "box:tree/1"), args)
	}
}

// If mv fails, the objects stay where they are.
func TestMvThatFailsLosesNoObject(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", "file://"+filepath.ToSlash(t.TempDir()))
	s.putKeysAsContent("box:", "a", "b")

	// The destination exists, so the condition of --if-absent fails.
	s.requireExit(exitPrecondition, "mv", "--if-absent", "box:a", "box:b")
	require.Equal(t, "a", s.run("cat", "box:a"))

	// The source is missing.
	s.requireExit(exitNotFound, "mv", "box:none", "box:b")
	require.Equal(t, "b", s.run("cat", "box:b"))
}

// All commands with flags that select objects, such as --include and --older, select the same objects.
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
	patterns := filepath.Join(t.TempDir(), "patterns")
	require.NoError(t, os.WriteFile(patterns, []byte("# a comment\n\nskip/\n*.log\r\n"), 0o644))
	bucket := "file://" + filepath.ToSlash(dir)
	twoDaysAgo := time.Now().Add(-48 * time.Hour).Format("2006-01-02T15:04")

	tests := []struct {
		name  string
		flags []string
		want  string
	}{
		{name: "include", flags: []string{"--include", "*.log"}, want: "sub/new.log sub/old.log"},
		{name: "exclude", flags: []string{"--exclude", "sub", "--exclude", "skip/"}, want: "new.txt old.txt"},
		{name: "exclude from a file", flags: []string{"--exclude-from", patterns}, want: "new.txt old.txt"},
		{
			name:  "include from a file",
			flags: []string{"--include-from", patterns, "--exclude", "old*"},
			want:  "skip/x sub/new.log",
		},
		{name: "minimum size", flags: []string{"--min-size", "3"}, want: "new.txt sub/new.log"},
		{name: "maximum size", flags: []string{"--max-size", "1B"}, want: "old.txt skip/x"},
		{name: "newer than a duration", flags: []string{"--newer", "2d"}, want: "new.txt skip/x sub/new.log"},
		{name: "older than a duration", flags: []string{"--older", "1d12h"}, want: "old.txt sub/old.log"},
		{
			name:  "newer than a time",
			flags: []string{"--newer", twoDaysAgo},
			want:  "new.txt skip/x sub/new.log",
		},
		{name: "two filters", flags: []string{"--older", "1d", "--include", "*.log"}, want: "sub/old.log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			want := strings.Fields(tt.want)
			// withFlags returns a command line that has tt.flags after the name of the command.
			withFlags := func(command string, args ...string) []string {
				return slices.Concat([]string{command}, tt.flags, args)
			}

			// These commands print keys, or one line for each key.
			require.Equal(t, want, strings.Fields(s.run(withFlags("ls", "-r", bucket)...)))
			require.Equal(t, want, strings.Fields(s.run(withFlags("find", bucket)...)))
			require.Equal(t, want, strings.Fields(s.run(withFlags("rm", "-r", "--all", "--dry-run", bucket)...)))
			require.Len(t, splitLines(s.run(withFlags("hash", bucket)...)), len(want))

			// These commands copy.
			dst := newMemoryAddress(t)
			s.run(withFlags("cp", "-r", dir+"/", dst)...)
			require.Equal(t, want, strings.Fields(s.run("ls", "-r", dst)))
			s.runSync(append(tt.flags, dir, dst+"/synced")...)
			require.Len(t, strings.Fields(s.run("ls", "-r", dst+"/synced")), len(want))

			// A comparison with an empty directory prints one line for each key.
			changes, _ := s.requireExit(exitFailure, withFlags("diff", dir, t.TempDir())...)
			require.Len(t, splitLines(changes), len(want))
		})
	}
}

// An invalid value of a filter is refused. So is a filter for which the command has no use.
func TestFiltersInvalid(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	writeFiles(t, dir, map[string]string{"old.txt": "x"})
	tests := []struct {
		name string
		args []string
	}{
		{name: "a size without digits", args: []string{"--min-size", "x"}},
		{name: "a negative size", args: []string{"--max-size", "-1"}},
		{name: "a size above all integers", args: []string{"--min-size", "99999999P"}},
		{name: "a word in place of a time", args: []string{"--newer", "yesterday"}},
		{name: "a negative duration", args: []string{"--older", "-1h"}},
		{name: "an empty time", args: []string{"--newer", ""}},
		{name: "a malformed pattern", args: []string{"--include", "["}},
		{name: "a duration above all integers", args: []string{"--older", "999999999999w"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(exitUsage, append([]string{"find", bucket}, tt.args...)...)
		})
	}

	// A file of patterns must exist and have at least one pattern.
	patterns := filepath.Join(t.TempDir(), "patterns")
	s.requireExit(exitNotFound, "find", "--exclude-from", patterns, bucket)
	require.NoError(t, os.WriteFile(patterns, []byte("# nothing\n"), 0o644))
	s.requireExit(exitUsage, "rm", "-r", "--all", "--include-from", patterns, bucket)

	// A copy of one file has no use for a filter.
	s.requireExit(exitUsage, "cp", "--older", "1d", filepath.Join(dir, "old.txt"), newMemoryAddress(t))
}

// A size is a number and perhaps a unit. Each unit is 1024 times the one before.
func TestSizes(t *testing.T) {
	tests := []struct {
		text string
		want int64
	}{
		{text: "0", want: 0},
		{text: "1024", want: 1024},
		{text: "10k", want: 10 << 10},
		{text: "1.5M", want: 1<<20 + 1<<19},
		{text: "2GiB", want: 2 << 30},
		{text: "1TB", want: 1 << 40},
		{text: "7B", want: 7},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := argument.Size("--min-size", tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// A duration can have days and weeks, units that time.ParseDuration does not know.
func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		text string
		want time.Duration
	}{
		{text: "90m", want: 90 * time.Minute},
		{text: "2w", want: 14 * day},
		{text: "1d12h", want: 36 * time.Hour},
		{text: "1w1d", want: 8 * day},
		{text: "0s", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := argument.Duration("--age", tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// FormatSize prints a size with one digit after the point, in the unit that gives a number below 1024.
func TestFormatSize(t *testing.T) {
	tests := []struct {
		name string
		size int64
		want string
	}{
		{name: "zero", size: 0, want: "0 B"},
		{name: "most bytes", size: 1023, want: "1023 B"},
		{name: "one unit", size: 1024, want: "1.0 KiB"},
		{name: "a fraction", size: 1536, want: "1.5 KiB"},
		{name: "rounded up to the next unit", size: 1<<20 - 1, want: "1.0 MiB"},
		{name: "rounded up to PiB", size: 1<<50 - 1, want: "1.0 PiB"},
		{name: "one PiB", size: 1 << 50, want: "1.0 PiB"},
		{name: "the last unit", size: 7 << 60, want: "7.0 EiB"},
		{name: "the largest size", size: math.MaxInt64, want: "8.0 EiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, console.FormatSize(tt.size))
		})
	}
}

// du prints the bytes, the number of objects and the name of a folder. With --depth, it also does
// so for subfolders.
func TestDu(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	// The sizes are powers of ten, so each digit of a sum stands for one object.
	for key, size := range map[string]int{"a": 1, "p/b": 10, "p/q/c": 100, "p/q/r/d": 1000, "z/e": 10_000} {
		s.put("box:"+key, strings.Repeat("x", size))
	}

	tests := []struct {
		name string
		args []string
		want []string // lines of bytes, objects and name
	}{
		{name: "a bucket", args: []string{"box:"}, want: []string{"11111 5 ."}},
		{
			name: "a bucket and its folders",
			args: []string{"--depth", "1", "box:"},
			want: []string{"1110 3 p/", "10000 1 z/", "11111 5 ."},
		},
		{
			name: "a folder and all folders in it",
			args: []string{"--depth", "9", "box:p"},
			want: []string{"1000 1 p/q/r/", "1100 2 p/q/", "1110 3 p/"},
		},
		{name: "objects", args: []string{"box:a", "box:p/b"}, want: []string{"1 1 a", "10 1 p/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			var got []string
			for _, line := range splitLines(s.run(append([]string{"du"}, tt.args...)...)) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			require.Equal(t, tt.want, got)
		})
	}

	// du prints JSON with --json, and units with --human.
	require.Equal(t, `{"key":"p/","bytes":1110,"objects":3}`+"\n", s.run("du", "--json", "box:p"))
	require.Contains(t, s.run("du", "--human", "box:"), "10.9 KiB")

	// du fails for a missing folder and a negative depth.
	s.requireExit(exitNotFound, "du", "box:none")
	s.requireExit(exitUsage, "du", "--depth", "-1", "box:")
}

// find prints the keys below its arguments. Flags limit their depth and their number.
func TestFind(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "p/1", "p/q/2")
	require.Equal(t, "a\np/1\np/q/2\n", s.run("find", "box:"))
	require.Equal(t, "p/1\x00p/q/2\x00", s.run("find", "--print0", "box:p"))
	require.Equal(t, "a\np/1\n", s.run("find", "--max-depth", "2", "box:"))
	require.Equal(t, "a\n", s.run("find", "--limit", "1", "box:", "box:p"))
	require.Equal(t, "p/1\na\n", s.run("find", "--exclude", "2", "box:p", "box:a"))
	require.Empty(t, s.run("find", "--include", "none", "box:"))

	s.requireExit(exitNotFound, "find", "box:none/")
	s.requireExit(exitUsage, "find", "--limit", "0", "box:")
}

// tree draws folders and objects, up to a depth if a flag limits it. With -l, it also prints the
// sizes.
func TestTree(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "p/1", "p/q/2", "z")

	require.Equal(t, `.
├── a
├── p/
│   ├── 1
│   └── q/
│       └── 2
└── z
`, s.run("tree", "box:"))
	require.Equal(t, ".\n└── p/\n    └── q/\n", s.run("tree", "--folders", "box:"))
	require.Equal(t, ".\n├── a\n├── p/\n└── z\n", s.run("tree", "--depth", "1", "box:"))
	require.Equal(t, "p/\n├── 1  (3 B)\n└── q/\n    └── 2  (5 B)\n", s.run("tree", "-l", "box:p"))
	const objects, folders = 4, 2
	require.Len(t, splitLines(s.run("tree", "--json", "box:")), objects+folders)
	s.requireExit(exitNotFound, "tree", "box:none")
}

// head prints the first ten lines of an object, or as many lines or bytes as a flag says.
func TestHead(t *testing.T) {
	const longLine = 100_000
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:lines", strings.Repeat("line\n", 20))
	s.put("box:long", strings.Repeat("x", longLine)+"\nsecond")

	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "without a flag", args: []string{"box:lines"}, want: strings.Repeat("line\n", 10)},
		{name: "one line", args: []string{"-n", "1", "box:lines"}, want: "line\n"},
		{name: "more lines than there are", args: []string{"-n", "99", "box:lines"}, want: strings.Repeat("line\n", 20)},
		{name: "bytes", args: []string{"-c", "3", "box:lines"}, want: "lin"},
		{name: "bytes of a whole line", args: []string{"-c", "4", "box:lines"}, want: "line"},
		{name: "no bytes", args: []string{"-c", "0", "box:lines"}, want: ""},
		{name: "a long line", args: []string{"-n", "1", "box:long"}, want: strings.Repeat("x", longLine) + "\n"},
		{name: "a wildcard", args: []string{"-c", "1", "box:lo*"}, want: "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Equal(t, tt.want, s.run(append([]string{"head"}, tt.args...)...))
		})
	}

	s.requireExit(exitNotFound, "head", "box:none")
	s.requireExit(exitUsage, "head", "-n", "1", "-c", "1", "box:lines")
	s.requireExit(exitUsage, "head", "-n", "-1", "box:lines")
}

// hash prints the same hash of an object whether it reads the content or not.
func TestHash(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a")
	tests := []struct{ algorithm, want string }{
		{algorithm: "crc32c", want: "c1d04330  a\n"},
		{algorithm: "md5", want: "0cc175b9c0f1b6a831c399e269772661  a\n"},
		{algorithm: "sha1", want: "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8  a\n"},
		{algorithm: "sha256", want: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.algorithm, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Equal(t, tt.want, s.run("hash", "--algorithm", tt.algorithm, "box:a"))
			require.Equal(t, tt.want, s.run("hash", "--algorithm", tt.algorithm, "--read", "box:a"))
		})
	}
}

// hash of a folder prints a line for each object in it.
func TestHashOfAFolder(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "p/1")
	require.Len(t, splitLines(s.run("hash", "box:")), 2)
	require.Contains(t, s.run("hash", "--json", "box:p"), `"key":"p/1","size":3,"algorithm":"sha256"`)
	s.requireExit(exitUsage, "hash", "--algorithm", "rot13", "box:a")
}

// diff and check print what differs between two trees, and exit with 1.
func TestDiffAndCheck(t *testing.T) {
	s := newShell(t)
	// The content of "changed" and the size of "grown" differ between this directory and the folder box:t.
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
			s := s.inSubtest(t)
			stdout, stderr := s.requireExit(exitFailure, append(tt.args, dir, "box:t")...)

			// The lines come in any order.
			require.ElementsMatch(t, tt.want, splitLines(stdout))
			require.Contains(t, stderr, "only in the first")
		})
	}
}

// The exit code of check reports whether the trees are equal or different, one is missing, or they cannot be compared.
func TestCheckExitCodes(t *testing.T) {
	s := newShell(t)
	// Only the file "same" is the same in this directory and in the folder box:t.
	dir := newTreeToCompare(t, s)

	// The trees are equal if no file is compared, if only the file "same" is compared, and if both
	// arguments are one tree.
	stdout, stderr := s.requireExit(exitOK, "check", "--exclude", "*", dir, "box:t")
	require.Empty(t, stdout+stderr)
	stdout, stderr = s.requireExit(exitOK, "check", "--include", "same", dir, "box:t")
	require.Empty(t, stdout)
	require.Contains(t, stderr, "1 the same")
	s.requireExit(exitOK, "check", "box:t", "box:t")

	// They are different.
	stdout, _ = s.requireExit(exitFailure, "check", "--json", "--include", "changed", "box:t", dir)
	require.Contains(t, stdout, `{"key":"changed","difference":"different"}`+"\n"+
		`{"event":"summary","same":0,"different":1,"onlyFirst":0,"onlySecond":0,"notCompared":0,`)

	// One is missing.
	s.requireExit(exitNotFound, "check", dir+"/none", "box:t")
	s.requireExit(exitNotFound, "check", dir, "box:none")
	s.requireExit(exitNotFound, "diff", "box:t", dir+"/none")

	// Two ways to compare cannot be combined.
	s.requireExit(exitUsage, "check", "--size", "--times", dir, "box:t")
}

// newTreeToCompare writes files into a new directory, and objects under box:t. "same" is equal in
// both, "changed" differs in content, and "grown" in size. "only here" is only in the directory,
// and "only there" only in the bucket.
func newTreeToCompare(t *testing.T, s *shell) (dir string) {
	t.Helper()
	dir = t.TempDir()
	writeFiles(t, dir, map[string]string{"same": "same", "changed": "one", "grown": "x", "only here": "1"})
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:t/same", "same")
	s.put("box:t/changed", "two")
	s.put("box:t/grown", "xx")
	s.put("box:t/only there", "2")
	return dir
}

// In a bucket that keeps versions, undelete brings back removed objects. restore --at brings back the objects that
// existed at a given time.
func TestVersionedStores(t *testing.T) {
	s := newShell(t)
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t) + "/kept"} {
		s.setLocation("box", address)
		s.run("mb", "--versioned", address)
		s.put("box:p/a", "one")
		s.put("box:p/b", "kept")
		timestamp := timeBetweenWrites(s)
		s.put("box:p/a", "two")
		s.run("rm", "box:p/b")
		s.put("box:p/new", "new")

		// A dry run of undelete changes nothing.
		_, stderr := s.requireExit(exitOK, "undelete", "--dry-run", "box:p/")
		require.Contains(t, stderr, "1 transferred")
		s.requireExit(exitNotFound, "cat", "box:p/b")

		// undelete brings back only what was removed.
		s.requireExit(exitOK, "undelete", "box:p/b")
		require.Equal(t, "kept", s.run("cat", "box:p/b"))
		s.run("rm", "box:p/b")
		s.requireExit(exitOK, "undelete", "box:**")
		require.Equal(t, "kept", s.run("cat", "box:p/b"))
		require.Equal(t, "two", s.run("cat", "box:p/a"))

		// restore --at removes objects that are newer than the time, but only with --delete.
		s.requireExit(exitOK, "restore", "--at", timestamp, "box:p/a")
		require.Equal(t, "one", s.run("cat", "box:p/a"))
		require.Equal(t, "new", s.run("cat", "box:p/new"))
		s.requireExit(exitOK, "restore", "--at", timestamp, "--delete", "box:p")
		require.Equal(t, "p/a\np/b\n", s.run("ls", "-r", "box:p"))

		// The removed object has kept its versions.
		s.requireExit(exitOK, "undelete", "box:")
		require.Equal(t, "new", s.run("cat", "box:p/new"))
	}
}

// undelete and restore fail with "not found" if the bucket never had a matching object.
func TestRestoreFails(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.run("mb", "--versioned", "box:")
	s.put("box:p/a", "one")

	s.requireExit(exitNotFound, "undelete", "box:none")
	s.requireExit(exitNotFound, "undelete", "box:none*")
	s.requireExit(exitNotFound, "restore", "--at", "1d", "box:p/none/")

	// It is no error that this pattern matches objects that were not removed.
	s.requireExit(exitOK, "undelete", "box:p/*")
}

// restore refuses a missing or malformed time, and flags that must not be used with --at.
func TestRestoreRefuses(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:p/a", "one")

	s.requireExit(exitUsage, "restore", "box:p")
	s.requireExit(exitUsage, "restore", "--at", "soon", "box:p")
	s.requireExit(exitUsage, "restore", "--at", "1d", "--days", "1", "box:p")
	s.requireExit(exitUsage, "restore", "--at", "1d", "--tier", "Bulk", "box:p")
}

// In a bucket that keeps no versions, undelete fails and says how to keep them.
func TestUndeleteWithoutVersions(t *testing.T) {
	s := newShell(t)
	for _, emptyBucket := range []string{newMemoryAddress(t) + "-empty", newDirectoryAddress(t)} {
		_, stderr := s.requireExit(exitFailure, "undelete", emptyBucket)
		require.Contains(t, stderr, "the bucket keeps no old versions")
		require.Contains(t, stderr, "bucket --versioning on")
		require.NotContains(t, stderr, "transferred", "must print no summary")
	}

	bucketWithObject := newMemoryAddress(t)
	s.put(bucketWithObject+"/a", "a")
	s.requireExit(exitFailure, "undelete", bucketWithObject)
}

// On S3, undelete and restore fail if the bucket keeps no old versions. They cannot learn this from
// a list of versions, because such a list has the current objects of any bucket.
func TestUndeleteOnS3(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.put("box:a", "a")

	// Without versioning, the commands fail.
	for _, args := range [][]string{
		{"undelete", "box:a"},
		{"undelete", "box:"},
		{"restore", "--at", "1h", "box:a"},
	} {
		_, stderr := s.requireExit(exitFailure, args...)
		require.Contains(t, stderr, "the bucket keeps no old versions", args)
	}

	// With versioning, undelete succeeds.
	s.run("bucket", "--versioning", "on", "box:")
	s.put("box:a", "b")
	s.requireExit(exitOK, "undelete", "box:a")
}

// In a bucket with soft delete, undelete brings back removed objects, and reports the other objects
// as unchanged.
func TestUndeleteAfterSoftDelete(t *testing.T) {
	s := newShell(t)
	stores := []struct{ name, address string }{
		{name: "memory", address: newMemoryAddress(t) + "-softly"},
		{name: "directory", address: newDirectoryAddress(t) + "/softly"},
	}
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.setLocation("box", store.address)
			s.run("mb", store.address)
			s.run("bucket", "--soft-delete", "7d", "box:")
			require.Contains(t, s.run("stat", "box:"), "168h0m0s") // 7 days
			s.put("box:p/a", "one")
			s.put("box:stays", "x")
			s.run("rm", "box:p/a")

			stdout, _ := s.requireExit(exitOK, "undelete", "--json", "box:")
			require.Contains(t, stdout, `{"event":"restored","key":"p/a","bytes":3}`)
			require.Contains(t, stdout, `{"event":"unchanged","key":"stays","bytes":1}`)
			require.Equal(t, "one", s.run("cat", "box:p/a"))

			// This output does not name unchanged objects.
			stdout, _ = s.requireExit(exitOK, "undelete", "--dry-run", "box:")
			require.NotContains(t, stdout, "unchanged")
			s.run("rb", "--force", "box:")
		})
	}
}

// timeBetweenWrites returns a time after all earlier writes to box:, and before all later ones. It
// writes an object until the clock of the store has moved on.
func timeBetweenWrites(s *shell) string {
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
	line, _, _ := strings.Cut(s.run("ls", "--versions", "--json", "box:clock"), "\n")
	var newest reading.VersionLine
	require.NoError(s.t, json.Unmarshal([]byte(line), &newest))
	return newest.Modified
}

// bucket changes the settings that its flags name. Without flags, it prints all settings.
func TestBucket(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.run("mb", address)
	lifecycleFile := filepath.Join(t.TempDir(), "rules.json")
	require.NoError(t, os.WriteFile(lifecycleFile, []byte(`[{"Prefix":"tmp/","ExpireAfterDays":7}]`), 0o644))

	// The lifecycle rules come from a file, and the CORS rules from standard input.
	output := s.run("bucket", "-v", "--versioning", "on", "--public", "on", "--lifecycle", lifecycleFile, address)
	require.Equal(t, "changed kept\n", output)
	s.stdin = `[{"Origins":["*"],"Methods":["GET"]}]`
	s.run("bucket", "--cors", "-", address)

	settings := s.run("bucket", address)
	require.Regexp(t, `(?m)^versioning +true$`, settings)
	require.Regexp(t, `(?m)^public +true$`, settings)
	require.Contains(t, settings, "tmp/")
	require.Contains(t, settings, "GET")
	require.Contains(t, s.run("bucket", "--json", address), `"expireAfterDays":7`)

	// A dry run changes nothing.
	s.run("bucket", "--dry-run", "--public", "off", address)
	require.Regexp(t, `(?m)^public +true$`, s.run("bucket", address))
}

// The command "bucket" removes lifecycle rules if --lifecycle is "none" or a file with an empty
// list. It removes CORS rules if --cors is "none".
func TestBucketRemovesRules(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.run("mb", "--public", address)

	// The value of --lifecycle is "none", or "-" for an empty list on standard input.
	for _, removal := range []struct{ value, stdin string }{
		{value: "none"},
		{value: "-", stdin: "[]"},
	} {
		// The bucket gets rules of both kinds.
		s.stdin = `[{"Prefix":"tmp/","ExpireAfterDays":7}]`
		s.run("bucket", "--lifecycle", "-", address)
		s.stdin = `[{"Origins":["*"],"Methods":["GET"]}]`
		s.run("bucket", "--cors", "-", address)
		settings := s.run("bucket", "--json", address)
		require.Contains(t, settings, "expireAfterDays")
		require.Contains(t, settings, `"origins"`)

		// One command removes all these rules.
		s.stdin = removal.stdin
		s.run("bucket", "--cors", "none", "--lifecycle", removal.value, "--public", "off", address)
		settings = s.run("bucket", "--json", address)
		require.NotContains(t, settings, "expireAfterDays")
		require.NotContains(t, settings, `"origins"`)
	}
}

// bucket refuses a text that is not a list of rules, and the bucket keeps its rules.
func TestBucketInvalidRules(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.run("mb", address)
	s.stdin = `[{"Prefix":"tmp/","ExpireAfterDays":7}]`
	s.run("bucket", "--lifecycle", "-", address)

	tests := []struct {
		name  string
		rules string
	}{
		{name: "null", rules: "null"},
		{name: "nothing", rules: ""},
		{name: "a space", rules: " "},
		{name: "an object", rules: "{}"},
		{name: "two lists", rules: `[{"Prefix":"tmp/","ExpireAfterDays":8}] []`},
		{name: "text after the list", rules: "[] rest"},
		{name: "a list without an end", rules: "["},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.stdin = tt.rules
			s.requireExit(exitUsage, "bucket", "--lifecycle", "-", address)
			require.Contains(t, s.run("bucket", "--json", address), `"expireAfterDays":7`)
		})
	}

	// The error names a misspelled member.
	s.stdin = `[{"Prefx":"tmp/"}]`
	_, stderr := s.requireExit(exitUsage, "bucket", "--lifecycle", "-", address)
	require.Contains(t, stderr, "Prefx")
	s.stdin = ""
	s.requireExit(exitUsage, "bucket", "--cors", "-", address)
}

// bucket refuses invalid values of its flags, and arguments that name no bucket.
func TestBucketInvalidArguments(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.run("mb", address)
	s.requireExit(exitUsage, "bucket", "--versioning", "maybe", address)
	s.requireExit(exitUsage, "bucket", "--retention", "forever", address)
	s.requireExit(exitNotFound, "bucket", "--cors", filepath.Join(t.TempDir(), "none"), address)
	s.requireExit(exitNotFound, "bucket", address+"-none")
	s.requireExit(exitUsage, "bucket", address+"#a")
}

// expire removes what is older than --age, or what the lifecycle rules of the bucket let expire.
func TestExpire(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	s.setLocation("box", bucket)
	s.putKeysAsContent("box:", "tmp/old", "tmp/new", "tmp/keep", "other")

	// All objects but tmp/new are ten days old.
	tenDaysAgo := time.Now().Add(-10 * 24 * time.Hour)
	for _, name := range []string{"tmp/old", "tmp/keep", "other"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), tenDaysAgo, tenDaysAgo))
	}

	// With --age, expire removes only tmp/old: tmp/new is too new, and --exclude keeps tmp/keep. A dry run says so.
	stdout, stderr := s.requireExit(exitOK, "expire", "--age", "7d", "--dry-run", "--exclude", "keep", "box:tmp")
	require.Equal(t, "deleted old\n", stdout)
	require.Contains(t, stderr, "1 deleted")
	s.requireExit(exitOK, "expire", "--age", "7d", "--exclude", "keep", "box:tmp")
	require.Equal(t, "other\ntmp/keep\ntmp/new\n", s.run("ls", "-r", "box:"))

	// With --lifecycle, expire removes what the rules of the bucket select. This rule selects only the object "other".
	s.stdin = `[{"Prefix":"oth","ExpireAfterDays":1}]`
	s.run("bucket", "--lifecycle", "none", "box:")
	s.run("bucket", "--lifecycle", "-", "box:")
	s.requireExit(exitOK, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/keep\ntmp/new\n", s.run("ls", "-r", "box:"))
}

// If expire refuses its arguments, it removes nothing.
func TestExpireRefuses(t *testing.T) {
	s := newShell(t)
	fillBoxWithOldFile(t, s, "tmp/keep")
	tests := []struct {
		name string
		args []string
	}{
		{name: "no rule", args: []string{"box:tmp"}},
		{name: "a whole bucket without --all", args: []string{"--age", "7d", "box:"}},
		{name: "an age of 0", args: []string{"--age", "0s", "box:tmp"}},
		{name: "an age that is no duration", args: []string{"--age", "x", "box:tmp"}},
		{name: "two rules", args: []string{"--lifecycle", "--age", "7d", "box:"}},
		{name: "the rules of a bucket for a folder", args: []string{"--lifecycle", "box:tmp"}},
		{name: "wildcards", args: []string{"--age", "1d", "box:t*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			s.requireExit(exitUsage, append([]string{"expire"}, tt.args...)...)
		})
	}
	require.Equal(t, "tmp/keep\n", s.run("ls", "-r", "box:"))
}

// version prints the versions of the program and of Go.
func TestVersion(t *testing.T) {
	s := newShell(t)
	require.Contains(t, s.run("version"), "go1.")
	require.Contains(t, s.run("version", "--json"), `"version":`)
	s.requireExit(exitUsage, "version", "x")
}

// A release prints the version that the linker has set, and not that of the module.
func TestVersionOfARelease(t *testing.T) {
	s := newShell(t)
	release = "v0.1.0"
	defer func() {
		release = ""
	}()

	require.Contains(t, s.run("version"), "omnibucket v0.1.0 ")
	require.Contains(t, s.run("version", "--json"), `"omnibucket v0.1.0 `)
}

// Invalid numbers, and flags that have no effect, are refused with an error that names the flag.
func TestInvalidNumbersAndFlags(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	dir := t.TempDir()
	tests := []struct {
		name string
		args []string
		want string // the flag that is named
	}{
		{name: "negative depth", args: []string{"tree", "--depth", "-1", "box:"}, want: "--depth"},
		{name: "negative maximum", args: []string{"find", "--max-depth", "-1", "box:"}, want: "--max-depth"},
		{name: "shard with a sign", args: []string{"sync", "--shard", "+0/3", dir, "box:"}, want: "--shard"},
		{name: "shards with a sign", args: []string{"sync", "--shard", "0/+3", dir, "box:"}, want: "--shard"},
		{
			name: "limit of removals without removals",
			args: []string{"sync", "--max-delete", "3", dir, "box:"},
			want: "--max-delete",
		},
		{
			name: "empty source without removals",
			args: []string{"sync", "--empty-source", dir, "box:"},
			want: "--empty-source",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, tt.args...)
			require.Contains(t, stderr, tt.want)
		})
	}
}

// If sync refuses its arguments, it prints no summary.
func TestSyncArgumentErrorHasNoSummary(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:a/b", "b")

	// The first command has its source in its destination, the second has an invalid pattern, and
	// the third has two flags that exclude each other.
	for _, args := range [][]string{
		{"sync", "box:a", "box:"},
		{"sync", "--include", "[", "box:a", "box:b"},
		{"sync", "--size-only", "--checksum", "box:a", "box:b"},
	} {
		stdout, stderr := s.requireExit(exitUsage, append(args, "--json")...)
		require.Empty(t, stdout, args)
		require.NotContains(t, stderr, "transferred", args)

		_, stderr = s.requireExit(exitUsage, args...)
		require.NotContains(t, stderr, "transferred", args)
	}
}
