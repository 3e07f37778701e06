package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile are keys that mean something else to shells, in addresses or in wildcards.
var hostile = []string{
	"with space", "what?", "a#b", "100%", "%41", "it's", `"quoted"`, "dé/ñ/日本", "a+b", "a&b=c", "$HOME `x`", "[1]{2}",
	"-rf", "a:b", "~", "!x",
}

// cp writes to the key or file that is named. A folder, bucket or directory gets the file under the name of the source.
func TestCpOfOneFile(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file.txt": "file"})

	file := filepath.Join(dir, "file.txt")
	object := bucket + "/source/object.txt"
	s.put(object, "object")

	s.setLocation("pics", bucket+"/pics")
	s.stdin = "typed"

	tests := []struct {
		name    string
		src     string
		dst     string
		copied  string // address of the copy
		content string
	}{
		{name: "a file under a key", src: file, dst: bucket + "/k1", copied: bucket + "/k1", content: "file"},
		{name: "a file into a folder", src: file, dst: bucket + "/f/", copied: bucket + "/f/file.txt", content: "file"},
		{name: "a file into a bucket", src: file, dst: bucket, copied: bucket + "/file.txt", content: "file"},
		{name: "a file under a name", src: file, dst: "pics:a?b", copied: bucket + "/pics/a%3Fb", content: "file"},
		{name: "standard input", src: "-", dst: bucket + "/k2", copied: bucket + "/k2", content: "typed"},
		{
			name:    "an object under another key",
			src:     object,
			dst:     bucket + "/k3",
			copied:  bucket + "/k3",
			content: "object",
		},
		{
			name:    "an object into a folder",
			src:     object,
			dst:     bucket + "/f/",
			copied:  bucket + "/f/object.txt",
			content: "object",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Empty(t, s.run("cp", tt.src, tt.dst))
			require.Equal(t, tt.content, s.run("cat", tt.copied))
		})
	}
}

// cp copies one object to a file, which may exist, to a directory, or to standard output.
func TestCpOfOneObjectToFiles(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"there/x": ""})
	object := newMemoryAddress(t) + "/source/object.txt"
	s.put(object, "object")

	newFile := filepath.Join(dir, "new")
	for range 2 { // the second time, the file exists
		require.Empty(t, s.run("cp", object, newFile))
		require.Equal(t, "object", readFile(t, newFile))
	}

	require.Empty(t, s.run("cp", object, filepath.Join(dir, "there")))
	require.Equal(t, "object", readFile(t, filepath.Join(dir, "there", "object.txt")))
	require.Equal(t, "object", s.run("cp", object, "-"))
}

// If one of several files is missing, cp copies the others.
func TestCpOfSeveralFilesContinuesAfterAFailure(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a", "b": "b"})
	missing := filepath.Join(dir, "none")

	_, stderr := s.requireExit(exitNotFound,
		"cp", filepath.Join(dir, "a"), missing, filepath.Join(dir, "b"), bucket+"/to/")
	require.Len(t, splitLines(stderr), 2)
	require.Contains(t, stderr, "\n2 transferred\n")
	require.Equal(t, "to/a\nto/b\n", s.run("ls", "-r", bucket))
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
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, append([]string{"cp"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}

	require.Equal(t, "a\n", s.run("ls", "-r", bucket), "nothing was stored")
}

// If the condition of --if-absent or --if-revision does not hold, cp and rm exit with 4 and change nothing.
func TestCpConditions(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	key := bucket + "#a"
	s.stdin = "first"
	s.run("cp", "--if-absent", "-", key)

	_, stderr := s.requireExit(exitPrecondition, "cp", "--if-absent", "-", key)
	require.Contains(t, stderr, `"a"`)

	revision := statOf(s, key).Revision
	s.stdin = "second"
	s.run("cp", "--if-revision", revision, "-", key)
	s.requireExit(exitPrecondition, "cp", "--if-revision", revision, "-", key)
	s.requireExit(exitPrecondition, "rm", "--if-revision", revision, key)
	s.requireExit(exitPrecondition, "cp", "--if-absent", key, key)
	require.Equal(t, "second", s.run("cat", key))
}

// cp copies objects with unusual keys between stores and to local files.
func TestCpOfHostileKeys(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	s.setLocation("memory", newMemoryAddress(t))
	s.setLocation("disk", newDirectoryAddress(t))
	for _, key := range hostile {
		t.Run(key, func(t *testing.T) {
			s := s.inSubtest(t)
			s.stdin = key // the content

			s.run("cp", "-", "memory:"+key)
			require.Equal(t, key+"\n", s.run("ls", "--literal", "memory:"+key))
			s.run("cp", "--literal", "memory:"+key, "disk:"+key)
			require.Equal(t, key, s.run("cat", "--literal", "disk:"+key))

			// The file has the last segment of the key as its name.
			s.run("cp", "--literal", "disk:"+key, dir)
			require.Equal(t, key, readFile(t, filepath.Join(dir, filepath.Base(key))))

			s.run("rm", "--literal", "memory:"+key)
			s.requireExit(exitNotFound, "stat", "--literal", "memory:"+key)
		})
	}
}

// If its source is missing, cp keeps the file at the destination and creates no new one.
func TestCpMissingSourceChangesNoFile(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "old"})

	s.requireExit(exitNotFound, "cp", bucket+"/none", filepath.Join(dir, "a"))
	s.requireExit(exitNotFound, "cp", bucket+"/none", filepath.Join(dir, "none", "x"))

	require.Equal(t, "old", readFile(t, filepath.Join(dir, "a")))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// cp creates the directories of its destination, but not if the source is missing.
func TestCpCreatesTheDirectoryOfADestination(t *testing.T) {
	s := newShell(t)
	object := newMemoryAddress(t) + "/x"
	s.put(object, "new")

	tests := []struct {
		name     string
		dst      string
		wantPath string // of the file, below the directory
	}{
		{name: "a directory", dst: "dl/", wantPath: "dl/x"},
		{name: "nested directories", dst: "a/b/c/", wantPath: "a/b/c/x"},
		{name: "a file in a directory", dst: "one/file", wantPath: "one/file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			dir := t.TempDir()

			s.run("cp", object, dir+"/"+tt.dst)
			require.Equal(t, "new", readFile(t, filepath.Join(dir, filepath.FromSlash(tt.wantPath))))

			// Now the directory exists.
			s.run("cp", object, dir+"/"+tt.dst)
		})
	}

	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file": "kept"})

	// The source is missing.
	s.requireExit(exitNotFound, "cp", object+"-none", filepath.Join(dir, "none")+"/")

	// A file has the name of the directory.
	_, stderr := s.requireExit(exitUsage, "cp", object, filepath.Join(dir, "file", "x"))
	require.Contains(t, stderr, "destination must be in a directory")
	require.NotContains(t, stderr, ".omnibucket-")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was created")
}

// If the source of cp or sync is missing, the command exits with 3, as docs/cli.md says.
func TestMissingSourceIsNotFound(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	s.put(bucket+"/a", "a")
	missing := filepath.Join(dir, "none")
	writeFiles(t, dir, map[string]string{"file": ""})

	tests := []struct {
		name string
		args []string
	}{
		{name: "a file", args: []string{"cp", missing, bucket}},
		{name: "a directory", args: []string{"cp", missing + "/", bucket}},
		{name: "a file in a missing directory", args: []string{"cp", filepath.Join(missing, "x"), bucket}},
		{name: "a file below a file", args: []string{"cp", filepath.Join(dir, "file", "x"), bucket}},
		{name: "a tree", args: []string{"cp", "-r", missing, bucket}},
		{name: "a tree with a slash", args: []string{"cp", "-r", missing + "/", bucket}},
		{name: "an object", args: []string{"cp", bucket + "/none", dir}},
		{name: "an object, copied", args: []string{"cp", bucket + "/none", bucket + "/b"}},
		{name: "a directory to sync", args: []string{"sync", missing, bucket}},
		{name: "a folder to sync", args: []string{"sync", bucket + "/typo", dir}},
		{name: "a folder to sync with a slash", args: []string{"sync", bucket + "/typo/", dir}},
		{name: "an object to sync", args: []string{"sync", bucket + "/a", dir}},
		{name: "wildcards to sync", args: []string{"sync", bucket + "/*.txt", dir}},
		{name: "a bucket to sync", args: []string{"sync", "file://" + filepath.ToSlash(missing), bucket}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitNotFound, tt.args...)
			require.Contains(t, stderr, "not found")
		})
	}

	require.Equal(t, "a\n", s.run("ls", "-r", bucket))
}

// cp -r copies a directory or a folder of a bucket under its name, or only its content if the source ends in a slash.
func TestCpOfTrees(t *testing.T) {
	tree := map[string]string{"photos/1": "1", "photos/2026/2": "2", "other/x": "x"}
	tests := []struct {
		name   string
		src    string   // below the directory or bucket that has the tree
		dst    string   // below the bucket or directory
		want   []string // keys or paths of the copies
		isFile bool     // cp makes no directory for one file
	}{
		{name: "a directory under a name", src: "photos", dst: "new", want: []string{"new/1", "new/2026/2"}},
		{name: "its content under a name", src: "photos/", dst: "new", want: []string{"new/1", "new/2026/2"}},
		{
			name: "a directory into a folder",
			src:  "photos",
			dst:  "to/",
			want: []string{"to/photos/1", "to/photos/2026/2"},
		},
		{name: "its content into a folder", src: "photos/", dst: "to/", want: []string{"to/1", "to/2026/2"}},
		{name: "a directory into a bucket", src: "photos", want: []string{"photos/1", "photos/2026/2"}},
		{name: "its content into a bucket", src: "photos/", want: []string{"1", "2026/2"}},
		{name: "one file", src: "photos/1", dst: "to/", want: []string{"to/1"}, isFile: true},
		{name: "one file under a name", src: "photos/1", dst: "to", want: []string{"to"}, isFile: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			bucket := newMemoryAddress(t)
			bucketWithTree := newDirectoryAddress(t)
			dirWithTree := t.TempDir()
			writeFiles(t, dirWithTree, tree)
			s.run("cp", "-r", dirWithTree+"/", bucketWithTree)

			// From a directory to a bucket.
			s.run("cp", "-r", dirWithTree+"/"+tt.src, bucket+"/"+tt.dst)
			require.Equal(t, tt.want, splitLines(s.run("ls", "-r", bucket)))

			// Copy from a bucket to a bucket. In the second round, the copies exist already.
			s.run("rm", "-r", "--all", bucket)
			for range 2 {
				s.run("cp", "-r", bucketWithTree+"#"+tt.src, bucket+"/"+tt.dst)
				require.Equal(t, tt.want, splitLines(s.run("ls", "-r", bucket)))
			}

			// From a bucket to a directory.
			if tt.isFile {
				return
			}
			dir := t.TempDir()
			s.run("cp", "-r", bucketWithTree+"#"+tt.src, dir+"/"+tt.dst)
			for _, path := range tt.want {
				require.FileExists(t, filepath.Join(dir, path))
			}
		})
	}
}

// cp -r gives each object the attributes that its flags name, and a second run copies nothing.
func TestCpOfATreeSetsAttributesAndSkipsTheSame(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "a", "b/c.txt": "c"})
	s.run("cp", "-r", "--cache-control", "no-cache", dir+"/", bucket)

	before := statOf(s, bucket+"/b/c.txt")
	require.Equal(t, "no-cache", before.CacheControl)

	s.run("cp", "-r", dir+"/", bucket)
	require.Equal(t, before, statOf(s, bucket+"/b/c.txt"))
}

// cp -r exits with 3 if its source is missing, but accepts an empty bucket.
func TestMissingTreeIsNotFound(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	dir := t.TempDir()

	s.requireExit(exitNotFound, "cp", "-r", bucket+"/none", dir)
	s.requireExit(exitNotFound, "cp", "-r", bucket+"/none/", dir)
	s.requireExit(exitNotFound, "cp", "-r", filepath.Join(dir, "none"), bucket)

	s.run("cp", "-r", bucket, dir)
}

// cp and sync refuse to copy a tree into itself, unless a filter leaves out the destination.
func TestCpOfATreeIntoItself(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a/b", "")
	s.setLocation("box", bucket+"/a")

	// One tree contains the other.
	for _, args := range [][]string{
		{"cp", "-r", bucket + "/a/", bucket + "/a/c/"},
		{"cp", "-r", "box:", bucket},
		{"sync", bucket + "/a", bucket},
		{"sync", "--delete", bucket, "box:x"},
	} {
		s.requireExit(exitUsage, args...)
	}

	s.requireExit(exitOK, "sync", "--exclude", "copy/", bucket, bucket+"/copy")
	require.Equal(t, "a/b\ncopy/a/b\n", s.run("ls", "-r", bucket))
}
