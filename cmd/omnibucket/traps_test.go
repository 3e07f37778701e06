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
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		s.put("box:large", strings.Repeat("x", size))

		ctx, cancel := context.WithCancel(t.Context())
		stdout := &cancelingWriter{cancel: cancel}
		code := run(ctx, []string{"cat", "box:large"}, s.environment(nil, stdout, io.Discard))

		require.Equal(t, exitInterrupted, code)
		require.Less(t, stdout.written, int64(size/2))
	}
}

// A file that cp, mv or a bucket overwrites keeps its mode.
func TestCpKeepsTheModeOfAFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()

	// The mode of these three files is not the default.
	names := []string{"object", "file", "moved"}
	for _, name := range names {
		writeFiles(t, dir, map[string]string{name: "old"})
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o600))
	}

	// A write to the bucket, cp and mv each replace one of the files.
	src := newMemoryAddress(t)
	s.put(src+"/a", "new")
	s.put("file://"+filepath.ToSlash(dir)+"#object", "new")
	s.run("cp", src+"/a", filepath.Join(dir, "file"))
	s.run("mv", src+"/a", filepath.Join(dir, "moved"))

	// The files have the new content and the old mode.
	for _, name := range names {
		path := filepath.Join(dir, name)
		require.Equal(t, "new", readFile(t, path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), name)
	}
}

// expire and rm refuse an age that is too long for a time.Duration.
func TestExpireAgeOfManyYears(t *testing.T) {
	s := newShell(t)
	fillBoxWithOldFile(t, s, "tmp/a")

	for _, age := range []string{"213504d", "99999w", strconv.Itoa(math.MaxInt64) + "d"} {
		s.requireExit(exitUsage, "expire", "--age", age, "box:tmp")
		s.requireExit(exitUsage, "rm", "-r", "--older", age, "box:tmp")
	}
	require.Equal(t, "tmp/a\n", s.run("ls", "-r", "box:"))
}

// A lifecycle rule with more days than fit into a time.Duration removes nothing.
func TestExpireLifecycleOfManyYears(t *testing.T) {
	s := newShell(t)
	fillBoxWithOldFile(t, s, "tmp/a")
	s.stdin = `[{"ExpireAfterDays":213504}]`
	s.run("bucket", "--lifecycle", "-", "box:")

	s.requireExit(exitOK, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/a\n", s.run("ls", "-r", "box:"))
}

// fillBoxWithOldFile makes "box:" stand for a directory. The directory has one object that is a day
// old.
func fillBoxWithOldFile(t *testing.T, s *shell, key string) {
	t.Helper()
	dir := t.TempDir()
	s.setLocation("box", "file://"+filepath.ToSlash(dir))
	s.putKeysAsContent("box:", key)
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, filepath.FromSlash(key)), yesterday, yesterday))
}

// If a range begins after the end of the object, cat says that it cannot be satisfied.
func TestCatRangeAfterTheEnd(t *testing.T) {
	maxInt := strconv.Itoa(math.MaxInt64)
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		s.putKeysAsContent("box:", "a")
		for _, byteRange := range []string{maxInt, "9:" + maxInt} {
			_, stderr := s.requireExit(exitFailure, "cat", "--range", byteRange, "box:a")
			require.Contains(t, stderr, "range not satisfiable")
		}
	}
}

// An error does not repeat a long key.
func TestErrorsShortenLongKeys(t *testing.T) {
	s := newShell(t)
	longKey := strings.Repeat("k", 1<<20)
	object := newMemoryAddress(t) + "/" + longKey
	for _, command := range []string{"cat", "stat", "rm", "head", "hash"} {
		var stderr bytes.Buffer
		require.NotZero(t, run(t.Context(), []string{command, object}, s.environment(nil, io.Discard, &stderr)))
		require.Less(t, stderr.Len(), 10_000, command)
	}
}

// With profile=spaces, an address needs no endpoint: its server is that of DigitalOcean.
func TestProfileNamesItsServer(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	u, err := url.Parse(strings.TrimSpace(s.run("sign", "s3://my-bucket/a?profile=spaces&region=nyc3")))
	require.NoError(t, err)
	require.Equal(t, "my-bucket.nyc3.digitaloceanspaces.com", u.Host)
}

// If it is unknown whether a server supports a condition, the error asks for a profile that
// declares the condition. It names no Go option.
func TestUnsupportedConditionNamesTheProfile(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	const object = "s3://photos/a?region=us-east-1&endpoint=http://127.0.0.1:1"

	_, stderr := s.requireExit(exitFailure, "cp", "--if-absent", "-", object)
	require.Contains(t, stderr, "profile=")
	require.NotContains(t, stderr, "IfAbsent")
}

// Without a flag for the content type, a signed upload accepts any.
func TestSignBindsNoUnaskedType(t *testing.T) {
	s := newShell(t)
	key := newMemoryAddress(t) + "/a?signing_base_url=http://127.0.0.1:1/x"
	require.NotContains(t, s.run("sign", "--upload", key), "Content-Type")
}

// The consoles of S3 and Google create folders as objects whose keys end in a slash. Every command
// works with them.
func TestFolderMarkersStopNoCommand(t *testing.T) {
	s := newShell(t)
	newBoxWithFolderMarkers(t, s, "mark/inner/") // a bucket with a folder that has no other objects
	s.put("box:mark/x", "x")
	dir := t.TempDir()

	// Copies.
	s.run("cp", "-r", "box:mark", dir+"/")
	require.Equal(t, "x", readFile(t, filepath.Join(dir, "mark", "x")))
	s.runSync("--delete", "box:mark/", filepath.Join(dir, "synced"))
	s.requireExit(exitOK, "check", "box:mark", filepath.Join(dir, "mark"))

	// Listings.
	require.Equal(t, "mark/x\n", s.run("find", "box:mark"))
	require.Equal(t, "mark/x\n", s.run("ls", "box:mark/*x"))
	require.Equal(t, strings.Fields("1 1 mark/"), strings.Fields(s.run("du", "box:mark")))
	require.Equal(t, "mark/\n├── inner/\n└── x\n", s.run("tree", "box:mark"))

	// Removals.
	s.run("mv", "-r", "box:mark", "box:moved")
	require.Equal(t, "x", s.run("cat", "box:moved/x"))
	s.run("rm", "-r", "box:mark")
	s.requireExit(exitNotFound, "ls", "box:mark")
}

// The clock of a writer was fast, so the time of the object is in the future. sync still copies
// later edits.
func TestSyncObjectOfTheFuture(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	dst := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dst)

	// The object is from tomorrow.
	writeFiles(t, dir, map[string]string{"a": "version 1"})
	s.requireExit(exitOK, "sync", dir, bucket)
	tomorrow := time.Now().Add(24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dst, "a"), tomorrow, tomorrow))

	// The edit is from today.
	writeFiles(t, dir, map[string]string{"a": "version 2"})

	_, report := s.runSync(dir, bucket)
	require.Contains(t, report, "1 transferred")
	require.Equal(t, "version 2", s.run("cat", bucket+"#a"))
}

// If reading standard input fails, cp stores nothing.
func TestCpInputFails(t *testing.T) {
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		s.put("box:old", "old")

		// Half of the content can be read. Without the error, one copy would create an object, and
		// the other would replace one.
		for _, key := range []string{"new", "old"} {
			errReader := iotest.ErrReader(errors.New("the tape is torn"))
			stdin := io.MultiReader(strings.NewReader("half"), errReader)
			var stderr bytes.Buffer

			code := run(t.Context(), []string{"cp", "-", "box:" + key}, s.environment(stdin, io.Discard, &stderr))
			require.Equal(t, exitFailure, code)
			require.Contains(t, stderr.String(), "the tape is torn")
		}

		require.Equal(t, "old", s.run("cat", "box:old"))
		s.requireExit(exitNotFound, "cat", "box:new")
	}
}

// If rb fails because a bucket is not empty, the bucket keeps its settings, its signing key and its
// versions.
func TestRbFailureKeepsSettings(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir) + "/kept"
	s.run("mb", "--versioned", "--public", bucket)
	s.put(bucket+"#a", "one")

	// The first signature creates a signing key.
	s.run("sign", bucket+signingBase+"#a")
	keyFile := filepath.Join(dir, "kept", ".omnibucket", "signing.key")
	key := readFile(t, keyFile)

	s.requireExit(exitFailure, "rb", bucket)

	require.Regexp(t, `(?m)^versioning +true$`, s.run("bucket", bucket))
	require.Regexp(t, `(?m)^public +true$`, s.run("bucket", bucket))
	require.Equal(t, key, readFile(t, keyFile))

	// The bucket still has versions, so undelete can bring back a removed object.
	s.run("rm", bucket+"#a")
	s.requireExit(exitOK, "undelete", bucket+"#a")
	require.Equal(t, "one", s.run("cat", bucket+"#a"))
}

// Metadata with control characters, invalid UTF-8 or spaces at its ends must be percent-encoded.
// Some stores trim such values, and some cut them off at a control character.
func TestMetadataEncoded(t *testing.T) {
	tests := []struct{ value, encoded string }{
		{value: " leading.txt", encoded: "%20leading.txt"},
		{value: "tab\t.txt", encoded: "tab%09.txt"},
		{value: "caf\xc3", encoded: "caf%C3"},
	}
	for _, address := range []string{newMemoryAddress(t), newDirectoryAddress(t)} {
		s := newShell(t)
		s.setLocation("box", address)
		for _, tt := range tests {
			_, stderr := s.requireExit(exitUsage, "cp", "--metadata", "name="+tt.value, "-", "box:a")
			require.Contains(t, stderr, `--metadata value of "name" must be`)
			require.Contains(t, stderr, "hint: percent-encode the value\n")

			s.run("cp", "--metadata", "name="+tt.encoded, "-", "box:a")
			require.Equal(t, tt.encoded, statOf(s, "box:a").Metadata["name"])
		}

		// Other text needs no encoding.
		s.run("cp", "--metadata", "name=日本 é.txt", "-", "box:a")
		require.Equal(t, "日本 é.txt", statOf(s, "box:a").Metadata["name"])
	}
}

// With sidecars, attributes survive a copy of the files by zip, tar or cp -r. These programs copy
// no extended attributes.
func TestAttributesInACopyOfTheFiles(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	copied := filepath.Join(t.TempDir(), "copied")
	const object = "?sidecars=true#a/b"
	s.run("cp", "--content-type", "text/x-test", "--metadata", "owner=me", "-", "file://"+filepath.ToSlash(dir)+object)

	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))

	attrs := statOf(s, "file://"+filepath.ToSlash(copied)+object)
	require.Equal(t, "text/x-test", attrs.ContentType)
	require.Equal(t, map[string]string{"owner": "me"}, attrs.Metadata)
}

// A bucket in memory keeps its settings between commands of one process.
func TestBucketSettingsInMemory(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	s.run("mb", bucket)
	s.stdin = `[{"Origins":["https://example.com"],"Methods":["PUT"]}]`
	s.run("bucket", "--cors", "-", bucket)
	require.Contains(t, s.run("bucket", "--json", bucket), `"origins":["https://example.com"]`)
}

// If another program removes the temporary file of an upload, the upload fails.
func TestCpTemporaryFileVanishes(t *testing.T) {
	dir := t.TempDir()
	process, stdin, _ := startProcess(t, "cp", "-", "file://"+filepath.ToSlash(dir)+"#a")
	temporary := filepath.Join(dir, ".omnibucket", "tmp")

	// Send content to cp until it has created its temporary file.
	const tooMuch = 1 << 30
	written := 0
	for {
		n, err := io.WriteString(stdin, moreThanAPipeHolds)
		require.NoError(t, err)
		written += n
		require.Less(t, written, tooMuch, "the upload must stage its first bytes")
		entries, err := os.ReadDir(temporary)
		if err == nil && len(entries) > 0 {
			break
		}
	}

	// Remove the temporary file before the content ends.
	require.NoError(t, os.RemoveAll(temporary))
	require.NoError(t, stdin.Close())
	require.Equal(t, exitFailure, waitForExit(t, process))
	newShell(t).requireExit(exitNotFound, "stat", "file://"+filepath.ToSlash(dir)+"#a")
}

// A key of metadata must be ASCII without spaces.
func TestMetadataKeysAreASCII(t *testing.T) {
	tests := []struct {
		name string
		pair string
	}{
		{name: "the Kelvin sign, which is k in lower case", pair: "\u212aey=v"},
		{name: "not ASCII", pair: "é=v"},
		{name: "no key", pair: "=v"},
		{name: "a space", pair: "a b=v"},
		{name: "no value", pair: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newShell(t).requireExit(exitUsage, "cp", "--metadata", tt.pair, "-", newMemoryAddress(t)+"/a")
		})
	}
}

// A process that can open 256 files can write into many buckets at once. Each of these buckets is a
// local directory.
func TestOpenFilesOfManyBuckets(t *testing.T) {
	const buckets = 8
	const uploads = 20 // into each bucket
	var commands strings.Builder
	for range buckets {
		bucket := newDirectoryAddress(t)
		for i := range uploads {
			fmt.Fprintf(&commands, "cp main_test.go %s#%d\n", bucket, i)
		}
	}
	file := filepath.Join(t.TempDir(), "commands")
	require.NoError(t, os.WriteFile(file, []byte(commands.String()), 0o600))

	// The test binary behaves as the program omnibucket if the variable asProgram is set.
	program, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 256; exec "$0" run "$1"`, program, file)
	process.Env = append(os.Environ(), asProgram+"=1")
	output, err := process.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Contains(t, string(output), fmt.Sprintf("%d commands, 0 failed", buckets*uploads))
}

// cp and sync sync a file to the disk before it gets its name, and then the directory. So a power
// failure leaves no incomplete file. With --no-sync, they sync neither.
func TestDurabilityOrder(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#in/a", "new")
	s.run("bucket", "--public", "on", bucket)

	tests := []struct {
		name     string
		args     []string
		wantSync bool
	}{
		{name: "cp", args: []string{"cp", bucket + "#in/a", filepath.Join(dir, "a")}, wantSync: true},
		{
			// Without --verify, the last rename would be that of a cache file, and such a file
			// needs no sync.
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
			syncedBefore := lastRename > 0 && strings.Contains(calls[:lastRename], "sync(")
			syncedAfter := lastRename > 0 && strings.Contains(calls[lastRename:], "sync(")
			require.Equal(t, tt.wantSync, syncedBefore, calls)
			require.Equal(t, tt.wantSync, syncedAfter, calls)
		})
	}
}

// traceFileCalls runs the program. It returns the system calls that sync or rename files, one in
// each line.
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
