package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A goBuild is a clone of a module that the real go command builds with gocache.
type goBuild struct {
	t       *testing.T
	clone   string
	program string // the value of GOCACHEPROG
}

// goModulePackages is the number of packages in goModule.
const goModulePackages = 3

// goModule has packages that import no others, so nothing else is compiled.
var goModule = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.24\n",
	"a/a.go": "package a\n\nimport \"example.com/m/b\"\n\nfunc A() string { return b.B() + \"a\" }\n",
	"b/b.go": "package b\n\nimport \"example.com/m/c\"\n\nfunc B() string { return c.C() + \"b\" }\n",
	"c/c.go": "package c\n\nfunc C() string { return \"c\" }\n",
}

// newGoBuild returns a new clone of goModule. dir is the local directory of the cache.
func newGoBuild(t *testing.T, dir string, args ...string) *goBuild {
	t.Helper()
	testserver.Slow(t)
	testserver.Program(t, "go")
	clone := t.TempDir()
	writeFiles(t, clone, goModule)
	program, err := os.Executable()
	require.NoError(t, err)
	line := append([]string{program, "gocache", "--stats", "--json", "--dir", dir}, args...)
	return &goBuild{t: t, clone: clone, program: strings.Join(line, " ")}
}

// command returns a go command in the clone.
func (b *goBuild) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.t.Context(), "go", args...)
	cmd.Dir = b.clone
	cmd.Env = append(os.Environ(), asProgram+"=1", "GOCACHEPROG="+b.program, "GOFLAGS=-trimpath", "CGO_ENABLED=0",
		"GOTOOLCHAIN=local", "GOWORK=off", "XDG_CONFIG_HOME="+b.clone)
	return cmd
}

// A goCacheReport is what --stats prints with --json.
type goCacheReport struct {
	Event                                                 string
	Gets, LocalHits, RemoteHits, Misses, Puts, Uploads    int64
	NotUploaded, Failures, UploadedBytes, DownloadedBytes int64
	Seconds, CloseSeconds                                 float64
}

// build builds the clone. It returns the number of packages that were compiled, what the cache did,
// and what else was printed.
func (b *goBuild) build() (compiled int, report goCacheReport, warnings []string) {
	b.t.Helper()
	output, err := b.command("build", "-x", "./...").CombinedOutput()
	require.NoError(b.t, err, string(output))
	return b.parse(string(output))
}

// parse reads the output of go build -x, which contains the report of gocache. It returns the
// number of compiled packages, the report and the warnings.
func (b *goBuild) parse(output string) (compiled int, report goCacheReport, warnings []string) {
	b.t.Helper()
	for line := range strings.Lines(output) {
		if strings.Contains(line, "/compile ") || strings.Contains(line, "compile.exe ") {
			compiled++
		}
		if strings.HasPrefix(line, `{"event":"gocache"`) {
			require.NoError(b.t, json.Unmarshal([]byte(line), &report))
		} else if strings.HasPrefix(line, `{"event":"error"`) {
			warnings = append(warnings, line)
		}
	}
	require.Equal(b.t, "gocache", report.Event, output)
	return compiled, report, warnings
}

// The first build of a module compiles everything. A second clone, on another machine, compiles nothing.
func TestGocacheSecondCloneCompilesNothing(t *testing.T) {
	store := newDirectoryAddress(t)
	compiled, report, warnings := newGoBuild(t, t.TempDir(), store).build()
	require.Equal(t, goModulePackages, compiled)
	require.Zero(t, report.RemoteHits)
	require.Equal(t, report.Puts, report.Uploads)
	require.NotZero(t, report.Puts)
	require.Empty(t, warnings)

	// Another machine has an empty directory.
	otherDir := t.TempDir()
	compiled, report, warnings = newGoBuild(t, otherDir, store).build()
	require.Zero(t, compiled)
	require.Zero(t, report.Misses+report.Puts+report.Uploads)
	require.NotZero(t, report.Gets)
	require.Empty(t, warnings)

	// A second build on that machine takes everything from its directory.
	compiled, report, warnings = newGoBuild(t, otherDir, store).build()
	require.Zero(t, compiled)
	require.Zero(t, report.Misses+report.Puts+report.Uploads)
	require.NotZero(t, report.Gets)
	require.Equal(t, report.Gets, report.LocalHits)
	require.Empty(t, warnings)
}

// gocache encrypts its outputs if the location has the layer encrypt, and a later build on another machine uses them.
func TestGocacheEncryptedLocation(t *testing.T) {
	testserver.Further(t)
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	store := t.TempDir()

	// The second build is on another machine. The cache directory of that machine is empty.
	for _, wantCompiled := range []int{goModulePackages, 0} {
		b := newGoBuild(t, t.TempDir(), "ci:folder")
		keyFile := filepath.Join(b.clone, "key.txt")
		writeFiles(t, b.clone, map[string]string{
			"key.txt": identity.String(),
			"omnibucket/config.yaml": "locations:\n  ci:\n    address: file://" + filepath.ToSlash(store) +
				"\n    layers:\n      - encrypt: {identity_file: " + keyFile + "}\n",
		})
		require.NoError(t, os.Chmod(keyFile, 0o600))

		compiled, report, warnings := b.build()
		require.Equal(t, wantCompiled, compiled)
		require.Empty(t, warnings)
		require.Zero(t, report.Failures)
	}

	objects, err := filepath.Glob(filepath.Join(store, "folder", "gocache-v1", "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, objects)
	const plainHeader = "gocache1" // start of an output that is not encrypted
	for _, path := range objects {
		require.NotContains(t, readFile(t, path), plainHeader)
	}
}

// With --read-only, gocache serves a build without storing its outputs.
func TestGocacheReadOnlyUploadsNothing(t *testing.T) {
	store := newDirectoryAddress(t)
	compiled, report, warnings := newGoBuild(t, t.TempDir(), "--read-only", store).build()

	require.Equal(t, goModulePackages, compiled)
	require.Zero(t, report.Uploads+report.Failures)
	require.Empty(t, warnings)
	require.Empty(t, newShell(t).run("ls", "-r", store))
}

// Concurrent builds, each in its own clone of the module, may share a cache directory and a store.
func TestGocacheBuildsAtOnce(t *testing.T) {
	testserver.Further(t)
	const builds = 8
	store := newDirectoryAddress(t)
	dir := t.TempDir() // the cache directory

	var group sync.WaitGroup
	for range builds {
		b := newGoBuild(t, dir, store)
		group.Go(func() {
			output, err := b.command("build", "./...").CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	group.Wait()

	// Afterwards, the store has all outputs, and the files of the directory are complete.
	compiled, _, warnings := newGoBuild(t, t.TempDir(), store).build()
	require.Zero(t, compiled)
	require.Empty(t, warnings)
	requireRightFiles(t, dir)
}

// requireRightFiles fails if the hash of an output in a local directory is not the one in its file
// name.
func requireRightFiles(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "omnibucket-gocache-v1", "d", "*", "*"))
	require.NoError(t, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equal(t, hex.EncodeToString(sum[:]), filepath.Base(path))
	}
}

// buildAndKill starts a build, and kills its gocache when the cache directory has this number of files.
func buildAndKill(t *testing.T, dir, store string, fileCount int) {
	t.Helper()
	b := newGoBuild(t, dir, store)
	pidFile := b.writePID()
	build := b.command("build", "./...")
	require.NoError(t, build.Start())
	killWhen(t, pidFile, func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "omnibucket-gocache-v1", "*", "*", "*"))
		return len(files) >= fileCount
	})

	_ = build.Wait() // it may have been finished before the kill
}

// killsAfter has numbers of files. For each, gocache is killed once, when the local directory has
// this many files.
var killsAfter = []int{0, 1, 3, 6, 10}

// If gocache is killed during a build, the next build is correct, in the same cache directory and in a new one.
func TestGocacheIsKilled(t *testing.T) {
	testserver.Further(t)
	store := newDirectoryAddress(t)
	dir := t.TempDir()

	// gocache is killed at several points of the build, and leaves no damaged file.
	for _, fileCount := range killsAfter {
		buildAndKill(t, dir, store, fileCount)
		requireRightFiles(t, dir)
	}

	newDir := t.TempDir()
	for _, cacheDir := range []string{dir, newDir} {
		b := newGoBuild(t, cacheDir, store)
		_, _, warnings := b.build()
		require.Empty(t, warnings)
		requireRightFiles(t, cacheDir)

		// A build after that finds everything in the cache.
		compiled, _, _ := b.build()
		require.Zero(t, compiled)
	}
}

// writePID makes gocache write the id of its process to a file, and returns the path of the file.
func (b *goBuild) writePID() (path string) {
	b.t.Helper()
	path = filepath.Join(b.clone, "pid")
	script := filepath.Join(b.clone, "gocache.sh")
	text := "#!/bin/sh\necho $$ > " + path + "\nexec " + b.program + "\n"
	require.NoError(b.t, os.WriteFile(script, []byte(text), 0o700))
	b.program = script
	return path
}

// killWhen waits until a condition holds, and then kills the process whose id is in a file.
func killWhen(t *testing.T, pidFile string, condition func() bool) {
	t.Helper()
	const maxAttempts = 10_000 // one in a millisecond
	for range maxAttempts {
		pid, ok := readPID(pidFile)
		if ok && condition() {
			process, err := os.FindProcess(pid)
			require.NoError(t, err)
			_ = process.Kill() // it may have ended
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the condition never holds")
}

// readPID reads the id of a process from a file. ok is false if the file does not have it yet.
func readPID(path string) (pid int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, _ := fmt.Sscan(string(text), &pid)
	return pid, n == 1
}

// If the server of the store is down or never responds, a build succeeds without it after the time
// of --patience.
func TestGocacheWithoutAnAnswer(t *testing.T) {
	// The kernel accepts connections to this listener, but nothing responds.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, listener.Close())
	}()
	// Nothing listens at the address of this listener any more.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())

	servers := []struct {
		name    string
		address net.Addr
	}{
		{name: "never responds", address: listener.Addr()},
		{name: "is down", address: closed.Addr()},
	}
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			store := fmt.Sprintf("s3://b?region=eu-west-1&endpoint=http://%s&path_style=true", server.address)
			b := newGoBuild(t, t.TempDir(), "--patience=500ms", store)

			// The output of -x and the report show what was compiled and what was stored.
			build := b.command("build", "-x", "./...")
			build.Env = append(build.Env, "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret")
			output, err := build.CombinedOutput()
			require.NoError(t, err, string(output))

			compiled, report, warnings := b.parse(string(output))
			require.Equal(t, goModulePackages, compiled)
			require.NotEmpty(t, warnings)
			require.LessOrEqual(t, len(warnings), 2, "at most one about the store, and one about its uploads")

			// Nothing was uploaded, and the end of the build did not wait long for the uploads.
			require.Zero(t, report.Uploads)
			require.Equal(t, report.Puts, report.NotUploaded)
			require.Less(t, report.CloseSeconds, 2.0)
		})
	}
}

// gocache trim removes outputs that are older than --max-age, but no other objects.
func TestGocacheTrimRemovesOldObjects(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	store := "file://" + filepath.ToSlash(dir)
	s.put(store+"#gocache-v1/ab/old", "1")
	s.put(store+"#gocache-v1/ab/new", "1")
	s.put(store+"#other", "1")
	// The object "other" is as old as the output "old", but is not an output of a build.
	longAgo := time.Now().Add(-31 * 24 * time.Hour)
	for _, name := range []string{"gocache-v1/ab/old", "other"} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), longAgo, longAgo))
	}

	// A dry run removes nothing.
	s.requireExit(exitOK, "gocache", "trim", "--dry-run", store)
	require.Equal(t, "gocache-v1/ab/new\ngocache-v1/ab/old\nother\n", s.run("ls", "-r", store))

	// trim removes only the old output.
	s.requireExit(exitOK, "gocache", "trim", "--max-age", "30d", store)
	require.Equal(t, "gocache-v1/ab/new\nother\n", s.run("ls", "-r", store))

	// The age must be a positive duration.
	s.requireExit(exitUsage, "gocache", "trim", "--max-age", "0s", store)
	s.requireExit(exitUsage, "gocache", "trim", "--max-age", "soon", store)
}

// gocache refuses invalid arguments before it answers the go command.
func TestGocacheRefusesInvalidCommandLines(t *testing.T) {
	s := newShell(t)
	store := newDirectoryAddress(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	for _, tt := range []struct {
		name     string
		wantExit int
		args     []string
	}{
		{name: "no location", wantExit: exitUsage, args: []string{"--dir", dir}},
		{name: "patience", wantExit: exitUsage, args: []string{"--dir", dir, "--patience", "0s", store}},
		{name: "close timeout", wantExit: exitUsage, args: []string{"--dir", dir, "--close-timeout", "-1s", store}},
		{name: "dry run", wantExit: exitUsage, args: []string{"--dir", dir, "--dry-run", store}},
		{name: "account", wantExit: exitUsage, args: []string{"--dir", dir, "s3://?region=eu-west-1"}},
		{name: "unknown parameter", wantExit: exitUsage, args: []string{"--dir", dir, store + "?unknown=1"}},
		{name: "unknown name", wantExit: exitUsage, args: []string{"--dir", dir, "none:"}},
		{name: "file as the directory", wantExit: exitNotFound, args: []string{"--dir", file, store}},
		{name: "another program", wantExit: exitUsage, args: []string{"--dir", dir, store}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			// Only in the last case, gocache reads this input.
			s.stdin = "no request\n"
			_, stderr := s.requireExit(tt.wantExit, append([]string{"gocache"}, tt.args...)...)
			require.NotEmpty(t, stderr)
		})
	}

	// The command "run" executes command lines from its input, but refuses gocache.
	s.stdin = "gocache " + store + "\n"
	_, stderr := s.requireExit(exitUsage, "run", "-")
	require.Contains(t, stderr, "must not be used in a file of run")
}

// gocache answers a close request, ends its output and exits with 0.
func TestGocacheAnswersRequests(t *testing.T) {
	process, stdin, stdout := startProcess(t, "gocache", "--dir", t.TempDir(), newDirectoryAddress(t))
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan())
	require.Equal(t, `{"ID":0,"KnownCommands":["get","put","close"]}`, lines.Text())

	_, err := io.WriteString(stdin, `{"ID":1,"Command":"close"}`+"\n")
	require.NoError(t, err)

	require.True(t, lines.Scan())
	require.Equal(t, `{"ID":1}`, lines.Text())
	require.False(t, lines.Scan())
	require.NoError(t, process.Wait())
}
