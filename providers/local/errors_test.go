package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
	"github.com/stretchr/testify/require"
)

// Each error of the operating system maps to a Code, with a hint if the user can do something.
func TestErrorCodesAndHints(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		wantCode storage.Code
		wantHint bool
	}{
		{
			name:     "full disk",
			err:      &fs.PathError{Err: osdir.ErrDiskFull},
			wantCode: storage.Unavailable,
			wantHint: true,
		},
		{name: "used up quota", err: osdir.ErrQuota, wantCode: storage.Unavailable, wantHint: true},
		{
			name:     "no file left in the process",
			err:      &fs.PathError{Err: syscall.EMFILE},
			wantCode: storage.RateLimited,
			wantHint: true,
		},
		{name: "no file left in the system", err: syscall.ENFILE, wantCode: storage.RateLimited, wantHint: true},
		{name: "read-only file system", err: osdir.ErrReadOnly, wantCode: storage.PermissionDenied, wantHint: true},
		{
			name:     "no permission",
			err:      &fs.PathError{Err: fs.ErrPermission},
			wantCode: storage.PermissionDenied,
			wantHint: true,
		},
		{
			name:     "mount point inside",
			err:      &os.LinkError{Err: osdir.ErrCrossDevice},
			wantCode: storage.Unsupported,
			wantHint: true,
		},
		{name: "name too long", err: osdir.ErrNameTooLong, wantCode: storage.InvalidArgument, wantHint: true},
		{
			name:     "a link that leads outside",
			err:      &fs.PathError{Err: errors.New("path escapes from parent")},
			wantCode: storage.PermissionDenied,
			wantHint: true,
		},
		{name: "anything else", err: errors.New("x"), wantCode: storage.Internal},
		{name: "an error with a code", err: &storage.Error{Code: storage.Changed}, wantCode: storage.Changed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var storageErr *storage.Error
			require.ErrorAs(t, bucketdir.WrapError(tt.err), &storageErr)
			require.Equal(t, tt.wantCode, storageErr.Code)
			require.Equal(t, tt.wantHint, storageErr.Hint != "")
			if storageErr.Err != nil {
				require.ErrorIs(t, storageErr, storageErr.Err)
			}

			// An error of a call that may have taken effect has the same Code.
			require.ErrorAs(t, bucketdir.UnknownOutcome(tt.err), &storageErr)
			require.True(t, storageErr.Unknown)
			require.Equal(t, tt.wantCode, storageErr.Code)
		})
	}

	// Without an error, there is none to translate.
	require.NoError(t, bucketdir.WrapError(nil))
	require.NoError(t, bucketdir.UnknownOutcome(nil))
}

// Put on a full disk fails and changes nothing. The test needs OMNIBUCKET_LOCAL_TEST_DISK, the path of a directory on
// a small disk.
func TestPutOnFullDisk(t *testing.T) {
	disk := os.Getenv("OMNIBUCKET_LOCAL_TEST_DISK")
	if disk == "" {
		t.Skip("OMNIBUCKET_LOCAL_TEST_DISK is not set")
	}
	root, err := os.MkdirTemp(disk, "bucket")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(root)) })
	bucket := reopenTestBucket(t, root)
	bucket.put("k", "old")

	// The content has no end, so the disk becomes full.
	r := request("k", "")
	r.Body = endless{}
	_, err = bucket.driver.Put(context.Background(), r)
	require.ErrorIs(t, err, storage.Unavailable)
	require.Contains(t, err.Error(), "disk is full")
	require.Equal(t, "old", bucket.get("k"))
	require.Empty(t, bucket.leftovers())

	// The disk has room again.
	bucket.put("k", "new")
}

// An endless body never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// On a disk that folds case, keys that differ only in case are two objects nevertheless.
func TestNamesOnCaseFoldingDisk(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("probe", "")
	if _, err := os.Stat(bucket.root + "/PROBE"); err != nil {
		t.Skip("this disk does not fold case")
	}
	bucket.remove("probe")

	// Each key has its own object.
	keys := []string{"A", "README.md", "a", "a/B", "a/b", "con", "É", "é"}
	for _, key := range keys {
		_, err := bucket.putIf(key, key, storage.Condition{Absent: true})
		require.NoError(t, err, key)
	}
	for _, key := range keys {
		require.Equal(t, key, bucket.get(key))
		_, err := bucket.putIf(key, "x", storage.Condition{Absent: true})
		require.ErrorIs(t, err, storage.PreconditionFailed, key)
	}
	require.Equal(t, keys, bucket.keys())

	// A file of another program has only the key that is its name.
	bucket.write("Hand.txt", "by hand")
	require.Equal(t, "by hand", bucket.get("Hand.txt"))
	bucket.requireMissing("hand.txt")
	require.Equal(t, append([]string{"A", "Hand.txt"}, keys[1:]...), bucket.keys())

	// Another spelling of the name would overwrite the file.
	_, err := bucket.driver.Put(context.Background(), request("hand.txt", "x"))
	require.ErrorIs(t, err, storage.InvalidArgument)

	bucket.put("Hand.txt", "ours")
	require.Equal(t, "ours", bucket.get("Hand.txt"))

	// All of them can be removed.
	for _, key := range bucket.keys() {
		bucket.remove(key)
	}
	require.Empty(t, bucket.files())
}

// With strict names, which are for a disk that folds case, the driver escapes capitals in the names of its files. But a
// file of another program is the object whose key is its path. This holds on any disk.
func TestStrictNamesForeignFiles(t *testing.T) {
	bucket := newTestBucket(t, withStrictNames)
	bucket.put("Dir/y", "ours")
	bucket.write("Dir/X", "by hand")
	bucket.write("Dir/sub/Z", "by hand")

	// Listings merge "Dir" with the directory whose name is escaped.
	require.Equal(t, []string{"Dir/X", "Dir/sub/Z", "Dir/y"}, bucket.keys())
	require.Equal(t, []string{"Dir/"}, bucket.list(driver.ListRequest{Delimiter: "/"}))
	require.Equal(t, []string{"Dir/X", "Dir/sub/", "Dir/y"},
		bucket.list(driver.ListRequest{Prefix: "Dir/", Delimiter: "/"}))

	// A write replaces the file.
	_, err := bucket.putIf("Dir/X", "x", storage.Condition{Absent: true})
	require.ErrorIs(t, err, storage.PreconditionFailed)
	_, err = bucket.putIf("Dir/X", "new", storage.Condition{Revision: bucket.head("Dir/X").Revision})
	require.NoError(t, err)
	require.Equal(t, "new", bucket.get("Dir/X"))
	require.NotContains(t, bucket.files(), "Dir/X", "the new file must have an escaped name")

	// A removal also removes a file of another program.
	for _, key := range []string{"Dir/X", "Dir/sub/Z", "Dir/y"} {
		bucket.remove(key)
		bucket.requireMissing(key)
	}
	require.Empty(t, bucket.keys())
}
