package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A goModule is a suite in a Go module. It is built in the module itself, with the
// versions of its own go.mod and go.sum.
type goModule struct {
	path, version string
	sum           string // as in a go.sum
	program       string // the name of the built program, "" if the module is needed as a directory
	args          []string
	vendor        bool // the suite builds with its dependencies in a vendor directory
}

// minioGo are the functional tests of MinIO's client.
var minioGo = goModule{
	path: "github.com/minio/minio-go/v7", version: "v7.4.1",
	sum:     "h1:PtU/zIOfQRWZ+QydXAZysc+xZYHdG+BBR4Z6TUvy73w=",
	program: "functional", args: []string{"build", "functional_tests.go"},
}

// s5cmd are the end-to-end tests of s5cmd, which build s5cmd themselves.
var s5cmd = goModule{
	path: "github.com/peak/s5cmd/v2", version: "v2.3.0",
	sum:     "h1:g8KSD2o4pcyzUsAaWsn7TGb+j4w+/mI1B5NmfDR0Bbs=",
	program: "e2e/e2e.test", args: []string{"test", "-c", "./e2e"}, vendor: true,
}

// rclone are the tests of rclone's backend for S3.
var rclone = goModule{
	path: "github.com/rclone/rclone", version: "v1.75.1",
	sum:     "h1:kIxQcoDLj2Gke/gMSHK7OnxhX1Gu1cJBLP1kJZoaFp0=",
	program: "rclone.test", args: []string{"test", "-c", "./backend/s3"},
}

// restic are the tests of restic's backend for S3.
var restic = goModule{
	path: "github.com/restic/restic", version: "v0.18.1",
	sum:     "h1:XmTfPA6+cUP2hPKXjUhHTj0GNfoWM1G1uhf+Ssg/j1M=",
	program: "restic.test", args: []string{"test", "-c", "./internal/backend/s3"},
}

// kopia are the tests of kopia's storage for S3.
var kopia = goModule{
	path: "github.com/kopia/kopia", version: "v0.21.1",
	sum:     "h1:e7UU9CqxKtc8DH9zS8KU0h8lV4HM7PA1QWXf5ytiglY=",
	program: "kopia.test", args: []string{"test", "-c", "./repo/blob/s3"},
}

// build returns the path of the built program, and builds it if it is missing.
func (m goModule) build(ctx context.Context) (string, error) {
	dir, err := ensureCached(ctx, fmt.Sprintf("%s-%s", filepath.Base(filepath.Dir(m.path))+"-"+filepath.Base(m.path), m.version), m.buildInto)
	return filepath.Join(dir, m.program), err
}

func (m goModule) buildInto(ctx context.Context, dir string) error {
	source, err := m.download(ctx)
	if err != nil {
		return err
	}
	args := append([]string{m.args[0], "-o", filepath.Join(dir, m.program)}, m.args[1:]...)
	if !m.vendor {
		return goCommand(ctx, source, nil, args...)
	}
	if err := copyTree(source, dir); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dir, "vendor")); err != nil {
		return err
	}
	if err := goCommand(ctx, dir, nil, "mod", "vendor"); err != nil {
		return err
	}
	return goCommand(ctx, dir, nil, args...)
}

// download returns the module's directory in the module cache. It fails if the module
// is not the pinned one.
func (m goModule) download(ctx context.Context) (string, error) {
	var out bytes.Buffer
	if err := goCommand(ctx, os.TempDir(), &out, "mod", "download", "-json", m.path+"@"+m.version); err != nil {
		return "", err
	}
	var downloaded struct{ Dir, Sum string }
	if err := json.Unmarshal(out.Bytes(), &downloaded); err != nil {
		return "", err
	}
	if downloaded.Sum != m.sum {
		return "", fmt.Errorf("%s@%s has the sum %s, and not %s", m.path, m.version, downloaded.Sum, m.sum)
	}
	return downloaded.Dir, nil
}

// copyTree copies a directory, and lets its owner change the copy.
func copyTree(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()|0o200)
	})
}

// goCommand runs the go command. Its output goes to out, by default to standard error.
func goCommand(ctx context.Context, dir string, out *bytes.Buffer, args ...string) error {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = dir
	c.Env = append(c.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if out != nil {
		c.Stdout = out
	}
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}
