package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An image is what tools/scripts/images has built: its files, and the configuration that an engine reads.
type image struct {
	root                 string
	User, WorkingDir     string
	Entrypoint, Cmd, Env []string
	ExposedPorts         map[string]struct{}
	Healthcheck          struct{ Test []string }
}

func imageOf(t *testing.T, name string) *image {
	t.Helper()
	work := os.Getenv("OMNIBUCKET_IMAGES")
	if work == "" {
		t.Skip("OMNIBUCKET_IMAGES is not set: make image builds the images, and needs root")
	}
	text, err := os.ReadFile(filepath.Join(work, name, "config.json"))
	require.NoError(t, err)
	var inspected struct {
		Docker struct{ Config image }
	}
	require.NoError(t, json.Unmarshal(text, &inspected))
	i := &inspected.Docker.Config
	i.root = filepath.Join(work, name, "root")
	return i
}

// inside enters the files as an engine does that is told --read-only and --security-opt=no-new-privileges.
// The first process has the id 1, for which Linux ignores signals without a handler.
const inside = `
root=$1 directory=$2 user=$3 data=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
[ -z "$data" ] || mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs nsenter --root="$root" --wd="$root$directory" --setuid "${user%:*}" --setgid "${user#*:}" "$@"
`

// command runs a program of the image. The directory data, if it is not "", is the volume /data.
func (i *image) command(t *testing.T, data string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-ec", inside, "sh", i.root, i.WorkingDir, i.User, data}, args...)...)
	cmd.Env = slices.Concat(i.Env, env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	return cmd
}

// run returns the exit code and what the program has printed.
func (i *image) run(t *testing.T, data string, args ...string) (code int, printed string) {
	t.Helper()
	cmd := i.command(t, data, nil, args...)
	result, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(result)
}

// volume returns a directory of the image's user.
func (i *image) volume(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chown(dir, 65532, 65532))
	return dir
}

// start runs the entry point with arguments until it prints its URL. The function that it returns interrupts the
// program as an engine stops a container, and returns the exit code.
func (i *image) start(t *testing.T, data string, env []string, args ...string) (url string, stop func(os.Signal) int) {
	t.Helper()
	cmd := i.command(t, data, env, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 200)
	n, err := stdout.Read(line)
	require.NoError(t, err, &errs)
	return strings.TrimSpace(string(line[:n])), func(s os.Signal) int {
		require.NoError(t, cmd.Process.Signal(s))
		timer := time.AfterFunc(20*time.Second, func() {
			_ = cmd.Process.Kill()
		})
		defer timer.Stop()
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
}

// The images run as a user without rights, and have no files but the program and certificates. So they have no shell,
// and stay small.
func TestImagesAreForNobodyAndHaveNoShell(t *testing.T) {
	const nonroot = "65532:65532"
	tests := []struct {
		name    string
		maxSize int64 // of all files
	}{
		{name: "s3server", maxSize: 16 << 20},
		{name: "omnibucket", maxSize: 64 << 20},
	}
	for _, tt := range tests {
		program := "/" + tt.name
		i := imageOf(t, tt.name)
		require.Equal(t, nonroot, i.User, tt.name)
		require.Equal(t, []string{program}, i.Entrypoint[:1])

		wantFiles := []string{program, "/etc/ssl/certs/ca-certificates.crt"}
		var size int64
		require.NoError(t, filepath.WalkDir(i.root, func(path string, entry os.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := entry.Info()
			if info.Mode().IsRegular() {
				size += info.Size()
				require.Contains(t, wantFiles, strings.TrimPrefix(path, i.root))
			}
			return err
		}))
		require.Less(t, size, tt.maxSize, tt.name)
	}
}

// The program of each image prints the version of the release.
func TestImagesSayTheVersionOfTheRelease(t *testing.T) {
	for name, argument := range map[string]string{"s3server": "--version", "omnibucket": "version"} {
		code, printed := imageOf(t, name).run(t, "", "/"+name, argument)
		require.Zero(t, code, printed)
		require.Contains(t, printed, name+" v0.0.0-check ")
	}
}

// The image s3server serves S3 with its own command line and that of MinIO, and its health checks succeed meanwhile.
func TestImagesServeS3AndAreHealthy(t *testing.T) {
	i := imageOf(t, "s3server")
	require.Contains(t, i.ExposedPorts, "9000/tcp")
	minioVariables := []string{
		"MINIO_ROOT_USER=minioadmin",
		"MINIO_ROOT_PASSWORD=minioadmin",
		"MINIO_DEFAULT_BUCKETS=photos,site:download",
	}
	tests := []struct {
		name   string
		line   []string // command line, without the image's entry point if it begins with no path
		env    []string
		signal os.Signal // that stops the container
	}{
		{name: "in memory, on a read-only root", line: []string{"--create", "photos"}, signal: syscall.SIGTERM},
		{name: "on a volume", line: []string{"--create", "photos", "/data"}, signal: os.Interrupt},
		{
			name:   "as MinIO",
			line:   []string{"server", "/data", "--console-address", ":9001"},
			env:    minioVariables,
			signal: syscall.SIGTERM,
		},
		{
			name:   "as MinIO's entry point",
			line:   []string{"/usr/bin/minio", "server", "/data"},
			env:    minioVariables,
			signal: syscall.SIGTERM,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Start the container.
			line := tt.line
			if !strings.HasPrefix(line[0], "/") {
				line = slices.Concat(i.Entrypoint, line)
			}
			url, stop := i.start(t, i.volume(t), tt.env, line...)
			require.Equal(t, "http://127.0.0.1:9000", url)

			// The health checks of the image and of MinIO's users succeed.
			for _, check := range [][]string{
				i.Healthcheck.Test[1:],
				{"/usr/bin/mc", "ready", "local"},
				{"/usr/bin/curl", "-f", url + "/minio/health/live"},
				{"/bin/sh", "-c", "mc ready local"},
				{"/bin/sh", "-c", "curl -f " + url + "/minio/health/live || exit 1"},
			} {
				code, printed := i.run(t, "", check...)
				require.Zero(t, code, "%v: %s", check, printed)
			}

			// Without a signature, a request is denied, but not because the bucket is missing.
			response, err := http.Get(url + "/photos")
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Contains(t, string(body), "AccessDenied")

			// A signal ends the program, although it is the first process of a container. Then the health check fails.
			require.Zero(t, stop(tt.signal))
			code, _ := i.run(t, "", i.Healthcheck.Test[1:]...)
			require.Equal(t, 1, code, "nothing serves")
		})
	}

	// A script that creates folders and starts MinIO fails, because the image has no shell.
	code, printed := i.run(t, "", "/bin/sh", "-c", "mkdir -p /data/photos && minio server /data")
	require.Equal(t, 2, code)
	require.Contains(t, printed, "MINIO_DEFAULT_BUCKETS", "a script is told what replaces it")
}

// The image omnibucket copies files on its volume, and cannot write elsewhere.
func TestImagesCopyFiles(t *testing.T) {
	i := imageOf(t, "omnibucket")
	volume := i.volume(t)
	require.NoError(t, os.WriteFile(filepath.Join(volume, "a.txt"), []byte("hello"), 0o644))

	code, printed := i.run(t, volume, "/omnibucket", "cp", "a.txt", "b.txt")
	require.Zero(t, code, "the volume is the working directory: %s", printed)
	code, printed = i.run(t, volume, "/omnibucket", "cat", "/data/b.txt")
	require.Zero(t, code)
	require.Equal(t, "hello", printed)

	code, printed = i.run(t, "", "/omnibucket", "cp", "/omnibucket", "/copy")
	require.Equal(t, 1, code)
	require.Contains(t, printed, "read-only", "the root is")
}
