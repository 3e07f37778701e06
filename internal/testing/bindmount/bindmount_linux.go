// Package bindmount shows a directory at a second path, for tests of what a mount hides.
package bindmount

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requiredVariable says that this machine mounts file systems: see package powercut.
const requiredVariable = "OMNIBUCKET_POWERCUT"

// Make shows dir at a second path, which it makes, until the test ends.
func Make(t *testing.T, dir, at string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(at, 0o777))
	err := syscall.Mount(dir, at, "", syscall.MS_BIND, "")
	if errors.Is(err, syscall.EPERM) && os.Getenv(requiredVariable) == "" {
		t.Skip("only root may mount a directory")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(at, syscall.MNT_DETACH)) })
}
