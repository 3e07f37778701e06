package s3_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// runOnLockingServers runs a test on the real servers and on ours. Each subtest has the name of the
// server's profile.
func runOnLockingServers(t *testing.T, test func(t *testing.T, s *testServer)) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			test(t, needServer(t, name))
		})
	}
	t.Run("aws", func(t *testing.T) {
		test(t, startOwnServer(t, s3server.Config{Strict: true}))
	})
}

// BucketInfo reports the object lock and the default retention with which a bucket was created.
// UpdateBucket changes or ends the default retention, but refuses to turn versions off.
func TestWithObjectLockOnServers(t *testing.T) {
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		service := s.service(t)
		month := storage.DefaultRetention{Mode: storage.Governance, Days: 30}
		name, b := s.createBucket(t, service, storage.WithObjectLock(),
			storage.WithDefaultRetention(month.Mode, month.Days))

		info, err := service.BucketInfo(t.Context(), name)
		require.NoError(t, err)
		require.True(t, info.ObjectLock)
		require.True(t, info.Versioning)
		require.Equal(t, month, info.DefaultRetention)

		// Object lock needs versions.
		_, err = service.UpdateBucket(t.Context(), name, storage.WithVersioning(false))
		require.ErrorIs(t, err, storage.Unsupported)

		// The default retention ends, changes, and ends again.
		noDefault := storage.WithDefaultRetention("", 0)
		info, err = service.UpdateBucket(t.Context(), name, storage.WithObjectLock(), noDefault)
		require.NoError(t, err)
		require.True(t, info.ObjectLock)
		require.Zero(t, info.DefaultRetention)

		info, err = service.UpdateBucket(t.Context(), name,
			storage.WithDefaultRetention(storage.Compliance, 1))
		require.NoError(t, err)
		require.Equal(t, storage.DefaultRetention{Mode: storage.Compliance, Days: 1}, info.DefaultRetention)

		_, err = service.UpdateBucket(t.Context(), name, noDefault)
		require.NoError(t, err)

		// A new object is not locked.
		_, err = b.Upload(t.Context(), "a", strings.NewReader("free"))
		require.NoError(t, err)
		attrs, err := b.Attrs(t.Context(), "a")
		require.NoError(t, err)
		require.Zero(t, attrs.Retention)
	})
}

// A default retention locks each object that is written.
func TestWithDefaultRetentionLocksObjects(t *testing.T) {
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		const days = 1
		name := s.lockingBucket(t)
		service := s.service(t)
		_, err := service.UpdateBucket(t.Context(), name, storage.WithDefaultRetention(storage.Governance, days))
		require.NoError(t, err)
		b := s.open(t, name, storage.WithVersioning(true))
		defer func() {
			require.NoError(t, storage.Close(b))
		}()

		uploaded, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
		require.NoError(t, err)
		attrs, err := b.Attrs(t.Context(), "a")
		require.NoError(t, err)

		// versitygw does not show the retention, but applies it when the object is removed.
		if s.name != "versitygw" {
			require.Equal(t, storage.Governance, attrs.Retention.Mode)
		}

		// The version can be removed only with the bypass.
		require.ErrorIs(t, b.Remove(t.Context(), "a", storage.WithVersion(uploaded.Version)), storage.Locked)
		require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(uploaded.Version),
			storage.WithGovernanceBypass()))
	})
}

// A default retention needs object lock. UpdateBucket turns object lock on for a bucket that
// exists, if the server can do this.
func TestObjectLockOfABucketThatExists(t *testing.T) {
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		service := s.service(t)
		name, _ := s.createBucket(t, service)

		// A default retention alone does not turn on object lock.
		_, err := service.UpdateBucket(t.Context(), name, storage.WithDefaultRetention(storage.Governance, 1))
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "WithObjectLock")

		// Ending a default retention that does not exist changes nothing.
		_, err = service.UpdateBucket(t.Context(), name, storage.WithDefaultRetention("", 0))
		require.NoError(t, err)
		info, err := service.BucketInfo(t.Context(), name)
		require.NoError(t, err)
		require.False(t, info.ObjectLock)
		require.False(t, info.Versioning)

		// Some servers give object lock only to new buckets.
		info, err = service.UpdateBucket(t.Context(), name, storage.WithObjectLock(),
			storage.WithDefaultRetention(storage.Governance, 1))
		profile, _ := s3.NamedProfile(s.name)
		locksOnlyNewBuckets := profile.ObjectLock != s3.LockAllBuckets
		if locksOnlyNewBuckets {
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "new buckets")
			return
		}
		require.NoError(t, err)
		require.True(t, info.ObjectLock)
		require.True(t, info.Versioning)
		require.Equal(t, storage.DefaultRetention{Mode: storage.Governance, Days: 1}, info.DefaultRetention)
	})
}

// UpdateBucket returns lifecycle rules with tags as it has set them. On versitygw, which has no such
// rules, it fails with Unsupported.
func TestLifecycleRulesWithTags(t *testing.T) {
	rules := []storage.LifecycleRule{
		{ID: "one tag", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1},
		{ID: "two tags", Tags: map[string]string{"k": "v", "a b": "c"}, ExpireAfterDays: 2},
		{ID: "a tag and a prefix", Prefix: "tmp/", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 3},
		{ID: "only a prefix", Prefix: "tmp/", ExpireAfterDays: 4},
	}
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		service := s.service(t)
		name, _ := s.createBucket(t, service)

		info, err := service.UpdateBucket(t.Context(), name, storage.WithLifecycle(rules...))
		if s.name == "versitygw" {
			require.ErrorIs(t, err, storage.Unsupported)
			return
		}
		require.NoError(t, err)
		require.ElementsMatch(t, rules, info.Lifecycle)
	})
}
