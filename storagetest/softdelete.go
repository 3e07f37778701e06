package storagetest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// keptFor is how long the buckets of these cases keep what is removed for good.
const keptFor = 7 * 24 * time.Hour

var softDeleteCases = []Case{
	{
		Name: "what is removed for good is kept for a time", Rule: "V5",
		Explanation: "Versions with WithSoftDeleted lists it, and until when it is kept; nothing else shows it",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.puts(b, "a", "b", "stays")
			t.removeForGood(b, "a", "b", "missing")
			t.requireMissing(b, "a")
			require.Equal(t, []string{"stays"}, t.keys(b))
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			for i, key := range []string{"a", "b"} {
				require.Equal(t, key, entries[i].Key)
				require.Equal(t, int64(len(key)), entries[i].Size)
				require.False(t, entries[i].Current)
				require.False(t, entries[i].IsDeleteMarker)
				require.WithinDuration(t, time.Now().Add(keptFor), entries[i].SoftDeletedUntil, 25*time.Hour)
			}
			require.Equal(t, entries[1:], t.versions(b, storage.WithSoftDeleted(), storage.WithPrefix("b")))
			t.requireNoRequests(func() {
				for _, err := range b.List(t.Context(), t.anyOrder(storage.WithSoftDeleted())...) {
					t.requireCode(err, storage.InvalidArgument)
				}
			})
		},
	},
	{
		Name: "Restore brings back what was removed for good", Rule: "V5",
		Explanation: "the object has its content, properties and tags again, and can be removed and brought back again",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			opts := []storage.UploadOption{t.contentType("text/x-kept"), t.metadata(map[string]string{"k": "v"})}
			if t.has(storage.ObjectTags) {
				opts = append(opts, storage.WithTags(map[string]string{"t": "1"}))
			}
			t.put(b, "dir/a", "text", opts...)
			for range 2 {
				t.removeForGood(b, "dir/a")
				t.requireMissing(b, "dir/a")
				require.NoError(t, storage.Restore(t.Context(), b, "dir/a", storage.WithSoftDeleted()))
				t.requireContent(b, "dir/a", "text")
				attrs := t.attrs(b, "dir/a")
				require.Equal(t, t.keptType("text/x-kept"), attrs.ContentType)
				if t.has(storage.Metadata) {
					require.Equal(t, "v", attrs.Metadata["k"])
				}
				if t.has(storage.ObjectTags) {
					tags, err := storage.Tags(t.Context(), b, "dir/a")
					require.NoError(t, err)
					require.Equal(t, map[string]string{"t": "1"}, tags)
				}
			}
			require.Equal(t, []string{"dir/a"}, t.keys(b))
		},
	},
	{
		Name: "Restore of what was removed replaces nothing", Rule: "V5",
		Explanation: "if the key has an object, that stays, and Restore is PreconditionFailed. Restore brings the newest of several removed objects back",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			for _, text := range []string{"one", "second"} {
				t.put(b, "a", text)
				t.removeForGood(b, "a")
			}
			t.put(b, "a", "new")
			t.requireNothingDone(
				storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()), storage.PreconditionFailed,
			)
			t.requireContent(b, "a", "new")
			t.removeForGood(b, "a")
			require.NoError(t, storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()))
			t.requireContent(b, "a", "new")
		},
	},
	{
		Name: "a removed object is selected by its version", Rule: "V5",
		Explanation: "if the store keeps several of a key, WithVersion selects one of them; a listing has all of them, the newest first, also in pages",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			for _, text := range []string{"one", "second", "the third"} {
				t.put(b, "a", text)
				t.put(b, "b", text)
				t.removeForGood(b, "a", "b")
			}
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Equal(t, entries, t.versions(b, storage.WithSoftDeleted(), storage.WithPageSize(1)))
			require.Equal(t, entries[:1], t.versions(b, storage.WithSoftDeleted(), storage.WithLimit(1)))
			if entries[0].Version == "" {
				require.Len(t, entries, 2)
				return // the store keeps only the newest one
			}
			require.Len(t, entries, 6)
			require.Equal(t, int64(9), entries[0].Size)
			require.Equal(t, int64(3), entries[2].Size)
			require.NoError(
				t,
				storage.Restore(
					t.Context(), b, "a", storage.WithSoftDeleted(), storage.WithVersion(entries[2].Version),
				),
			)
			t.requireContent(b, "a", "one")
			t.requireMissing(b, "b")
			for _, bad := range []string{"", "not a version\n", "../1"} {
				t.requireNothingDone(
					storage.Restore(t.Context(), b, "b", storage.WithSoftDeleted(), storage.WithVersion(bad)),
					storage.InvalidArgument,
				)
			}
		},
	},
	{
		Name: "what was never removed cannot be restored", Rule: "V5",
		Explanation: "Restore with WithSoftDeleted of a key without anything is ObjectNotFound, and of an object that was not removed PreconditionFailed",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.put(b, "there", "x")
			t.put(b, "longer/key", "x")
			t.removeForGood(b, "longer/key")
			for _, key := range []string{"missing", "longer", "longer/key2"} {
				t.requireNothingDone(
					storage.Restore(t.Context(), b, key, storage.WithSoftDeleted()), storage.ObjectNotFound,
				)
			}
			t.requireNothingDone(
				storage.Restore(t.Context(), b, "there", storage.WithSoftDeleted()), storage.PreconditionFailed,
			)
		},
	},
	{
		Name: "concurrent calls restore one object", Rule: "V5",
		Explanation: "some call succeeds, and each other one at most finds that the key has an object",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			b := t.open(storage.WithSoftDelete(keptFor))
			t.put(b, "a", "text")
			t.removeForGood(b, "a")
			errs := make([]error, 8)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() { errs[i] = storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted()) })
			}
			group.Wait()
			restored := 0
			for _, err := range errs {
				if err == nil {
					restored++
				} else {
					t.requireCode(err, storage.PreconditionFailed)
				}
			}
			require.Positive(t, restored)
			t.requireContent(b, "a", "text")
		},
	},
	{
		Name: "a version that is removed for good is kept for a time", Rule: "V5",
		Explanation: "in a bucket that keeps versions, only the removal of a version is for good; Restore makes it an object again",
		Needs:       storage.SoftDelete | storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned(storage.WithSoftDelete(keptFor))
			one := t.put(b, "a", "one")
			t.put(b, "a", "two")
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.Empty(t, t.versions(b, storage.WithSoftDeleted()))
			_, err := storage.RemoveVersions(
				t.Context(), b,
				slices.Values(
					slices.DeleteFunc(t.versions(b), func(v storage.VersionEntry) bool { return v.Version == "" }),
				),
			)
			require.NoError(t, err)
			require.Empty(t, t.versions(b))
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			require.Equal(t, one.Version, entries[1].Version)
			require.NoError(
				t, storage.Restore(t.Context(), b, "a", storage.WithSoftDeleted(), storage.WithVersion(one.Version)),
			)
			t.requireContent(b, "a", "one")
		},
	},
	{
		Name: "what was removed under a prefix", Rule: "V5",
		Explanation: "a prefixed bucket lists and restores only what was removed of its own keys",
		Needs:       storage.SoftDelete,
		run: func(t *T) {
			whole := t.open(storage.WithSoftDelete(keptFor))
			b := storage.Prefixed(whole, "p/")
			for _, key := range []string{"a", "p/a", "p/b"} {
				t.put(whole, key, strings.TrimPrefix(key, "p/"))
				t.removeForGood(whole, key)
			}
			entries := t.versions(b, storage.WithSoftDeleted())
			require.Len(t, entries, 2)
			require.Equal(t, "b", entries[1].Key)
			require.NoError(t, storage.Restore(t.Context(), b, "b", storage.WithSoftDeleted()))
			require.Equal(t, []string{"p/b"}, t.keys(whole))
		},
	},
}

// removeForGood removes objects and, if the bucket keeps versions, all their versions.
func (t *T) removeForGood(b storage.Bucket, keys ...string) {
	t.Helper()
	_, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
	require.NoError(t, err)
	if !storage.Supports(b, storage.Versioning) {
		return
	}
	_, err = storage.RemoveVersions(
		t.Context(), b,
		slices.Values(slices.DeleteFunc(t.versions(b), func(v storage.VersionEntry) bool {
			return v.Version == "" || !slices.Contains(keys, v.Key)
		})),
	)
	require.NoError(t, err)
}
