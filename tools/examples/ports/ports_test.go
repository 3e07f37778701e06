package ports

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/providers/s3"
)

// A port is a package in a copy of a module of others.
type port struct {
	module, version, sum string // as in a go.sum
	pkg                  string // where the files are put
	files                map[string]string
	passed               int // tests
}

var ports = map[string]port{
	"restic": {
		module:  "github.com/restic/restic",
		version: "v0.18.1",
		sum:     "h1:XmTfPA6+cUP2hPKXjUhHTj0GNfoWM1G1uhf+Ssg/j1M=",
		pkg:     "internal/backend/omnibucket",
		files:   map[string]string{"backend.go.txt": "backend.go", "backend_test.go.txt": "backend_test.go"},
		passed:  1,
	},
	"kopia": {
		module:  "github.com/kopia/kopia",
		version: "v0.21.1",
		sum:     "h1:e7UU9CqxKtc8DH9zS8KU0h8lV4HM7PA1QWXf5ytiglY=",
		pkg:     "repo/blob/omnibucket",
		files:   map[string]string{"storage.go.txt": "storage.go", "storage_test.go.txt": "storage_test.go"},
		passed:  2,
	},
}

// The backend of restic and the storage of kopia, ported to this library, pass the tests of these projects.
func TestSuitesOfOthers(t *testing.T) {
	if os.Getenv("OMNIBUCKET_PORTS") == "" {
		t.Skip("OMNIBUCKET_PORTS is not set: make adapters builds restic and kopia, which takes minutes")
	}
	for name, p := range ports {
		t.Run(name, func(t *testing.T) {
			program := p.build(t, filepath.Join("testdata", name))
			// The tests of the project run on three stores.
			for store, address := range map[string]string{
				"memory": "mem://judged",
				"local":  "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")) + "?create=true&sync=false",
				"minio":  minioAddress(t),
			} {
				t.Run(store, func(t *testing.T) {
					c := exec.CommandContext(t.Context(), program, "-test.v")
					c.Dir = t.TempDir()
					c.Env = append(os.Environ(), "OMNIBUCKET_JUDGED="+address)
					output, err := c.CombinedOutput()
					require.NoError(t, err, "%s", output)
					require.Equal(t, p.passed, strings.Count(string(output), "\n--- PASS"), "%s", output)
				})
			}
		})
	}
}

// build builds the tests of the port in a copy of the module, with this library.
func (p port) build(t *testing.T, from string) (program string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	work := t.TempDir()
	dir := filepath.Join(work, "module")
	require.NoError(t, os.CopyFS(dir, os.DirFS(p.download(t, work))))
	pkg := filepath.Join(dir, filepath.FromSlash(p.pkg))
	require.NoError(t, os.MkdirAll(pkg, 0o755))
	for name, newPath := range p.files {
		text, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(pkg, newPath), text, 0o600))
	}
	program = filepath.Join(work, "judge.test")
	goCommand(t, dir, "mod", "edit", "-require=github.com/omnibucket/storage@v0.0.0", "-replace=github.com/omnibucket/storage="+root)
	goCommand(t, dir, "test", "-mod=mod", "-vet=off", "-c", "-o", program, "./"+p.pkg)
	return program
}

// download returns the directory of the module. It fails the test if the module is not the pinned one.
func (p port) download(t *testing.T, dir string) string {
	t.Helper()
	var downloaded struct{ Dir, Sum string }
	require.NoError(t, json.Unmarshal(goCommand(t, dir, "mod", "download", "-json", p.module+"@"+p.version), &downloaded))
	require.Equal(t, p.sum, downloaded.Sum)
	return downloaded.Dir
}

func goCommand(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", args...)
	c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	output, err := c.Output()
	require.NoError(t, err, "%s%s", output, &stderr)
	return output
}

// minioAddress makes a bucket. The environment of the test gets the credentials.
func minioAddress(t *testing.T) string {
	t.Helper()
	c := minio.Config(t)
	account, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
	return "s3://" + freshbucket.Create(t, account) + "?" + url.Values{
		"region":     {c.Region},
		"path_style": {"true"},
		"profile":    {"minio"},
		"endpoint":   {c.Endpoint},
	}.Encode()
}
