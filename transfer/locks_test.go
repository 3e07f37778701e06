package transfer_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newLockingBuckets returns a bucket in memory and one in a directory. Both can lock objects. A
// copy of a locked object is a download and an upload.
func newLockingBuckets(t *testing.T) (memory, directory storage.Bucket) {
	t.Helper()
	directory, err := local.Open(t.TempDir(), local.Config{NoSync: true}, storage.WithObjectLock())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(directory))
	})
	return memstore.New(storage.WithObjectLock()), directory
}

// A job between two buckets keeps the tags of objects.
func TestJobsBetweenBucketsKeepTags(t *testing.T) {
	tags := map[string]string{"team": "blue", "two words": "a value"}
	longText := strings.Repeat("x", 6<<20) // long enough for parts and WithResume
	rule := transfer.WithRule(func(string) []storage.WriteOption {
		return []storage.WriteOption{storage.WithCacheControl("no-store")}
	})
	resume := transfer.WithResume(filepath.Join(t.TempDir(), "resume"))
	tests := []struct {
		name string
		opts []transfer.Option
	}{
		{name: "without options"},
		{name: "with WithRule", opts: []transfer.Option{rule}},
		{name: "with WithResume", opts: []transfer.Option{resume}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The last job copies to the folder "copy/" of the bucket in memory. All jobs leave
			// this folder out of their sources.
			opts := append(tt.opts, transfer.WithExclude("copy/"))
			copyAndRequireTags := func(dst, src storage.Bucket) {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
				require.NoError(t, err)
				requireTags(t, dst, "short", tags)
				requireTags(t, dst, "long", tags)
				requireTags(t, dst, "untagged", nil)
			}

			memory, directory := newLockingBuckets(t)
			_, err := memory.Upload(t.Context(), "short", file("x"), storage.WithTags(tags))
			require.NoError(t, err)
			_, err = memory.Upload(t.Context(), "long", file(longText), storage.WithTags(tags))
			require.NoError(t, err)
			put(t, memory, "untagged", "x")

			copyAndRequireTags(directory, memory)
			copyAndRequireTags(memstore.New(), directory)
			copyAndRequireTags(storage.Prefixed(memory, "copy/"), directory)
		})
	}
}

// The tags of WithRule replace those of the source.
func TestWithRuleReplacesTags(t *testing.T) {
	src, dst := newLockingBuckets(t)
	_, err := src.Upload(t.Context(), "k", file("x"), storage.WithTags(map[string]string{"team": "blue"}))
	require.NoError(t, err)
	own := map[string]string{"own": "1"}
	rule := transfer.WithRule(func(string) []storage.WriteOption {
		return []storage.WriteOption{storage.WithTags(own)}
	})

	_, err = transfer.Copy(t.Context(), dst, src, rule)
	require.NoError(t, err)
	requireTags(t, dst, "k", own)
}

// requireTags checks that an object has exactly these tags.
func requireTags(t *testing.T, b storage.Bucket, key string, want map[string]string) {
	t.Helper()
	got, err := storage.Tags(t.Context(), b, key)
	require.NoError(t, err)
	require.True(t, maps.Equal(want, got), "%s has the tags %v", key, got)
}

// Copy copies object locks only with WithLocks, unless WithRule sets other locks. With WithLocks, it does not copy an
// object with locks to a store that does not support them.
func TestWithLocks(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	src, dst := newLockingBuckets(t)
	_, err := src.Upload(t.Context(), "retained", file("x"), storage.WithRetention(retainUntil, storage.Compliance))
	require.NoError(t, err)
	_, err = src.Upload(t.Context(), "held", file("x"), storage.WithLegalHold())
	require.NoError(t, err)
	put(t, src, "free", "x")

	attrsOf := func(t *testing.T, b storage.Bucket, key string) *storage.Attrs {
		t.Helper()
		attrs, err := b.Attrs(t.Context(), key)
		require.NoError(t, err)
		return attrs
	}

	t.Run("without WithLocks", func(t *testing.T) {
		b := storage.Prefixed(dst, "without/")
		_, err := transfer.Copy(t.Context(), b, src)
		require.NoError(t, err)
		require.Zero(t, attrsOf(t, b, "retained").Retention)
		require.False(t, attrsOf(t, b, "held").LegalHold)
	})

	t.Run("with WithLocks", func(t *testing.T) {
		b := storage.Prefixed(dst, "with/")
		_, err := transfer.Copy(t.Context(), b, src, transfer.WithLocks())
		require.NoError(t, err)
		want := storage.Retention{Mode: storage.Compliance, Until: retainUntil}
		require.Equal(t, want, attrsOf(t, b, "retained").Retention)
		require.True(t, attrsOf(t, b, "held").LegalHold)
		require.Zero(t, attrsOf(t, b, "free").Retention)
	})

	t.Run("with another retention by WithRule", func(t *testing.T) {
		b := storage.Prefixed(dst, "rule/")
		later := retainUntil.Add(time.Hour)
		rule := transfer.WithRule(func(string) []storage.WriteOption {
			return []storage.WriteOption{storage.WithRetention(later, storage.Governance)}
		})
		_, err := transfer.Copy(t.Context(), b, src, transfer.WithLocks(), rule)
		require.NoError(t, err)
		want := storage.Retention{Mode: storage.Governance, Until: later}
		require.Equal(t, want, attrsOf(t, b, "retained").Retention)
		require.True(t, attrsOf(t, b, "held").LegalHold)
	})

	t.Run("to a store without locks", func(t *testing.T) {
		report, err := transfer.Copy(t.Context(), memstore.New(), src, transfer.WithLocks())
		require.ErrorIs(t, err, storage.Unsupported)
		require.Equal(t, int64(2), report.Failed, "objects without a lock are copied")
	})
}

// An object has its tags and locks even if Copy failed after it had sent all parts, and was then repeated.
func TestCopyResumedHasTagsAndLocks(t *testing.T) {
	const size = 20 << 20 // several parts
	retention := storage.Retention{
		Mode:  storage.Governance,
		Until: time.Now().Add(time.Hour).Truncate(time.Second).UTC(),
	}
	tags := map[string]string{"team": "blue"}

	src, _ := newLockingBuckets(t)
	_, err := src.Upload(t.Context(), "k", file(strings.Repeat("x", size)), storage.WithTags(tags),
		storage.WithRetention(retention.Until, retention.Mode), storage.WithLegalHold())
	require.NoError(t, err)

	dstDir := t.TempDir()
	resume := transfer.WithResume(t.TempDir())

	// copyWith runs the job with a layer that counts requests and makes some of them fail.
	copyWith := func(injector *faults.Injector) error {
		dst, err := local.Open(dstDir, local.Config{NoSync: true}, storage.WithObjectLock(),
			driver.WithLayer(func(d driver.Driver) driver.Driver { return buffered{d} }),
			driver.WithLayer(injector.Layer()))
		require.NoError(t, err)
		_, err = transfer.Copy(t.Context(), dst, src, resume, transfer.WithLocks())
		require.Positive(t, injector.Count(faults.CompleteParts))
		require.NoError(t, storage.Close(dst))
		return err
	}

	// The first job sends all parts, but cannot complete the upload.
	failing := faults.New(faults.Fail(faults.CompleteParts).WithError(storage.PermissionDenied))
	require.Error(t, copyWith(failing))
	require.NotEmpty(t, failing.Hits())
	require.Positive(t, failing.Count(faults.PutPart))

	// The second job completes the upload without sending a part again.
	working := faults.New()
	require.NoError(t, copyWith(working))
	require.Zero(t, working.Count(faults.PutPart), "the second job sends no part")

	// The object has the tags and locks of the source.
	b, err := local.Open(dstDir, local.Config{NoSync: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	attrs, err := b.Attrs(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, retention, attrs.Retention)
	require.True(t, attrs.LegalHold)
	requireTags(t, b, "k", tags)
}

// If Expire cannot remove a locked old version, it removes the others.
func TestExpireLockedVersions(t *testing.T) {
	memory, directory := newLockingBuckets(t)
	for name, b := range map[string]storage.Bucket{"memory": memory, "directory": directory} {
		t.Run(name, func(t *testing.T) {
			// There are three old versions. The one of "b" is locked.
			put(t, b, "a", "old")
			_, err := b.Upload(t.Context(), "b", file("old"), storage.WithLegalHold())
			require.NoError(t, err)
			put(t, b, "c", "old")
			for _, key := range []string{"a", "b", "c"} {
				put(t, b, key, "new")
			}

			inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
			report, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{OldVersionsAge: day}}, inTwoDays)
			require.ErrorIs(t, err, storage.Locked)
			require.Equal(t, int64(2), report.Deleted)
			require.Equal(t, int64(1), report.Failed)
			require.Equal(t, "b", report.Failures[0].Key)
		})
	}
}

// Expire applies a rule with tags only to objects with these tags.
func TestExpireSelectsByTags(t *testing.T) {
	memory, directory := newLockingBuckets(t)
	temp := map[string]string{"class": "temp"}
	both := map[string]string{"class": "temp", "team": "blue"}

	for name, b := range map[string]storage.Bucket{"memory": memory, "directory": directory} {
		t.Run(name, func(t *testing.T) {
			storeObjects := func() {
				for key, tags := range map[string]map[string]string{
					"temp":  temp,
					"both":  both,
					"none":  nil,
					"other": {"class": "kept"},
				} {
					_, err := b.Upload(t.Context(), key, strings.NewReader("x"), storage.WithTags(tags))
					require.NoError(t, err)
				}
			}
			storeObjects()
			inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
			rules := transfer.ExpireRules(
				storage.LifecycleRule{ID: "both", Tags: both, ExpireAfterDays: 1},
				storage.LifecycleRule{ID: "temp", Tags: temp, ExpireAfterDays: 1, ExpireOldVersionsAfterDays: 1},
			)

			// The rules select two objects. One of them, "both", has the tags of both rules.
			dry, err := transfer.Expire(t.Context(), b, rules, inTwoDays, transfer.WithDryRun())
			require.NoError(t, err)
			require.Equal(t, int64(2), dry.Deleted, "no object is counted twice")

			// With the first rule alone, Expire removes only the object that has both tags of this
			// rule.
			var removedKeys []string
			recordRemovals := transfer.WithChanges(func(c transfer.Change) {
				removedKeys = append(removedKeys, c.Key)
			})
			_, err = transfer.Expire(t.Context(), b, rules[:1], inTwoDays, recordRemovals)
			require.NoError(t, err)
			require.Equal(t, []string{"both"}, removedKeys)

			// When each object has been written again, both rules apply. They keep only the objects
			// without their tags.
			storeObjects()
			report, err := transfer.Expire(t.Context(), b, rules, inTwoDays)
			require.NoError(t, err)
			require.Positive(t, report.Deleted)
			require.Equal(t, []string{"none", "other"}, remainingKeys(t, b))

			// By the second rule, Expire has also removed old versions with the rule's tag.
			for v, err := range storage.Versions(t.Context(), b) {
				require.NoError(t, err)
				if v.Current || v.IsDeleteMarker {
					continue
				}
				tags, err := storage.Tags(t.Context(), b, v.Key, storage.WithVersion(v.Version))
				require.NoError(t, err)
				require.NotEqual(t, "temp", tags["class"],
					"a version that the rule selects must be removed: %v", v)
			}
		})
	}

	t.Run("a store without tags", func(t *testing.T) {
		b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return untagged{d} }))
		_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{Age: day}, {Age: day, Tags: temp}})
		require.ErrorIs(t, err, storage.Unsupported)
	})
}

// A buffered store accepts long bodies only in parts.
type buffered struct{ driver.Driver }

func (b buffered) Describe() driver.Description {
	d := b.Driver.Describe()
	d.Features &^= driver.StreamingPut
	return d
}

// An untagged store has no tags.
type untagged struct{ driver.Driver }

func (u untagged) Describe() driver.Description {
	d := u.Driver.Describe()
	d.Features &^= storage.ObjectTags
	return d
}

// remainingKeys returns the keys of a bucket, in order.
func remainingKeys(t *testing.T, b storage.Bucket) (keys []string) {
	t.Helper()
	for e, err := range b.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	return keys
}
