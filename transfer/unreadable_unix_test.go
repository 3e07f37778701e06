//go:build unix

package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

// runUnprivileged is the job "unprivileged": it uploads a directory with syncUnprivileged.
func runUnprivileged(dir string) error { return syncUnprivileged(transfer.Dir(dir)) }

// runUnprivilegedBucket is the job "unprivileged bucket". It opens a directory as a bucket, and
// copies that with syncUnprivileged.
func runUnprivilegedBucket(dir string) error {
	b, err := local.Open(dir, local.Config{})
	if err != nil {
		return err
	}
	return syncUnprivileged(transfer.Bucket(b))
}

// syncUnprivileged is the job of a process without privileges. It syncs src to a bucket that has
// two objects, and prints which files failed and which objects are stored.
func syncUnprivileged(src transfer.End) error {
	b := memstore.New()
	for _, key := range []string{"half/in/x", "spare"} {
		if _, err := b.Upload(context.Background(), key, file("x")); err != nil {
			return err
		}
	}
	report, err := transfer.Sync(context.Background(), transfer.Bucket(b), src, transfer.WithDelete())
	if err == nil {
		return fmt.Errorf("no error: %v", report)
	}
	for _, f := range report.Failures {
		fmt.Println("failed", f.Key, storage.CodeOf(f.Err))
	}
	for entry, err := range b.List(context.Background()) {
		fmt.Println("stored", entry.Key, err)
	}
	return nil
}

// Upload counts files that it cannot read as failed, and stores the others. WithDelete then removes nothing.
func TestUploadUnreadableFiles(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "x", "locked": "secret", "shut/inside": "secret", "z": "x"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "locked"), 0))
	require.NoError(t, os.Chmod(filepath.Join(dir, "shut"), 0))
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(dir, "shut"), 0o755)
	})

	// A process that may not read everything uploads the directory with WithDelete. It prints which
	// files failed and which objects are stored. Its bucket had half/in/x and spare before.
	const want = `failed shut/ permission denied
failed locked permission denied
stored a <nil>
stored half/in/x <nil>
stored spare <nil>
stored z <nil>
`
	for _, job := range []string{"unprivileged", "unprivileged bucket"} {
		t.Run(job, func(t *testing.T) {
			require.Equal(t, want, sortedFailures(unprivileged(t, job, dir)))
		})
	}
}

// The process can read only the names in a directory. WithDelete keeps the copies of the files
// there.
func TestWithDeleteUnreadableDirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a": "x", "half/in/x": "x"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "half"), 0o444))
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(dir, "half"), 0o755)
	})

	// Some file systems do not tell the process that half/in is a directory. The bucket of
	// syncUnprivileged had half/in/x and spare before. After a failure, it keeps spare, too.
	const want = `^failed half/(in/)? permission denied
stored a <nil>
stored half/in/x <nil>
stored spare <nil>
$`
	for _, job := range []string{"unprivileged", "unprivileged bucket"} {
		t.Run(job, func(t *testing.T) {
			require.Regexp(t, want, unprivileged(t, job, dir))
		})
	}
}

// unprivileged runs a job on a directory. If root runs the tests, the job runs as another user, who
// may not read everything.
func unprivileged(t *testing.T, job, dir string) string {
	t.Helper()
	for _, path := range []string{dir, filepath.Dir(dir)} { // which t.TempDir made
		require.NoError(t, os.Chmod(path, 0o755))
	}
	program, err := os.Executable()
	require.NoError(t, err)
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		code, err := os.ReadFile(program)
		require.NoError(t, err)
		program = filepath.Join(filepath.Dir(dir), "program") // in a directory that nobody may read
		require.NoError(t, os.WriteFile(program, code, 0o755))
		const nobody = 65534
		as = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"="+job+":"+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	require.NoError(t, err)
	return string(data)
}

// sortedFailures puts the failure of the directory before that of the file, whichever came first.
func sortedFailures(text string) string {
	const walked, moved = "failed shut/ permission denied\n", "failed locked permission denied\n"
	if rest, ok := strings.CutPrefix(text, moved+walked); ok {
		return walked + moved + rest
	}
	return text
}

// runIntoLockedTop syncs into a directory whose top cannot be written, but one of whose folders
// can.
func runIntoLockedTop(dir string) error {
	b := memstore.New()
	if _, err := b.Upload(context.Background(), "open/new", file("new")); err != nil {
		return err
	}
	cores := []func(storage.Core) storage.Core{
		func(c storage.Core) storage.Core { return elsewhere{c} },
		func(c storage.Core) storage.Core { return takesNothing{elsewhere{c}} },
	}
	for _, core := range cores {
		src, err := storage.Wrap(b, core)
		if err != nil {
			return err
		}
		report, err := transfer.Sync(context.Background(), transfer.Dir(dir), transfer.Bucket(src),
			transfer.WithDelete(), transfer.WithExclude("/kept"))
		var e *storage.Error
		fmt.Println(report.Transferred, report.Deleted, storage.CodeOf(err),
			errors.As(err, &e) && strings.Contains(e.Hint, "at the top of one end"))
	}
	return nil
}

// An elsewhere Core does not show where its objects are stored.
type elsewhere struct{ storage.Core }

func (e elsewhere) Source(key string) storage.CopySource { return storage.NewCopySource(e, key) }

type takesNothing struct{ storage.Core }

func (takesNothing) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, &storage.Error{Code: storage.PermissionDenied}
}

// Sync works if the top directory of the destination is not writable, but a folder in it is.
func TestJobDestinationOfWhichAFolderTakesFiles(t *testing.T) {
	dir := newTree(t, map[string]string{"kept": "x", "open/old": "x"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "open"), 0o777))

	printed := unprivileged(t, "unprivileged destination", dir)

	const (
		synced = "1 1  false\n"
		// The source accepts no files, either. So the job cannot find out whether both ends are one
		// place.
		hinted = "0 0 permission denied true\n"
	)
	require.Equal(t, synced+hinted, printed, "transferred, deleted, code, and whether the error has a hint")
}
