package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

func withObjectLock(d *objectDriver) { d.Describe().EnableObjectLock() }

func held(key string) *driver.PutRequest {
	r := request(key, "held")
	r.LegalHold = true
	return r
}

// Once a bucket was opened with object lock, drivers without the option keep its locks, even those that were open
// before.
func TestObjectLockIsBucketSetting(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			early := newTestBucket(t, disk.tweaks...)
			early.put("k", "old")
			require.False(t, early.driver.Describe().Versioned)

			// A driver with object lock puts an object under a legal hold.
			locking := reopenTestBucket(t, early.root, append(disk.tweaks, withObjectLock)...)
			a, err := locking.driver.Put(t.Context(), held("k"))
			require.NoError(t, err)
			require.True(t, a.LegalHold)

			// Drivers without the option keep its version.
			late := reopenTestBucket(t, early.root, disk.tweaks...)
			require.True(t, late.driver.Describe().Versioned)
			for _, bucket := range []*testBucket{early, late} {
				bucket.put("k", "new")
				bucket.remove("k")

				err := bucket.driver.Delete(t.Context(),
					&driver.DeleteRequest{Key: "k", Version: a.Version, BypassGovernance: true})
				require.ErrorIs(t, err, storage.Locked)
				body, got, err := bucket.getVersion("k", a.Version)
				require.NoError(t, err)
				require.Equal(t, "held", body)
				require.True(t, got.LegalHold)
			}

			// They can also end the hold.
			require.NoError(t,
				early.driver.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "k", Version: a.Version}))
			require.NoError(t,
				late.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: a.Version}))
		})
	}
}

// Delete of a locked current version fails and keeps it.
func TestDeleteLockedVersion(t *testing.T) {
	bucket := newTestBucket(t, withObjectLock)
	bucket.put("k", "old")
	a, err := bucket.driver.Put(t.Context(), held("k"))
	require.NoError(t, err)

	err = bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: a.Version})
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, "held", bucket.get("k"))
	require.Len(t, bucket.listVersions(driver.ListRequest{}), 2)
}

// Retention ends by the clock of the driver.
func TestRetentionEndsByClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	bucket := newTestBucket(t, withObjectLock, func(d *objectDriver) {
		d.bucket.Clock.Now = func() time.Time { return now }
	})
	r := request("k", "x")
	r.Retention = storage.Retention{Mode: storage.Compliance, Until: now.Add(time.Minute).UTC()}
	a, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)
	version := &driver.DeleteRequest{Key: "k", Version: a.Version}
	now = now.Add(time.Minute - 1)

	require.ErrorIs(t, bucket.driver.Delete(t.Context(), version), storage.Locked)
	now = now.Add(1)
	require.NoError(t, bucket.driver.Delete(t.Context(), version))
	bucket.requireMissing("k")
}

// A bucket with object lock may have a default retention.
func TestDefaultRetentionOfBucket(t *testing.T) {
	parent := t.TempDir()
	service, err := NewServiceDriver(parent, Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	week := &storage.DefaultRetention{Mode: storage.Governance, Days: 7}

	// A bucket without object lock cannot have it.
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b", DefaultRetention: week})
	require.ErrorIs(t, err, storage.Unsupported)
	require.NoDirExists(t, filepath.Join(parent, "b"))

	// The default is for objects that are stored after it was set.
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b", ObjectLock: true})
	require.NoError(t, err)
	bucket := reopenTestBucket(t, filepath.Join(parent, "b"))
	bucket.put("before", "x")
	require.Zero(t, bucket.head("before").Retention)

	info, err := service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "b", DefaultRetention: week})
	require.NoError(t, err)
	require.Equal(t, *week, info.DefaultRetention)
	require.True(t, info.ObjectLock && info.Versioning)

	a := bucket.put("after", "x")
	require.Equal(t, storage.Governance, a.Retention.Mode)
	require.WithinDuration(t, a.Modified.AddDate(0, 0, 7), a.Retention.Until, time.Second)
	require.Equal(t, a.Retention, bucket.head("after").Retention)

	// The bucket keeps its versions.
	off := false
	_, err = service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "b", Versioning: &off})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, service.DeleteBucket(t.Context(), "b"), storage.BucketNotEmpty)
}

// If the settings of a bucket cannot be read, writes and removals fail with Internal.
func TestSettingsUnreadable(t *testing.T) {
	bucket := newTestBucket(t, withObjectLock)
	bucket.put("k", "x")
	require.NoError(t, os.WriteFile(filepath.Join(bucket.root, bucketdir.SettingsPath), []byte("{"), 0o666))
	_, err := bucket.driver.Put(t.Context(), request("k", "y"))
	require.ErrorIs(t, err, storage.Internal)
	require.ErrorIs(t, bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k"}), storage.Internal)
	require.Equal(t, "x", bucket.get("k"))
}

// If SetRetention would shorten a retention, the error's hint says what to do.
func TestSetRetentionShorterHint(t *testing.T) {
	b, err := Open(t.TempDir(), Config{}, storage.WithObjectLock())
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "k", strings.NewReader("x"),
		storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
	require.NoError(t, err)
	err = storage.SetRetention(t.Context(), b, "k", storage.Retention{})
	require.ErrorIs(t, err, storage.Locked)
	require.ErrorContains(t, err, "can only be extended (in the mode Governance, give WithGovernanceBypass)")
}
