package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A cancelingWriter cancels a context at the first byte, and counts the bytes.
type cancelingWriter struct {
	cancel  func()
	written int64
}

func (w *cancelingWriter) Write(data []byte) (int, error) {
	w.cancel()
	w.written += int64(len(data))
	return len(data), nil
}

// An interrupt ends cat in the middle of an object.
func TestInterruptEndsCat(t *testing.T) {
	const size = 64 << 20
	for _, newAddress := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.setBox(newAddress(t))
		s.put("box:large", strings.Repeat("x", size))
		ctx, cancel := context.WithCancel(t.Context())
		stdout := &cancelingWriter{cancel: cancel}
		require.Equal(t, exitInterrupted, run(ctx, []string{"cat", "box:large"}, s.environment(nil, stdout, io.Discard)))
		require.Less(t, stdout.written, int64(size/2))
	}
}

// A file that cp, mv or a bucket overwrites keeps its mode.
func TestCpKeepsTheModeOfAFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	for _, name := range []string{"object", "file", "moved"} {
		writeFiles(t, dir, map[string]string{name: "old"})
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o600))
	}

	src := newMemoryAddress(t)
	s.put(src+"/a", "new")
	s.put(bucket+"#object", "new")
	s.ok("cp", src+"/a", filepath.Join(dir, "file"))
	s.ok("mv", src+"/a", filepath.Join(dir, "moved"))

	for _, name := range []string{"object", "file", "moved"} {
		require.Equal(t, "new", readFile(t, filepath.Join(dir, name)))
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), name)
	}
}

// If an age is too long for a duration, expire and rm refuse it. A lifecycle rule with so many days removes
// nothing.
func TestExpireAgeOfManyYears(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	fillBox(t, s, "file://"+filepath.ToSlash(dir), "tmp/a")
	long := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "tmp", "a"), long, long))
	for _, age := range []string{"213504d", "99999w", strconv.Itoa(math.MaxInt64) + "d"} {
		s.exits(exitUsage, "expire", "--age", age, "box:tmp")
		s.exits(exitUsage, "rm", "-r", "--older", age, "box:tmp")
	}

	s.in = `[{"ExpireAfterDays":213504}]`
	s.ok("bucket", "--lifecycle", "-", "box:")

	s.exits(exitOK, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/a\n", s.ok("ls", "-r", "box:"))
}

// If the range of cat begins after the end of the object, the error is not an internal one.
func TestCatRangeAfterTheEnd(t *testing.T) {
	for _, newAddress := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		fillBox(t, s, newAddress(t), "a")
		for _, span := range []string{strconv.Itoa(math.MaxInt64), "9:" + strconv.Itoa(math.MaxInt64)} {
			_, stderr := s.exits(exitFailure, "cat", "--range", span, "box:a")
			require.Contains(t, stderr, "range not satisfiable")
		}
	}
}

// An error does not repeat a long key.
func TestErrorsShortenLongKeys(t *testing.T) {
	s := newShell(t)
	object := newMemoryAddress(t) + "/" + strings.Repeat("k", 1<<20)
	for _, command := range []string{"cat", "stat", "rm", "head", "hash"} {
		var stderr bytes.Buffer
		require.NotZero(t, run(t.Context(), []string{command, object}, s.environment(nil, io.Discard, &stderr)))
		require.Less(t, stderr.Len(), 10_000, command)
	}
}

// With profile=spaces, requests go to the server of DigitalOcean, without an endpoint in the address.
func TestProfileNamesItsServer(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	u, err := url.Parse(strings.TrimSpace(s.ok("sign", "s3://my-bucket/a?profile=spaces&region=nyc3")))
	require.NoError(t, err)
	require.Equal(t, "my-bucket.nyc3.digitaloceanspaces.com", u.Host)
}

// If a server of unknown kind gets a condition, the error says that a profile declares it, and names no Go option.
func TestUnsupportedConditionNamesTheProfile(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, stderr := s.exits(exitFailure, "cp", "--if-absent", "-", "s3://photos/a?region=us-east-1&endpoint=http://127.0.0.1:1")
	require.Contains(t, stderr, "profile=")
	require.NotContains(t, stderr, "IfAbsent")
}

// Without a flag for the content type, a signed upload accepts any.
func TestSignBindsNoUnaskedType(t *testing.T) {
	s := newShell(t)
	key := newMemoryAddress(t) + "/a?signing_base_url=http://127.0.0.1:1/x"
	require.NotContains(t, s.ok("sign", "--upload", key), "Content-Type")
}

// The consoles of S3 and Google create a folder as an object whose key ends in a slash. Every command works with
// such folders.
func TestFolderMarkersStopNoCommand(t *testing.T) {
	s := newShell(t)
	newMarkedBox(t, s, "mark/inner/")
	s.put("box:mark/x", "x")
	dir := t.TempDir()

	// Copies.
	s.ok("cp", "-r", "box:mark", dir+"/")
	require.Equal(t, "x", readFile(t, filepath.Join(dir, "mark", "x")))
	s.runSync("--delete", "box:mark/", filepath.Join(dir, "synced"))
	s.exits(exitOK, "check", "box:mark", filepath.Join(dir, "mark"))

	// Listings.
	require.Equal(t, "mark/x\n", s.ok("find", "box:mark"))
	require.Equal(t, "mark/x\n", s.ok("ls", "box:mark/*x"))
	require.Equal(t, strings.Fields("1 1 mark/"), strings.Fields(s.ok("du", "box:mark")))
	require.Equal(t, "mark/\n├── inner/\n└── x\n", s.ok("tree", "box:mark"))

	// Removals.
	s.ok("mv", "-r", "box:mark", "box:moved")
	require.Equal(t, "x", s.ok("cat", "box:moved/x"))
	s.ok("rm", "-r", "box:mark")
	s.exits(exitNotFound, "ls", "box:mark")
}

// If a host with a fast clock wrote an object, so that its time is in the future, sync still copies later edits.
func TestSyncObjectOfTheFuture(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	dst := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dst)
	writeFiles(t, dir, map[string]string{"a": "version 1"})
	s.exits(exitOK, "sync", dir, bucket)
	ahead := time.Now().Add(24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dst, "a"), ahead, ahead))
	writeFiles(t, dir, map[string]string{"a": "version 2"})

	_, report := s.runSync(dir, bucket)
	require.Contains(t, report, "1 transferred")
	require.Equal(t, "version 2", s.ok("cat", bucket+"#a"))
}

// If reading standard input fails, cp stores nothing.
func TestCpInputFails(t *testing.T) {
	for _, newAddress := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.setBox(newAddress(t))
		s.put("box:old", "old")
		for _, key := range []string{"new", "old"} {
			tornTape := iotest.ErrReader(errors.New("the tape is torn"))
			stdin := io.MultiReader(strings.NewReader("half"), tornTape)
			var stderr bytes.Buffer
			code := run(t.Context(), []string{"cp", "-", "box:" + key}, s.environment(stdin, io.Discard, &stderr))
			require.Equal(t, 1, code)
			require.Contains(t, stderr.String(), "the tape is torn")
		}
		require.Equal(t, "old", s.ok("cat", "box:old"))
		s.exits(exitNotFound, "cat", "box:new")
	}
}

// If rb fails, the bucket keeps its settings.
func TestRbFailureKeepsSettings(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir) + "/kept"
	s.ok("mb", "--versioned", "--public", bucket)
	s.put(bucket+"#a", "one")
	s.ok("sign", bucket+signingBase+"#a")
	key := readFile(t, filepath.Join(dir, "kept", ".omnibucket", "signing.key"))

	s.exits(exitFailure, "rb", bucket)
	require.Regexp(t, `(?m)^versioning +true$`, s.ok("bucket", bucket))
	require.Regexp(t, `(?m)^public +true$`, s.ok("bucket", bucket))
	require.Equal(t, key, readFile(t, filepath.Join(dir, "kept", ".omnibucket", "signing.key")))

	s.ok("rm", bucket+"#a")
	s.exits(exitOK, "undelete", bucket+"#a")
	require.Equal(t, "one", s.ok("cat", bucket+"#a"))
}

// Any text fits into metadata if it is encoded. Without that, text with control characters, invalid UTF-8 or spaces at
// its ends is refused, because some stores trim values, and some cut them off.
func TestMetadataEncoded(t *testing.T) {
	tests := []struct{ value, encoded string }{
		{" leading.txt", "%20leading.txt"},
		{"tab\t.txt", "tab%09.txt"},
		{"caf\xc3", "caf%C3"},
	}
	for _, newAddress := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.setBox(newAddress(t))
		for _, tt := range tests {
			_, stderr := s.exits(exitUsage, "cp", "--metadata", "name="+tt.value, "-", "box:a")
			require.Contains(t, stderr, `--metadata value of "name" must be`)
			require.Contains(t, stderr, "hint: percent-encode the value\n")

			s.ok("cp", "--metadata", "name="+tt.encoded, "-", "box:a")
			require.Equal(t, tt.encoded, statOf(s, "box:a").Metadata["name"])
		}
		s.ok("cp", "--metadata", "name=日本 é.txt", "-", "box:a")
		require.Equal(t, "日本 é.txt", statOf(s, "box:a").Metadata["name"])
	}
}

// Attributes are kept in a copy of the files: zip, tar and cp -r copy no extended attributes.
func TestAttributesInACopyOfTheFiles(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	duplicate := filepath.Join(t.TempDir(), "copied")
	addressOf := func(dir string) string { return "file://" + filepath.ToSlash(dir) + "?sidecars=true#a/b" }
	s.ok("cp", "--content-type", "text/x-test", "--metadata", "owner=me", "-", addressOf(dir))
	require.NoError(t, os.CopyFS(duplicate, os.DirFS(dir)))

	attrs := statOf(s, addressOf(duplicate))
	require.Equal(t, "text/x-test", attrs.ContentType)
	require.Equal(t, map[string]string{"owner": "me"}, attrs.Metadata)
}

// A bucket in memory keeps its settings between commands of one process.
func TestBucketSettingsInMemory(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.ok("mb", bucket)
	s.in = `[{"Origins":["https://example.com"],"Methods":["PUT"]}]`
	s.ok("bucket", "--cors", "-", bucket)
	require.Contains(t, s.ok("bucket", "--json", bucket), `"origins":["https://example.com"]`)
}

// If another program removes the temporary file of an upload, the upload fails.
func TestCpTemporaryFileVanishes(t *testing.T) {
	dir := t.TempDir()
	process, stdin, _ := startProcess(t, "cp", "-", "file://"+filepath.ToSlash(dir)+"#a")
	staged := filepath.Join(dir, ".omnibucket", "tmp")

	// Write until there is a temporary file.
	size := 0
	for {
		n, err := io.WriteString(stdin, moreThanAPipeHolds)
		require.NoError(t, err)
		size += n
		require.Less(t, size, 1<<30)
		entries, err := os.ReadDir(staged)
		if err == nil && len(entries) > 0 {
			break
		}
	}

	require.NoError(t, os.RemoveAll(staged))
	require.NoError(t, stdin.Close())
	require.Equal(t, exitFailure, waitForExit(t, process))
	newShell(t).exits(exitNotFound, "stat", "file://"+filepath.ToSlash(dir)+"#a")
}

// A key of metadata must be ASCII without spaces. Some letters, such as the Kelvin sign, become ASCII in lower case.
func TestMetadataKeysAreASCII(t *testing.T) {
	s := newShell(t)
	for _, pair := range []string{"\u212aey=v", "é=v", "=v", "a b=v", "none"} {
		s.exits(exitUsage, "cp", "--metadata", pair, "-", newMemoryAddress(t)+"/a")
	}
}

// Many open buckets need few open files. A bucket of a directory once needed 256.
func TestOpenFilesOfManyBuckets(t *testing.T) {
	var commands strings.Builder
	for range 8 {
		bucket := newDirectoryAddress(t)
		for i := range 20 {
			fmt.Fprintf(&commands, "cp main_test.go %s#%d\n", bucket, i)
		}
	}
	file := filepath.Join(t.TempDir(), "commands")
	require.NoError(t, os.WriteFile(file, []byte(commands.String()), 0o600))
	program, err := os.Executable()
	require.NoError(t, err)

	process := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 256; exec "$0" run "$1"`, program, file)
	process.Env = append(os.Environ(), asProgram+"=1")
	output, err := process.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Contains(t, string(output), "160 commands, 0 failed")
}

// A file is synced to the disk before it gets its name, so that a power failure leaves no incomplete file. Its
// directory is synced afterwards. With --no-sync, neither is.
func TestDurabilityOrder(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#in/a", "new")
	s.ok("bucket", "--public", "on", bucket)

	tests := []struct {
		name     string
		args     []string
		wantSync bool
	}{
		{name: "cp", args: []string{"cp", bucket + "#in/a", filepath.Join(dir, "a")}, wantSync: true},
		{
			// Without --verify, the last rename is that of a cache, which need not survive.
			name:     "sync",
			args:     []string{"sync", "--verify", bucket + "#in", filepath.Join(dir, "synced")},
			wantSync: true,
		},
		{
			name:     "from path to path",
			args:     []string{"cp", filepath.Join(dir, "a"), filepath.Join(dir, "b")},
			wantSync: true,
		},
		{name: "into a bucket", args: []string{"cp", filepath.Join(dir, "a"), bucket + "#b"}, wantSync: true},
		{name: "settings", args: []string{"bucket", "--public", "off", bucket}, wantSync: true},
		{name: "--no-sync", args: []string{"cp", "--no-sync", bucket + "#in/a", filepath.Join(dir, "c")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := traceFileCalls(t, tt.args...)
			lastRename := strings.LastIndex(calls, "rename")
			require.Equal(t, tt.wantSync, lastRename > 0 && strings.Contains(calls[:lastRename], "sync("), calls)
			require.Equal(t, tt.wantSync, lastRename > 0 && strings.Contains(calls[lastRename:], "sync("), calls)
		})
	}
}

// traceFileCalls runs the program, and returns its system calls that sync or rename files, one a line.
func traceFileCalls(t *testing.T, args ...string) string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	trace := filepath.Join(t.TempDir(), "trace")
	traced := []string{"-f", "-o", trace, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,linkat", program}
	strace := exec.CommandContext(t.Context(), testserver.Program(t, "strace"), append(traced, args...)...)
	strace.Env = append(os.Environ(), asProgram+"=1")
	output, err := strace.CombinedOutput()
	require.NoError(t, err, "%s: strace must be allowed", output)
	return readFile(t, trace)
}
