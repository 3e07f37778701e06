package local

import (
	"fmt"
	"os"
	"path/filepath"
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

// history returns all versions, page by page.
func (s *subject) history(r driver.ListRequest) []storage.VersionEntry {
	s.t.Helper()
	if r.Limit == 0 {
		r.Limit = 2
	}
	var all []storage.VersionEntry
	for {
		page, err := s.driver.ListVersions(s.t.Context(), &r)
		require.NoError(s.t, err)
		all = append(all, page.Entries...)
		r.Token = page.Token
		if r.Token == "" {
			return all
		}
		require.Len(s.t, page.Entries, r.Limit)
	}
}

func runOnVersioned(t *testing.T, each func(t *testing.T, s *subject)) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			each(t, open(t, append(disk.tweaks, withVersions, withFrozenClock)...))
		})
	}
}

// With versions, an overwrite keeps the old version.
func TestVersionsKept(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, s *subject) {
		require.True(t, s.driver.Describe().Versioned)
		var attrs []*storage.Attrs
		for i := range 4 {
			attrs = append(attrs, s.put("k", fmt.Sprint(i)))
		}

		s.put("k/below", "x")
		s.remove("k")
		s.missing("k")
		for i, a := range attrs {
			body, got, err := s.getVersion("k", a.Version)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), body)
			require.Equal(t, a, got, "with its attributes and revision")
		}

		var order []string
		for _, e := range s.history(driver.ListRequest{Prefix: "k"}) {
			if e.Key == "k" {
				require.False(t, e.Current)
				require.Equal(t, len(order) == 0, e.IsDeleteMarker)
				order = append(order, e.Version)
			} else {
				require.True(t, e.Current)
			}
		}
		require.Equal(t,
			[]string{attrs[3].Version, attrs[2].Version, attrs[1].Version, attrs[0].Version}, order[1:])
	})
}

// Delete with a version removes that version permanently.
func TestDeleteVersion(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, s *subject) {
		one := s.put("k", "1")
		two := s.put("k", "2")
		three := s.put("k", "3")
		removeVersion := func(a *storage.Attrs) {
			t.Helper()
			require.NoError(t,
				s.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: a.Version}))
			_, _, err := s.getVersion("k", a.Version)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}

		removeVersion(three)
		require.Equal(t, two, s.head("k"), "the newest remaining version is current")
		removeVersion(one)
		require.Equal(t, "2", s.get("k"))

		removeVersion(one)
		removeVersion(two)
		s.missing("k")
		require.Empty(t, s.history(driver.ListRequest{}))
		require.Empty(t, s.files())
	})
}

// A malformed version is InvalidArgument, and a missing one ObjectNotFound.
func TestVersionMalformed(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, s *subject) {
		a := s.put("k", "x")
		for _, version := range []string{"x", "latest", "../k", a.Version + "0x", "G" + a.Version[1:]} {
			_, _, err := s.getVersion("k", version)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorIs(t, s.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: version}), storage.InvalidArgument)
		}
		absent := objectfile.VersionOf(osdir.Meta{Ino: 1, MTime: 1})
		_, _, err := s.getVersion("k", absent)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		require.NoError(t, s.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: absent}))
		require.Equal(t, "x", s.get("k"))
	})
}

// Delete with a version compares its condition with that version.
func TestDeleteVersionCondition(t *testing.T) {
	s := open(t, withVersions)
	old := s.put("k", "1")
	current := s.put("k", "2")
	r := &driver.DeleteRequest{
		Key:       "k",
		Version:   old.Version,
		Condition: storage.Condition{Revision: current.Revision},
	}
	require.ErrorIs(t, s.driver.Delete(t.Context(), r), storage.PreconditionFailed)
	r.Condition.Revision = old.Revision
	require.NoError(t, s.driver.Delete(t.Context(), r))
}

// Versions are listed like objects.
func TestListVersions(t *testing.T) {
	runOnVersioned(t, func(t *testing.T, s *subject) {
		for _, key := range []string{"a", "a-b", "a/b", "a/b/c", "a0", "b/c"} {
			s.put(key, "1")
			s.put(key, "2")
		}

		s.remove("a/b")
		s.remove("b/c")
		list := func(r driver.ListRequest) []string {
			var result []string
			for _, e := range s.history(r) {
				line := e.Key
				if e.Current {
					line += " current"
				}
				if e.IsDeleteMarker {
					line += " removed"
				}
				require.Equal(t, e.IsPrefix, e.Version == "")
				result = append(result, line)
			}
			return result
		}
		all := []string{
			"a current", "a", "a-b current", "a-b", "a/b removed", "a/b", "a/b", "a/b/c current", "a/b/c", "a0 current", "a0",
			"b/c removed", "b/c", "b/c",
		}

		for _, limit := range []int{1, 2, 3, 100} {
			require.Equal(t, all, list(driver.ListRequest{Limit: limit}))
			require.Equal(t, []string{"a current", "a", "a-b current", "a-b", "a/", "a0 current", "a0", "b/"},
				list(driver.ListRequest{Limit: limit, Delimiter: "/"}))
			require.Equal(t, []string{"a/b removed", "a/b", "a/b", "a/b/"},
				list(driver.ListRequest{Limit: limit, Prefix: "a/", Delimiter: "/"}))
			require.Equal(t, all[7:], list(driver.ListRequest{Limit: limit, StartAfter: "a/b"}))
		}
	})
}

// Without versions, an overwrite keeps nothing.
func TestListVersionsUnversioned(t *testing.T) {
	s := open(t)
	s.put("k", "1")
	s.put("k", "2")
	all := s.history(driver.ListRequest{})
	require.Len(t, all, 1)
	require.True(t, all[0].Current)
	require.Empty(t, all[0].Version)
}

// Removals leave markers.
func TestDeleteLeavesMarkers(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 5, n, 12, 0, 0, 0, time.UTC) }
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			today := day(1)
			atToday := func(d *objectDriver) {
				d.bucket.Clock.Now = func() time.Time { return today }
			}
			tweaks := append(disk.tweaks, withVersions, withFlush, atToday)
			s := open(t, tweaks...)
			list := func() (lines []string) {
				for _, e := range s.history(driver.ListRequest{}) {
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
					s.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "dir/k", Version: version}))
			}
			one := s.put("dir/k", "1")
			today = day(2)
			two := s.put("dir/k", "2")
			today = day(3)

			s.remove("dir/k")
			require.Equal(t, []string{"removed 3", "2", "1"}, list())
			today = day(4)
			s.remove("dir/k")
			require.Equal(t, []string{"removed 4", "removed 3", "2", "1"}, list())

			marker := s.history(driver.ListRequest{})[1].Version
			_, _, err := s.getVersion("dir/k", marker)
			require.ErrorIs(t, err, storage.ObjectNotFound)

			three := s.put("dir/k", "3")
			require.Equal(t, []string{"4 current", "removed 4", "removed 3", "2", "1"}, list())
			s = reopen(t, s.root, tweaks...)
			removeVersion(marker)
			require.Equal(t, []string{"4 current", "removed 4", "2", "1"}, list())

			removeVersion(three.Version)
			s.missing("dir/k")
			require.Equal(t, []string{"removed 4", "2", "1"}, list(), "the marker is the newest")

			removeVersion(two.Version)
			marker = s.history(driver.ListRequest{})[0].Version
			removeVersion(marker)
			require.Equal(t, []string{"1 current"}, list(), "without its marker it is back")
			require.Equal(t, one, s.head("dir/k"))

			s.remove("other") // was never there
			removeVersion(one.Version)
			require.Equal(t, []string{"removed 4"}, list())

			require.NoError(t, s.driver.Delete(t.Context(),
				&driver.DeleteRequest{Key: "other", Version: s.history(driver.ListRequest{})[0].Version}))
			require.Empty(t, list())
			leftovers, err := os.ReadDir(filepath.Join(s.root, filepath.FromSlash(bucketdir.VersionsPath)))
			require.NoError(t, err)
			require.Empty(t, leftovers, "no files are left")
			require.NoDirExists(t, filepath.Join(s.root, "dir"))
		})
	}
}

// If Delete stops before it removes the current version, the object is unchanged, and its version is listed once.
func TestDeleteInterrupted(t *testing.T) {
	s := open(t, withVersions)
	a := s.put("k", "1")
	live, err := s.driver.acquire(t.Context())
	require.NoError(t, err)
	defer s.driver.release(live)
	current := objectfile.ObjectFile{Dir: live.Tree.Top, Base: "k", Meta: mustStat(t, live, "k")}

	require.NoError(t, live.Noncurrent.MarkRemoved(t.Context(), "k", current))
	require.Len(t, s.history(driver.ListRequest{}), 1, "neither the version twice nor the marker")
	require.Equal(t, "1", s.get("k"))

	require.NoError(t, s.driver.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: a.Version}))
	s.missing("k")
	require.Empty(t, s.history(driver.ListRequest{}))
}

func mustStat(t *testing.T, s *bucketstore.Store, base string) osdir.Meta {
	m, err := s.Tree.Top.Stat(base)
	require.NoError(t, err)
	return m
}
