package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// rm removes objects, and with -r folders. With -v, it prints what it removes, and with --dry-run
// what it would remove.
func TestRm(t *testing.T) {
	const all = "photos\nphotos-old\nphotos/1\nphotos/2/3\nvideos/4\n"
	tests := []struct {
		name       string
		args       []string
		wantOutput string
		wantKeys   string // of the objects after the command, one on each line
	}{
		{name: "an object", args: []string{"box:photos"}, wantKeys: "photos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{
			name:     "several objects",
			args:     []string{"box:photos", "box:photos/1"},
			wantKeys: "photos-old\nphotos/2/3\nvideos/4\n",
		},
		{name: "a folder", args: []string{"-r", "box:photos"}, wantKeys: "photos\nphotos-old\nvideos/4\n"},
		{
			name:     "a folder with its slash",
			args:     []string{"-r", "box:photos/"},
			wantKeys: "photos\nphotos-old\nvideos/4\n",
		},
		{
			name:       "several folders with -v",
			args:       []string{"-r", "-v", "box:photos", "box:videos"},
			wantOutput: "photos/1\nphotos/2/3\nvideos/4\n",
			wantKeys:   "photos\nphotos-old\n",
		},
		{
			name:       "an object with -v",
			args:       []string{"-v", "box:photos/1"},
			wantOutput: "photos/1\n",
			wantKeys:   "photos\nphotos-old\nphotos/2/3\nvideos/4\n",
		},
		{
			name:       "a dry run with a folder",
			args:       []string{"-r", "--dry-run", "box:photos"},
			wantOutput: "photos/1\nphotos/2/3\n",
			wantKeys:   all,
		},
		{
			name:       "a dry run with an object",
			args:       []string{"--dry-run", "box:photos"},
			wantOutput: "photos\n",
			wantKeys:   all,
		},
		{name: "a whole bucket", args: []string{"-r", "--all", "box:"}, wantKeys: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			s.setLocation("box", newMemoryAddress(t))
			for _, key := range []string{"photos", "photos-old", "photos/1", "photos/2/3", "videos/4"} {
				s.put("box:"+key, "x")
			}

			require.Equal(t, tt.wantOutput, s.run(append([]string{"rm"}, tt.args...)...))
			require.Equal(t, tt.wantKeys, s.run("ls", "-r", "box:"))
		})
	}
}

// If an object or a folder is missing, rm says so on standard error, removes its other arguments,
// and exits with 0.
func TestRmReportsMissingObjects(t *testing.T) {
	const all = "photos\nphotos/1\nvideos/2\n"
	tests := []struct {
		name       string
		args       []string
		wantOutput string
		wantErr    []string // one for each line of standard error
		wantKeys   string   // of the objects after the command, one on each line
	}{
		{
			name:     "an object",
			args:     []string{"box:none"},
			wantErr:  []string{`object "none" does not exist`},
			wantKeys: all,
		},
		{
			name:     "the name of a folder",
			args:     []string{"box:videos"},
			wantErr:  []string{`object "videos" does not exist (to remove everything under "videos/", use -r)`},
			wantKeys: all,
		},
		{
			name:       "one of two objects",
			args:       []string{"-v", "box:none", "box:photos"},
			wantOutput: "photos\n",
			wantErr:    []string{`object "none" does not exist`},
			wantKeys:   "photos/1\nvideos/2\n",
		},
		{
			name:       "one of two objects in a dry run",
			args:       []string{"--dry-run", "box:none", "box:photos"},
			wantOutput: "photos\n",
			wantErr:    []string{`object "none" does not exist`},
			wantKeys:   all,
		},
		{
			name:     "a folder",
			args:     []string{"-r", "box:none"},
			wantErr:  []string{`no object is under "none/"`},
			wantKeys: all,
		},
		{
			name:     "a folder in a dry run",
			args:     []string{"-r", "--dry-run", "box:none"},
			wantErr:  []string{`no object is under "none/"`},
			wantKeys: all,
		},
		{
			name:     "two objects",
			args:     []string{"box:none", "box:nothing"},
			wantErr:  []string{`"none"`, `"nothing"`},
			wantKeys: all,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			s.setLocation("box", newMemoryAddress(t))
			for _, key := range []string{"photos", "photos/1", "videos/2"} {
				s.put("box:"+key, "x")
			}

			stdout, stderr := s.requireExit(exitOK, append([]string{"rm"}, tt.args...)...)
			require.Equal(t, tt.wantOutput, stdout)
			lines := splitLines(stderr)
			require.Len(t, lines, len(tt.wantErr))
			for i, text := range tt.wantErr {
				require.Contains(t, lines[i], "omnibucket: nothing was removed: ")
				require.Contains(t, lines[i], text)
			}
			require.Equal(t, tt.wantKeys, s.run("ls", "-r", "box:"))
		})
	}
}

// If flags select no object, rm says that the flags are the reason.
func TestRmSaysThatTheFlagsSelectNothing(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a/b")
	for _, flag := range []string{"--dry-run=false", "--dry-run"} {
		_, stderr := s.requireExit(exitOK, "rm", "-r", flag, "--older", "1d", "box:a")
		require.Equal(t, "omnibucket: nothing was removed: the flags select no object under \"a/\"\n", stderr)
	}
}

// With --json, rm prints an event which says that an object does not exist.
func TestRmOfAMissingObjectAsJSON(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	_, stderr := s.requireExit(exitOK, "rm", "--json", "box:none")
	want := `{"event":"note","note":"omnibucket: nothing was removed: object \"none\" does not exist"}`
	require.Equal(t, want+"\n", stderr)
}

// rm refuses to remove more than its arguments clearly ask for.
func TestRmRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.put(bucket+"/a/b", "x")
	s.setLocation("box", bucket+"/a") // a folder

	tests := []struct {
		name    string
		args    []string
		wantErr string // on standard error
	}{
		{name: "a whole bucket", args: []string{"-r", bucket}, wantErr: "use -r --all"},
		{name: "the whole bucket of a name", args: []string{"-r", "box:"}, wantErr: "use -r --all"},
		{name: "a folder", args: []string{bucket + "/a/"}, wantErr: "use -r to remove"},
		{name: "a bucket", args: []string{"--all", bucket}, wantErr: "use -r to remove"},
		{
			name:    "a version of a folder",
			args:    []string{"-r", "--version", "1", bucket + "/a"},
			wantErr: "must not be used with -r",
		},
		{
			name:    "a revision of a folder",
			args:    []string{"-r", "--if-revision", "1", bucket + "/a"},
			wantErr: "must not be used with -r",
		},
		{
			name:    "a version with wildcards",
			args:    []string{"--version", "1", bucket + "/a/*"},
			wantErr: "must not be used with wildcards",
		},
		{name: "everything that matches", args: []string{bucket + "/*"}, wantErr: "needs --all"},
		{
			name:    "everything that matches, at any depth",
			args:    []string{"-r", bucket + "/**/*"},
			wantErr: "needs --all",
		},
		{name: "malformed wildcards", args: []string{bucket + "/a["}, wantErr: "malformed wildcards"},
		{
			name:    "a filter of one object",
			args:    []string{"--older", "1d", bucket + "/a/b"},
			wantErr: "need -r or wildcards",
		},
		{name: "standard input", args: []string{"-"}, wantErr: "must be in a bucket"},
		{name: "the current directory", args: []string{"-r", "."}, wantErr: "needs --all"},
		{name: "the directory above", args: []string{"-r", "./no/../"}, wantErr: "needs --all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			_, stderr := s.requireExit(exitUsage, append([]string{"rm"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}

	require.Equal(t, "a/b\n", s.run("ls", "-r", bucket))
}

// rm removes a symbolic link or a named pipe itself, as the system's rm does.
func TestRmOfALinkAndOfAPipe(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	target := filepath.Join(t.TempDir(), "target")
	writeFiles(t, filepath.Dir(target), map[string]string{"target": "x"})
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(target, link))

	for _, path := range []string{link, pipe} {
		stdout, stderr := s.requireExit(exitOK, "rm", "-v", "--dry-run", path)
		require.Equal(t, filepath.Base(path)+"\n", stdout)
		require.Empty(t, stderr)
		_, err := os.Lstat(path)
		require.NoError(t, err, "a dry run removes nothing")

		stdout, stderr = s.requireExit(exitOK, "rm", "-v", path)
		require.Equal(t, filepath.Base(path)+"\n", stdout)
		require.Empty(t, stderr)
		_, err = os.Lstat(path)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.FileExists(t, target)
}

// rm -r of a local tree keeps links and special files, because a bucket does not have them. It says
// how many there are.
func TestRmOfATreeSaysWhatStays(t *testing.T) {
	const note = "omnibucket: symbolic links, special files and others that a bucket does not have were not removed: 2\n"
	s := newShell(t)
	tests := []struct {
		name    string
		args    []string
		wantErr string // the whole of standard error
	}{
		{name: "a tree", args: []string{"rm", "-r"}, wantErr: "2 deleted (2 B)\n" + note},
		{name: "a dry run, which removes nothing", args: []string{"rm", "-r", "--dry-run"}},
		{name: "a part of a tree", args: []string{"rm", "-r", "--include", "a"}, wantErr: "1 deleted (1 B)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// rm removes two of these four files, but not the link and the pipe.
			dir := filepath.Join(t.TempDir(), "tree")
			writeFiles(t, dir, map[string]string{"a": "x", "sub/b": "x"})
			require.NoError(t, os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "sub", "link")))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))

			_, stderr := s.requireExit(exitOK, append(tt.args, dir)...)
			require.Equal(t, tt.wantErr, stderr)
		})
	}
}

// If the path of "rm -r" ends in a slash, and is a link to a directory, rm empties the directory and keeps the link.
func TestRmOfATreeBehindALink(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	linkToTree := filepath.Join(dir, "link")
	// The tree has 200 files of one byte. It also has a link to one of them, and rm leaves the
	// link.
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprint("a", i)] = "x"
		files[fmt.Sprint("sub/a", i)] = "x"
	}
	writeFiles(t, tree, files)
	require.NoError(t, os.Symlink(filepath.Join(tree, "a0"), filepath.Join(tree, "linkToFile")))
	require.NoError(t, os.Symlink("tree", linkToTree))

	_, stderr := newShell(t).requireExit(exitOK, "rm", "-r", linkToTree+"/")
	require.Equal(t, "200 deleted (200 B)\n"+
		"omnibucket: symbolic links, special files and others that a bucket does not have were not removed: 1\n", stderr)

	// Only the link in the tree and the link to the tree are left.
	leftovers, err := os.ReadDir(tree)
	require.NoError(t, err)
	require.Len(t, leftovers, 1)
	require.Equal(t, "linkToFile", leftovers[0].Name())
	_, err = os.Lstat(linkToTree)
	require.NoError(t, err)
}

// If the argument of "rm -r" is a symbolic link, rm removes only the link, as the system's rm does.
func TestRmOfATreeThatIsALink(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	link := filepath.Join(dir, "link")
	writeFiles(t, tree, map[string]string{"a": "x", "sub/b": "x"})
	require.NoError(t, os.Symlink("tree", link))
	s := newShell(t)

	// rm prints only the link, as its dry run does.
	stdout, _ := s.requireExit(exitOK, "rm", "-r", "-v", "--dry-run", link)
	require.Equal(t, "link\n", stdout)
	stdout, stderr := s.requireExit(exitOK, "rm", "-r", "-v", link)
	require.Equal(t, "link\n", stdout)
	require.Empty(t, stderr)

	// The link is gone, and the files are still there.
	_, err := os.Lstat(link)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.FileExists(t, filepath.Join(tree, "a"))
	require.FileExists(t, filepath.Join(tree, "sub", "b"))
}

// rm prints a line only for an object that it has removed.
func TestRmReportsOnlyWhatItRemoved(t *testing.T) {
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	for _, key := range []string{"d/1", "d/2", "d/3"} {
		s.put("box:"+key, "x")
	}

	tests := []struct {
		args       []string
		wantFailed int // events "failed" on standard output
	}{
		{args: []string{"-r", "box:d"}, wantFailed: 3},
		{args: []string{"box:d/*"}, wantFailed: 3},
		// If a command names its objects, their errors are only on standard error.
		{args: []string{"box:d/1", "box:d/2"}, wantFailed: 0},
	}

	// The server refuses to remove anything.
	server.Inject(s3server.Fail("DeleteObject*", "AccessDenied"))
	for _, tt := range tests {
		stdout, stderr := s.requireExit(exitFailure, append([]string{"rm", "--json"}, tt.args...)...)
		require.NotContains(t, stdout, `"removed"`, tt.args)
		require.Equal(t, tt.wantFailed, strings.Count(stdout, `"event":"failed"`), stdout)
		require.Contains(t, stderr, "d/1")
	}

	// The server removes objects again.
	server.ClearFaults()
	stdout, _ := s.requireExit(exitOK, "rm", "-r", "--json", "box:d")
	require.Equal(t, 3, strings.Count(stdout, `"event":"removed"`), stdout)
	s.requireExit(exitNotFound, "ls", "box:d")
}
