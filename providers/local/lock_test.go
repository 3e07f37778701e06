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

// Once a driver has opened a bucket with object lock, all drivers observe its locks, even those that were open before.
func TestObjectLockIsBucketSetting(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			early := newTestBucket(t, disk.tweaks...)
			early.put("k", "old")
			require.False(t, early.driver.Describe().Versioned)

			// A driver with object lock puts an object under a legal hold.
			locking := reopenTestBucket(t, early.root, append(disk.tweaks, withObjectLock)...)
			attrs, err := locking.driver.Put(t.Context(), held("k"))
			require.NoError(t, err)
			require.True(t, attrs.LegalHold)

			// Drivers that were opened without object locks keep the version with the hold.
			late := reopenTestBucket(t, early.root, disk.tweaks...)
			require.True(t, late.driver.Describe().Versioned)
			for _, bucket := range []*testBucket{early, late} {
				bucket.put("k", "new")
				bucket.remove("k")

				err := bucket.driver.Delete(t.Context(),
					&driver.DeleteRequest{Key: "k", Version: attrs.Version, BypassGovernance: true})
				require.ErrorIs(t, err, storage.Locked)
				body, got, err := bucket.getVersion("k", attrs.Version)
				require.NoError(t, err)
				require.Equal(t, "held", body)
				require.True(t, got.LegalHold)
			}

			// Both drivers can also end the hold.
			require.NoError(t,
				early.driver.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "k", Version: attrs.Version}))
			require.NoError(t,
				late.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: attrs.Version}))
		})
	}
}

// Delete of a locked current version fails and keeps it.
func TestDeleteLockedVersion(t *testing.T) {
	bucket := newTestBucket(t, withObjectLock)
	bucket.put("k", "old")
	attrs, err := bucket.driver.Put(t.Context(), held("k"))
	require.NoError(t, err)

	err = bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: attrs.Version})
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, "held", bucket.get("k"))
	require.Len(t, bucket.listVersions(driver.ListRequest{}), 2)
}

// A version can be removed as soon as its retention has ended by the clock of the driver.
func TestRetentionEndsByClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	bucket := newTestBucket(t, withObjectLock, func(d *objectDriver) {
		d.bucket.Clock.Now = func() time.Time { return now }
	})
	r := request("k", "x")
	end := now.Add(time.Minute)
	r.Retention = storage.Retention{Mode: storage.Compliance, Until: end.UTC()}
	attrs, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)

	deleteRequest := &driver.DeleteRequest{Key: "k", Version: attrs.Version}
	now = end.Add(-1)
	require.ErrorIs(t, bucket.driver.Delete(t.Context(), deleteRequest), storage.Locked)

	now = end
	require.NoError(t, bucket.driver.Delete(t.Context(), deleteRequest))
	bucket.requireMissing("k")
}

// A default retention, which needs object lock, applies to the objects that are stored after it was set.
func TestDefaultRetentionOfBucket(t *testing.T) {
	parent := t.TempDir()
	service, err := NewServiceDriver(parent, Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	week := &storage.DefaultRetention{Mode: storage.Governance, Days: 7}

	// A bucket without object lock cannot have a default retention.
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b", DefaultRetention: week})
	require.ErrorIs(t, err, storage.Unsupported)
	require.NoDirExists(t, filepath.Join(parent, "b"))

	// An object that is stored before the default is set has no retention.
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "b", ObjectLock: true})
	require.NoError(t, err)
	bucket := reopenTestBucket(t, filepath.Join(parent, "b"))
	bucket.put("before", "x")
	require.Zero(t, bucket.head("before").Retention)

	info, err := service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "b", DefaultRetention: week})
	require.NoError(t, err)
	require.Equal(t, *week, info.DefaultRetention)
	require.True(t, info.ObjectLock)
	require.True(t, info.Versioning)

	// An object that is stored later has the default retention.
	attrs := bucket.put("after", "x")
	require.Equal(t, storage.Governance, attrs.Retention.Mode)
	require.WithinDuration(t, attrs.Modified.AddDate(0, 0, 7), attrs.Retention.Until, time.Second)
	require.Equal(t, attrs.Retention, bucket.head("after").Retention)

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
