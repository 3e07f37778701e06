package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// servingS3 runs serve --s3 until the test ends, and returns the printed URL.
func (s *shell) servingS3(args ...string) string {
	s.t.Helper()
	s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"] = "the-key", "the-secret"
	return strings.TrimSuffix(s.serving(append([]string{"--s3"}, args...)...), "/")
}

func TestServeS3(t *testing.T) {
	s := newShell(t)
	url := s.servingS3("--create", "photos")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, url)
	status, body := get(t, url+"/photos/a")
	require.Equal(t, http.StatusForbidden, status, body)

	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	bucket := "s3://photos/folder/?path_style=true&region=us-east-1&endpoint=" + url
	s.put(strings.Replace(bucket, "folder/", "folder/a.txt", 1), "hello")
	require.Equal(t, "folder/a.txt\n", s.ok("ls", "-r", bucket))
	require.Equal(t, "hello", s.ok("cat", strings.Replace(bucket, "folder/", "folder/a.txt", 1)))
	s.ok("serve", "--health", url)
}

// Generated credentials are printed to standard error only.
func TestServeS3GeneratedCredentials(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--s3", "--listen", "127.0.0.1:0"}, newShell(t).around(nil, printed, &errs))
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	interrupt()
	require.Zero(t, <-ended)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+\n$`, line)
	require.Equal(t, 1, strings.Count(errs.String(), "export AWS_SECRET_ACCESS_KEY="), errs.String())
	require.Contains(t, errs.String(), "export AWS_ENDPOINT_URL="+strings.TrimSpace(line)+"\n")
	require.Regexp(t, `(?m)^# .*: s3://photos\?endpoint=http.*&profile=omnibucket&`, errs.String())
}

func TestServeS3EndsInOrderAfterASignal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ready")
	process, _, out := started(t, "serve", "--s3", "--listen", "127.0.0.1:0", "--ready-file", name)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, line, string(text))
	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	require.NoError(t, process.Wait(), "exit code 0")
	require.NoFileExists(t, name)
}

func TestServeS3Fails(t *testing.T) {
	for _, row := range []struct {
		name string
		code int
		says string // on standard error
		args []string
	}{
		{"a flag that needs --s3", 2, "--create must be used with --s3", []string{"--create", "photos", "mem://photos"}},
		{"a flag that --s3 has not", 2, "--listing must not be used with --s3", []string{"--s3", "--listing"}},
		{"two locations", 2, "accepts at most 1 arg", []string{"--s3", "a", "b"}},
		{"no address", 2, "accepts 1 arg", nil},
		{"a folder as location", 2, "must be a directory, a bucket or an account", []string{"--s3", "s3://photos/a?region=us-east-1"}},
		{"standard input as location", 2, "must be a directory, a bucket or an account", []string{"--s3", "-"}},
		{"an invalid bucket", 2, "must have 3 to 63 characters", []string{"--s3", "--create", "No_Name", "--listen", "127.0.0.1:0"}},
		{"an invalid size", 2, "must be a number of bytes", []string{"--s3", "--max-bytes", "many"}},
		{"a certificate without a key", 2, "must be used together", []string{"--s3", "--cert", "cert.pem"}},
		{"a certificate that is not there", 1, "no such file", []string{"--s3", "--cert", "none.pem", "--key", "none.pem"}},
		{"nobody at the address", 1, "connection refused", []string{"--health", "http://127.0.0.1:1"}},
		{"no URL", 2, "must be the URL of a server", []string{"--health", "127.0.0.1:9000"}},
		{"an empty URL", 2, "must be the URL of a server", []string{"--health", ""}},
		{"a health check with another flag", 2, "must not be used with --listen", []string{"--health", "http://127.0.0.1:1", "--listen", ":1"}},
		{"a health check with an address", 2, "unknown command", []string{"--health", "http://127.0.0.1:1", "mem://photos"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, stderr := newShell(t).exits(row.code, append([]string{"serve"}, row.args...)...)
			require.Contains(t, stderr, row.says)
		})
	}
}

func TestServeS3OverALocation(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	dir := filepath.ToSlash(t.TempDir())
	for _, row := range []struct{ name, location, bucket string }{
		{"a path", dir + "/made", "file://" + dir + "/made/photos#"},
		{"an address", "file://" + dir + "/made", "file://" + dir + "/made/photos#"},
		{"another store", "mem://", "mem://photos/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			url := s.servingS3("--create", "photos", row.location)
			parameters := "?path_style=true&region=us-east-1&endpoint=" + url
			s.put("s3://photos/folder/a.txt"+parameters, "hello")
			require.Equal(t, "hello", s.ok("cat", "s3://photos/folder/a.txt"+parameters))
			require.Equal(t, "hello", s.ok("cat", row.bucket+"folder/a.txt"), "a natural object of the store")
			s.put(row.bucket+"folder/b.txt", "from elsewhere")
			require.Equal(t, "from elsewhere", s.ok("cat", "s3://photos/folder/b.txt"+parameters))
		})
	}
}
