package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile are keys that a shell, a URL or a program could misinterpret.
var hostile = []string{
	"with space", "what?", "a#b", "100%", "%41", "it's", `"quoted"`, "dé/ñ/日本", "a+b", "a&b=c", "$HOME `x`", "[1]{2}", "-rf", "a:b", "~", "!x",
}

// The destination of cp is a key, a folder, a bucket, a file or a directory. In the latter, the name of the source stays.
func TestCpOfOneFile(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file.txt": "file", "there/x": ""})
	s.put(bucket+"/source/object.txt", "object")
	s.env["OMNIBUCKET_PICS"] = bucket + "/pics"
	s.in = "typed"
	file := filepath.Join(dir, "file.txt")
	object := bucket + "/source/object.txt"
	text := filepath.Join(dir, "there")

	tests := []struct{ name, from, to, at, want string }{
		{name: "a file under a key", from: file, to: bucket + "/k1", at: bucket + "/k1", want: "file"},
		{
			name: "a file into a folder",
			from: file,
			to:   bucket + "/f/",
			at:   bucket + "/f/file.txt",
			want: "file",
		},
		{name: "a file into a bucket", from: file, to: bucket, at: bucket + "/file.txt", want: "file"},
		{name: "a file under a name", from: file, to: "pics:a?b", at: bucket + "/pics/a%3Fb", want: "file"},
		{name: "standard input", from: "-", to: bucket + "/k2", at: bucket + "/k2", want: "typed"},
		{
			name: "an object under another key",
			from: object,
			to:   bucket + "/k3",
			at:   bucket + "/k3",
			want: "object",
		},
		{
			name: "an object into a folder",
			from: object,
			to:   bucket + "/f/",
			at:   bucket + "/f/object.txt",
			want: "object",
		},
		{name: "an object into a file", from: object, to: filepath.Join(dir, "new"), want: "object"},
		{name: "over a file", from: object, to: filepath.Join(dir, "new"), want: "object"},
		{name: "an object into a directory", from: object, to: text, at: "there/object.txt", want: "object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			require.Empty(t, s.ok("cp", tt.from, tt.to))
			if strings.HasPrefix(tt.at, bucket) {
				require.Equal(t, tt.want, s.ok("cat", tt.at))
				return
			}
			if tt.at == "" {
				tt.at = "new"
			}
			require.Equal(t, tt.want, readFile(t, filepath.Join(dir, tt.at)))
		})
	}

	s.t = t
	require.Equal(t, "object", s.ok("cp", object, "-"))
}

// If one of several files is missing, cp copies the others.
func TestCpOfSeveralFilesContinuesAfterAFailure(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a", "b": "b"})
	_, stderr := s.exits(3, "cp", filepath.Join(dir, "a"), filepath.Join(dir, "none"), filepath.Join(dir, "b"), bucket+"/to/")
	require.Len(t, splitLines(stderr), 2)
	require.Contains(t, stderr, "\n2 transferred\n")
	require.Equal(t, "to/a\nto/b\n", s.ok("ls", "-r", bucket))
}

// cp refuses arguments that mean nothing, and stores nothing.
func TestCpRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a", "b": "b"})
	s.put(bucket+"/a", "a")
	file := filepath.Join(dir, "a")

	tests := []struct {
		name, wantErr string
		args          []string
	}{
		{name: "several into one", wantErr: "must be a folder", args: []string{file, file, bucket + "/x"}},
		{
			name:    "several trees into one",
			wantErr: "must be a folder",
			args:    []string{"-r", dir, dir, bucket + "/x"},
		},
		{name: "a directory", wantErr: "use -r to copy a tree", args: []string{dir, bucket}},
		{name: "a folder", wantErr: "use -r to copy a tree", args: []string{bucket + "/x/", dir}},
		{name: "a bucket", wantErr: "use -r to copy a tree", args: []string{bucket, dir}},
		{
			name:    "standard input to a file",
			wantErr: "must be in a bucket",
			args:    []string{"-", filepath.Join(dir, "c")},
		},
		{name: "a file to itself", wantErr: "must not be the same", args: []string{file, dir}},
		{
			name:    "attributes of a copied file",
			wantErr: "need a destination in a bucket",
			args:    []string{"--content-type", "text/plain", file, filepath.Join(dir, "c")},
		},
		{
			name:    "a tree into itself",
			wantErr: "must not overlap",
			args:    []string{"-r", dir, filepath.Join(dir, "c")},
		},
		{name: "standard input to output", wantErr: "must be in a bucket", args: []string{"-", "-"}},
		{
			name:    "standard input without a name",
			wantErr: "must have a file name or key",
			args:    []string{"-", bucket + "/x/"},
		},
		{name: "an account", wantErr: "must have a bucket", args: []string{file, "mem://"}},
		{
			name:    "attributes of a file",
			wantErr: "need a destination in a bucket",
			args:    []string{"--content-type", "text/plain", bucket + "/a", dir},
		},
		{
			name:    "a condition of a file",
			wantErr: "need a destination in a bucket",
			args:    []string{"--if-absent", bucket + "/a", dir},
		},
		{name: "a version of a file", wantErr: "--version", args: []string{"--version", "1", file, bucket}},
		{
			name:    "a condition with trees",
			wantErr: "must not be used with -r",
			args:    []string{"-r", "--if-absent", dir, bucket},
		},
		{
			name:    "a version with trees",
			wantErr: "must not be used with -r",
			args:    []string{"-r", "--version", "1", bucket, dir},
		},
		{
			name:    "a stream as a tree",
			wantErr: "must not be used with standard input or output",
			args:    []string{"-r", "-", bucket},
		},
		{name: "malformed metadata", wantErr: "key=value", args: []string{"--metadata", "a", file, bucket}},
		{
			name:    "metadata twice",
			wantErr: "each key only once",
			args:    []string{"--metadata", "a=1", "--metadata", "a=2", file, bucket},
		},
		{name: "two conditions", wantErr: "", args: []string{"--if-absent", "--if-revision", "x", file, bucket}},
		{name: "an invalid type", wantErr: "", args: []string{"--content-type", "picture", file, bucket}},
		{
			name:    "a device, which would be replaced",
			wantErr: "must be a regular file",
			args:    []string{bucket + "/a", os.DevNull},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			_, stderr := s.exits(2, append([]string{"cp"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}

	s.t = t
	require.Equal(t, "a\n", s.ok("ls", "-r", bucket), "nothing was stored")
}

// If the condition of --if-absent or --if-revision does not hold, cp and rm exit with 4, and the object stays as
// it is.
func TestCpConditions(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	key := bucket + "#a"
	s.in = "first"
	s.ok("cp", "--if-absent", "-", key)

	_, stderr := s.exits(4, "cp", "--if-absent", "-", key)
	require.Contains(t, stderr, `"a"`)
	revision := statOf(s, key).Revision
	s.in = "second"
	s.ok("cp", "--if-revision", revision, "-", key)
	s.exits(4, "cp", "--if-revision", revision, "-", key)
	s.exits(4, "rm", "--if-revision", revision, key)
	s.exits(4, "cp", "--if-absent", key, key)
	require.Equal(t, "second", s.ok("cat", key))
}

// cp copies objects with unusual keys from memory to a disk and to local files.
func TestCpOfHostileKeys(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	s.env["OMNIBUCKET_MEMORY"], s.env["OMNIBUCKET_DISK"] = newMemoryAddress(t), newDirectoryAddress(t)
	for _, key := range hostile {
		t.Run(key, func(t *testing.T) {
			s.t = t
			s.in = key

			s.ok("cp", "-", "memory:"+key)
			require.Equal(t, key+"\n", s.ok("ls", "--literal", "memory:"+key))
			s.ok("cp", "--literal", "memory:"+key, "disk:"+key)
			require.Equal(t, key, s.ok("cat", "--literal", "disk:"+key))

			s.ok("cp", "--literal", "disk:"+key, dir)
			require.Equal(t, key, readFile(t, filepath.Join(dir, filepath.Base(key))))
			s.ok("rm", "--literal", "memory:"+key)
			s.exits(3, "stat", "--literal", "memory:"+key)
		})
	}
}

// If the source of cp is missing, cp keeps the file at the destination and creates no other file.
func TestCpMissingSourceChangesNoFile(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "old"})
	s.exits(3, "cp", bucket+"/none", filepath.Join(dir, "a"))
	s.exits(3, "cp", bucket+"/none", filepath.Join(dir, "none", "x"))

	require.Equal(t, "old", readFile(t, filepath.Join(dir, "a")))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// cp creates the directories of its destination, but not if the source is missing.
func TestCpCreatesTheDirectoryOfADestination(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/x", "new")

	tests := []struct{ name, to, at string }{
		{"a folder", "dl/", "dl/x"},
		{"folders", "a/b/c/", "a/b/c/x"},
		{"a file in one", "one/file", "one/file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			dir := t.TempDir()
			s.ok("cp", bucket+"/x", dir+"/"+tt.to)
			require.Equal(t, "new", readFile(t, filepath.Join(dir, filepath.FromSlash(tt.at))))
			s.ok("cp", bucket+"/x", dir+"/"+tt.to) // it is there now
		})
	}

	s.t = t
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file": "kept"})
	s.exits(3, "cp", bucket+"/none", filepath.Join(dir, "none")+"/")
	_, stderr := s.exits(2, "cp", bucket+"/x", filepath.Join(dir, "file", "x"))
	require.Contains(t, stderr, "destination must be in a directory")
	require.NotContains(t, stderr, ".omnibucket-")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was created")
}

// If the source of cp or sync is missing, the exit code is 3, as in docs/cli.md.
func TestMissingSourceIsNotFound(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	s.put(bucket+"/a", "a")
	none := filepath.Join(dir, "none")
	writeFiles(t, dir, map[string]string{"file": ""})

	tests := []struct {
		name string
		args []string
	}{
		{"a file", []string{"cp", none, bucket}},
		{"a directory", []string{"cp", none + "/", bucket}},
		{"a file in a missing directory", []string{"cp", filepath.Join(none, "x"), bucket}},
		{"a file below a file", []string{"cp", filepath.Join(dir, "file", "x"), bucket}},
		{"a tree", []string{"cp", "-r", none, bucket}},
		{"a tree with a slash", []string{"cp", "-r", none + "/", bucket}},
		{"an object", []string{"cp", bucket + "/none", dir}},
		{"an object, copied", []string{"cp", bucket + "/none", bucket + "/b"}},
		{"a directory to sync", []string{"sync", none, bucket}},
		{"a folder to sync", []string{"sync", bucket + "/typo", dir}},
		{"a folder to sync with a slash", []string{"sync", bucket + "/typo/", dir}},
		{"an object to sync", []string{"sync", bucket + "/a", dir}},
		{"wildcards to sync", []string{"sync", bucket + "/*.txt", dir}},
		{"a bucket to sync", []string{"sync", "file://" + filepath.ToSlash(none), bucket}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			_, stderr := s.exits(3, tt.args...)
			require.Contains(t, stderr, "not found")
		})
	}

	s.t = t
	require.Equal(t, "a\n", s.ok("ls", "-r", bucket))
}

// cp -r copies a directory under its name, or its content if the source ends in a slash. A bucket is treated the same.
func TestCpOfTrees(t *testing.T) {
	tree := map[string]string{"photos/1": "1", "photos/2026/2": "2", "other/x": "x"}
	tests := []struct {
		name string
		from string // below the place that has the tree
		to   string
		want string // below the bucket
	}{
		{name: "a directory under a name", from: "photos", to: "new", want: "new/1 new/2026/2"},
		{name: "its content under a name", from: "photos/", to: "new", want: "new/1 new/2026/2"},
		{name: "a directory into a folder", from: "photos", to: "to/", want: "to/photos/1 to/photos/2026/2"},
		{name: "its content into a folder", from: "photos/", to: "to/", want: "to/1 to/2026/2"},
		{name: "a directory into a bucket", from: "photos", want: "photos/1 photos/2026/2"},
		{name: "its content into a bucket", from: "photos/", want: "1 2026/2"},
		{name: "one file", from: "photos/1", to: "to/", want: "to/1"},
		{name: "one file under a name", from: "photos/1", to: "to", want: "to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			first := newMemoryAddress(t)
			second := newDirectoryAddress(t)
			dir := t.TempDir()
			back := t.TempDir()
			writeFiles(t, dir, tree)

			s.ok("cp", "-r", dir+"/"+tt.from, first+"/"+tt.to)
			require.Equal(t, strings.Fields(tt.want), strings.Fields(s.ok("ls", "-r", first)))

			s.ok("cp", "-r", dir+"/", second)
			s.ok("rm", "-r", "--all", first)
			s.ok("cp", "-r", second+"#"+tt.from, first+"/"+tt.to)
			require.Equal(t, strings.Fields(tt.want), strings.Fields(s.ok("ls", "-r", first)), "from a bucket")
			s.ok("cp", "-r", second+"#"+tt.from, first+"/"+tt.to)
			require.Equal(t, strings.Fields(tt.want), strings.Fields(s.ok("ls", "-r", first)), "the same command again")

			if !strings.HasPrefix(tt.name, "one file") { // no directory is made for one
				s.ok("cp", "-r", second+"#"+tt.from, back+"/"+tt.to)
				for want := range strings.FieldsSeq(tt.want) {
					require.FileExists(t, filepath.Join(back, want))
				}
			}
		})
	}
}

// cp -r gives each object the attributes of its flags. A second run copies nothing.
func TestCpOfATreeSetsAttributesAndSkipsTheSame(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "a", "b/c.txt": "c"})
	s.ok("cp", "-r", "--cache-control", "no-cache", dir+"/", bucket)

	line := statOf(s, bucket+"/b/c.txt")
	require.Equal(t, "no-cache", line.CacheControl)
	s.ok("cp", "-r", dir+"/", bucket)
	require.Equal(t, line, statOf(s, bucket+"/b/c.txt"))
}

// If the source tree is missing, the exit code is 3.
func TestMissingTreeIsNotFound(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	s.exits(3, "cp", "-r", bucket+"/none", dir)
	s.exits(3, "cp", "-r", bucket+"/none/", dir)
	s.exits(3, "cp", "-r", filepath.Join(dir, "none"), bucket)
	s.ok("cp", "-r", bucket, dir)
}

// cp refuses to copy a tree into itself.
func TestCpOfATreeIntoItself(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a/b", "")
	s.env["OMNIBUCKET_BOX"] = bucket + "/a"
	for _, args := range [][]string{
		{"cp", "-r", bucket + "/a/", bucket + "/a/c/"}, {"cp", "-r", "box:", bucket},
		{"sync", bucket + "/a", bucket}, {"sync", "--delete", bucket, "box:x"},
	} {
		s.exits(2, args...)
	}
	s.exits(0, "sync", "--exclude", "copy/", bucket, bucket+"/copy")
	require.Equal(t, "a/b\ncopy/a/b\n", s.ok("ls", "-r", bucket))
}
