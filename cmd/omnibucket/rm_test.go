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

func TestRm(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string // keys
		says string
		left string
	}{
		{"an object", []string{"photos"}, "", "photos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"several", []string{"photos", "photos/1"}, "", "photos-old\nphotos/2/3\nvideos/4\n"},
		{"a folder, and nothing else", []string{"-r", "photos"}, "", "photos\nphotos-old\nvideos/4\n"},
		{"a folder with its slash", []string{"-r", "photos/"}, "", "photos\nphotos-old\nvideos/4\n"},
		{"several folders, with each key", []string{"-r", "-v", "photos", "videos"}, "photos/1\nphotos/2/3\nvideos/4\n", "photos\nphotos-old\n"},
		{"an object, with its key", []string{"-v", "photos/1"}, "photos/1\n", "photos\nphotos-old\nphotos/2/3\nvideos/4\n"},
		{"nothing, in a dry run", []string{"-r", "--dry-run", "photos"}, "photos/1\nphotos/2/3\n", "photos\nphotos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"nothing, in a dry run of objects", []string{"--dry-run", "photos"}, "photos\n", "photos\nphotos-old\nphotos/1\nphotos/2/3\nvideos/4\n"},
		{"a whole bucket", []string{"-r", "--all", ""}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			s.env["OMNIBUCKET_BOX"] = memory(t)
			for _, key := range []string{"photos", "photos-old", "photos/1", "photos/2/3", "videos/4"} {
				s.put("box:"+key, "x")
			}
			args := []string{"rm"}
			for _, arg := range row.args {
				if arg == "" || arg[0] != '-' {
					arg = "box:" + arg
				}
				args = append(args, arg)
			}
			require.Equal(t, row.says, s.ok(args...))
			require.Equal(t, row.left, s.ok("ls", "-r", "box:"))
		})
	}
}

func TestRmReportsMissingObjects(t *testing.T) {
	const all = "photos\nphotos/1\nvideos/2\n"
	for _, row := range []struct {
		name   string
		args   []string
		prints string
		says   []string
		left   string
	}{
		{"an object", []string{"none"}, "", []string{`object "none" does not exist`}, all},
		{"the name of a folder", []string{"videos"}, "", []string{`object "videos" does not exist (to remove everything under "videos/", use -r)`}, all},
		{"with existing objects", []string{"-v", "none", "photos"}, "photos\n", []string{`object "none" does not exist`}, "photos/1\nvideos/2\n"},
		{"in a dry run", []string{"--dry-run", "none", "photos"}, "photos\n", []string{`object "none" does not exist`}, all},
		{"a folder", []string{"-r", "none"}, "", []string{`no object is under "none/"`}, all},
		{"a folder, in a dry run", []string{"-r", "--dry-run", "none"}, "", []string{`no object is under "none/"`}, all},
		{"each of several", []string{"none", "nothing"}, "", []string{`"none"`, `"nothing"`}, all},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			s.env["OMNIBUCKET_BOX"] = memory(t)
			for _, key := range []string{"photos", "photos/1", "videos/2"} {
				s.put("box:"+key, "x")
			}
			args := []string{"rm"}
			for _, arg := range row.args {
				if arg[0] != '-' {
					arg = "box:" + arg
				}
				args = append(args, arg)
			}
			stdout, stderr := s.exits(0, args...)
			require.Equal(t, row.prints, stdout)
			lines := splitLines(stderr)
			require.Len(t, lines, len(row.says))
			for i, says := range row.says {
				require.Contains(t, lines[i], "omnibucket: nothing was removed: ")
				require.Contains(t, lines[i], says)
			}
			require.Equal(t, row.left, s.ok("ls", "-r", "box:"))
		})
	}
}

func TestRmSaysThatTheFlagsSelectNothing(t *testing.T) {
	s := newShell(t)
	withObjects(t, s, memory(t), "a/b")
	for _, extra := range [][]string{nil, {"--dry-run"}} {
		_, stderr := s.exits(0, append(extra, "rm", "-r", "--older", "1d", "box:a")...)
		require.Equal(t, "omnibucket: nothing was removed: the flags select no object under \"a/\"\n", stderr)
	}
	_, stderr := s.exits(0, "rm", "--json", "box:none")
	require.Equal(t, `{"event":"note","note":"omnibucket: nothing was removed: object \"none\" does not exist"}`+"\n", stderr)
}

func TestRmRefuses(t *testing.T) {
	s := newShell(t)
	bucket := memory(t)
	s.env["OMNIBUCKET_BOX"] = bucket + "/a"
	s.put(bucket+"/a/b", "x")
	for _, row := range []struct {
		name, says string
		args       []string
	}{
		{"a whole bucket", "use -r --all", []string{"-r", bucket}},
		{"the whole bucket of a name", "use -r --all", []string{"-r", "box:"}},
		{"a folder", "use -r to remove", []string{bucket + "/a/"}},
		{"a bucket", "use -r to remove", []string{"--all", bucket}},
		{"a version of a folder", "must not be used with -r", []string{"-r", "--version", "1", bucket + "/a"}},
		{"a revision of a folder", "must not be used with -r", []string{"-r", "--if-revision", "1", bucket + "/a"}},
		{"a version with wildcards", "must not be used with wildcards", []string{"--version", "1", bucket + "/a/*"}},
		{"everything that matches", "needs --all", []string{bucket + "/*"}},
		{"everything that matches, at any depth", "needs --all", []string{"-r", bucket + "/**/*"}},
		{"malformed wildcards", "malformed wildcards", []string{bucket + "/a["}},
		{"a filter of one object", "need -r or wildcards", []string{"--older", "1d", bucket + "/a/b"}},
		{"standard input", "must be an address", []string{"-"}},
		{"the current directory", "needs --all", []string{"-r", "."}},
		{"the directory above", "needs --all", []string{"-r", "./no/../"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			_, stderr := s.exits(2, append([]string{"rm"}, row.args...)...)
			require.Contains(t, stderr, row.says)
		})
	}
	s.t = t
	require.Equal(t, "a/b\n", s.ok("ls", "-r", bucket))
}

// rm removes a symbolic link or a named pipe itself, as the system's rm does.
func TestRmOfALinkAndOfAPipe(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	pipe := filepath.Join(dir, "pipe")
	target := filepath.Join(t.TempDir(), "target")
	writeFiles(t, filepath.Dir(target), map[string]string{"target": "x"})
	require.NoError(t, os.Symlink(target, link))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	s := newShell(t)
	for _, path := range []string{link, pipe} {
		stdout, stderr := s.exits(0, "rm", "-v", "--dry-run", path)
		require.Equal(t, filepath.Base(path)+"\n", stdout)
		require.Empty(t, stderr)
		_, err := os.Lstat(path)
		require.NoError(t, err, "a dry run removes nothing")
		stdout, stderr = s.exits(0, "rm", "-v", path)
		require.Equal(t, filepath.Base(path)+"\n", stdout)
		require.Empty(t, stderr)
		_, err = os.Lstat(path)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.FileExists(t, target)
}

func TestRmOfATreeSaysWhatStays(t *testing.T) {
	const note = "omnibucket: symbolic links, special files and others that a bucket does not have were not removed: 2\n"
	s := newShell(t)
	for _, row := range []struct {
		name, says string
		args       []string
	}{
		{"a tree", "2 deleted (2 B)\n" + note, []string{"rm", "-r"}},
		{"a dry run, which removes nothing", "", []string{"rm", "-r", "--dry-run"}},
		{"a part of a tree, as the flags say", "1 deleted (1 B)\n", []string{"rm", "-r", "--include", "a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tree")
			writeFiles(t, dir, map[string]string{"a": "x", "sub/b": "x"})
			require.NoError(t, os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "sub", "link")))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
			_, stderr := s.exits(0, append(row.args, dir)...)
			require.Equal(t, row.says, stderr)
		})
	}
}

// If rm empties the target of a link to a directory, it keeps the link.
func TestRmOfATreeBehindALink(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	link := filepath.Join(dir, "link")
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprint("a", i)], files[fmt.Sprint("sub/a", i)] = "x", "x"
	}
	writeFiles(t, tree, files)
	require.NoError(t, os.Symlink(filepath.Join(tree, "a0"), filepath.Join(tree, "broken")))
	require.NoError(t, os.Symlink("tree", link))
	_, stderr := newShell(t).exits(0, "rm", "-r", link+"/")
	require.Equal(t, "200 deleted (200 B)\nomnibucket: symbolic links, special files and others that a bucket does not have were not removed: 1\n", stderr)
	leftovers, err := os.ReadDir(tree)
	require.NoError(t, err)
	require.Len(t, leftovers, 1)
	require.Equal(t, "broken", leftovers[0].Name())
	_, err = os.Lstat(link)
	require.NoError(t, err)
}

// If the argument of "rm -r" is a symbolic link, it removes only the link, as the system's rm does.
func TestRmOfATreeThatIsALink(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	link := filepath.Join(dir, "link")
	writeFiles(t, tree, map[string]string{"a": "x", "sub/b": "x"})
	require.NoError(t, os.Symlink("tree", link))
	s := newShell(t)
	stdout, _ := s.exits(0, "rm", "-r", "-v", "--dry-run", link)
	require.Equal(t, "link\n", stdout)
	stdout, stderr := s.exits(0, "rm", "-r", "-v", link)
	require.Equal(t, "link\n", stdout)
	require.Empty(t, stderr)
	_, err := os.Lstat(link)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.FileExists(t, filepath.Join(tree, "a"))
	require.FileExists(t, filepath.Join(tree, "sub", "b"))
}

// rm prints a line only for an object that it has removed.
func TestRmReportsOnlyWhatItRemoved(t *testing.T) {
	s := newShell(t)
	server := s3Box(t, s, s3server.Config{})
	for _, key := range []string{"d/1", "d/2", "d/3"} {
		s.put("box:"+key, "x")
	}
	server.Inject(s3server.Fail("DeleteObject*", "AccessDenied"))
	for args, failures := range map[string]int{"-r box:d": 3, "box:d/*": 3, "box:d/1 box:d/2": 0} {
		stdout, stderr := s.exits(1, append([]string{"rm", "--json"}, strings.Fields(args)...)...)
		require.NotContains(t, stdout, `"removed"`, args)
		require.Equal(t, failures, strings.Count(stdout, `"event":"failed"`), stdout)
		require.Contains(t, stderr, "d/1")
	}
	server.ClearFaults()
	stdout, _ := s.exits(0, "rm", "-r", "--json", "box:d")
	require.Equal(t, 3, strings.Count(stdout, `"event":"removed"`), stdout)
	s.exits(3, "ls", "box:d")
}
