//go:build unix

package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// modeOf returns the permissions of a file or directory.
func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

// A file keeps its mode when its object is overwritten.
func TestModeKeptByOverwrite(t *testing.T) {
	tests := []struct {
		name  string
		file  string                                 // the file of the object "f"
		write func(t *testing.T, bucket *testBucket) // stores "new" as the object "f"
	}{
		{
			name: "a plain write",
			file: "f",
			write: func(_ *testing.T, bucket *testBucket) {
				bucket.put("f", "new")
			},
		},
		{
			name: "a conditional write",
			file: "f",
			write: func(t *testing.T, bucket *testBucket) {
				_, err := bucket.putIf("f", "new", storage.Condition{Revision: bucket.head("f").Revision})
				require.NoError(t, err)
			},
		},
		{
			name: "an upload in parts",
			file: "f",
			write: func(t *testing.T, bucket *testBucket) {
				upload, err := bucket.driver.BeginParts(t.Context(), request("f", ""))
				require.NoError(t, err)
				part, err := bucket.driver.PutPart(t.Context(),
					&driver.PartRequest{Key: "f", Upload: upload, Number: 1, Body: strings.NewReader("new")})
				require.NoError(t, err)

				// A part can always be read and written by its owner.
				partFile := filepath.Join(bucket.root, uploadPath(upload), partName(1))
				require.Equal(t, modeOf(t, filepath.Join(bucket.root, "f"))|0o600, modeOf(t, partFile))
				_, err = bucket.driver.CompleteParts(t.Context(), &driver.CompleteRequest{
					Put:    request("f", ""),
					Upload: upload,
					Parts:  []driver.Part{part},
				})
				require.NoError(t, err)
			},
		},
		{
			name: "a copy",
			file: "f",
			write: func(t *testing.T, bucket *testBucket) {
				bucket.put("source", "new")
				_, err := bucket.driver.Copy(t.Context(),
					&driver.CopyRequest{Key: "f", Source: bucket.driver.Locate("source")})
				require.NoError(t, err)
			},
		},
		{
			name: "a write with versions",
			file: "f",
			write: func(t *testing.T, bucket *testBucket) {
				bucket.driver.bucket.Versions.Store(true)
				bucket.put("f", "new")
			},
		},
		{
			name: "beside a directory with the name of the key",
			file: bucketdir.Reserved + "=f", // the alternate name
			write: func(t *testing.T, bucket *testBucket) {
				bucket.put("f/other", "x")
				bucket.put("f", "new")
			},
		},
	}
	for _, tt := range tests {
		for _, mode := range []os.FileMode{0o600, 0o400, 0o666} {
			t.Run(tt.name+"/"+mode.String(), func(t *testing.T) {
				for _, sync := range []bool{false, true} {
					bucket := newTestBucket(t, func(d *objectDriver) {
						d.bucket.Sync = sync
					})
					path := filepath.Join(bucket.root, tt.file)
					require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
					require.NoError(t, os.Chmod(path, mode))

					tt.write(t, bucket)
					require.Equal(t, "new", bucket.get("f"))
					require.Equal(t, mode, modeOf(t, path))
				}
			})
		}
	}
}

// If Put or CompleteParts replaces a file of another user, the new file has only those bits of the old mode that
// Config.FileMode has, too.
func TestModeOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	const nobody = 65534
	writes := []struct {
		name      string
		overwrite func(t *testing.T, bucket *testBucket) // overwrites "f"
	}{
		{
			name:      "put",
			overwrite: func(_ *testing.T, bucket *testBucket) { bucket.put("f", "new") },
		},
		{name: "parts", overwrite: overwriteByParts},
	}
	tests := []struct {
		old  os.FileMode // which the other user has chosen
		want os.FileMode
	}{
		{old: 0o666, want: 0o640},
		{old: 0o777, want: 0o640},
		{old: 0o640, want: 0o640},
		{old: 0o600, want: 0o600},
	}
	for _, tt := range tests {
		for _, write := range writes {
			t.Run(tt.old.String()+"/"+write.name, func(t *testing.T) {
				bucket := newTestBucket(t, func(d *objectDriver) {
					d.bucket.FileMode = 0o640
				})
				path := filepath.Join(bucket.root, "f")
				require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
				require.NoError(t, os.Chown(path, nobody, nobody))
				require.NoError(t, os.Chmod(path, tt.old))

				write.overwrite(t, bucket)
				require.Equal(t, tt.want, modeOf(t, path))
			})
		}
	}
}

// overwriteByParts overwrites "f" by an upload of one part, which only the owner may read.
func overwriteByParts(t *testing.T, bucket *testBucket) {
	t.Helper()
	upload, err := bucket.driver.BeginParts(t.Context(), request("f", ""))
	require.NoError(t, err)
	part, err := bucket.driver.PutPart(t.Context(),
		&driver.PartRequest{Key: "f", Upload: upload, Number: 1, Body: strings.NewReader("new")})
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600),
		modeOf(t, filepath.Join(bucket.root, uploadPath(upload), partName(1))))

	_, err = bucket.driver.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    request("f", ""),
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.NoError(t, err)
}

// newBucketWithMode returns a bucket with Config.FileMode.
func newBucketWithMode(t *testing.T, mode os.FileMode) *testBucket {
	t.Helper()
	root := t.TempDir()
	d, err := NewDriver(root, Config{FileMode: mode, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return &testBucket{d.(*objectDriver), t, root}
}

// With Config.FileMode, a new file has that mode whatever the umask is, and a file that is there keeps its mode.
func TestModeOfNewFiles(t *testing.T) {
	bucket := newBucketWithMode(t, 0o620)
	path := filepath.Join(bucket.root, "f")

	bucket.put("f", "x")
	require.Equal(t, os.FileMode(0o620), modeOf(t, path))

	require.NoError(t, os.Chmod(path, 0o600))
	bucket.put("f", "y")
	require.Equal(t, os.FileMode(0o600), modeOf(t, path))
}

// Without Config.FileMode, a new file has the mode 0666 without the bits of the umask.
func TestModeOfNewFilesByUmask(t *testing.T) {
	const noMode = 0
	bucket := newBucketWithMode(t, noMode)
	umask := os.FileMode(syscall.Umask(0))
	syscall.Umask(int(umask))

	bucket.put("f", "x")
	require.Equal(t, 0o666&^umask, modeOf(t, filepath.Join(bucket.root, "f")))
}

// NewDriver refuses a Config.FileMode that the owner cannot write, or that is more than permissions.
func TestFileModeRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o400, 0o1600, os.ModeDir | 0o600} {
		t.Run(mode.String(), func(t *testing.T) {
			_, err := NewDriver(t.TempDir(), Config{FileMode: mode, NoSync: true})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// The staging directory is private, because a staged file may replace a private one.
func TestModeOfStagedFiles(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("f", "x")
	require.Equal(t, os.FileMode(0o700),
		modeOf(t, filepath.Join(bucket.root, bucket.driver.live.Staging.Live.Dir.Path)))
}

// A sidecar, a file that has the attributes of an object, is as private as the object's file.
func TestModeOfSidecar(t *testing.T) {
	bucket := newTestBucket(t, withoutXattrs)
	sidecarModes := func() []os.FileMode {
		var modes []os.FileMode
		entries, err := os.ReadDir(filepath.Join(bucket.root, bucketdir.AttrsPath))
		require.NoError(t, err)
		for _, e := range entries {
			modes = append(modes, modeOf(t, filepath.Join(bucket.root, bucketdir.AttrsPath, e.Name())))
		}
		return modes
	}

	// An overwritten object keeps the mode of its old file.
	require.NoError(t, os.WriteFile(filepath.Join(bucket.root, "f"), []byte("old"), 0o600))
	bucket.put("f", "new")
	require.Equal(t, []os.FileMode{0o600}, sidecarModes())

	// A new object has the mode of new files.
	bucket.driver.live.Staging.FileMode = 0o640
	bucket.put("g", "x")
	require.Contains(t, sidecarModes(), os.FileMode(0o640))
}
