package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// A goModule is a suite in a Go module of another project. It is built with the versions in the
// go.mod and go.sum of that module.
type goModule struct {
	path, version string
	sum           string // hash of the module in the format of go.sum
	program       string // name of the program to build, or "" if the suite needs the whole module
	args          []string
	vendor        bool   // true to build with a vendor directory
	replaced      string // path of a file to replace, or ""
	replacement   []byte // new content of that file
}

// minioGo is the module with the functional tests of MinIO's client. It has two versions: the
// newest one and one of last year.
var minioGo = goModule{
	path:    "github.com/minio/minio-go/v7",
	program: "functional",
	args:    []string{"build", "functional_tests.go"},
}.pinned(
	"v7.0.94", "h1:1ZoksIKPyaSt64AVOyaQvhDOgVC3MfZsWM6mZXRUGtM=",
	"v7.4.1", "h1:PtU/zIOfQRWZ+QydXAZysc+xZYHdG+BBR4Z6TUvy73w=",
)

// s5cmd is the module with the end-to-end tests of s5cmd. The tests build s5cmd themselves.
var s5cmd = goModule{
	path:    "github.com/peak/s5cmd/v2",
	version: "v2.3.0",
	sum:     "h1:g8KSD2o4pcyzUsAaWsn7TGb+j4w+/mI1B5NmfDR0Bbs=",
	program: "e2e/e2e.test",
	args:    []string{"test", "-c", "./e2e"},
	vendor:  true,
}

// rclone is the module with the tests of rclone's backend for S3.
var rclone = goModule{
	path:    "github.com/rclone/rclone",
	program: "rclone.test",
	args:    []string{"test", "-c", "./backend/s3"},
}.pinned(
	"v1.71.2", "h1:3Jk5xNPFrZhVABRuN/OPvApuZQddpE2tkhYMuEn1Ud4=",
	"v1.76.0", "h1:Gabl7KmhxyOXyMtFNA/s6wZ3LZ/2x0NP7xZLNEW3Guo=",
)

// restic is the module with the tests of restic's backend for S3.
var restic = goModule{
	path:    "github.com/restic/restic",
	program: "restic.test",
	args:    []string{"test", "-c", "./internal/backend/s3"},
}.pinned(
	"v0.18.1", "h1:XmTfPA6+cUP2hPKXjUhHTj0GNfoWM1G1uhf+Ssg/j1M=",
	"v0.19.1", "h1:LQKkar5/gYxay1OCokAWPBNiLr1lTpt4fhdM4GWqSlY=",
)

// kopia is the module with the tests of kopia's storage for S3.
var kopia = goModule{
	path:    "github.com/kopia/kopia",
	program: "kopia.test",
	args:    []string{"test", "-c", "./repo/blob/s3"},
}.pinned(
	"v0.21.1", "h1:e7UU9CqxKtc8DH9zS8KU0h8lV4HM7PA1QWXf5ytiglY=",
	"v0.22.3", "h1:/eFesjfsv1XEwGSPNrc/Zt7OV9Lb24r9jPglHW1gA84=",
)

// distribution is the module with the tests of the container registry's S3 driver. Its vendor
// directory contains no packages, and -mod=readonly makes Go ignore it.
var distribution = goModule{
	path:    "github.com/distribution/distribution/v3",
	program: "distribution.test",
	args:    []string{"test", "-c", "-mod=readonly", "./registry/storage/driver/s3-aws"},
}.pinned(
	"v3.0.0", "h1:q4R8wemdRQDClzoNNStftB2ZAfqOiN6UX90KJc4HjyM=",
	"v3.1.2", "h1:/Bv2YIqqSR00HiO49FT93hovy6r9IlrzwUDsJjCN5qg=",
)

// litestream is the module with the tests of Litestream's replicas.
var litestream = goModule{
	path:    "github.com/benbjohnson/litestream",
	program: "litestream.test",
	args:    []string{"test", "-c", "."},
}.pinned(
	"v0.5.3", "h1:8c2fMl2zEqpjabvH6bEZb9Ln9+mdqNzil+ZKu2KnvqY=",
	"v0.5.18", "h1:kelmbbFQvlgrm8dRrpt9bqvDrJ69OgWQca8hSflNF2U=",
)

// objstore is the module with the tests of Thanos' buckets. Its file s3_e2e_test.go needs
// containers and the SDKs of all clouds. Our file objstore/acceptance.go replaces s3_e2e_test.go,
// and runs the module's acceptance test on S3 only.
var objstore = goModule{
	path:        "github.com/thanos-io/objstore",
	program:     "objstore.test",
	args:        []string{"test", "-c", "-tags", "objstore", "./providers/s3"},
	replaced:    "providers/s3/s3_e2e_test.go",
	replacement: objstoreAcceptance,
}.pinned("v0.0.0-20250804093838-71d60dfee488", "h1:khBsQLLRoF1KzXgTlwFZa6mC32bwYUUAu/AeP49V7UM=")

// opentofu is the program OpenTofu, which has a backend for S3. Terraform cannot be built in the
// same way. Its backends are modules that are not published, and its go.mod replaces them with
// directories that the module does not contain.
var opentofu = goModule{
	path:    "github.com/opentofu/opentofu",
	program: "tofu",
	args:    []string{"build", "./cmd/tofu"},
}.pinned(
	"v1.10.6", "h1:J57O7HrW7gakftSLFQr+/p7fniZjZ3FQLFyzv4XsSmQ=",
	"v1.12.6", "h1:0VT4P8pMmGcCUnQ9JDrJ+Qg2d35Vzm4FFd/9+H7oF98=",
)

//go:embed objstore/acceptance.go
var objstoreAcceptance []byte

// pinned returns a copy of the module for each version. In versions, each version is
// followed by its hash.
func (m goModule) pinned(versions ...string) (all []goModule) {
	for pair := range slices.Chunk(versions, 2) {
		m.version = pair[0]
		m.sum = pair[1]
		all = append(all, m)
	}
	return all
}

// build returns the path of the built program. It builds the program if the cache does not contain
// it.
func (m goModule) build(ctx context.Context) (string, error) {
	dir, err := ensureCached(
		ctx, fmt.Sprintf("%s-%s", filepath.Base(filepath.Dir(m.path))+"-"+filepath.Base(m.path), m.version),
		m.buildInto,
	)
	return filepath.Join(dir, m.program), err
}

// buildInto builds the program of the module into dir. If files of the module change first, it builds
// in a copy of the module in dir.
func (m goModule) buildInto(ctx context.Context, dir string) error {
	source, err := m.download(ctx)
	if err != nil {
		return err
	}

	// Files in the module cache must not change, so change a copy.
	needsCopy := m.vendor || m.replaced != ""
	if needsCopy {
		if err := copyTree(source, dir); err != nil {
			return err
		}
		source = dir
	}
	if m.replaced != "" {
		if err := os.WriteFile(filepath.Join(dir, m.replaced), m.replacement, 0o644); err != nil {
			return err
		}
	}
	if m.vendor {
		if err := os.RemoveAll(filepath.Join(dir, "vendor")); err != nil {
			return err
		}
		if err := goCommand(ctx, dir, nil, "mod", "vendor"); err != nil {
			return err
		}
	}

	// The flag -o follows the name of the Go command, which is build or test.
	args := slices.Concat([]string{m.args[0], "-o", filepath.Join(dir, m.program)}, m.args[1:])
	return goCommand(ctx, source, nil, args...)
}

// download returns the directory of the module in the module cache. It fails if the hash of the
// module is not m.sum.
func (m goModule) download(ctx context.Context) (string, error) {
	var buf bytes.Buffer
	if err := goCommand(ctx, os.TempDir(), &buf, "mod", "download", "-json", m.path+"@"+m.version); err != nil {
		return "", err
	}
	var downloaded struct{ Dir, Sum string }
	if err := json.Unmarshal(buf.Bytes(), &downloaded); err != nil {
		return "", err
	}
	if downloaded.Sum != m.sum {
		return "", fmt.Errorf("%s@%s has the sum %s, and not %s", m.path, m.version, downloaded.Sum, m.sum)
	}
	return downloaded.Dir, nil
}

// copyTree copies a directory, and makes the copied files writable.
func copyTree(src, dst string) error {
	if err := os.CopyFS(dst, os.DirFS(src)); err != nil {
		return err
	}
	return filepath.WalkDir(dst, func(path string, entry os.DirEntry, err error) error {
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

// goCommand runs the go command in a directory. If stdout is nil, the output goes to standard error.
func goCommand(ctx context.Context, dir string, stdout io.Writer, args ...string) error {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = dir
	c.Env = append(c.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	c.Stdout = os.Stderr
	c.Stderr = os.Stderr
	if stdout != nil {
		c.Stdout = stdout
	}
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}
