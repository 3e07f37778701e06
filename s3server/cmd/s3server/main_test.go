package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// emptyEnvironment looks up variables in an empty environment.
func emptyEnvironment(string) (string, bool) { return "", false }

// The server prints its URL and serves until it is interrupted. The flag --health reports whether
// it serves.
func TestMainServesUntilInterrupted(t *testing.T) {
	checkHealth := func(url string) (exitCode int) {
		return run(t.Context(), []string{"--health", url}, io.Discard, io.Discard, emptyEnvironment)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	stdoutReader, stdout := io.Pipe()
	var stderr bytes.Buffer
	exit := make(chan int, 1)

	go func() {
		exit <- run(ctx, []string{"--listen", "127.0.0.1:0", "--create", "photos"}, stdout, &stderr, emptyEnvironment)
		_ = stdout.Close()
	}()

	// The URL is printed only when the server accepts requests.
	line, err := bufio.NewReader(stdoutReader).ReadString('\n')
	require.NoError(t, err)
	url := strings.TrimSpace(line)
	require.Zero(t, checkHealth(url))

	interrupt()

	// The program exits with success, and the server no longer answers.
	require.Zero(t, <-exit)
	require.Contains(t, stderr.String(), "export AWS_ENDPOINT_URL="+line)
	require.Equal(t, exitFailure, checkHealth(url))
}

// With --version, the program prints the version of its release, and that of Go.
func TestMainVersion(t *testing.T) {
	release = "v1.2.3"
	t.Cleanup(func() {
		release = ""
	})
	var stdout bytes.Buffer

	exitCode := run(t.Context(), []string{"--version"}, &stdout, io.Discard, emptyEnvironment)

	require.Zero(t, exitCode)
	require.Regexp(t, `^s3server v1\.2\.3 .*go1\.`, stdout.String())
}

// Each kind of failure has its exit code.
func TestMainExitCodes(t *testing.T) {
	tests := []struct {
		name        string
		args        []string
		wantCode    int
		wantMessage string // a part of standard error
	}{
		{name: "help", wantMessage: "DIRECTORY", args: []string{"--help"}},
		{name: "unknown flag", wantCode: exitUsage, wantMessage: "--none", args: []string{"--none"}},
		{
			name:        "two directories of MinIO",
			wantCode:    exitUsage,
			wantMessage: "one disk and one node",
			args:        []string{"server", "/a", "--json", "/b"},
		},
		{name: "two directories", wantCode: exitUsage, wantMessage: "at most one directory", args: []string{"a", "b"}},
		{
			name:        "unknown parameter of an address",
			wantCode:    exitUsage,
			wantMessage: "sink",
			args:        []string{"file:///data?sink=false"},
		},
		{
			name:        "invalid parameter of an address",
			wantCode:    exitUsage,
			wantMessage: "sync",
			args:        []string{"file:///data?sync=maybe"},
		},
		{
			name:        "directory missing",
			wantCode:    exitFailure,
			wantMessage: "none",
			args:        []string{"file:///none?sync=false"},
		},
		{
			name:        "flag after the directory",
			wantCode:    exitUsage,
			wantMessage: "at most one directory",
			args:        []string{"a", "--tls"},
		},
		{
			name:        "incomplete pair of flags",
			wantCode:    exitUsage,
			wantMessage: "must be used together",
			args:        []string{"--cert", "c.pem"},
		},
		{
			name:        "invalid address to listen on",
			wantCode:    exitFailure,
			wantMessage: "listen",
			args:        []string{"--listen", "256.0.0.1:0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr bytes.Buffer

			exitCode := run(t.Context(), tt.args, io.Discard, &stderr, emptyEnvironment)

			require.Equal(t, tt.wantCode, exitCode, stderr.String())
			// The package flag writes the names of flags with one dash.
			printed := strings.ReplaceAll(stderr.String(), " -", " --")
			require.Contains(t, printed, tt.wantMessage)
		})
	}
}

// If the user may not write to a directory, withUser adds the user and the directory to the error.
func TestMainNamesDirectoryOfOtherUser(t *testing.T) {
	cause := &fs.PathError{Op: "mkdir", Path: "/data/photos", Err: fs.ErrPermission}
	denied := &storage.Error{Code: storage.PermissionDenied, Err: cause}

	err := withUser(denied, "/data")
	require.ErrorContains(t, err, fmt.Sprintf("user %d must be able to write to /data: ", os.Getuid()))
	require.ErrorIs(t, err, denied)

	// Other errors stay as they are, such as those of a port or a certificate.
	require.Equal(t, cause, withUser(cause, "/data"))
	require.NoError(t, withUser(nil, "/data"))
}

// The program turns command lines for MinIO's images into its own arguments. It does not know other command lines.
func TestMainNamesInImage(t *testing.T) {
	const live = "http://localhost:9000/minio/health/live"
	health := func(url string) []string { return []string{"--health", url} }
	tests := []struct {
		name string
		line []string
		want []string // the arguments of this program, or nil if the command line is unknown
	}{
		{
			name: "name of the program",
			line: []string{"/s3server", "--listen", ":9000"},
			want: []string{"--listen", ":9000"},
		},
		{
			name: "entry point of MinIO",
			line: []string{"minio", "server", "/data"},
			want: []string{"--listen", ":9000", "server", "/data"},
		},
		{name: "curl", line: []string{"curl", "-f", live}, want: health(live)},
		{
			name: "curl with flags after the URL",
			line: []string{"/usr/bin/curl", live, "-o", "/dev/null"},
			want: health(live),
		},
		{name: "curl without a URL", line: []string{"curl", "--version"}, want: nil},
		{name: "mc", line: []string{"mc", "ready", "local"}, want: health("http://127.0.0.1:9000")},
		{name: "other command of mc", line: []string{"/usr/bin/mc", "ls"}, want: nil},
		{
			name: "health check of a service of GitHub",
			line: []string{"/bin/sh", "-c", "curl -f " + live},
			want: health(live),
		},
		{
			name: "health check in a shell",
			line: []string{"/bin/sh", "-c", `curl -sf "` + live + `" || exit 1`},
			want: health(live),
		},
		{
			name: "mc in a shell",
			line: []string{"/bin/sh", "-c", "mc ready local || exit 1"},
			want: health("http://127.0.0.1:9000"),
		},
		{
			name: "script that creates a bucket",
			line: []string{"sh", "-c", "mkdir -p /data/photos && minio server /data"},
			want: nil,
		},
		{
			name: "script that begins with a health check",
			line: []string{"sh", "-c", "curl -f " + live + "; mc mb local/photos"},
			want: nil,
		},
		{name: "shell without a script", line: []string{"sh"}, want: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args, ok := arguments(tt.line)
			require.Equal(t, tt.want != nil, ok)
			if ok {
				require.Equal(t, tt.want, args)
			}
		})
	}
}

// Testcontainers' modules for MinIO start an image with these arguments and variables. Then they wait for a line
// of output or for /minio/health/live.
func TestMainInTestcontainersForMinIO(t *testing.T) {
	online := regexp.MustCompile(`(?m)^.*Status:         1 Online, 0 Offline..*$`)
	tests := []struct {
		name     string // of the language of the module
		args     string // DATA stands for a directory
		user     string // the variable with the name of the user
		password string // the variable with the password
	}{
		{name: "Go", args: "server DATA", user: "MINIO_ROOT_USER", password: "MINIO_ROOT_PASSWORD"},
		{
			name:     "Java",
			args:     "server --console-address 127.0.0.1:0 DATA",
			user:     "MINIO_ROOT_USER",
			password: "MINIO_ROOT_PASSWORD",
		},
		{
			name:     "Node",
			args:     "server --console-address 127.0.0.1:0 DATA",
			user:     "MINIO_ROOT_USER",
			password: "MINIO_ROOT_PASSWORD",
		},
		{
			name:     "Python",
			args:     "server DATA --address 127.0.0.1:0",
			user:     "MINIO_ACCESS_KEY",
			password: "MINIO_SECRET_KEY",
		},
		{name: "no arguments, as a service of GitHub", user: "MINIO_ROOT_USER", password: "MINIO_ROOT_PASSWORD"},
		{
			name:     "directory in a variable",
			args:     "server",
			user:     "MINIO_ROOT_USER",
			password: "MINIO_ROOT_PASSWORD",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := t.TempDir()
			variables := map[string]string{
				tt.user:                 "user",
				tt.password:             "password",
				"MINIO_DEFAULT_BUCKETS": "photos",
			}
			args := strings.Fields(strings.Replace(tt.args, "DATA", data, 1))
			if tt.args == "server" {
				variables["MINIO_VOLUMES"] = data
			}
			lookup := func(name string) (string, bool) {
				value, exists := variables[name]
				return value, exists
			}

			// Run the program until it is interrupted.
			ctx, interrupt := context.WithCancel(t.Context())
			stdoutReader, stdout := io.Pipe()
			var stderr bytes.Buffer
			exit := make(chan int, 1)
			go func() {
				exit <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), stdout, &stderr, lookup)
				_ = stdout.Close()
			}()

			// The server is healthy as soon as it has printed its URL.
			line, err := bufio.NewReader(stdoutReader).ReadString('\n')
			require.NoError(t, err)
			healthURL := strings.TrimSpace(line) + "/minio/health/live"
			health := run(t.Context(), []string{"--health", healthURL}, io.Discard, io.Discard, emptyEnvironment)
			require.Zero(t, health)
			interrupt()
			require.Zero(t, <-exit)

			// The output names the variables in use, but not the password.
			require.Contains(t, stderr.String(), "# Settings of MinIO in use: "+tt.user)
			require.NotContains(t, stderr.String(), "password\n")

			// With the arguments of MinIO, the server uses the directory. It prints the line that
			// Testcontainers' modules wait for.
			if tt.args != "" {
				require.Regexp(t, online, stderr.String())
				require.DirExists(t, filepath.Join(data, "photos"))
			}
		})
	}
}
