package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/reading"
)

// ls prints one level of a bucket or a folder, or everything with -r, in the order of keys.
func TestLs(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	for _, key := range []string{"a", "a/x", "photos/1.jpg", "photos/2026/2.jpg", "photos-old"} {
		s.put(bucket+"/"+key, key)
	}
	s.setLocation("pics", bucket+"/photos")

	tests := []struct {
		name string
		args []string
		want string // lines, with spaces between them
	}{
		{name: "one level of a bucket", args: []string{bucket}, want: "a a/ photos-old photos/"},
		{name: "everything", args: []string{"-r", bucket}, want: "a a/x photos-old photos/1.jpg photos/2026/2.jpg"},
		{name: "an object, although a folder has the same name", args: []string{bucket + "/a"}, want: "a"},
		{name: "a folder that has the name of an object", args: []string{bucket + "/a/"}, want: "a/x"},
		{name: "a folder without its slash", args: []string{bucket + "/photos"}, want: "photos/1.jpg photos/2026/"},
		{
			name: "everything in a folder",
			args: []string{"-r", bucket + "/photos"},
			want: "photos/1.jpg photos/2026/2.jpg",
		},
		{name: "at most two entries", args: []string{"--limit", "2", bucket}, want: "a a/"},
		{name: "after a key", args: []string{"--start-after", "a/", bucket}, want: "photos-old photos/"},
		{
			name: "after the last key of a folder",
			args: []string{"--start-after", "photos/9", bucket + "/photos"},
			want: "",
		},
		{name: "a name that stands for a folder", args: []string{"pics:"}, want: "1.jpg 2026/"},
		{name: "a folder of a name", args: []string{"pics:2026"}, want: "2026/2.jpg"},
		{name: "a prefix in the address", args: []string{bucket + "?prefix=photos/"}, want: "1.jpg 2026/"},
		{name: "a folder below a prefix", args: []string{bucket + "/2026/?prefix=photos/"}, want: "2026/2.jpg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Equal(t, strings.Fields(tt.want), strings.Fields(s.run(append([]string{"ls"}, tt.args...)...)))
		})
	}
}

// If a name is neither an object nor a folder, the hint says so. This also holds for a name that
// looks like an option of the Go API, such as IfAbsent.
func TestLsOfAMissingNameHasAHint(t *testing.T) {
	s := newShell(t)
	for _, key := range []string{"none", "IMG_1.JPG", "With", "IfAbsent or not"} {
		_, stderr := s.requireExit(exitNotFound, "ls", newMemoryAddress(t)+"/"+url.PathEscape(key))
		require.Contains(t, stderr, "\nhint: check the key; there is no folder of this name either\n", key)
	}
}

// ls refuses flags that do not fit its argument, and prints nothing.
func TestLsRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	tests := []struct {
		name     string
		args     []string
		wantExit int
	}{
		{name: "a limit of 0", args: []string{"--limit", "0", bucket}, wantExit: exitUsage},
		{name: "buckets of a bucket", args: []string{"--buckets", bucket}, wantExit: exitUsage},
		{name: "buckets of a key", args: []string{"--buckets", bucket + "/a"}, wantExit: exitUsage},
		{
			name:     "buckets after a key",
			args:     []string{"--buckets", "--start-after", "a", "mem://"},
			wantExit: exitUsage,
		},
		{
			name:     "versions after a key",
			args:     []string{"--versions", "--start-after", "a", bucket},
			wantExit: exitUsage,
		},
		{name: "versions of a bucket without versions", args: []string{"--versions", bucket}, wantExit: exitFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			stdout, _ := s.requireExit(tt.wantExit, append([]string{"ls"}, tt.args...)...)
			require.Empty(t, stdout)
		})
	}
}

// ls of an empty bucket prints nothing.
func TestLsEmptyBucket(t *testing.T) {
	s := newShell(t)
	require.Empty(t, s.run("ls", newDirectoryAddress(t)))
}

// ls -l prints size, time and key. A folder has neither size nor time.
func TestLsLong(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a b.txt", "12345")
	s.put(bucket+"/folder/c", "")
	lines := strings.Split(s.run("ls", "-l", bucket), "\n")
	require.Regexp(t, `^           5  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  a b\.txt$`, lines[0])
	require.Regexp(t, `^           -  - {19}  folder/$`, lines[1])
}

// ls --json prints one line of JSON for each entry, without escapes of HTML.
func TestLsJSON(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/<a>&\"é\".txt", "12345")
	s.put(bucket+"/folder/c", "")

	lines := strings.Split(strings.TrimSpace(s.run("ls", "--json", bucket)), "\n")
	require.Len(t, lines, 2)
	var entry reading.EntryLine
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &entry))
	require.Equal(t, `<a>&"é".txt`, entry.Key)
	require.EqualValues(t, 5, entry.Size)
	require.NotEmpty(t, entry.Revision)
	require.False(t, entry.Modified.IsZero())
	require.JSONEq(t, `{"key": "folder/", "isPrefix": true}`, lines[1])
}

// ls prints more keys than one page of a listing has. --limit and --start-after select some of
// them.
func TestLsLimitsManyKeys(t *testing.T) {
	const keys = 2_500 // more than one page
	s := newShell(t)
	bucket := newMemoryAddress(t)
	b, err := storage.Open(t.Context(), bucket)
	require.NoError(t, err)
	for i := range keys {
		_, err := b.Upload(t.Context(), fmt.Sprintf("many/%05d", i), strings.NewReader("x"))
		require.NoError(t, err)
	}
	require.NoError(t, storage.Close(b))

	require.Equal(t, keys, strings.Count(s.run("ls", "-r", bucket), "\n"))

	lines := strings.Fields(s.run("ls", "-r", "--limit", "1500", "--start-after", "many/00499", bucket))
	require.Len(t, lines, 1_500)
	require.Equal(t, []string{"many/00500", "many/01999"}, []string{lines[0], lines[len(lines)-1]})
}

// ls --versions prints the versions of an object, the newest first. Other commands accept the version that it prints.
func TestLsVersions(t *testing.T) {
	memory := newMemoryAddress(t)
	directory := newDirectoryAddress(t)
	tests := []struct {
		name      string
		addressOf func(key string) string
	}{
		{
			name:      "memory",
			addressOf: func(key string) string { return memory + "/" + key + "?versions=true" },
		},
		{
			name:      "directory",
			addressOf: func(key string) string { return directory + "?versions=true#" + key },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The object a has two versions and a delete marker, and a/b has one version.
			s := newShell(t)
			bucket := tt.addressOf("")
			a := tt.addressOf("a")
			s.put(a, "first")
			s.put(a, "second")
			s.put(tt.addressOf("a/b"), "other")
			s.run("rm", a)

			// ls lists the versions of the object a, of the folder a/, and of the bucket.
			require.Equal(t, []string{"removed a", "old a", "old a"}, s.versionStates(a), "only of this object")
			require.Equal(t, []string{"current a/b"}, s.versionStates(tt.addressOf("a/")))
			require.Len(t, s.versionStates(bucket), 4)
			require.Len(t, s.versionStates("--limit", "2", bucket), 2)

			// The third line is that of the oldest version of the object.
			var oldest reading.VersionLine
			lines := strings.Split(s.run("ls", "--versions", "--json", a), "\n")
			require.NoError(t, json.Unmarshal([]byte(lines[2]), &oldest))

			// cat, stat, cp and rm accept this version.
			require.Equal(t, "first", s.run("cat", "--version", oldest.Version, a))
			require.Contains(t, s.run("stat", "--version", oldest.Version, a), oldest.Version)
			s.run("cp", "--version", oldest.Version, a, tt.addressOf("restored"))
			require.Equal(t, "first", s.run("cat", tt.addressOf("restored")))
			s.run("rm", "--version", oldest.Version, a)
			require.Equal(t, []string{"removed a", "old a"}, s.versionStates(a))

			// With -l, a line begins with the size. The version "second" has 6 bytes.
			require.Regexp(t, `(?m)^ +6  \S+  old      \S+  a$`, s.run("ls", "--versions", "-l", a))
		})
	}
}

// versionStates runs ls --versions with these arguments, and returns the state and the key of each version. A line has
// the state, the version and the key.
func (s *shell) versionStates(args ...string) (states []string) {
	s.t.Helper()
	for line := range strings.Lines(s.run(append([]string{"ls", "--versions"}, args...)...)) {
		fields := strings.Fields(line)
		states = append(states, fields[0]+" "+fields[2])
	}
	return states
}

// ls --buckets prints the buckets of an account.
func TestLsBuckets(t *testing.T) {
	s := newShell(t)
	parent := newDirectoryAddress(t)
	for _, name := range []string{"photos", "backup", "site"} {
		s.run("mb", parent+"/"+name)
	}

	require.Equal(t, "backup\nphotos\nsite\n", s.run("ls", "--buckets", parent))
	require.Equal(t, "backup\nphotos\n", s.run("ls", "--buckets", "--limit", "2", parent))
	require.Regexp(t, `^\d{4}-\S+Z  backup\n`, s.run("ls", "--buckets", "-l", parent))

	lines := splitLines(s.run("ls", "--buckets", "--json", parent))
	var second reading.BucketLine
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &second))
	require.Equal(t, "photos", second.Name)
}

// An address without a bucket is that of an account, and ls prints the buckets of the account.
func TestLsOfAnAccount(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a", "")
	require.Contains(t, splitLines(s.run("ls", "mem://")), path.Base(bucket))
}
