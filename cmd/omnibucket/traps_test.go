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

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A writer that cancels at the first byte.
type cancels struct {
	cancel  func()
	written int64
}

func (c *cancels) Write(data []byte) (int, error) {
	c.cancel()
	c.written += int64(len(data))
	return len(data), nil
}

// An interrupt ends a command in its middle.
func TestInterruptEndsCat(t *testing.T) {
	const size = 64 << 20
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.env["OMNIBUCKET_BOX"] = bucket(t)
		s.put("box:large", strings.Repeat("x", size))
		ctx, cancel := context.WithCancel(t.Context())
		w := &cancels{cancel: cancel}
		require.Equal(t, 130, run(ctx, []string{"cat", "box:large"}, s.environment(nil, w, io.Discard)))
		require.Less(t, w.written, int64(size/2))
	}
}

// Overwriting keeps the mode of a file.
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
	putObjects(t, s, "file://"+filepath.ToSlash(dir), "tmp/a")
	long := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "tmp", "a"), long, long))
	for _, age := range []string{"213504d", "99999w", strconv.Itoa(math.MaxInt64) + "d"} {
		s.exits(2, "expire", "--age", age, "box:tmp")
		s.exits(2, "rm", "-r", "--older", age, "box:tmp")
	}

	s.in = `[{"ExpireAfterDays":213504}]`
	s.ok("bucket", "--lifecycle", "-", "box:")

	s.exits(0, "expire", "--lifecycle", "box:")
	require.Equal(t, "tmp/a\n", s.ok("ls", "-r", "box:"))
}

// If the range of cat begins after the end of the object, the error is not an internal one.
func TestCatRangeAfterTheEnd(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		putObjects(t, s, bucket(t), "a")
		for _, span := range []string{strconv.Itoa(math.MaxInt64), "9:" + strconv.Itoa(math.MaxInt64)} {
			_, stderr := s.exits(1, "cat", "--range", span, "box:a")
			require.Contains(t, stderr, "range not satisfiable")
		}
	}
}

// An error does not repeat a long key.
func TestErrorsShortenLongKeys(t *testing.T) {
	s := newShell(t)
	key := strings.Repeat("k", 1<<20)
	for _, command := range []string{"cat", "stat", "rm", "head", "hash"} {
		var errs bytes.Buffer
		require.NotZero(t, run(t.Context(), []string{command, newMemoryAddress(t) + "/" + key}, s.environment(nil, io.Discard, &errs)))
		require.Less(t, errs.Len(), 10_000, command)
	}
}

// A profile names its server.
func TestProfileNamesItsServer(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	u, err := url.Parse(strings.TrimSpace(s.ok("sign", "s3://my-bucket/a?profile=spaces&region=nyc3")))
	require.NoError(t, err)
	require.Equal(t, "my-bucket.nyc3.digitaloceanspaces.com", u.Host)
}

// An unsupported condition names the profile.
func TestUnsupportedConditionNamesTheProfile(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, stderr := s.exits(1, "cp", "--if-absent", "-", "s3://photos/a?region=us-east-1&endpoint=http://127.0.0.1:1")
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
	server := startS3Box(t, s, s3server.Config{})
	b, err := s3.Open(t.Context(), s3.Config{Bucket: "photos", Endpoint: server.URL, Region: s3server.DefaultRegion, PathStyle: new(true)})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	for _, key := range []string{"mark/", "mark/inner/"} {
		_, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: new("photos"), Key: new(key)})
		require.NoError(t, err)
	}
	s.put("box:mark/x", "x")

	dir := t.TempDir()
	s.ok("cp", "-r", "box:mark", dir+"/")

	require.Equal(t, "x", readFile(t, filepath.Join(dir, "mark", "x")))
	s.runSync("--delete", "box:mark/", filepath.Join(dir, "synced"))
	s.exits(0, "check", "box:mark", filepath.Join(dir, "mark"))
	require.Equal(t, "mark/x\n", s.ok("find", "box:mark"))
	require.Equal(t, "mark/x\n", s.ok("ls", "box:mark/*x"))
	require.Equal(t, strings.Fields("1 1 mark/"), strings.Fields(s.ok("du", "box:mark")))
	require.Equal(t, "mark/\n├── inner/\n└── x\n", s.ok("tree", "box:mark"))

	s.ok("mv", "-r", "box:mark", "box:moved")
	require.Equal(t, "x", s.ok("cat", "box:moved/x"))
	s.ok("rm", "-r", "box:mark")
	s.exits(3, "ls", "box:mark")
}

// If a host with a fast clock wrote an object, so that its time is in the future, sync still copies later edits.
func TestSyncObjectOfTheFuture(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	dst := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dst)
	writeFiles(t, dir, map[string]string{"a": "version 1"})
	s.exits(0, "sync", dir, bucket)
	ahead := time.Now().Add(24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dst, "a"), ahead, ahead))
	writeFiles(t, dir, map[string]string{"a": "version 2"})

	_, report := s.runSync(dir, bucket)
	require.Contains(t, report, "1 transferred")
	require.Equal(t, "version 2", s.ok("cat", bucket+"#a"))
}

// If reading standard input fails, cp stores nothing.
func TestCpInputFails(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.env["OMNIBUCKET_BOX"] = bucket(t)
		s.put("box:old", "old")
		for _, key := range []string{"new", "old"} {
			src := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("the tape is torn")))
			var errs bytes.Buffer
			require.Equal(t, 1, run(t.Context(), []string{"cp", "-", "box:" + key}, s.environment(src, io.Discard, &errs)))
			require.Contains(t, errs.String(), "the tape is torn")
		}
		require.Equal(t, "old", s.ok("cat", "box:old"))
		s.exits(3, "cat", "box:new")
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

	s.exits(1, "rb", bucket)
	require.Regexp(t, `(?m)^versioning +true$`, s.ok("bucket", bucket))
	require.Regexp(t, `(?m)^public +true$`, s.ok("bucket", bucket))
	require.Equal(t, key, readFile(t, filepath.Join(dir, "kept", ".omnibucket", "signing.key")))

	s.ok("rm", bucket+"#a")
	s.exits(0, "undelete", bucket+"#a")
	require.Equal(t, "one", s.ok("cat", bucket+"#a"))
}

// Any text fits into metadata if it is encoded. Some stores trim values of metadata, and some cut them off.
func TestMetadataEncoded(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{newMemoryAddress, newDirectoryAddress} {
		s := newShell(t)
		s.env["OMNIBUCKET_BOX"] = bucket(t)
		for value, encoded := range map[string]string{" leading.txt": "%20leading.txt", "tab\t.txt": "tab%09.txt", "caf\xc3": "caf%C3"} {
			_, stderr := s.exits(2, "cp", "--metadata", "name="+value, "-", "box:a")
			require.Contains(t, stderr, `--metadata value of "name" must be`)
			require.Contains(t, stderr, "hint: percent-encode the value\n")
			s.ok("cp", "--metadata", "name="+encoded, "-", "box:a")
			require.Equal(t, encoded, statOf(s, "box:a").Metadata["name"])
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
	size := 0

	for {
		n, err := io.WriteString(stdin, moreThanAPipeHolds)
		require.NoError(t, err)
		size += n
		if entries, _ := os.ReadDir(staged); len(entries) > 0 {
			break
		}
		require.Less(t, size, 1<<30)
	}

	require.NoError(t, os.RemoveAll(staged))
	require.NoError(t, stdin.Close())
	require.Equal(t, 1, waitForExit(t, process))
	newShell(t).exits(3, "stat", "file://"+filepath.ToSlash(dir)+"#a")
}

func TestMetadataKeysAreASCII(t *testing.T) {
	s := newShell(t)
	for _, pair := range []string{"\u212aey=v", "é=v", "=v", "a b=v", "none"} {
		s.exits(2, "cp", "--metadata", pair, "-", newMemoryAddress(t)+"/a")
	}
}

// Many open buckets need few open files. A bucket of a directory once needed 256.
func TestOpenFilesOfManyBuckets(t *testing.T) {
	var lines strings.Builder
	for range 8 {
		bucket := newDirectoryAddress(t)
		for i := range 20 {
			fmt.Fprintf(&lines, "cp main_test.go %s#%d\n", bucket, i)
		}
	}

	file := filepath.Join(t.TempDir(), "lines")
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 256; exec "$0" run "$1"`, program, file)
	cmd.Env = append(os.Environ(), asProgram+"=1")

	data, err := cmd.CombinedOutput()
	require.NoError(t, err, string(data))
	require.Contains(t, string(data), "160 commands, 0 failed")
}

// A file is synced to the disk before it gets its name, so that a power failure leaves no incomplete file.
func TestDurabilityOrder(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#in/a", "new")
	s.ok("bucket", "--public", "on", bucket)

	tests := []struct {
		name  string
		args  []string
		syncs bool
	}{
		{"cp", []string{"cp", bucket + "#in/a", filepath.Join(dir, "a")}, true},
		// Without --verify, the last rename is that of a cache, which need not survive.
		{"sync", []string{"sync", "--verify", bucket + "#in", filepath.Join(dir, "synced")}, true},
		{"from path to path", []string{"cp", filepath.Join(dir, "a"), filepath.Join(dir, "b")}, true},
		{"into a bucket", []string{"cp", filepath.Join(dir, "a"), bucket + "#b"}, true},
		{"settings", []string{"bucket", "--public", "off", bucket}, true},
		{"--no-sync", []string{"cp", "--no-sync", bucket + "#in/a", filepath.Join(dir, "c")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program, err := os.Executable()
			require.NoError(t, err)
			trace := filepath.Join(t.TempDir(), "trace")
			cmd := exec.CommandContext(t.Context(), testserver.Program(t, "strace"), append([]string{"-f", "-o", trace, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,linkat", program}, tt.args...)...)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			data, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: strace must be allowed", data)
			calls := readFile(t, trace)

			renameIndex := strings.LastIndex(calls, "rename")
			require.Equal(t, tt.syncs, renameIndex > 0 && strings.Contains(calls[:renameIndex], "sync("), calls)
			require.Equal(t, tt.syncs, renameIndex > 0 && strings.Contains(calls[renameIndex:], "sync("), calls)
		})
	}
}
