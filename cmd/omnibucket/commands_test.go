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

func TestMv(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		dir := t.TempDir()
		putObjects(t, s, bucket(t), "a", "b", "tree/1", "tree/x/2")
		s.ok("mv", "box:a", "box:c")

		s.ok("mv", "box:b", "box:new/")
		require.Equal(t, "c\nnew/b\ntree/1\ntree/x/2\n", s.ok("ls", "-r", "box:"))
		s.ok("mv", "box:c", filepath.Join(dir, "new", "c"))
		require.Equal(t, "a", readFile(t, filepath.Join(dir, "new", "c")))

		s.ok("mv", filepath.Join(dir, "new", "c"), "box:")
		require.NoFileExists(t, filepath.Join(dir, "new", "c"))
		s.ok("mv", "-r", "box:tree", dir+"/")
		s.exits(3, "ls", "box:tree")
		require.Equal(t, "tree/x/2", readFile(t, filepath.Join(dir, "tree", "x", "2")))

		s.ok("mv", "-r", filepath.Join(dir, "tree")+"/", "box:back")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.ok("ls", "-r", "box:"))
		s.ok("mv", "--dry-run", "box:c", "box:d")
		require.Equal(t, "back/1\nback/x/2\nc\nnew/b\n", s.ok("ls", "-r", "box:"))
	}
}

func TestMvNeverLosesAnObject(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	putObjects(t, s, bucket, "a", "tree/1")
	require.NoError(t, os.Symlink(dir, filepath.Join(t.TempDir(), "link")))

	for _, args := range [][]string{
		{"box:a", "box:a"}, {"box:a", bucket}, {filepath.Join(dir, "a"), "box:a"}, {"box:a", filepath.Join(dir, "a")}, {"box:a", dir},
		{"-r", "box:tree", "box:tree/inner/"}, {"-r", "box:tree/", "box:tree"}, {"-r", filepath.Join(dir, "tree"), bucket},
		{"--version", "1", "box:a", "box:b"},
		{"-", "box:a"}, {"box:a", "-"}, {"box:tree", "box:b"},
	} {
		code := run(t.Context(), append([]string{"mv"}, args...), s.environment(strings.NewReader("lost"), &bytes.Buffer{}, &bytes.Buffer{}))
		require.NotZero(t, code, args)
		require.Equal(t, "a", s.ok("cat", "box:a"), args)
		require.Equal(t, "tree/1", s.ok("cat", "box:tree/1"), args)
	}

	s.put("box:b", "b")
	s.exits(4, "mv", "--if-absent", "box:a", "box:b")
	require.Equal(t, "a", s.ok("cat", "box:a"))

	s.exits(3, "mv", "box:none", "box:b")
	require.Equal(t, "b", s.ok("cat", "box:b"))
}

func TestFilters(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"new.txt": "0123456789", "old.txt": "x", "sub/old.log": "xx", "sub/new.log": "xxx", "skip/x": "1"})
	old := time.Now().Add(-72 * time.Hour)
	for _, name := range []string{"old.txt", "sub/old.log"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), old, old))
	}

	list := filepath.Join(t.TempDir(), "patterns")
	require.NoError(t, os.WriteFile(list, []byte("# not these\n\nskip/\n*.log\r\n"), 0o644))
	bucket := "file://" + filepath.ToSlash(dir)

	tests := []struct {
		name  string
		flags []string
		want  string
	}{
		{"include", []string{"--include", "*.log"}, "sub/new.log sub/old.log"},
		{"exclude", []string{"--exclude", "sub", "--exclude", "skip/"}, "new.txt old.txt"},
		{"exclude from a file", []string{"--exclude-from", list}, "new.txt old.txt"},
		{"include from a file", []string{"--include-from", list, "--exclude", "old*"}, "skip/x sub/new.log"},
		{"at least", []string{"--min-size", "3"}, "new.txt sub/new.log"},
		{"at most", []string{"--max-size", "1B"}, "old.txt skip/x"},
		{"newer than a duration", []string{"--newer", "2d"}, "new.txt skip/x sub/new.log"},
		{"older than a duration", []string{"--older", "1d12h"}, "old.txt sub/old.log"},
		{"newer than a time", []string{"--newer", time.Now().Add(-48 * time.Hour).Format("2006-01-02T15:04")}, "new.txt skip/x sub/new.log"},
		{"several", []string{"--older", "1d", "--include", "*.log"}, "sub/old.log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			want := strings.Fields(tt.want)

			withFilter := func(command ...string) []string { return slices.Concat(command[:1], tt.flags, command[1:]) }
			require.Equal(t, want, strings.Fields(s.ok(withFilter("ls", "-r", bucket)...)))
			require.Equal(t, want, strings.Fields(s.ok(withFilter("find", bucket)...)))
			require.Equal(t, want, strings.Fields(s.ok(withFilter("rm", "-r", "--all", "--dry-run", bucket)...)))
			require.Len(t, strings.Split(strings.TrimSpace(s.ok(withFilter("hash", bucket)...)), "\n"), len(want))

			dst := newMemoryAddress(t)
			s.ok(withFilter("cp", "-r", dir+"/", dst)...)
			require.Equal(t, want, strings.Fields(s.ok("ls", "-r", dst)))

			s.runSync(append(tt.flags, dir, dst+"/synced")...)
			require.Len(t, strings.Fields(s.ok("ls", "-r", dst+"/synced")), len(want))
			changes, _ := s.exits(1, withFilter("diff", dir, t.TempDir())...)
			require.Len(t, splitLines(changes), len(want))
		})
	}

	s.t = t
	for _, flags := range [][]string{
		{"--min-size", "x"}, {"--max-size", "-1"}, {"--min-size", "99999999P"}, {"--newer", "yesterday"}, {"--older", "-1h"}, {"--newer", ""}, {"--include", "["}, {"--older", "999999999999w"},
	} {
		s.exits(2, append(append([]string{"find"}, flags...), bucket)...)
	}
	s.exits(3, "find", "--exclude-from", list+"-none", bucket)
	require.NoError(t, os.WriteFile(list, []byte("# nothing\n"), 0o644))
	s.exits(2, "rm", "-r", "--all", "--include-from", list, bucket)
	s.exits(2, "cp", "--older", "1d", filepath.Join(dir, "old.txt"), newMemoryAddress(t))
}

func TestSizesAndDurations(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1024": 1024, "10k": 10 << 10, "1.5M": 3 << 19, "2GiB": 2 << 30, "1TB": 1 << 40, "7B": 7} {
		got, err := argument.Size("--min-size", text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "2w": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1w1d": 8 * 24 * time.Hour, "0s": 0} {
		got, err := argument.Duration("--age", text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for size, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 1<<50 - 1: "1.0 PiB", 1 << 50: "1.0 PiB", 7 << 60: "7.0 EiB",
		math.MaxInt64: "8.0 EiB",
	} {
		require.Equal(t, want, console.FormatSize(size))
	}
}

func TestDu(t *testing.T) {
	s := newShell(t)
	putObjects(t, s, newMemoryAddress(t), "a", "p/1", "p/q/22", "p/q/r/333", "z/4")

	fields := func(args ...string) []string {
		return strings.Fields(s.ok(append([]string{"du"}, args...)...))
	}
	require.Equal(t, strings.Fields("22 5 ."), fields("box:"))
	require.Equal(t, strings.Fields("18 3 p/ 3 1 z/ 22 5 ."), fields("--depth", "1", "box:"))
	require.Equal(t, strings.Fields("9 1 p/q/r/ 15 2 p/q/ 18 3 p/"), fields("--depth", "9", "box:p"))
	require.Equal(t, strings.Fields("1 1 a 3 1 p/1"), fields("box:a", "box:p/1"))
	require.Equal(t, `{"key":"p/","bytes":18,"objects":3}`+"\n", s.ok("du", "--json", "box:p"))
	require.Contains(t, s.ok("du", "--human", "box:"), "22 B")

	s.exits(3, "du", "box:none")
	s.exits(2, "du", "--depth", "-1", "box:")
}

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

func TestDiffAndCheck(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"same": "same", "changed": "one", "grown": "x", "only here": "1"})
	putObjects(t, s, newMemoryAddress(t), "t/same")
	s.put("box:t/same", "same")
	s.put("box:t/changed", "two")
	s.put("box:t/grown", "xx")
	s.put("box:t/only there", "2")

	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"check", []string{"check"}, []string{"! changed", "! grown", "< only here", "> only there"}},
		{"diff by checksum", []string{"diff", "--checksum"}, []string{"! changed", "! grown", "< only here", "> only there"}},
		{"check of sizes", []string{"check", "--size"}, []string{"! grown", "< only here", "> only there"}},
		{"diff of sizes", []string{"diff", "--size"}, []string{"! grown", "< only here", "> only there"}},
		{"check one way", []string{"check", "--one-way"}, []string{"! changed", "! grown", "< only here"}},
		{"a filter", []string{"check", "--include", "only*"}, []string{"< only here", "> only there"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			stdout, stderr := s.exits(1, append(tt.args, dir, "box:t")...)
			got := splitLines(stdout)
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
			require.Equal(t, tt.want, got)
			require.Contains(t, stderr, "only in the first")
		})
	}

	s.t = t
	stdout, stderr := s.exits(0, "check", "--exclude", "*", dir, "box:t")
	require.Empty(t, stdout+stderr)

	stdout, stderr = s.exits(0, "check", "--include", "same", dir, "box:t")
	require.Empty(t, stdout)
	require.Contains(t, stderr, "1 the same")

	stdout, _ = s.exits(1, "check", "--json", "--include", "changed", "box:t", dir)
	require.Contains(t, stdout, `{"key":"changed","difference":"different"}`+"\n"+`{"event":"summary","same":0,"different":1,"onlyFirst":0,"onlySecond":0,"notCompared":0,`)
	s.exits(0, "check", "box:t", "box:t")
	s.exits(3, "check", dir+"/none", "box:t")
	s.exits(3, "check", dir, "box:none")
	s.exits(3, "diff", "box:t", dir+"/none")
	s.exits(2, "check", "--size", "--times", dir, "box:t")
}

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

		_, stderr := s.exits(0, "undelete", "--dry-run", "box:p/")
		require.Contains(t, stderr, "1 transferred")
		s.exits(3, "cat", "box:p/b")
		s.exits(0, "undelete", "box:p/b")
		require.Equal(t, "kept", s.ok("cat", "box:p/b"))

		s.ok("rm", "box:p/b")
		s.exits(0, "undelete", "box:**")
		require.Equal(t, "kept", s.ok("cat", "box:p/b"))
		require.Equal(t, "two", s.ok("cat", "box:p/a"))

		s.exits(0, "restore", "--at", timestamp, "box:p/a")
		require.Equal(t, "one", s.ok("cat", "box:p/a"))
		require.Equal(t, "new", s.ok("cat", "box:p/new"))
		s.exits(0, "restore", "--at", timestamp, "--delete", "box:p")
		require.Equal(t, "p/a\np/b\n", s.ok("ls", "-r", "box:p"))
		s.exits(0, "undelete", "box:")
		require.Equal(t, "new", s.ok("cat", "box:p/new"), "its versions stayed")
	}

	s.exits(3, "undelete", "box:none")
	s.exits(3, "undelete", "box:none*")
	s.exits(3, "restore", "--at", "1d", "box:p/none/")
	s.exits(0, "undelete", "box:p/*")
	_, stderr := s.exits(1, "undelete", newMemoryAddress(t)+"-plain")
	require.Contains(t, stderr, "the bucket keeps no old versions")
	require.Contains(t, stderr, "bucket --versioning on")

	_, stderr = s.exits(1, "undelete", newDirectoryAddress(t))
	require.Contains(t, stderr, "the bucket keeps no old versions")
	require.NotContains(t, stderr, "transferred", "an error says all of what was not begun")

	s.exits(2, "restore", "box:p")
	s.exits(2, "restore", "--at", "soon", "box:p")
	s.exits(2, "restore", "--at", "1d", "--days", "1", "box:p")
	s.exits(2, "restore", "--at", "1d", "--tier", "Bulk", "box:p")
	startS3Box(t, s, s3server.Config{}) // which lists the current versions of any bucket
	s.put("box:a", "a")
	for _, args := range [][]string{{"undelete", "box:a"}, {"undelete", "box:"}, {"restore", "--at", "1h", "box:a"}} {
		_, stderr = s.exits(1, args...)
		require.Contains(t, stderr, "the bucket keeps no old versions", args)
	}

	s.ok("bucket", "--versioning", "on", "box:")
	s.put("box:a", "b")
	s.exits(0, "undelete", "box:a")
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

	text := "mem://without-versions-of-undelete"
	s.put(text+"/a", "a")
	s.exits(1, "undelete", text)
}

// timeBetween returns a time after everything that was written, and before what will be.
func timeBetween(s *shell) string {
	s.t.Helper()
	clock := func() time.Time {
		var first reading.VersionLine
		s.put("box:clock", "")
		line, _, _ := strings.Cut(s.ok("ls", "--versions", "--json", "box:clock"), "\n")
		require.NoError(s.t, json.Unmarshal([]byte(line), &first))
		return first.Modified
	}
	t := clock()
	for !clock().After(t) {
		continue
	}
	return t.Format(time.RFC3339Nano)
}

func TestBucket(t *testing.T) {
	s := newShell(t)
	address := newDirectoryAddress(t) + "/kept"
	s.ok("mb", address)
	rules := filepath.Join(t.TempDir(), "rules.json")

	require.NoError(t, os.WriteFile(rules, []byte(`[{"Prefix":"tmp/","ExpireAfterDays":7}]`), 0o644))
	require.Equal(t, "changed kept\n", s.ok("bucket", "-v", "--versioning", "on", "--public", "on", "--lifecycle", rules, address))
	s.in = `[{"Origins":["*"],"Methods":["GET"]}]`
	s.ok("bucket", "--cors", "-", address)
	s.in = ""
	text := s.ok("bucket", address)
	for _, want := range []string{`(?m)^versioning +true$`, `(?m)^public +true$`, `tmp/`, `GET`} {
		require.Regexp(t, want, text)
	}
	require.Contains(t, s.ok("bucket", "--json", address), `"expireAfterDays":7`)

	s.ok("bucket", "--dry-run", "--public", "off", address)
	require.Regexp(t, `(?m)^public +true$`, s.ok("bucket", address))
	s.ok("bucket", "--cors", "none", "--lifecycle", "none", "--public", "off", address)
	require.NotContains(t, s.ok("bucket", "--json", address), "expireAfterDays")

	require.NoError(t, os.WriteFile(rules, []byte(`[{"Prefx":"tmp/"}]`), 0o644))
	_, stderr := s.exits(2, "bucket", "--lifecycle", rules, address)
	require.Contains(t, stderr, "Prefx")

	require.NoError(t, os.WriteFile(rules, []byte(`[{"Prefix":"tmp/","ExpireAfterDays":7}]`), 0o644))
	s.ok("bucket", "--lifecycle", rules, address)
	for _, text := range []string{"null", "", " ", "{}", `[{"Prefix":"tmp/","ExpireAfterDays":8}] []`, "[] rest", "["} {
		s.in = text
		s.exits(2, "bucket", "--lifecycle", "-", address)
		require.Contains(t, s.ok("bucket", "--json", address), `"expireAfterDays":7`, "%q must not change rules", text)
	}

	s.in = "[]"
	s.ok("bucket", "--lifecycle", "-", address)
	require.NotContains(t, s.ok("bucket", "--json", address), "expireAfterDays")

	s.in = ""
	s.exits(2, "bucket", "--versioning", "maybe", address)
	s.exits(2, "bucket", "--retention", "forever", address)
	s.exits(2, "bucket", "--cors", "-", address)
	s.exits(3, "bucket", "--cors", rules+"-none", address)
	s.exits(3, "bucket", address+"-none")
	s.exits(2, "bucket", address+"#a")
}

func TestExpire(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	putObjects(t, s, bucket, "tmp/old", "tmp/new", "tmp/keep", "other")
	long := time.Now().Add(-10 * 24 * time.Hour)
	for _, name := range []string{"tmp/old", "tmp/keep", "other"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), long, long))
	}

	stdout, stderr := s.exits(0, "expire", "--age", "7d", "--dry-run", "--exclude", "keep", "box:tmp")
	require.Equal(t, "deleted old\n", stdout)
	require.Contains(t, stderr, "1 deleted")

	s.exits(0, "expire", "--age", "7d", "--exclude", "keep", "box:tmp")
	require.Equal(t, "other\ntmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))
	s.ok("bucket", "--lifecycle", "none", "box:")
	s.in = `[{"Prefix":"oth","ExpireAfterDays":1}]`
	s.ok("bucket", "--lifecycle", "-", "box:")
	s.exits(0, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))

	for _, args := range [][]string{
		{"box:tmp"}, {"--age", "7d", "box:"}, {"--age", "0s", "box:tmp"}, {"--age", "x", "box:tmp"}, {"--lifecycle", "--age", "7d", "box:"}, {"--lifecycle", "box:tmp"}, {"--age", "1d", "box:t*"},
	} {
		s.exits(2, append([]string{"expire"}, args...)...)
	}
	require.Equal(t, "tmp/keep\ntmp/new\n", s.ok("ls", "-r", "box:"))
}

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

// Numbers and flags that mean nothing are refused.
func TestInvalidNumbersAndFlags(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	dir := t.TempDir()
	for _, args := range [][]string{
		{"tree", "--depth", "-1", "box:"}, {"find", "--max-depth", "-1", "box:"}, {"sync", "--shard", "+0/3", dir, "box:"}, {"sync", "--shard", "0/+3", dir, "box:"},
		{"sync", "--max-delete", "3", dir, "box:"}, {"sync", "--empty-source", dir, "box:"},
	} {
		_, stderr := s.exits(2, args...)
		require.Contains(t, stderr, args[1])
	}
}

// If sync fails for invalid arguments, it prints no summary.
func TestSyncArgumentErrorHasNoSummary(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t)
	s.put("box:a/b", "b")
	for _, args := range [][]string{{"sync", "box:a", "box:"}, {"sync", "--include", "[", "box:a", "box:b"}, {"sync", "--size-only", "--checksum", "box:a", "box:b"}} {
		stdout, stderr := s.exits(2, append(args, "--json")...)
		require.Empty(t, stdout, args)
		require.NotContains(t, stderr, "transferred", args)
		_, stderr = s.exits(2, args...)
		require.NotContains(t, stderr, "transferred", args)
	}
}
