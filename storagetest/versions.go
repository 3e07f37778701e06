package storagetest

import (
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var versionCases = []Case{
	{
		Name:        "every write is kept as a version",
		Rule:        "V3",
		Explanation: "WithVersion reads older versions with their attributes, and Versions lists them newest first",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one", t.contentType("text/x-one"))
			two := t.put(b, "a", "two!", t.contentType("text/x-two"))
			t.put(b, "ab", "other")
			require.NotEmpty(t, one.Version)
			require.NotEqual(t, one.Version, two.Version)
			t.requireContent(b, "a", "two!")
			require.Equal(t, "one", t.get(b, "a", storage.WithVersion(one.Version)))
			require.Equal(t, "n", t.get(b, "a", storage.WithVersion(one.Version), storage.WithRange(1, 1)))
			old := t.attrs(b, "a", storage.WithVersion(one.Version))
			require.Equal(t, t.keptType("text/x-one"), old.ContentType)
			require.Equal(t, one.Version, old.Version)
			require.Equal(t, two.Version, t.attrs(b, "a").Version)
			exists, err := b.Exists(t.Context(), "a", storage.WithVersion(one.Version))
			require.NoError(t, err)
			require.True(t, exists)

			entries := t.versions(b, storage.WithPrefix("a"))
			require.Len(t, entries, 3)
			require.Equal(t, []string{"a", "a", "ab"}, []string{entries[0].Key, entries[1].Key, entries[2].Key})
			require.Equal(t, []string{two.Version, one.Version}, []string{entries[0].Version, entries[1].Version})
			require.Equal(t, []bool{true, false, true}, []bool{entries[0].Current, entries[1].Current, entries[2].Current})
			require.Equal(t, []int64{4, 3}, []int64{entries[0].Size, entries[1].Size})
			require.Equal(t, entries, t.versions(b, storage.WithPrefix("a"), storage.WithPageSize(1)), "across pages")
			require.Equal(t, []string{"a", "ab"}, t.keys(b), "a listing must show current objects")
		},
	},
	{
		Name:        "removing without a version keeps older versions",
		Rule:        "V2",
		Explanation: "the key then has no current entry; a delete marker, if the store has them, reads as ObjectNotFound",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			require.NoError(t, b.Remove(t.Context(), "a"))
			t.requireMissing(b, "a")
			require.Empty(t, t.keys(b))
			_, err := b.Download(t.Context(), "a")
			t.requireCode(err, storage.ObjectNotFound)
			require.Equal(t, "one", t.get(b, "a", storage.WithVersion(one.Version)))
			count := 0
			for _, entry := range t.versions(b) {
				require.Equal(t, "a", entry.Key)
				require.False(t, entry.Current, "a removed key must have no current entry")
				if entry.IsDeleteMarker {
					if entry.Version != "" {
						_, err := b.Attrs(t.Context(), "a", storage.WithVersion(entry.Version))
						t.requireCode(err, storage.ObjectNotFound)
					}
					continue
				}
				require.Equal(t, one.Version, entry.Version)
				count++
			}
			require.Equal(t, 1, count)
			require.NoError(t, b.Remove(t.Context(), "a"), "removing again succeeds")
		},
	},
	{
		Name:        "RemoveVersions removes versions in batches",
		Rule:        "V2",
		Explanation: "only these versions are gone, also markers; an entry without a version is refused, and names its key; err joins one *Error with key and version for each that is still there",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			two := t.put(b, "a", "two")
			other := t.put(b, "b", "other")
			n, err := storage.RemoveVersions(t.Context(), b, slices.Values([]storage.VersionEntry{
				{
					ListEntry: storage.ListEntry{Key: "a"},
					Version:   one.Version,
				}, {ListEntry: storage.ListEntry{Key: "b"}},
			}))
			require.Equal(t, 1, n)
			t.requireCode(err, storage.InvalidArgument)
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "b", e.Key)
			require.Equal(t, []string{two.Version, other.Version}, versionIDs(t.versions(b)))
			require.NoError(t, b.Remove(t.Context(), "b"))
			entries := t.versions(b)
			n, err = storage.RemoveVersions(
				t.Context(), b,
				slices.Values(slices.DeleteFunc(entries, func(v storage.VersionEntry) bool { return v.Version == "" })),
			)
			require.NoError(t, err)
			require.Positive(t, n)
			require.Empty(t, t.versions(b))
		},
	},
	{
		Name:        "a noncurrent version says since when",
		Rule:        "V3",
		Explanation: "a replaced version says when the next one was written, and a removed one when it was removed, if the store knows",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			t.put(b, "a", "one")
			two := t.put(b, "a", "two")
			t.put(b, "b", "another key")
			entries := t.versions(b, storage.WithPrefix("a"))
			require.Len(t, entries, 2)
			require.Zero(t, entries[0].NoncurrentSince, "a current version is not noncurrent")
			start := entries[1].NoncurrentSince
			require.False(t, start.IsZero(), "the version was replaced")
			require.WithinDuration(t, entries[0].Modified, start, aSecond, "this is when the next was written")

			require.NoError(t, b.Remove(t.Context(), "a"))
			for _, entry := range t.versions(b, storage.WithPrefix("a")) {
				if entry.Version == two.Version && !entry.NoncurrentSince.IsZero() {
					require.False(t, entry.NoncurrentSince.Add(aSecond).Before(entry.Modified),
						"this is when it was removed")
				} else if !entry.IsDeleteMarker && entry.Version != two.Version {
					// versitygw writes the replaced version once more when it becomes noncurrent,
					// which changes the version's time.
					require.WithinDuration(t, start, entry.NoncurrentSince, aSecond, "as before")
				}
			}
		},
	},
	{
		Name:        "a create over a removed key",
		Rule:        "V2",
		Explanation: "IfAbsent succeeds on a removed key, even if it has a delete marker",
		Needs:       storage.Versioning | storage.ConditionalCreate,
		run: func(t *T) {
			b := t.openVersioned()
			t.put(b, "a", "one")
			require.NoError(t, b.Remove(t.Context(), "a"))
			t.put(b, "a", "two", storage.IfAbsent())
			t.requireContent(b, "a", "two")
		},
	},
	{
		Name:        "a removed key stays removed",
		Rule:        "V4",
		Explanation: "after the version that was written over a removal is removed, the versions from before the removal are not current",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			require.NoError(t, b.Remove(t.Context(), "a"))
			two := t.put(b, "a", "two")
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(two.Version)))
			t.requireMissing(b, "a")
			require.Equal(t, "one", t.get(b, "a", storage.WithVersion(one.Version)))
		},
	},
	{
		Name:        "a delete marker is removed by its version",
		Rule:        "V4",
		Explanation: "the version below it is then current. It stays when that version is removed, and so the key stays removed",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			marker := func() string {
				for _, entry := range t.versions(b) {
					if entry.IsDeleteMarker {
						return entry.Version
					}
				}
				return ""
			}
			one := t.put(b, "a", "one")
			two := t.put(b, "a", "two")
			require.NoError(t, b.Remove(t.Context(), "a"))
			if marker() == "" {
				return // the store has no delete markers
			}
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(two.Version)))
			t.requireMissing(b, "a")
			require.Len(t, t.versions(b), 2)
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(marker())))
			t.requireContent(b, "a", "one")
			require.Equal(t, one.Version, t.attrs(b, "a").Version)
		},
	},
	{
		Name:        "removing a version is permanent",
		Rule:        "D3",
		Explanation: "only that version is removed, and a missing one is success. After the current version, the previous one is current again, or none",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			two := t.put(b, "a", "two")
			three := t.put(b, "a", "three")
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(two.Version)))
			t.requireContent(b, "a", "three")
			_, err := b.Download(t.Context(), "a", storage.WithVersion(two.Version))
			t.requireCode(err, storage.ObjectNotFound)
			require.Equal(t, "one", t.get(b, "a", storage.WithVersion(one.Version)))
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(two.Version)),
				"removing a missing one is success")
			require.Len(t, t.versions(b), 2)
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(one.Version)))
			t.requireContent(b, "a", "three")
			require.Equal(t, three.Version, t.attrs(b, "a").Version)

			four := t.put(b, "a", "four")
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(four.Version)), "this is the current one")
			_, err = b.Download(t.Context(), "a", storage.WithVersion(four.Version))
			t.requireCode(err, storage.ObjectNotFound)
			if exists, err := b.Exists(t.Context(), "a"); err != nil || exists {
				t.requireContent(b, "a", "three")
			}
			require.Equal(t, "three", t.get(b, "a", storage.WithVersion(three.Version)))
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(four.Version)),
				"removing a missing one is success")
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(three.Version)))
			t.requireMissing(b, "a")
			require.Empty(t, t.versions(b))
		},
	},
	{
		Name:        "a malformed version is refused",
		Rule:        "D3",
		Explanation: "every operation returns InvalidArgument and never takes it for the latest: nothing is read or removed",
		Needs:       storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			t.put(b, "a", "one")
			t.put(b, "a", "two")
			for _, bad := range []string{"", "not a version\n", "../1", "\x00"} {
				_, err := b.Download(t.Context(), "a", storage.WithVersion(bad))
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", bad, err)
				_, err = b.Attrs(t.Context(), "a", storage.WithVersion(bad))
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", bad, err)
				err = b.Remove(t.Context(), "a", storage.WithVersion(bad))
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", bad, err)
				_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.WithVersion(bad))
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q: %v", bad, err)
			}
			t.requireContent(b, "a", "two")
			require.Len(t, t.versions(b), 2)
		},
	},
	{
		Name:        "a version is restored by a copy onto its key",
		Rule:        "V3",
		Explanation: "Copy with WithVersion copies that version of the source, with its attributes, inside the provider and streamed",
		Needs:       storage.Versioning,
		run: func(t *T) {
			for path, excluded := range map[string]storage.Features{"inside": 0, "streamed": storage.ServerCopy} {
				b := t.openVersioned(withoutFeatures(excluded))
				one := t.put(b, "a", "one", t.contentType("text/x-one"))
				t.put(b, "a", "two")
				_, err := storage.Copy(t.Context(), b, "a", b, "a", storage.WithVersion(one.Version))
				require.NoError(t, err, path)
				t.requireContent(b, "a", "one")
				require.Equal(t, t.keptType("text/x-one"), t.attrs(b, "a").ContentType, path)
				require.Len(t, t.versions(b), 3, path)
			}
		},
	},
	{
		Name:        "versions of a bucket that keeps none",
		Rule:        "V2",
		Explanation: "a bucket opened without WithVersioning returns Unsupported, with a hint if the store has versions, and shows no Version",
		run: func(t *T) {
			b := t.open()
			if storage.Supports(b, storage.Versioning) {
				return // this store keeps versions even without WithVersioning
			}
			require.Empty(t, t.put(b, "a", "x").Version)
			require.Empty(t, t.attrs(b, "a").Version)
			t.requireNoRequests(func() {
				_, err := b.Download(t.Context(), "a", storage.WithVersion("1"))
				e := t.requireCode(err, storage.Unsupported)
				if t.desc.Features&storage.Versioning != 0 {
					require.NotEmpty(t, e.Hint)
				}
				t.requireNothingDone(b.Remove(t.Context(), "a", storage.WithVersion("1")), storage.Unsupported)
				for _, err := range storage.Versions(t.Context(), b) {
					t.requireCode(err, storage.Unsupported)
				}
			})
			t.requireExists(b, "a")
		},
	},
	{
		Name:        "versions under a prefix",
		Rule:        "K5",
		Explanation: "a prefixed bucket lists and removes only versions of its own keys",
		Needs:       storage.Versioning,
		run: func(t *T) {
			parent := t.openVersioned()
			b := storage.Prefixed(parent, "p/")
			t.put(parent, "a", "outside")
			one := t.put(b, "a", "one")
			t.put(b, "a", "two")
			entries := t.versions(b)
			require.Len(t, entries, 2)
			require.Equal(t, "a", entries[1].Key)
			require.Equal(t, one.Version, entries[1].Version)
			require.NoError(t, b.Remove(t.Context(), "a", storage.WithVersion(one.Version)))
			require.Len(t, t.versions(parent), 2)
		},
	},
}

// aSecond is the largest rounding error in the times that a store reports.
const aSecond = time.Second

// versions returns the versions that a listing with these options yields, and requires that they are
// sorted by key.
func (t *T) versions(b storage.Lister, opts ...storage.ListOption) []storage.VersionEntry {
	t.Helper()
	var entries []storage.VersionEntry
	for entry, err := range storage.Versions(t.Context(), b, opts...) {
		require.NoError(t, err)
		entries = append(entries, entry)
	}
	byKey := func(a, b storage.VersionEntry) int { return strings.Compare(a.Key, b.Key) }
	require.True(t, slices.IsSortedFunc(entries, byKey), "by key")
	return entries
}

// withoutFeatures returns a layer that removes features from those that the driver declares.
func withoutFeatures(features storage.Features) storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver {
		desc := next.Describe()
		desc.Features &^= features
		return &describeOnce{Driver: next, desc: desc}
	})
}

// versionIDs returns the version of each entry.
func versionIDs(entries []storage.VersionEntry) []string {
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Version)
	}
	return ids
}
