//go:build unix

package transfer_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// runUnprivileged uploads a directory and tells what failed, and what is there.
func runUnprivileged(dir string) error {
	b := memstore.New()
	if _, err := b.Upload(context.Background(), "spare", file("x")); err != nil {
		return err
	}
	report, err := transfer.Upload(context.Background(), b, dir, transfer.WithDelete())
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

// Who may read everything runs the job as somebody who may not.
func TestWhatCannotBeReadIsCountedAndTheRestStored(t *testing.T) {
	dir := tree(t, map[string]string{"a": "x", "locked": "secret", "shut/inside": "secret", "z": "x"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "locked"), 0))
	require.NoError(t, os.Chmod(filepath.Join(dir, "shut"), 0))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "shut"), 0o755) })
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755))
	}
	program, err := os.Executable()
	require.NoError(t, err)
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		code, err := os.ReadFile(program)
		require.NoError(t, err)
		program = filepath.Join(filepath.Dir(dir), "program") // where nobody may read it
		require.NoError(t, os.WriteFile(program, code, 0o755))
		const nobody = 65534
		as = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childVariable+"=unprivileged:"+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "failed shut/ permission denied\nfailed locked permission denied\n"+
		"stored a <nil>\nstored spare <nil>\nstored z <nil>\n", sortedFailures(string(out)))
}

// sortedFailures puts what was found by the walk first: the rest fails when its
// turn comes.
func sortedFailures(out string) string {
	const walked, moved = "failed shut/ permission denied\n", "failed locked permission denied\n"
	if rest, ok := strings.CutPrefix(out, moved+walked); ok {
		return walked + moved + rest
	}
	return out
}
