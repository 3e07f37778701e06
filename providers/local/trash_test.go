package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
	"github.com/stretchr/testify/require"
)

// createPublicBucket makes a bucket whose settings the tests can recognize.
func (s *serviceDriver) createPublicBucket(t *testing.T, name string) {
	t.Helper()
	yes := true
	_, err := s.CreateBucket(t.Context(),
		&driver.BucketRequest{Name: name, PublicAccess: &yes, Versioning: new(bool)})
	require.NoError(t, err)
}

// If DeleteBucket runs during a write to the bucket, either the removal or the write succeeds.
func TestDeleteBucketDuringWrite(t *testing.T) {
	windowsCannot(t, openDirStays)
	service, root := newService(t)
	written := 0

	const rounds = 100
	for round := range rounds {
		name := fmt.Sprint("bucket-", round)
		service.createPublicBucket(t, name)
		bucket := service.bucket(t, name, root)
		wasUsed := round%2 == 0 // each second bucket has had an object
		if wasUsed {
			bucket.put("written", "before")
			bucket.remove("written")
		}

		// The write and the removal run at the same time.
		var writeErr, deleteErr error
		var calls sync.WaitGroup
		calls.Go(func() { _, writeErr = bucket.driver.Put(t.Context(), request("some/key", "x")) })
		calls.Go(func() { deleteErr = service.DeleteBucket(t.Context(), name) })
		calls.Wait()

		// If the write has failed, the bucket is gone.
		if writeErr != nil {
			require.ErrorIs(t, writeErr, storage.BucketNotFound)
			require.NoError(t, deleteErr)
			require.NoDirExists(t, filepath.Join(root, name))
			continue
		}

		// Otherwise the bucket has the new object, and is as public as before.
		written++
		require.ErrorIs(t, deleteErr, storage.BucketNotEmpty)
		require.Equal(t, "x", bucket.get("some/key"))
		info, err := service.BucketInfo(t.Context(), name)
		require.NoError(t, err)
		require.True(t, info.Public)
	}
	t.Logf("written %d, deleted %d", written, rounds-written)

	// After a sweep, no trash is left, a hidden directory in which a bucket waits for its removal.
	sweep(t, service)
	leftovers, err := filepath.Glob(filepath.Join(root, ".*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)
}

// sweep completes deletions of processes that were killed.
func sweep(t *testing.T, service *serviceDriver) {
	t.Helper()
	a, err := service.open()
	require.NoError(t, err)
	defer a.closeRoot()
	a.sweepTrash(t.Context())
}

// deleteBucket is the role of a process that is killed.
func deleteBucket(root string) error {
	d, err := NewServiceDriver(root, Config{NoSync: true})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return d.DeleteBucket(context.Background(), "bucket")
}

// If a process is killed during DeleteBucket, the bucket stays whole or is gone, and a later sweep removes what the
// process has left.
func TestDeleteBucketKilled(t *testing.T) {
	service, root := newService(t)
	for range 20 {
		service.createPublicBucket(t, "bucket")
		// Directories make the deletion take longer.
		for i := range 20 {
			require.NoError(t, os.MkdirAll(filepath.Join(root, "bucket", fmt.Sprint(i), "empty"), 0o777))
		}

		killDeleter(t, root)

		// The bucket is whole, with its settings, or removed.
		info, err := service.BucketInfo(t.Context(), "bucket")
		if err == nil {
			require.True(t, info.Public)
			require.NoError(t, service.DeleteBucket(t.Context(), "bucket"))
		} else {
			require.ErrorIs(t, err, storage.BucketNotFound)
		}

		// A trash is a directory in which a bucket waits for its removal. If it has no marker of its owner, a sweep
		// removes it after AbandonedAge.
		abandonEntries(t, root)
		sweep(t, service)
		entries, err := os.ReadDir(root)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// killDeleter starts a process that deletes the bucket, and kills it at a random time of the deletion.
func killDeleter(t *testing.T, root string) {
	t.Helper()
	p := start(t, root, "deleter", "")
	p.requireLine(t, "ready")
	time.Sleep(rand.N(4 * time.Millisecond))
	require.NoError(t, p.Process.Kill())
	_ = p.Wait() // it was killed, or had ended before
}

// abandonEntries sets the times of all entries of a directory to a time longer ago than AbandonedAge.
func abandonEntries(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	old := time.Now().Add(-2 * bucketdir.AbandonedAge)
	for _, e := range entries {
		require.NoError(t, os.Chtimes(filepath.Join(dir, e.Name()), old, old))
	}
}

// If DeleteBucket stops after any of its steps, a later call completes the removal or moves the bucket back.
func TestDeleteBucketInterrupted(t *testing.T) {
	// DeleteBucket makes a trash, which is a hidden directory, and then its marker, which is a locked file. It moves the
	// bucket into the trash, and removes it there.
	const trash = trashPrefix + "0123456789abcdef01234567"
	longAgo := time.Now().Add(-2 * bucketdir.AbandonedAge)
	tests := []struct {
		name          string
		interrupt     func(t *testing.T, service *serviceDriver, root string) // makes what DeleteBucket has left
		wantMovedBack bool                                                    // whether the bucket is there again
		wantTrash     bool
	}{
		{
			name: "before the marker was made, long ago",
			interrupt: func(t *testing.T, _ *serviceDriver, root string) {
				require.NoError(t, os.Mkdir(filepath.Join(root, trash), 0o777))
				require.NoError(t, os.Chtimes(filepath.Join(root, trash), longAgo, longAgo))
			},
		},
		{
			name: "before the marker was made, just now",
			interrupt: func(t *testing.T, _ *serviceDriver, root string) {
				require.NoError(t, os.Mkdir(filepath.Join(root, trash), 0o777))
			},
			wantTrash: true,
		},
		{
			name: "before the bucket was moved",
			interrupt: func(t *testing.T, _ *serviceDriver, root string) {
				moveToTrash(t, root, trash)
			},
		},
		{
			name: "after the bucket was moved",
			interrupt: func(t *testing.T, service *serviceDriver, root string) {
				service.createPublicBucket(t, "bucket")
				moveToTrash(t, root, trash, "bucket")
			},
		},
		{
			name: "after another process wrote into the moved bucket",
			interrupt: func(t *testing.T, service *serviceDriver, root string) {
				service.createPublicBucket(t, "bucket")
				bucket := service.bucket(t, "bucket", root)
				bucket.put("k", "x")
				require.NoError(t, bucket.driver.Close()) // Windows does not move an open bucket
				moveToTrash(t, root, trash, "bucket")
			},
			wantMovedBack: true,
		},
		{
			name: "after the lock file was removed",
			interrupt: func(t *testing.T, service *serviceDriver, root string) {
				service.createPublicBucket(t, "bucket")
				moveToTrash(t, root, trash, "bucket")
				require.NoError(t, os.Remove(filepath.Join(root, trash, "bucket", bucketdir.LockPath)))
			},
		},
		{
			name: "after the settings were removed",
			interrupt: func(t *testing.T, service *serviceDriver, root string) {
				service.createPublicBucket(t, "bucket")
				moveToTrash(t, root, trash, "bucket")
				require.NoError(t, os.RemoveAll(filepath.Join(root, trash, "bucket", bucketdir.Reserved)))
			},
		},
		{
			name: "not interrupted, because the process still runs",
			interrupt: func(t *testing.T, service *serviceDriver, root string) {
				service.createPublicBucket(t, "bucket")
				marker := moveToTrash(t, root, trash, "bucket")
				f, err := os.OpenFile(marker, os.O_RDWR, 0)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, f.Close()) })
				require.NoError(t, osdir.TryLock(f))
			},
			wantTrash: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, root := newService(t)
			tt.interrupt(t, service, root)

			// The call of another process completes the removal, or moves the bucket back.
			next, err := NewServiceDriver(root, Config{NoSync: true})
			require.NoError(t, err)
			defer func() {
				require.NoError(t, next.Close())
			}()
			info, err := next.BucketInfo(t.Context(), "bucket")
			if tt.wantMovedBack {
				require.NoError(t, err)
				require.True(t, info.Public)
			} else {
				require.ErrorIs(t, err, storage.BucketNotFound)
			}
			if tt.wantTrash {
				require.DirExists(t, filepath.Join(root, trash))
			} else {
				require.NoDirExists(t, filepath.Join(root, trash))
			}
		})
	}
}

// moveToTrash moves buckets into a trash with a marker, as DeleteBucket does, and returns the path of the marker.
func moveToTrash(t *testing.T, root, name string, buckets ...string) (marker string) {
	t.Helper()
	dir := filepath.Join(root, name)
	require.NoError(t, os.Mkdir(dir, 0o777))
	marker = dir + bucketdir.MarkerSuffix
	require.NoError(t, os.WriteFile(marker, nil, 0o666))
	for _, bucket := range buckets {
		require.NoError(t, os.Rename(filepath.Join(root, bucket), filepath.Join(dir, bucket)))
	}
	return marker
}

// Put fails with BucketNotFound in a bucket that another process is deleting, at each stage of the deletion.
func TestPutInDeletedBucket(t *testing.T) {
	windowsCannot(t, openDirStays)
	service, root := newService(t)
	service.createPublicBucket(t, "bucket")
	bucket := service.bucket(t, "bucket", root)
	bucket.put("k", "x")
	bucket.remove("k")

	// The bucket is in the trash, without its lock file.
	const trash = trashPrefix + "0123456789abcdef01234567"
	moveToTrash(t, root, trash, "bucket")
	trashed := filepath.Join(root, trash, "bucket")
	require.NoError(t, os.Remove(filepath.Join(trashed, bucketdir.LockPath)))
	_, err := bucket.driver.Put(t.Context(), request("k", "x"))
	require.ErrorIs(t, err, storage.BucketNotFound)

	// All files of the driver itself are gone.
	require.NoError(t, os.RemoveAll(filepath.Join(trashed, bucketdir.Reserved)))
	_, err = bucket.driver.Put(t.Context(), request("k", "x"))
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// DeleteBucket removes a bucket in which a killed process has left an empty directory of versions.
func TestDeleteBucketWithEmptyVersions(t *testing.T) {
	service, root := newService(t)
	service.createPublicBucket(t, "bucket")
	versions := filepath.Join(root, "bucket", bucketdir.VersionsPath, "dir", "k", bucketdir.VersionsName)
	require.NoError(t, os.MkdirAll(versions, 0o777))

	require.NoError(t, service.DeleteBucket(t.Context(), "bucket"))
	require.NoDirExists(t, filepath.Join(root, "bucket"))
}

// DeleteBucket fails with BucketNotEmpty and changes nothing if the bucket has a file that is not an object.
func TestDeleteBucketWithForeignFile(t *testing.T) {
	tests := []struct {
		name string
		make func(path string) error // makes the file in the directory path
	}{
		{
			name: "a name that is not a key",
			make: func(path string) error {
				return os.WriteFile(path+"/"+bucketdir.Reserved+"-notes", []byte("x"), 0o666)
			},
		},
		{name: "a broken link", make: func(path string) error { return os.Symlink("nowhere", path+"/link") }},
		{
			name: "in a directory",
			make: func(path string) error {
				return errors.Join(
					os.Mkdir(path+"/dir", 0o777),
					os.WriteFile(path+"/dir/"+bucketdir.Reserved+"-notes", []byte("x"), 0o666),
				)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "a broken link" {
				wineCannot(t, noLinks)
			}
			service, root := newService(t)
			service.createPublicBucket(t, "bucket")
			require.NoError(t, tt.make(filepath.Join(root, "bucket")))

			require.ErrorIs(t, service.DeleteBucket(t.Context(), "bucket"), storage.BucketNotEmpty)

			// The bucket is still there, as it was.
			entries, err := os.ReadDir(root)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			info, err := service.BucketInfo(t.Context(), "bucket")
			require.NoError(t, err)
			require.True(t, info.Public)
		})
	}
}
