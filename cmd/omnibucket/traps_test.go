package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
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

func TestAnInterruptEndsACommandInItsMiddle(t *testing.T) {
	const size = 64 << 20
	for _, bucket := range []func(*testing.T) string{memory, directory} {
		s := newShell(t)
		s.env["OMNIBUCKET_BOX"] = bucket(t)
		s.put("box:large", strings.Repeat("x", size))
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancels{cancel: cancel}
		require.Equal(t, 130, run(ctx, []string{"cat", "box:large"}, s.around(nil, out, io.Discard)))
		require.Less(t, out.written, int64(size/2))
	}
}

func TestOverwritingKeepsTheModeOfAFile(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	bucket := "file://" + filepath.ToSlash(dir)
	for _, name := range []string{"object", "file", "moved"} {
		writeFiles(t, dir, map[string]string{name: "old"})
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o600))
	}
	from := memory(t)
	s.put(from+"/a", "new")
	s.put(bucket+"#object", "new")
	s.ok("cp", from+"/a", filepath.Join(dir, "file"))
	s.ok("mv", from+"/a", filepath.Join(dir, "moved"))
	for _, name := range []string{"object", "file", "moved"} {
		require.Equal(t, "new", readFile(t, filepath.Join(dir, name)))
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), name)
	}
}

func TestAnAgeOfManyYearsRemovesNothing(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	withObjects(t, s, "file://"+filepath.ToSlash(dir), "tmp/a")
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

func TestARangeAfterTheEndIsNoInternalError(t *testing.T) {
	for _, bucket := range []func(*testing.T) string{memory, directory} {
		s := newShell(t)
		withObjects(t, s, bucket(t), "a")
		for _, span := range []string{strconv.Itoa(math.MaxInt64), "9:" + strconv.Itoa(math.MaxInt64)} {
			_, stderr := s.exits(1, "cat", "--range", span, "box:a")
			require.Contains(t, stderr, "range not satisfiable")
		}
	}
}

func TestAnErrorDoesNotRepeatALongKey(t *testing.T) {
	s := newShell(t)
	key := strings.Repeat("k", 1<<20)
	for _, command := range []string{"cat", "stat", "rm", "head", "hash"} {
		var errs bytes.Buffer
		require.NotZero(t, run(t.Context(), []string{command, memory(t) + "/" + key}, s.around(nil, io.Discard, &errs)))
		require.Less(t, errs.Len(), 10_000, command)
	}
}

func TestAProfileNamesItsServer(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	u, err := url.Parse(strings.TrimSpace(s.ok("sign", "s3://my-bucket/a?profile=spaces&region=nyc3")))
	require.NoError(t, err)
	require.Equal(t, "my-bucket.nyc3.digitaloceanspaces.com", u.Host)
}

func TestAnUnsupportedConditionNamesTheProfile(t *testing.T) {
	s := newShell(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, stderr := s.exits(1, "cp", "--if-absent", "-", "s3://photos/a?region=us-east-1&endpoint=http://127.0.0.1:1")
	require.Contains(t, stderr, "profile=")
	require.NotContains(t, stderr, "IfAbsent")
}

func TestASignedUploadBindsNoTypeThatNobodyAskedFor(t *testing.T) {
	s := newShell(t)
	key := memory(t) + "/a?signing_base_url=http://127.0.0.1:1/x"
	require.NotContains(t, s.ok("sign", "--upload", key), "Content-Type")
}

// The consoles of S3 and Google make a folder as an object whose key ends in a slash.
func TestAFolderOfAConsoleStopsNoCommand(t *testing.T) {
	s := newShell(t)
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	s.env["OMNIBUCKET_BOX"] = "s3://photos?" + url.Values{"endpoint": {server.URL}, "region": {s3server.DefaultRegion}, "path_style": {"true"}}.Encode()
	b, err := s3.Open(t.Context(), s3.Config{Bucket: "photos", Endpoint: server.URL, Region: s3server.DefaultRegion, PathStyle: new(true)})
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(b)) }()
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
	s.synced("--delete", "box:mark/", filepath.Join(dir, "synced"))
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
