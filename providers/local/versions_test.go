package local

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
	"github.com/stretchr/testify/require"
)

// listVersions returns all versions, page by page.
func (bucket *testBucket) listVersions(r driver.ListRequest) []storage.VersionEntry {
	bucket.t.Helper()
	if r.Limit == 0 {
		r.Limit = 2
	}
	var all []storage.VersionEntry
	for {
		page, err := bucket.driver.ListVersions(bucket.t.Context(), &r)
		require.NoError(bucket.t, err)
		all = append(all, page.Entries...)
		r.Token = page.Token
		if r.Token == "" {
			return all
		}
		require.Len(bucket.t, page.Entries, r.Limit)
	}
}

// runOnVersioned runs a test with a versioned bucket on each kind of disk, with a clock that stands still.
func runOnVersioned(t *testing.T, each func(t *testing.T, bucket *testBucket)) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			each(t, newTestBucket(t, append(disk.tweaks, withVersions, withFrozenClock)...))
		})
	}
}

// With versioning, overwritten and removed objects stay readable by their versions, and are listed newest first.
func TestVersionsKept(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, bucket *testBucket) {
		require.True(t, bucket.driver.Describe().Versioned)

		// Write "k" four times, write another object below it, and remove "k".
		var attrs []*storage.Attrs
		for i := range 4 {
			attrs = append(attrs, bucket.put("k", fmt.Sprint(i)))
		}
		bucket.put("k/below", "x")
		bucket.remove("k")
		bucket.requireMissing("k")

		// All four versions are readable.
		for i, want := range attrs {
			body, got, err := bucket.getVersion("k", want.Version)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), body)
			require.Equal(t, want, got)
		}

		// The newest entry of "k" is the delete marker. Its versions follow it, the newest first.
		var versions []string
		for _, e := range bucket.listVersions(driver.ListRequest{Prefix: "k"}) {
			if e.Key != "k" {
				require.True(t, e.Current, e.Key)
				continue
			}
			require.False(t, e.Current)
			isNewest := len(versions) == 0
			require.Equal(t, isNewest, e.IsDeleteMarker)
			versions = append(versions, e.Version)
		}
		require.Equal(t,
			[]string{attrs[3].Version, attrs[2].Version, attrs[1].Version, attrs[0].Version}, versions[1:])
	})
}

// Delete with a version removes that version permanently.
func TestDeleteVersion(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, bucket *testBucket) {
		first := bucket.put("k", "1")
		second := bucket.put("k", "2")
		third := bucket.put("k", "3")
		removeVersion := func(attrs *storage.Attrs) {
			t.Helper()
			require.NoError(t,
				bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: attrs.Version}))
			_, _, err := bucket.getVersion("k", attrs.Version)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}

		// Without the third version, which was current, the second one is current.
		removeVersion(third)
		require.Equal(t, second, bucket.head("k"))

		// The removal of the first version, even again, leaves the second one current.
		removeVersion(first)
		require.Equal(t, "2", bucket.get("k"))
		removeVersion(first)

		// Without the last version, there is no object, and no file is left.
		removeVersion(second)
		bucket.requireMissing("k")
		require.Empty(t, bucket.listVersions(driver.ListRequest{}))
		require.Empty(t, bucket.files())
	})
}

// Get and Delete fail with InvalidArgument for a malformed version. If a version does not exist, Get fails with
// ObjectNotFound, and Delete does nothing.
func TestVersionMalformed(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, bucket *testBucket) {
		attrs := bucket.put("k", "x")

		// A version is a time and an inode number in hexadecimal digits, and "x" and "G" are no such digits.
		malformed := []string{"x", "latest", "../k", attrs.Version + "0x", "G" + attrs.Version[1:]}
		for _, version := range malformed {
			_, _, err := bucket.getVersion("k", version)
			require.ErrorIs(t, err, storage.InvalidArgument)
			err = bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: version})
			require.ErrorIs(t, err, storage.InvalidArgument)
		}

		// No file has this inode number and time.
		absent := objectfile.VersionOf(osdir.Meta{Ino: 1, MTime: 1})
		_, _, err := bucket.getVersion("k", absent)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		require.NoError(t,
			bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: absent}))
		require.Equal(t, "x", bucket.get("k"))
	})
}

// Delete of a version applies its condition to that version, not to the current object.
func TestDeleteVersionCondition(t *testing.T) {
	bucket := newTestBucket(t, withVersions)
	old := bucket.put("k", "1")
	current := bucket.put("k", "2")
	r := &driver.DeleteRequest{
		Key:       "k",
		Version:   old.Version,
		Condition: storage.Condition{Revision: current.Revision},
	}
	require.ErrorIs(t, bucket.driver.Delete(t.Context(), r), storage.PreconditionFailed)

	r.Condition.Revision = old.Revision
	require.NoError(t, bucket.driver.Delete(t.Context(), r))
}

// ListVersions observes limit, prefix, delimiter and StartAfter as List does, and marks current versions and
// delete markers.
func TestListVersions(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, bucket *testBucket) {
		for _, key := range []string{"a", "a-b", "a/b", "a/b/c", "a0", "b/c"} {
			bucket.put(key, "1")
			bucket.put(key, "2")
		}

		bucket.remove("a/b")
		bucket.remove("b/c")

		// list returns a line for each entry, such as "a current" for a current version, "a" for an older version,
		// "a removed" for a delete marker and "a/" for a prefix.
		list := func(r driver.ListRequest) []string {
			var result []string
			for _, e := range bucket.listVersions(r) {
				line := e.Key
				if e.Current {
					line += " current"
				}
				if e.IsDeleteMarker {
					line += " removed"
				}
				require.Equal(t, e.IsPrefix, e.Version == "", "all entries but prefixes must have a version")
				result = append(result, line)
			}
			return result
		}

		// Each key has two versions, the newer one first, and a removed key has a delete marker before them.
		upToAB := []string{"a current", "a", "a-b current", "a-b", "a/b removed", "a/b", "a/b"}
		afterAB := []string{"a/b/c current", "a/b/c", "a0 current", "a0", "b/c removed", "b/c", "b/c"}
		all := append(upToAB, afterAB...)
		folders := []string{"a current", "a", "a-b current", "a-b", "a/", "a0 current", "a0", "b/"}
		inFolder := []string{"a/b removed", "a/b", "a/b", "a/b/"}

		for _, limit := range []int{1, 2, 3, 100} {
			require.Equal(t, all, list(driver.ListRequest{Limit: limit}))
			require.Equal(t, folders, list(driver.ListRequest{Limit: limit, Delimiter: "/"}))
			require.Equal(t, inFolder, list(driver.ListRequest{Limit: limit, Prefix: "a/", Delimiter: "/"}))
			require.Equal(t, afterAB, list(driver.ListRequest{Limit: limit, StartAfter: "a/b"}))
		}
	})
}

// Without versioning, ListVersions lists an overwritten object once, with no version.
func TestListVersionsUnversioned(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "1")
	bucket.put("k", "2")

	entries := bucket.listVersions(driver.ListRequest{})
	require.Len(t, entries, 1)
	require.True(t, entries[0].Current)
	require.Empty(t, entries[0].Version)
}

// Delete without a version leaves a delete marker. A marker can be removed by its version, as an object can.
func TestDeleteLeavesMarkers(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 5, n, 12, 0, 0, 0, time.UTC) }
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			today := day(1)
			atToday := func(d *objectDriver) {
				d.bucket.Clock.Now = func() time.Time { return today }
			}
			tweaks := slices.Concat(disk.tweaks, []tweak{withVersions, withFlush, atToday})
			bucket := newTestBucket(t, tweaks...)

			// list returns the day of each version, the newest first. A line is "1 current" for the current version, "1"
			// for an older one, and "removed 1" for a delete marker.
			list := func() (lines []string) {
				for _, e := range bucket.listVersions(driver.ListRequest{}) {
					line := fmt.Sprint(e.Modified.Day())
					if e.IsDeleteMarker {
						require.False(t, e.Current)
						line = "removed " + line
					} else if e.Current {
						line += " current"
					}
					lines = append(lines, line)
				}
				return lines
			}
			removeVersion := func(version string) {
				require.NoError(t,
					bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "dir/k", Version: version}))
			}

			// The object is stored on the days 1 and 2, and removed on the days 3 and 4. Each removal leaves a marker.
			first := bucket.put("dir/k", "1")

			today = day(2)
			second := bucket.put("dir/k", "2")

			today = day(3)
			bucket.remove("dir/k")
			require.Equal(t, []string{"removed 3", "2", "1"}, list())

			today = day(4)
			bucket.remove("dir/k")
			require.Equal(t, []string{"removed 4", "removed 3", "2", "1"}, list())

			// A marker has no content.
			markerOfDay3 := bucket.listVersions(driver.ListRequest{})[1].Version
			_, _, err := bucket.getVersion("dir/k", markerOfDay3)
			require.ErrorIs(t, err, storage.ObjectNotFound)

			// An upload makes the object current again. A bucket that is opened later can remove the marker of day 3.
			third := bucket.put("dir/k", "3")
			require.Equal(t, []string{"4 current", "removed 4", "removed 3", "2", "1"}, list())
			bucket = reopenTestBucket(t, bucket.root, tweaks...)
			removeVersion(markerOfDay3)
			require.Equal(t, []string{"4 current", "removed 4", "2", "1"}, list())

			// Without the current version, the marker of day 4 is the newest, so the object is missing.
			removeVersion(third.Version)
			bucket.requireMissing("dir/k")
			require.Equal(t, []string{"removed 4", "2", "1"}, list())

			// Without the newest marker, the newest version is current again.
			removeVersion(second.Version)
			markerOfDay4 := bucket.listVersions(driver.ListRequest{})[0].Version
			removeVersion(markerOfDay4)
			require.Equal(t, []string{"1 current"}, list())
			require.Equal(t, first, bucket.head("dir/k"))

			// An object that never existed gets a marker, too.
			bucket.remove("other")
			removeVersion(first.Version)
			require.Equal(t, []string{"removed 4"}, list())

			// When all versions are removed, no files are left.
			markerOfOther := bucket.listVersions(driver.ListRequest{})[0].Version
			require.NoError(t,
				bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "other", Version: markerOfOther}))
			require.Empty(t, list())
			leftovers, err := os.ReadDir(filepath.Join(bucket.root,
				filepath.FromSlash(bucketdir.VersionsPath)))
			require.NoError(t, err)
			require.Empty(t, leftovers)
			require.NoDirExists(t, filepath.Join(bucket.root, "dir"))
		})
	}
}

// If Delete stops before it removes the current version, the object is unchanged, and its version is listed once.
func TestDeleteInterrupted(t *testing.T) {
	bucket := newTestBucket(t, withVersions)
	attrs := bucket.put("k", "1")

	// Delete first calls MarkRemoved, which adds the version and a delete marker, and then removes the file of the
	// object. Here it stops in between.
	store, err := bucket.driver.acquire(t.Context())
	require.NoError(t, err)
	defer bucket.driver.release(store)
	current := objectfile.ObjectFile{Dir: store.Tree.Top, Base: "k", Meta: mustStat(t, store, "k")}
	require.NoError(t, store.Noncurrent.MarkRemoved(t.Context(), "k", current))

	require.Len(t, bucket.listVersions(driver.ListRequest{}), 1, "neither the version twice nor the marker")
	require.Equal(t, "1", bucket.get("k"))

	// The version can still be removed, and leaves nothing.
	require.NoError(t, bucket.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: attrs.Version}))
	bucket.requireMissing("k")
	require.Empty(t, bucket.listVersions(driver.ListRequest{}))
}

func mustStat(t *testing.T, s *bucketstore.Store, base string) osdir.Meta {
	meta, err := s.Tree.Top.Stat(base)
	require.NoError(t, err)
	return meta
}
