package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// mv refuses to move an object to its own key if the destination is another address of the same
// server. So no object is lost.
func TestMvToAnotherAddressOfTheSameBucket(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)

	s := newShell(t)
	address := "s3://photos?path_style=true&region=" + s3server.DefaultRegion + "&endpoint=" + server.URL
	s.setLocation("box", address)
	s.putKeysAsContent("box:", "a", "tree/1", "tree/x/2")

	// "same:" is the same bucket, at another address of the server.
	s.setLocation("same", strings.Replace(address, "127.0.0.1", "localhost", 1))

	for _, args := range [][]string{
		{"box:a", "same:a"},
		{"box:a", "same:"},
		{"-r", "box:tree", "same:"},
		{"box:tree/*", "same:tree/"},
		{"-r", "box:", "same:"},
	} {
		_, stderr := s.requireExit(exitUsage, append([]string{"mv"}, args...)...)
		require.Contains(t, stderr, "must not", args)
		require.Equal(t, "a\ntree/1\ntree/x/2\n", s.run("ls", "-r", "box:"), args)
	}

	// A move to another key is possible.
	s.run("mv", "box:a", "same:b")
	require.Equal(t, "b\ntree/1\ntree/x/2\n", s.run("ls", "-r", "box:"))
}

// If a server serves a directory, mv between the server and the directory loses no file.
func TestMvBetweenADirectoryAndAServerOverIt(t *testing.T) {
	// DIR is the path of the directory. The location "box" is the directory, and "served" is the
	// same directory, but by way of the server. "both" and "moving" have layers that use the
	// directory, too.
	for _, args := range [][]string{
		{"-r", "served:", "DIR/"},
		{"-r", "DIR/", "served:"},
		{"-r", "served:", "box:"},
		{"-r", "box:", "served:"},
		{"-r", "served:tree/", "DIR/tree/"},
		{"served:a", "DIR/a"},
		{"DIR/a", "served:a"},
		{"served:a", "box:a"},
		{"box:a", "served:"},
		{"-r", "DIR/", "both:"},
		{"-r", "served:", "both:"},
		{"-r", "both:", "served:"},
		{"served:a", "both:a"},
		{"-r", "moving:", "served:"},
		{"-r", "served:", "moving:"},
		{"-r", "box:", "moving:"},
		{"-r", "moving:", "box:"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			s, dir := newShellWithServedDirectory(t)
			files := map[string]string{"a": "one", "tree/1": "two", "tree/x/2": "three"}
			writeFiles(t, dir, files)
			for i := range args {
				args[i] = strings.Replace(args[i], "DIR", filepath.ToSlash(dir), 1)
			}

			_, stderr := s.requireExit(exitUsage, append([]string{"mv"}, args...)...)

			require.Regexp(t, "must not (overlap|be the same)", stderr)
			for name, text := range files {
				require.Equal(t, text, readFile(t, filepath.Join(dir, filepath.FromSlash(name))))
			}
		})
	}
}

// newShellWithServedDirectory returns a shell with four locations that use one directory. "box" is
// the directory, and "served" reaches it by a server. "both" mirrors another directory to it, and
// "moving" shows it as an old store.
func newShellWithServedDirectory(t *testing.T) (s *shell, dir string) {
	t.Helper()
	root := t.TempDir()
	dir = filepath.Join(root, "photos")
	require.NoError(t, os.Mkdir(dir, 0o755))
	account, err := local.NewServiceDriver(root, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, account.Close())
	})
	server, err := s3server.Start(s3server.Config{Service: account})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)

	config := fmt.Sprintf(`
locations:
  box: file://%s
  served: s3://photos?profile=omnibucket&region=%s&endpoint=%s
  both:
    address: %s
    layers: [{mirror: box}]
  moving:
    address: %s
    layers: [{overlay: {old: box}}]
`, filepath.ToSlash(dir), s3server.DefaultRegion, server.URL, newDirectoryAddress(t), newDirectoryAddress(t))
	s, _ = newConfiguredShell(t, config)
	return s, dir
}

// mv refuses a device as its source, and does not remove it.
func TestMvRemovesNoDevice(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t))
	// The source is a link to a device, because a faulty mv would remove the device itself.
	device := filepath.Join(t.TempDir(), "device")
	if err := os.Symlink(os.DevNull, device); err != nil {
		t.Skip(err)
	}
	for _, dst := range []string{"box:a", filepath.Join(t.TempDir(), "a")} {
		_, stderr := s.requireExit(exitUsage, "mv", device, dst)
		require.Contains(t, stderr, "must be a regular file")
		_, err := os.Lstat(device)
		require.NoError(t, err)
	}
	require.Empty(t, s.run("ls", "box:"))
}

// mv, cp, sync and mb refuse a bucket in memory as their destination, because the bucket ends with the process.
func TestMvRefusesABucketInMemory(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file": "content"})
	file := filepath.Join(dir, "file")

	for _, args := range [][]string{
		{"mv", file, "mem://x/"},
		{"cp", file, "mem://x/"},
		{"mv", "-r", dir + "/", "mem://x"},
		{"sync", dir, "mem://x"},
		{"mb", "mem://x"},
		{"sync", "--delete", "--backup-dir", "mem://x", dir, "file://" + filepath.ToSlash(t.TempDir())},
	} {
		code, stderr := runProcess(t, args...)
		require.Equal(t, exitUsage, code, "%s: %s", args, stderr)
		require.Contains(t, stderr, "a bucket in memory ends with the command", args)
		require.Contains(t, stderr, "hint: use mem: in the lines", args)
		require.Equal(t, "content", readFile(t, file), args)
	}
}

// A bucket in memory can be used by the lines of the command "run", and by the command "sign".
func TestBucketInMemoryInOneProcess(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"file": "content"})
	lines := writeLines(t,
		"cp "+filepath.ToSlash(filepath.Join(dir, "file"))+" mem://lines/",
		"wait",
		"cat mem://lines/file",
	)

	for _, args := range [][]string{
		{"run", lines},
		{"sign", "mem://x/key?signing_base_url=http://127.0.0.1:8080/.signed"},
	} {
		code, stderr := runProcess(t, args...)
		require.Equal(t, exitOK, code, "%s: %s", args, stderr)
	}
}

// runProcess runs the program in a process of its own, without input.
func runProcess(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	process, stdin, stdout := startProcess(t, args...)
	require.NoError(t, stdin.Close())
	_, err := io.Copy(io.Discard, stdout)
	require.NoError(t, err)
	_ = process.Wait()
	return process.ProcessState.ExitCode(), process.Stderr.(*strings.Builder).String()
}

// If a bucket is a directory, mv within the bucket renames the file.
func TestMvWithinABucketIsOneStep(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	s.setLocation("box", "file://"+filepath.ToSlash(dir))
	s.putKeysAsContent("box:", "a", "tree/1", "tree/x/2", "there")

	moves := []struct {
		args    []string
		oldPath string // of a file that is moved
		newPath string
	}{
		{args: []string{"box:a", "box:b"}, oldPath: "a", newPath: "b"},
		{args: []string{"--if-absent", "box:b", "box:c/"}, oldPath: "b", newPath: "c/b"},
		{args: []string{"-r", "box:tree/", "box:moved/"}, oldPath: "tree/x/2", newPath: "moved/x/2"},
	}
	for _, move := range moves {
		oldInfo, err := os.Stat(filepath.Join(dir, move.oldPath))
		require.NoError(t, err)
		s.run(append([]string{"mv"}, move.args...)...)
		newInfo, err := os.Stat(filepath.Join(dir, move.newPath))
		require.NoError(t, err)
		require.True(t, os.SameFile(oldInfo, newInfo), move.args)
		require.NoFileExists(t, filepath.Join(dir, move.oldPath))
	}

	// With --if-absent, mv replaces no file. A missing object cannot be moved.
	_, stderr := s.requireExit(exitPrecondition, "mv", "--if-absent", "box:c/b", "box:there")
	require.Contains(t, stderr, "exists")
	s.requireExit(exitNotFound, "mv", "box:missing", "box:d")
	s.run("mv", "box:c/b", "box:there")
	require.Equal(t, "moved/1\nmoved/x/2\nthere\n", s.run("ls", "-r", "box:"))
}
