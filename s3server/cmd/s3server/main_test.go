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

func unset(string) (string, bool) { return "", false }

// The server serves until it is interrupted.
func TestMainServesUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--create", "photos"}, printed, &errs, unset)
		_ = printed.Close()
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Zero(t, run(t.Context(), []string{"--health", strings.TrimSpace(url)}, io.Discard, io.Discard, unset))
	interrupt()
	require.Zero(t, <-ended)
	require.Contains(t, errs.String(), "export AWS_ENDPOINT_URL="+url)
	require.Equal(t, exitFailure, run(t.Context(), []string{"--health", strings.TrimSpace(url)}, io.Discard, io.Discard, unset))
}

// The program prints the version of the release.
func TestMainVersion(t *testing.T) {
	release = "v1.2.3"
	t.Cleanup(func() {
		release = ""
	})
	var buf bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--version"}, &buf, io.Discard, unset))
	require.Regexp(t, `^s3server v1\.2\.3 .*go1\.`, buf.String())
}

// Each kind of failure has its exit code.
func TestMainExitCodes(t *testing.T) {
	for _, row := range []struct {
		name string
		code int
		says string // on standard error
		args []string
	}{
		{"help", 0, "DIRECTORY", []string{"--help"}},
		{"an unknown flag", exitUsage, "--none", []string{"--none"}},
		{"two directories of MinIO", exitUsage, "one disk and one node", []string{"server", "/a", "--json", "/b"}},
		{"two directories", exitUsage, "at most one directory", []string{"a", "b"}},
		{"an address with an unknown parameter", exitUsage, "sink", []string{"file:///data?sink=false"}},
		{"a parameter that is no flag", exitUsage, "sync", []string{"file:///data?sync=maybe"}},
		{"an address that has no directory", exitFailure, "none", []string{"file:///none?sync=false"}},
		{"a flag after the directory", exitUsage, "at most one directory", []string{"a", "--tls"}},
		{"flags that contradict each other", exitUsage, "must be used together", []string{"--cert", "c.pem"}},
		{"no address", exitFailure, "listen", []string{"--listen", "256.0.0.1:0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var errs bytes.Buffer
			require.Equal(t, row.code, run(t.Context(), row.args, io.Discard, &errs, unset), errs.String())
			require.Contains(t, strings.ReplaceAll(errs.String(), " -", " --"), row.says)
		})
	}
}

// If the directory belongs to another user, as a mounted folder of the host may, the error names the directory.
func TestMainNamesDirectoryOfOtherUser(t *testing.T) {
	closed := &fs.PathError{Op: "mkdir", Path: "/data/photos", Err: fs.ErrPermission}
	denied := &storage.Error{Code: storage.PermissionDenied, Err: closed}
	require.ErrorContains(t, named(denied, "/data"), fmt.Sprintf("user %d must be able to write to /data: ", os.Getuid()))
	require.ErrorIs(t, named(denied, "/data"), denied)
	require.Equal(t, closed, named(closed, "/data"), "of a port or a certificate")
	require.NoError(t, named(nil, "/data"))
}

// The program turns command lines for MinIO's images into its own arguments. It does not know other command lines.
func TestMainNamesInImage(t *testing.T) {
	const live = "http://localhost:9000/minio/health/live"
	health := func(url string) []string { return []string{"--health", url} }
	for _, row := range []struct {
		name string
		line []string
		want []string // nil: unknown
	}{
		{"the program", []string{"/s3server", "--listen", ":9000"}, []string{"--listen", ":9000"}},
		{"an entry point of MinIO", []string{"minio", "server", "/data"}, []string{"--listen", ":9000", "server", "/data"}},
		{"curl", []string{"curl", "-f", live}, health(live)},
		{"curl with flags after the URL", []string{"/usr/bin/curl", live, "-o", "/dev/null"}, health(live)},
		{"curl without a URL", []string{"curl", "--version"}, nil},
		{"mc", []string{"mc", "ready", "local"}, health("http://127.0.0.1:9000")},
		{"another command of mc", []string{"/usr/bin/mc", "ls"}, nil},
		{"a health check of a service of GitHub", []string{"/bin/sh", "-c", "curl -f " + live}, health(live)},
		{"a health check in a shell", []string{"/bin/sh", "-c", `curl -sf "` + live + `" || exit 1`}, health(live)},
		{"mc in a shell", []string{"/bin/sh", "-c", "mc ready local || exit 1"}, health("http://127.0.0.1:9000")},
		{"a script that creates a bucket", []string{"sh", "-c", "mkdir -p /data/photos && minio server /data"}, nil},
		{"a script that only begins with a check", []string{"sh", "-c", "curl -f " + live + "; mc mb local/photos"}, nil},
		{"a shell", []string{"sh"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			args, ok := arguments(row.line)
			require.Equal(t, row.want != nil, ok)
			if ok {
				require.Equal(t, row.want, args)
			}
		})
	}
}

// Testcontainers' modules for MinIO start an image with these arguments and variables. Then they wait for a line
// of output or for /minio/health/live.
func TestMainInTestcontainersForMinIO(t *testing.T) {
	online := regexp.MustCompile(`(?m)^.*Status:         1 Online, 0 Offline..*$`)
	for _, row := range []struct{ name, args, user, password string }{
		{"Go", "server DATA", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
		{"Java", "server --console-address 127.0.0.1:0 DATA", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
		{"Node", "server --console-address 127.0.0.1:0 DATA", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
		{"Python", "server DATA --address 127.0.0.1:0", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"},
		{"nothing, as a service of GitHub", "", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
		{"a directory in a variable", "server", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			data := t.TempDir()
			variables := map[string]string{row.user: "user", row.password: "password", "MINIO_DEFAULT_BUCKETS": "photos"}
			args := strings.Fields(strings.Replace(row.args, "DATA", data, 1))
			if row.args == "server" {
				variables["MINIO_VOLUMES"] = data
			}
			ctx, interrupt := context.WithCancel(t.Context())
			out, printed := io.Pipe()
			var errs bytes.Buffer
			ended := make(chan int, 1)
			go func() {
				ended <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), printed, &errs, func(name string) (string, bool) {
					value, exists := variables[name]
					return value, exists
				})
				_ = printed.Close()
			}()
			url, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Zero(t, run(t.Context(), []string{"--health", strings.TrimSpace(url) + "/minio/health/live"}, io.Discard, io.Discard, unset))
			interrupt()
			require.Zero(t, <-ended)
			require.Contains(t, errs.String(), "# Settings of MinIO in use: "+row.user)
			require.NotContains(t, errs.String(), "password\n")
			if row.args != "" {
				require.Regexp(t, online, errs.String())
				require.DirExists(t, filepath.Join(data, "photos"))
			}
		})
	}
}
