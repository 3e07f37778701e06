// Package bindmount makes a directory appear at a second path, for tests of files that a mount
// hides.
package bindmount

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requiredVariable is an environment variable. It is set on machines that can mount file systems
// (see package powercut). There, a test fails if it cannot mount, and is not skipped.
const requiredVariable = "OMNIBUCKET_POWERCUT"

// Make creates the directory target, and makes the content of dir appear there until the test ends.
func Make(t *testing.T, dir, target string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(target, 0o777))
	err := syscall.Mount(dir, target, "", syscall.MS_BIND, "")
	if errors.Is(err, syscall.EPERM) && os.Getenv(requiredVariable) == "" {
		t.Skip("only root may mount a directory")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
}
