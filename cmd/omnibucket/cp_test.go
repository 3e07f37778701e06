package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile has keys with characters that mean something in shells, in addresses or in wildcards.
var hostile = []string{
	"with space", "what?", "a#b", "100%", "%41", "it's", `"quoted"`, "dé/ñ/日本", "a+b", "a&b=c", "$HOME `x`", "[1]{2}",
	"-rf", "a:b", "~", "!x",
}

// cp writes to the key or the file that its last argument names. If that is a folder, a bucket or a
// directory, the copy in it has the name of the source.
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
		name        string
		src         string
		dst         string
		wantAddress string // of the copy
		wantContent string
	}{
		{
			name:        "a file under a key",
			src:         file,
			dst:         bucket + "/k1",
			wantAddress: bucket + "/k1",
			wantContent: "file",
		},
		{
			name:        "a file into a folder",
			src:         file,
			dst:         bucket + "/f/",
			wantAddress: bucket + "/f/file.txt",
			wantContent: "file",
		},
		{
			name:        "a file into a bucket",
			src:         file,
			dst:         bucket,
			wantAddress: bucket + "/file.txt",
			wantContent: "file",
		},
		{
			name:        "a file under a name",
			src:         file,
			dst:         "pics:a?b",
			wantAddress: bucket + "/pics/a%3Fb",
			wantContent: "file",
		},
		{name: "standard input", src: "-", dst: bucket + "/k2", wantAddress: bucket + "/k2", wantContent: "typed"},
		{
			name:        "an object under another key",
			src:         object,
			dst:         bucket + "/k3",
			wantAddress: bucket + "/k3",
			wantContent: "object",
		},
		{
			name:        "an object into a folder",
			src:         object,
			dst:         bucket + "/f/",
			wantAddress: bucket + "/f/object.txt",
			wantContent: "object",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			require.Empty(t, s.run("cp", tt.src, tt.dst))
			require.Equal(t, tt.wantContent, s.run("cat", tt.wantAddress))
		})
	}
}

// cp copies one object to a file, even an existing one, to a directory, or to standard output.
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
		name    string
		args    []string
		wantErr string // on standard error
	}{
		{name: "several into one", args: []string{file, file, bucket + "/x"}, wantErr: "must be a folder"},
		{
			name:    "several trees into one",
			args:    []string{"-r", dir, dir, bucket + "/x"},
			wantErr: "must be a folder",
		},
		{name: "a directory", args: []string{dir, bucket}, wantErr: "use -r to copy a tree"},
		{name: "a folder", args: []string{bucket + "/x/", dir}, wantErr: "use -r to copy a tree"},
		{name: "a bucket", args: []string{bucket, dir}, wantErr: "use -r to copy a tree"},
		{
			name:    "standard input to a file",
			args:    []string{"-", filepath.Join(dir, "c")},
			wantErr: "must be in a bucket",
		},
		{name: "a file to itself", args: []string{file, dir}, wantErr: "must not be the same"},
		{
			name:    "attributes of a copied file",
			args:    []string{"--content-type", "text/plain", file, filepath.Join(dir, "c")},
			wantErr: "need a destination in a bucket",
		},
		{
			name:    "a tree into itself",
			args:    []string{"-r", dir, filepath.Join(dir, "c")},
			wantErr: "must not overlap",
		},
		{name: "standard input to output", args: []string{"-", "-"}, wantErr: "must be in a bucket"},
		{
			name:    "standard input without a name",
			args:    []string{"-", bucket + "/x/"},
			wantErr: "must have a file name or key",
		},
		{name: "an account", args: []string{file, "mem://"}, wantErr: "must have a bucket"},
		{
			name:    "attributes of a file",
			args:    []string{"--content-type", "text/plain", bucket + "/a", dir},
			wantErr: "need a destination in a bucket",
		},
		{
			name:    "a condition of a file",
			args:    []string{"--if-absent", bucket + "/a", dir},
			wantErr: "need a destination in a bucket",
		},
		{name: "a version of a file", args: []string{"--version", "1", file, bucket}, wantErr: "--version"},
		{
			name:    "a condition with trees",
			args:    []string{"-r", "--if-absent", dir, bucket},
			wantErr: "must not be used with -r",
		},
		{
			name:    "a version with trees",
			args:    []string{"-r", "--version", "1", bucket, dir},
			wantErr: "must not be used with -r",
		},
		{
			name:    "a stream as a tree",
			args:    []string{"-r", "-", bucket},
			wantErr: "must not be used with standard input or output",
		},
		{name: "malformed metadata", args: []string{"--metadata", "a", file, bucket}, wantErr: "key=value"},
		{
			name:    "metadata twice",
			args:    []string{"--metadata", "a=1", "--metadata", "a=2", file, bucket},
			wantErr: "each key only once",
		},
		{
			name:    "two conditions",
			args:    []string{"--if-absent", "--if-revision", "x", file, bucket},
			wantErr: "exclude one another",
		},
		{
			name:    "an invalid type",
			args:    []string{"--content-type", "picture", file, bucket},
			wantErr: "--content-type must be type/subtype",
		},
		{
			name:    "a device, which would be replaced",
			args:    []string{bucket + "/a", os.DevNull},
			wantErr: "must be a regular file",
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

	// With --if-absent, only the first command stores an object.
	s.stdin = "first"
	s.run("cp", "--if-absent", "-", key)
	_, stderr := s.requireExit(exitPrecondition, "cp", "--if-absent", "-", key)
	require.Contains(t, stderr, `"a"`)

	// The second content replaces the first one, so the revision of the first one is stale.
	staleRevision := statOf(s, key).Revision
	s.stdin = "second"
	s.run("cp", "--if-revision", staleRevision, "-", key)
	s.requireExit(exitPrecondition, "cp", "--if-revision", staleRevision, "-", key)
	s.requireExit(exitPrecondition, "rm", "--if-revision", staleRevision, key)
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

			// Store the object, and copy it to another store.
			s.run("cp", "-", "memory:"+key)
			require.Equal(t, key+"\n", s.run("ls", "--literal", "memory:"+key))
			s.run("cp", "--literal", "memory:"+key, "disk:"+key)
			require.Equal(t, key, s.run("cat", "--literal", "disk:"+key))

			// Copy the object into a directory. The name of the file is the last segment of the
			// key.
			s.run("cp", "--literal", "disk:"+key, dir)
			require.Equal(t, key, readFile(t, filepath.Join(dir, filepath.Base(key))))

			// Remove it.
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

	t.Run("the source is missing", func(t *testing.T) {
		dir := t.TempDir()
		s.inSubtest(t).requireExit(exitNotFound, "cp", object+"-none", filepath.Join(dir, "none")+"/")
		requireOnlyEntries(t, dir)
	})
	t.Run("a file has the name of the directory", func(t *testing.T) {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"file": "kept"})
		_, stderr := s.inSubtest(t).requireExit(exitUsage, "cp", object, filepath.Join(dir, "file", "x"))
		require.Contains(t, stderr, "destination must be in a directory")
		require.NotContains(t, stderr, ".omnibucket-", "names no temporary file")
		requireOnlyEntries(t, dir, "file")
	})
}

// requireOnlyEntries requires that a directory has only entries with these names.
func requireOnlyEntries(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, len(names))
	for i, entry := range entries {
		require.Equal(t, names[i], entry.Name())
	}
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

// cp -r copies a directory or a folder of a bucket together with its name. If the source ends in a
// slash, cp -r copies only the content.
func TestCpOfTrees(t *testing.T) {
	tree := map[string]string{"photos/1": "1", "photos/2026/2": "2", "other/x": "x"}
	tests := []struct {
		name   string
		src    string   // below the directory or bucket that has the tree
		dst    string   // below the bucket or directory
		want   []string // keys or paths of the copies
		isFile bool     // src is one file, for which cp makes no directory
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

			// Copy from a directory to a bucket.
			s.run("cp", "-r", dirWithTree+"/"+tt.src, bucket+"/"+tt.dst)
			require.Equal(t, tt.want, splitLines(s.run("ls", "-r", bucket)))

			// Copy from a bucket to a bucket. In the second round, the copies exist already.
			s.run("rm", "-r", "--all", bucket)
			for range 2 {
				s.run("cp", "-r", bucketWithTree+"#"+tt.src, bucket+"/"+tt.dst)
				require.Equal(t, tt.want, splitLines(s.run("ls", "-r", bucket)))
			}

			// Copy from a bucket to a directory.
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

	firstAttributes := statOf(s, bucket+"/b/c.txt")
	require.Equal(t, "no-cache", firstAttributes.CacheControl)

	// The second run does not replace the object.
	s.run("cp", "-r", dir+"/", bucket)
	require.Equal(t, firstAttributes, statOf(s, bucket+"/b/c.txt"))
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

	// The source contains the destination, or the destination contains the source.
	for _, args := range [][]string{
		{"cp", "-r", bucket + "/a/", bucket + "/a/c/"},
		{"cp", "-r", "box:", bucket},
		{"sync", bucket + "/a", bucket},
		{"sync", "--delete", bucket, "box:x"},
	} {
		s.requireExit(exitUsage, args...)
	}

	// The filter leaves out the destination, so no copy is copied again.
	s.requireExit(exitOK, "sync", "--exclude", "copy/", bucket, bucket+"/copy")
	require.Equal(t, "a/b\ncopy/a/b\n", s.run("ls", "-r", bucket))
}
