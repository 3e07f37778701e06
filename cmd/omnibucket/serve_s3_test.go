package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveS3 runs serve --s3 until the test ends, and returns the printed URL.
func (s *shell) serveS3(args ...string) string {
	s.t.Helper()
	s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"] = "the-key", "the-secret"
	return strings.TrimSuffix(s.serve(append([]string{"--s3"}, args...)...), "/")
}

// serve --s3 serves the protocol of S3 with the credentials of the environment.
func TestServeS3(t *testing.T) {
	s := newShell(t)
	url := s.serveS3("--create", "photos")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, url)
	s.run("serve", "--health", url)

	// Without credentials, a request is refused.
	status, body := get(t, url+"/photos/a")
	require.Equal(t, http.StatusForbidden, status, body)

	// With the credentials that serveS3 has set, a client stores and reads objects.
	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	parameters := "?path_style=true&region=us-east-1&endpoint=" + url
	s.put("s3://photos/folder/a.txt"+parameters, "hello")
	require.Equal(t, "folder/a.txt\n", s.run("ls", "-r", "s3://photos/folder/"+parameters))
	require.Equal(t, "hello", s.run("cat", "s3://photos/folder/a.txt"+parameters))
}

// serve --s3 prints the credentials that it generates to standard error, and only there.
func TestServeS3GeneratedCredentials(t *testing.T) {
	// Serve until the first line is printed.
	ctx, interrupt := context.WithCancel(t.Context())
	stdout, printed := io.Pipe()
	var errs bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"serve", "--s3", "--listen", "127.0.0.1:0"}, newShell(t).environment(nil, printed, &errs))
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	interrupt()
	require.Zero(t, <-exit)

	// The line on standard output is the URL. The credentials are on standard error.
	require.Regexp(t, `^http://127\.0\.0\.1:\d+\n$`, line)
	require.Equal(t, 1, strings.Count(errs.String(), "export AWS_SECRET_ACCESS_KEY="), errs.String())
	require.Contains(t, errs.String(), "export AWS_ENDPOINT_URL="+strings.TrimSpace(line)+"\n")
	require.Regexp(t, `(?m)^# .*: s3://photos\?endpoint=http.*&profile=omnibucket&`, errs.String())
}

// serve --s3 writes its URL to the file of --ready-file. After SIGTERM, it removes the file and exits with 0.
func TestServeS3EndsInOrderAfterASignal(t *testing.T) {
	readyFile := filepath.Join(t.TempDir(), "ready")
	process, _, stdout := startProcess(t, "serve", "--s3", "--listen", "127.0.0.1:0", "--ready-file", readyFile)
	urlLine, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, urlLine, readFile(t, readyFile))

	require.NoError(t, process.Process.Signal(syscall.SIGTERM))

	require.NoError(t, process.Wait())
	require.NoFileExists(t, readyFile)
}

// serve --s3 and serve --health refuse arguments that mean nothing, and fail if they cannot begin.
func TestServeS3Fails(t *testing.T) {
	tests := []struct {
		name     string
		args     []string // after serve
		wantExit int
		wantErr  string // on standard error
	}{
		{
			name:     "a flag that needs --s3",
			args:     []string{"--create", "photos", "mem://photos"},
			wantExit: exitUsage,
			wantErr:  "--create must be used with --s3",
		},
		{
			name:     "a flag that --s3 has not",
			args:     []string{"--s3", "--listing"},
			wantExit: exitUsage,
			wantErr:  "--listing must not be used with --s3",
		},
		{
			name:     "two locations",
			args:     []string{"--s3", "a", "b"},
			wantExit: exitUsage,
			wantErr:  "accepts at most 1 arg",
		},
		{
			name:     "no address",
			wantExit: exitUsage,
			wantErr:  "accepts 1 arg",
		},
		{
			name:     "a folder as location",
			args:     []string{"--s3", "s3://photos/a?region=us-east-1"},
			wantExit: exitUsage,
			wantErr:  "must be a directory, a bucket or an account",
		},
		{
			name:     "standard input as location",
			args:     []string{"--s3", "-"},
			wantExit: exitUsage,
			wantErr:  "must be a directory, a bucket or an account",
		},
		{
			name:     "an invalid bucket",
			args:     []string{"--s3", "--create", "No_Name", "--listen", "127.0.0.1:0"},
			wantExit: exitUsage,
			wantErr:  "must have 3 to 63 characters",
		},
		{
			name:     "an invalid size",
			args:     []string{"--s3", "--max-bytes", "many"},
			wantExit: exitUsage,
			wantErr:  "must be a number of bytes",
		},
		{
			name:     "a certificate without a key",
			args:     []string{"--s3", "--cert", "cert.pem"},
			wantExit: exitUsage,
			wantErr:  "must be used together",
		},
		{
			name:     "a certificate that is not there",
			args:     []string{"--s3", "--cert", "none.pem", "--key", "none.pem"},
			wantExit: exitFailure,
			wantErr:  "no such file",
		},
		{
			name:     "nobody at the address",
			args:     []string{"--health", "http://127.0.0.1:1"},
			wantExit: exitFailure,
			wantErr:  "connection refused",
		},
		{
			name:     "no URL",
			args:     []string{"--health", "127.0.0.1:9000"},
			wantExit: exitUsage,
			wantErr:  "must be the URL of a server",
		},
		{
			name:     "an empty URL",
			args:     []string{"--health", ""},
			wantExit: exitUsage,
			wantErr:  "must be the URL of a server",
		},
		{
			name:     "a health check with another flag",
			args:     []string{"--health", "http://127.0.0.1:1", "--listen", ":1"},
			wantExit: exitUsage,
			wantErr:  "must not be used with --listen",
		},
		{
			name:     "a health check with an address",
			args:     []string{"--health", "http://127.0.0.1:1", "mem://photos"},
			wantExit: exitUsage,
			wantErr:  "unknown command",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := newShell(t).requireExit(tt.wantExit, append([]string{"serve"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}
}

// serve --s3 stores objects in the given location as they are. So other programs can read and write
// them there.
func TestServeS3OverALocation(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "the-key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
	dir := filepath.ToSlash(t.TempDir())
	tests := []struct {
		name, location string
		bucket         string // address of the bucket "photos" for other programs
	}{
		{name: "a path", location: dir + "/made", bucket: "file://" + dir + "/made/photos#"},
		{name: "an address", location: "file://" + dir + "/made", bucket: "file://" + dir + "/made/photos#"},
		{name: "another store", location: "mem://", bucket: "mem://photos/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			url := s.serveS3("--create", "photos", tt.location)
			parameters := "?path_style=true&region=us-east-1&endpoint=" + url

			// Another program sees what clients of S3 store.
			s.put("s3://photos/folder/a.txt"+parameters, "hello")
			require.Equal(t, "hello", s.run("cat", "s3://photos/folder/a.txt"+parameters))
			require.Equal(t, "hello", s.run("cat", tt.bucket+"folder/a.txt"))

			// Clients of S3 see what another program stores.
			s.put(tt.bucket+"folder/b.txt", "from elsewhere")
			require.Equal(t, "from elsewhere", s.run("cat", "s3://photos/folder/b.txt"+parameters))
		})
	}
}
