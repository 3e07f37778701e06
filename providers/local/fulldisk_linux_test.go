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

// Delete removes objects from a full disk, although the bucket can create no file there.
func TestDeleteOnFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system that is small enough to be filled")
	}

	// The disk is a file system in memory that can hold few files.
	const inodes = 60
	root := t.TempDir()
	err := syscall.Mount("none", root, "tmpfs", 0, fmt.Sprintf("nr_inodes=%d", inodes))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("root may not mount here")
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, syscall.Unmount(root, syscall.MNT_DETACH))
	})

	// Fill the disk with objects, and then with empty files, until it has no inode left.
	bucket := reopenTestBucket(t, root)
	for i := 0; ; i++ {
		if _, err := bucket.driver.Put(t.Context(), request(fmt.Sprint(i), "x")); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
	}

	require.NoError(t, bucket.driver.Close())
	for i := range inodes {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("more-", i)), nil, 0o666); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
	}

	// Removals succeed, and free the few inodes that a write needs.
	bucket = reopenTestBucket(t, root)
	for i := range 5 {
		bucket.remove(fmt.Sprint(i))
	}
	bucket.put("0", "again")
}
