package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRemovingFromAFullDisk removes objects from a full disk. It also does so for a bucket
// that an earlier release wrote, which has no lock file.
func TestRemovingFromAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system that is small enough to be filled")
	}
	for _, row := range []struct {
		name   string
		before func(t *testing.T, root string)
	}{
		{"bucket of this release", func(*testing.T, string) {}},
		{"bucket of an earlier release", func(t *testing.T, root string) {
			require.NoError(t, os.Remove(filepath.Join(root, lockPath)))
			require.NoError(t, os.MkdirAll(filepath.Join(root, formerLocksPath), 0o777))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := t.TempDir()
			if err := syscall.Mount("none", root, "tmpfs", 0, "nr_inodes=60"); errors.Is(err, syscall.EPERM) {
				t.Skip("root may not mount here")
			} else {
				require.NoError(t, err)
			}
			t.Cleanup(func() { require.NoError(t, syscall.Unmount(root, syscall.MNT_DETACH)) })
			s := reopen(t, root)
			for i := 0; ; i++ {
				if _, err := s.driver.Put(t.Context(), request(fmt.Sprint(i), "x")); err != nil {
					require.ErrorIs(t, err, syscall.ENOSPC)
					break
				}
			}
			require.NoError(t, s.driver.Close())
			row.before(t, root)
			for i := range 60 { // take the remaining inodes
				if err := os.WriteFile(filepath.Join(root, fmt.Sprint("more-", i)), nil, 0o666); err != nil {
					require.ErrorIs(t, err, syscall.ENOSPC)
					break
				}
			}
			s = reopen(t, root)
			for i := range 5 { // a write needs a few inodes
				s.remove(fmt.Sprint(i))
			}
			s.put("0", "again")
		})
	}
}
