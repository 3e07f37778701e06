package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// A command processes several of its arguments at the same time.
func TestArgumentsRunInParallel(t *testing.T) {
	const fileCount = 48
	// With this delay, requests overlap.
	const delay = 100 * time.Millisecond
	s := newShell(t)
	server := s.startS3Location("box", s3server.Config{})
	dir := t.TempDir()
	var files []string
	var objects []string // the keys of the files in the bucket
	for i := range fileCount {
		name := fmt.Sprintf("%02d.jpg", i)
		writeFiles(t, dir, map[string]string{name: "x"})
		files = append(files, filepath.Join(dir, name))
		objects = append(objects, "box:in/"+name)
	}
	for _, operation := range []string{"PutObject", "GetObject", "DeleteObject"} {
		server.Inject(s3server.Delay(operation, delay))
	}

	upload := slices.Concat([]string{"cp"}, files, []string{"box:in/"})
	download := slices.Concat([]string{"mv"}, objects, []string{dir})
	remove := slices.Concat([]string{"rm"}, objects)
	// The objects that mv has removed are uploaded again for rm.
	for _, args := range [][]string{upload, download, upload, remove} {
		stopCounting := watchRequests(server)
		s.run(args...)
		requestsAtOnce := stopCounting()
		require.Greater(t, requestsAtOnce, 2, args[0])
	}
	s.requireExit(exitNotFound, "ls", "box:in/")
}

// If many arguments fail, their errors are printed in the order of the arguments.
func TestArgumentFailuresInOrder(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	var keys []string
	var missing []string
	for i := range 40 {
		key := fmt.Sprintf("box:%02d", i)
		keys = append(keys, key)
		// Every fourth object is missing.
		if i%4 == 0 {
			missing = append(missing, strings.TrimPrefix(key, "box:"))
			continue
		}
		s.put(key, "x")
	}
	stored := len(keys) - len(missing)

	// cp prints the errors, and then a summary.
	_, stderr := s.requireExit(exitNotFound, slices.Concat([]string{"cp"}, keys, []string{t.TempDir()})...)
	lines := splitLines(stderr)
	require.Len(t, lines, len(missing)+1)
	for i, key := range missing {
		require.Contains(t, lines[i], key)
	}
	require.Equal(t, fmt.Sprintf("%d transferred", stored), lines[len(missing)])

	// rm prints the removed keys and the errors, and succeeds.
	stdout, stderr := s.requireExit(exitOK, slices.Concat([]string{"rm", "-v"}, keys)...)
	require.Len(t, splitLines(stdout), stored)
	require.IsIncreasing(t, splitLines(stdout))
	require.Len(t, splitLines(stderr), len(missing))
	require.IsIncreasing(t, splitLines(stderr))
}

// cp and mv refuse two sources with the same base name, because one copy would replace the other.
func TestCpRefusesSourcesOfOneName(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "x/a", "y/a", "x/t/1", "y/t/1")
	writeFiles(t, dir, map[string]string{"x/a": "file"})
	before := s.run("ls", "-r", "box:")

	for _, args := range [][]string{
		{"mv", "box:x/a", "box:y/a", "box:to/"},
		{"cp", "box:x/a", "box:y/a", dir},
		{"cp", "box:x/a", filepath.Join(dir, "x", "a"), "box:to/"},
		{"mv", "-r", "box:x/t", "box:y/t", "box:to/"},
		{"cp", "-r", "box:x/t", "box:y/t", dir + "/"},
	} {
		_, stderr := s.requireExit(exitUsage, args...)
		require.Contains(t, stderr, "must not have one name", args)
		require.Equal(t, before, s.run("ls", "-r", "box:"), args)
	}
}

// cp merges the contents of folders, even if they have files of the same name.
func TestCpMergesFolders(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "x/a", "x/t/1", "y/t/1")
	s.run("cp", "-r", "box:x/t/", "box:y/t/", "box:to/")
	s.run("cp", "box:x/a", "box:x/t/1", t.TempDir())
}

// mv refuses the contents of several folders, because two files may have the same name.
func TestMvRefusesTheContentsOfSeveralFolders(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "x/a", "x/b.jpg", "x/t/a", "y/a", "a")
	before := s.run("ls", "-r", "box:")
	for _, args := range [][]string{
		{"box:x/*", "box:y/*", "box:to/"},
		{"-r", "box:x/", "box:y/", "box:to/"},
		{"box:x/*", "box:y/a", "box:to/"},
		{"-r", "box:x/", "box:x/t/a", "box:to/"},
		{"box:*", "box:x/*", "box:to/"},
		{"-r", "box:a", "box:x/", "box:to/"},
	} {
		_, stderr := s.requireExit(exitUsage, append([]string{"mv"}, args...)...)
		require.Contains(t, stderr, "sources must be in one folder", args)
		require.Equal(t, before, s.run("ls", "-r", "box:"), args)
	}
}

// mv moves several sources in one folder.
func TestMvOfSeveralSourcesInOneFolder(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "x/a", "x/b.jpg", "x/t/a", "y/a", "a")
	s.run("mv", "box:x/*.jpg", "box:x/a", "box:x/?", "box:to/", "-r")
	require.Equal(t, "a\nto/a\nto/b.jpg\nto/t/a\ny/a\n", s.run("ls", "-r", "box:"))
}

// ls accepts several addresses. If nothing exists at one address, ls prints the others and exits as
// for a missing object.
func TestLsOfSeveralAddresses(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "p/1", "q/2")

	require.Equal(t, "p/1\nq/2\na\n", s.run("ls", "box:p", "box:q/", "box:a"))
	stdout, stderr := s.requireExit(exitNotFound, "ls", "box:p", "box:none", "box:q")
	require.Equal(t, "p/1\nq/2\n", stdout)
	require.Contains(t, stderr, "none")
}

// stat accepts several addresses, and prints a line of JSON or a block of lines for each.
func TestStatOfSeveralAddresses(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.putKeysAsContent("box:", "a", "p/1")

	require.Len(t, splitLines(s.run("stat", "--json", "box:a", "box:p/1")), 2)
	blocks := strings.Split(s.run("stat", "box:a", "box:", "box:p/*"), "\n\n")
	require.Len(t, blocks, 3)
}

// With --human, ls and find print sizes with units.
func TestLsAndFindHumanSizes(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:a", strings.Repeat("x", 1536)) // 1.5 KiB
	s.put("box:f/b", "x")

	const modified = `\S+Z`
	for _, args := range [][]string{
		{"ls", "-r", "-l", "-h", "box:"},
		{"find", "-l", "--human", "box:"},
		{"find", "-lh", "box:"},
	} {
		require.Regexp(t, "^     1.5 KiB  "+modified+"  a\n         1 B  "+modified+"  f/b\n$", s.run(args...))
	}

	// A folder has neither a size nor a time.
	const folderLine = `(?m)^           -  - {19}  f/$`
	require.Regexp(t, folderLine, s.run("ls", "-lh", "box:"))
}

// cp and mv of trees print a summary, as text or with --json, and nothing with -q.
func TestCpOfTreesPrintsSummary(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a", "b": "bb"})
	s.setLocation("box", newMemoryAddress(t))
	// Each command copies or moves two files into an empty folder.
	commands := [][]string{
		{"cp", "-r", dir + "/", "box:one"},
		{"cp", "-r", "box:one/", "box:two"},
		{"cp", dir + "/*", "box:three/"},
		{"mv", "-r", "box:two/", "box:four"},
		{"mv", "box:four/*", "box:five/"},
	}

	for _, args := range commands {
		stdout, stderr := s.requireExit(exitOK, args...)
		require.Empty(t, stdout, args)
		require.Regexp(t, `^2 transferred \(3 B\), 0 the same in [^\n]+\n$`, stderr, args)
	}
	_, stderr := s.requireExit(exitOK, "cp", "-r", dir+"/", "box:one")
	require.Regexp(t, `^0 transferred \(0 B\), 2 the same`, stderr, "the second time")

	// s.events adds the flag --json.
	s.run("rm", "-r", "--all", "-q", "box:")
	for _, args := range commands {
		lines, _ := s.events(exitOK, args...)
		summary := lines[len(lines)-1]
		require.Equal(t, "summary", summary["event"], args)
		require.Equal(t, 2.0, summary["transferred"], args)
	}

	// With -q, there is no summary.
	s.run("rm", "-r", "--all", "-q", "box:")
	for _, args := range commands {
		_, stderr := s.requireExit(exitOK, append(args, "-q")...)
		require.Empty(t, stderr, args)
	}
}

// cp of one file prints one line instead of a summary.
func TestCpOfAFilePrintsALine(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	s.setLocation("box", newMemoryAddress(t))
	_, stderr := s.requireExit(exitOK, "cp", filepath.Join(dir, "a"), "box:one/a")
	require.Regexp(t, "^uploaded .*\n$", stderr)
}

// cp and mv of a tree skip symbolic links and print how many, except with -q.
func TestCpSaysThatItCopiesNoLinks(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "a"})
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	s.setLocation("box", newMemoryAddress(t))

	for _, args := range [][]string{
		{"cp", "-r", dir, "box:one"},
		{"cp", dir + "/*", "box:two/"},
		{"mv", "-r", dir, "box:three"},
	} {
		_, stderr := s.requireExit(exitOK, args...)
		require.Regexp(t, "^1 transferred.*\n"+
			"omnibucket: symbolic links and special files were not copied: 1\n$", stderr, args)
	}

	_, stderr := s.requireExit(exitOK, "cp", "-r", "-q", dir, "box:four")
	require.Empty(t, stderr)
}

// With --ignore-existing, commands that copy trees skip a file that exists at the destination. mv leaves such a file at
// the source.
func TestIgnoreExisting(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "new", "b": "new"})
	s.setLocation("box", newMemoryAddress(t))
	for _, args := range [][]string{
		{"sync", dir, "box:to"},
		{"cp", "-r", dir + "/", "box:to"},
		{"cp", dir + "/*", "box:to/"},
		{"mv", "-r", dir + "/", "box:to"},
	} {
		s.put("box:to/a", "kept, although it differs")
		s.requireExit(exitOK, append(args, "--ignore-existing")...)
		require.Equal(t, "kept, although it differs", s.run("cat", "box:to/a"), args)
		require.Equal(t, "new", s.run("cat", "box:to/b"), args)
		s.run("rm", "box:to/b")
	}
	require.Equal(t, "new", readFile(t, filepath.Join(dir, "a")))
	require.NoFileExists(t, filepath.Join(dir, "b"))
}

// With --ignore-existing, cp and mv of one file do nothing if the destination exists, even if it is the source.
func TestIgnoreExistingOfOneFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a": "new"})
	file := filepath.Join(dir, "a")
	s.setLocation("box", newMemoryAddress(t))
	s.put("box:to/a", "kept")

	// The destination exists.
	for _, args := range [][]string{
		{"cp", file, "box:to/a"},
		{"cp", "-r", file, "box:to/"},
		{"mv", file, "box:to/"},
		{"cp", "box:to/a", "box:to/a"},
		{"mv", "box:to/a", file},
		{"cp", file, file},
	} {
		s.requireExit(exitOK, append(args, "--ignore-existing")...)
		require.Equal(t, "kept", s.run("cat", "box:to/a"), args)
		require.Equal(t, "new", readFile(t, file), args)
	}

	// The destination does not exist.
	s.run("cp", "--ignore-existing", file, "box:to/new")
	require.Equal(t, "new", s.run("cat", "box:to/new"))
}

// If another process stores an object at the destination while cp --ignore-existing reads its
// input, cp keeps that object.
func TestIgnoreExistingWhileAnotherProcessStores(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	stdin := readFunc(func([]byte) (int, error) {
		s.put("box:meanwhile", "kept")
		return 0, io.EOF
	})
	var output bytes.Buffer
	args := []string{"cp", "-v", "--ignore-existing", "-", "box:meanwhile"}
	require.Equal(t, exitOK, run(t.Context(), args, s.environment(stdin, &output, &output)))
	require.Empty(t, output.String())
	require.Equal(t, "kept", s.run("cat", "box:meanwhile"))
}

// A readFunc is a reader that calls the function for each Read.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// watchRequests starts to count how many requests the server has at the same time. stop ends the
// count, and returns the highest number.
func watchRequests(server *s3server.Server) (stop func() (highest int)) {
	done := make(chan struct{})
	result := make(chan int)
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		highest := 0
		for {
			select {
			case <-done:
				result <- highest
				return
			case <-ticker.C:
				highest = max(highest, server.Busy())
			}
		}
	}()
	return func() int {
		close(done)
		return <-result
	}
}
