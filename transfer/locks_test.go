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

// newLockingBuckets returns buckets of two stores that lock objects, whose copies are streamed.
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
	body := strings.Repeat("x", 6<<20) // long enough for parts and WithResume
	for name, opts := range map[string][]transfer.Option{
		"plain": nil,
		"with rule": {transfer.WithRule(func(string) []storage.WriteOption {
			return []storage.WriteOption{storage.WithCacheControl("no-store")}
		})},
		"resumable": {transfer.WithResume(filepath.Join(t.TempDir(), "resume"))},
	} {
		t.Run(name, func(t *testing.T) {
			memory, directory := newLockingBuckets(t)
			same := memstore.New()
			for _, key := range []string{"short", "long"} {
				_, err := memory.Upload(t.Context(), key, strings.NewReader(body[:map[string]int{"short": 1, "long": len(body)}[key]]), storage.WithTags(tags))
				require.NoError(t, err)
			}
			_, err := memory.Upload(t.Context(), "untagged", strings.NewReader("x"))
			require.NoError(t, err)

			for _, pair := range [][2]storage.Bucket{
				{directory, memory},
				{same, directory},
				{storage.Prefixed(memory, "copy/"), directory},
			} {
				_, err := transfer.Sync(t.Context(), transfer.Bucket(pair[0]), transfer.Bucket(pair[1]),
					append(opts, transfer.WithExclude("copy/"))...)
				require.NoError(t, err)
				for key, want := range map[string]map[string]string{
					"short":    tags,
					"long":     tags,
					"untagged": {},
				} {
					got, err := storage.Tags(t.Context(), pair[0], key)
					require.NoError(t, err)
					require.True(t, maps.Equal(want, got), "%s: %v", key, got)
				}
			}
		})
	}
	t.Run("a rule replaces them", func(t *testing.T) {
		memory, directory := newLockingBuckets(t)
		_, err := memory.Upload(t.Context(), "k", strings.NewReader("x"), storage.WithTags(tags))
		require.NoError(t, err)
		_, err = transfer.Copy(t.Context(), directory, memory,
			transfer.WithRule(func(string) []storage.WriteOption {
				return []storage.WriteOption{storage.WithTags(map[string]string{"own": "1"})}
			}))
		require.NoError(t, err)

		got, err := storage.Tags(t.Context(), directory, "k")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"own": "1"}, got)
	})
}

// With WithLocks, jobs copy the object locks.
func TestWithLocks(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	memory, directory := newLockingBuckets(t)
	_, err := memory.Upload(t.Context(), "retained", strings.NewReader("x"),
		storage.WithRetention(retainUntil, storage.Compliance))
	require.NoError(t, err)
	_, err = memory.Upload(t.Context(), "held", strings.NewReader("x"), storage.WithLegalHold())
	require.NoError(t, err)
	_, err = memory.Upload(t.Context(), "free", strings.NewReader("x"))
	require.NoError(t, err)
	attrs := func(b storage.Bucket, key string) *storage.Attrs {
		a, err := b.Attrs(t.Context(), key)
		require.NoError(t, err)
		return a
	}

	_, err = transfer.Copy(t.Context(), storage.Prefixed(directory, "plain/"), memory)
	require.NoError(t, err)
	require.Zero(t, attrs(directory, "plain/retained").Retention)
	require.False(t, attrs(directory, "plain/held").LegalHold)

	_, err = transfer.Copy(t.Context(), directory, memory, transfer.WithLocks())
	require.NoError(t, err)
	require.Equal(t, storage.Retention{Mode: storage.Compliance, Until: retainUntil},
		attrs(directory, "retained").Retention)
	require.True(t, attrs(directory, "held").LegalHold)
	require.Zero(t, attrs(directory, "free").Retention)

	newTime := retainUntil.Add(time.Hour)
	ruled := storage.Prefixed(directory, "ruled/")
	_, err = transfer.Copy(t.Context(), ruled, memory, transfer.WithLocks(),
		transfer.WithRule(func(string) []storage.WriteOption {
			return []storage.WriteOption{storage.WithRetention(newTime, storage.Governance)}
		}))
	require.NoError(t, err)
	require.Equal(t, storage.Retention{Mode: storage.Governance, Until: newTime},
		attrs(ruled, "retained").Retention)
	require.True(t, attrs(ruled, "held").LegalHold)

	report, err := transfer.Copy(t.Context(), memstore.New(), memory, transfer.WithLocks())
	require.ErrorIs(t, err, storage.Unsupported)
	require.Equal(t, int64(2), report.Failed, "objects without a lock are copied")
}

// If Copy fails after it has sent all parts and is then repeated, the object has its tags and locks.
func TestCopyResumedHasTagsAndLocks(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	memory, _ := newLockingBuckets(t)
	_, err := memory.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", 20<<20)),
		storage.WithTags(map[string]string{"team": "blue"}), storage.WithRetention(retainUntil, storage.Governance), storage.WithLegalHold())
	require.NoError(t, err)
	root := t.TempDir()
	opts := []transfer.Option{transfer.WithResume(t.TempDir()), transfer.WithLocks()}

	for _, injected := range []*faults.Injector{
		faults.New(faults.Fail(faults.CompleteParts).WithError(storage.PermissionDenied)),
		faults.New(),
	} {
		b, err := local.Open(root, local.Config{NoSync: true}, storage.WithObjectLock(),
			driver.WithLayer(func(d driver.Driver) driver.Driver { return buffered{d} }), driver.WithLayer(injected.Layer()))
		require.NoError(t, err)
		_, err = transfer.Copy(t.Context(), b, memory, opts...)
		require.Equal(t, len(injected.Hits()) > 0, err != nil, "%v", err)
		require.Equal(t, len(injected.Hits()) > 0, injected.Count(faults.PutPart) > 0,
			"the second job sends no part")
		require.Positive(t, injected.Count(faults.CompleteParts))
		require.NoError(t, storage.Close(b))
	}

	b, err := local.Open(root, local.Config{NoSync: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	a, err := b.Attrs(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, storage.Retention{Mode: storage.Governance, Until: retainUntil}, a.Retention)
	require.True(t, a.LegalHold)

	tags, err := storage.Tags(t.Context(), b, "k")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"team": "blue"}, tags)
}

// Expire continues with other versions if it cannot remove locked ones.
func TestExpireLockedVersions(t *testing.T) {
	memory, directory := newLockingBuckets(t)
	tests := []struct {
		name string
		b    storage.Bucket
	}{
		{name: "memory", b: memory},
		{name: "directory", b: directory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Of three old versions, that of "b" is locked.
			for _, key := range []string{"a", "b", "c"} {
				var opts []storage.UploadOption
				if key == "b" {
					opts = append(opts, storage.WithLegalHold())
				}
				_, err := tt.b.Upload(t.Context(), key, strings.NewReader("old"), opts...)
				require.NoError(t, err)
				_, err = tt.b.Upload(t.Context(), key, strings.NewReader("new"))
				require.NoError(t, err)
			}

			inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
			report, err := transfer.Expire(t.Context(), tt.b, []transfer.ExpireRule{{OldVersionsAge: day}}, inTwoDays)
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
			fill := func() {
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
			fill()
			opt := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
			rules := transfer.ExpireRules(
				storage.LifecycleRule{ID: "1", Tags: both, ExpireAfterDays: 1},
				storage.LifecycleRule{ID: "2", Tags: temp, ExpireAfterDays: 1, ExpireOldVersionsAfterDays: 1},
			)

			var removals []string
			dry, err := transfer.Expire(t.Context(), b, rules, opt, transfer.WithDryRun())
			require.NoError(t, err)
			require.Equal(t, int64(2), dry.Deleted, "no object is counted twice")

			_, err = transfer.Expire(t.Context(), b, rules[:1], opt,
				transfer.WithChanges(func(c transfer.Change) {
					removals = append(removals, c.Key)
				}))
			require.NoError(t, err)
			require.Equal(t, []string{"both"}, removals)

			fill()
			report, err := transfer.Expire(t.Context(), b, rules, opt)
			require.NoError(t, err)
			require.Positive(t, report.Deleted)
			require.Equal(t, []string{"none", "other"}, remainingKeys(t, b))

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

	t.Run("without tags", func(t *testing.T) {
		b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return untagged{d} }))
		_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{Age: day}, {Age: day, Tags: temp}})
		require.ErrorIs(t, err, storage.Unsupported)
	})
}

// buffered is a store that takes long bodies in parts only.
type buffered struct{ driver.Driver }

func (b buffered) Describe() driver.Description {
	d := b.Driver.Describe()
	d.Features &^= driver.StreamingPut
	return d
}

// untagged is a store without tags.
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
