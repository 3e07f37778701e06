package overlay_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// With KeepOld, the old store keeps its objects and tags, whatever is written to the bucket.
func TestKeepOldIsAWayBack(t *testing.T) {
	old := memstore.New()
	for n := range 8 {
		put(t, old, fmt.Sprint(n), fmt.Sprint("old ", n))
	}
	require.NoError(t, storage.SetTags(t.Context(), old, "1", map[string]string{"is": "old"}))
	oldContents := contentsOf(t, old)
	d := memstore.NewDriver(memstore.Config{})
	b := engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{KeepOld: true})))

	// Object 0 is removed, written, removed again and created.
	require.NoError(t, b.Remove(t.Context(), "0"))
	put(t, b, "0", "again")
	require.NoError(t, b.Remove(t.Context(), "0"))
	_, err := b.Upload(t.Context(), "0", strings.NewReader("created"), storage.IfAbsent())
	require.NoError(t, err)

	// Object 1 gets other tags, object 2 is replaced and removed, and object 3 is removed with its revision.
	require.NoError(t, storage.SetTags(t.Context(), b, "1", map[string]string{"is": "new"}))
	put(t, b, "2", "new")
	require.NoError(t, b.Remove(t.Context(), "2"))
	attrs, err := b.Attrs(t.Context(), "3")
	require.NoError(t, err)
	require.NoError(t, b.Remove(t.Context(), "3", storage.IfRevision(attrs.Revision)))

	// Object 4 is moved, and object 5 is copied. Nothing happens to the objects 6 and 7.
	_, err = storage.Move(t.Context(), b, "4", "moved")
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), b, "copied", b, "5")
	require.NoError(t, err)

	want := map[string]string{
		"0":      "created",
		"1":      "old 1",
		"moved":  "old 4",
		"copied": "old 5",
		"5":      "old 5",
		"6":      "old 6",
		"7":      "old 7",
	}
	require.Equal(t, want, contentsOf(t, b))
	remaining, err := overlay.Left(t.Context(), b)
	require.NoError(t, err)
	require.EqualValues(t, 3, remaining, "5, 6 and 7")

	// Finish copies the rest. Now all objects can be read with the layer and without it. Four
	// tombstones are left: for the objects 2, 3 and 4, and for the former object 0. Tombstones hide
	// objects of the old store.
	report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
	require.NoError(t, err)
	copiedBytes := int64(3 * len("old 5"))
	require.Equal(t, overlay.Report{Copied: 3, Bytes: copiedBytes, Tombstones: 4}, report)
	require.Equal(t, want, contentsOf(t, b))
	for key, text := range want {
		data, _, err := storage.ReadAll(t.Context(), engine.New(d), key)
		require.NoError(t, err, key)
		require.Equal(t, text, string(data))
	}

	// The old store is as it was.
	require.Equal(t, oldContents, contentsOf(t, old))
	tags, err := storage.Tags(t.Context(), old, "1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"is": "old"}, tags)

	// At last, the tombstones are removed, and the new store is on its own.
	report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
	require.NoError(t, err)
	require.Equal(t, overlay.Report{}, report)
	require.Equal(t, want, contentsOf(t, engine.New(d)))
	tags, err = storage.Tags(t.Context(), engine.New(d), "1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"is": "new"}, tags)
}

// A tombstone in the new store hides a removed object of the old store. If Finish cannot move an
// object, the old store is still needed. So Finish then removes no tombstones.
func TestTombstonesStayUntilAllHasMoved(t *testing.T) {
	old := memstore.New()
	d := memstore.NewDriver(memstore.Config{})
	put(t, old, "gone", "text")
	put(t, old, "left", "text")
	injector := faults.New()
	layer := newLayer(t, old, overlay.Config{KeepOld: true})
	b := engine.New(d, driver.WithLayer(injector.Layer()), driver.WithLayer(layer))
	require.NoError(t, b.Remove(t.Context(), "gone"))

	// The object "left" cannot move. The object "gone" must stay hidden.
	injector.Set(faults.Fail(faults.Put).ForKey("left").WithError(storage.PermissionDenied))
	_, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, map[string]string{"left": "text"}, contentsOf(t, b))
}

// Tombstones are the objects by which the new store remembers removals with KeepOld. Callers can
// neither write nor read them, and listings neither show them nor read thousands of them.
func TestTombstonesAreHidden(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{})
	old := memstore.New()
	inNew := faults.New()
	layer := newLayer(t, old, overlay.Config{KeepOld: true})
	b := engine.New(d, driver.WithLayer(inNew.Layer()), driver.WithLayer(layer))

	// Of 3002 objects, 3000 are removed. Their tombstones would fill several pages of a listing.
	for i := range 3000 {
		key := fmt.Sprintf("folder/%06d", i)
		put(t, old, key, "x")
		require.NoError(t, b.Remove(t.Context(), key))
	}
	put(t, b, "a", "x")
	put(t, b, ".a", "x")

	// The new store has a tombstone.
	tombstone := overlay.TombstonesPrefix + "folder/000001"
	exists, err := engine.New(d).Exists(t.Context(), tombstone)
	require.NoError(t, err)
	require.True(t, exists)

	// Callers can neither write nor read the tombstone.
	_, err = b.Upload(t.Context(), tombstone, strings.NewReader("x"))
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = b.Upload(t.Context(), tombstone, strings.NewReader("xy"), storage.WithPartSize(1))
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, b.Remove(t.Context(), tombstone), storage.InvalidArgument)
	_, err = b.Attrs(t.Context(), tombstone)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	_, _, err = storage.ReadAll(t.Context(), b, tombstone)
	require.ErrorIs(t, err, storage.ObjectNotFound)

	// Listings leave the tombstones and the removed objects out.
	inNew.Reset()
	require.Equal(t, map[string]string{"a": "x", ".a": "x"}, contentsOf(t, b))
	require.LessOrEqual(t, inNew.Count(faults.List), 14, "a listing skips the tombstones")

	// Each of these delimiters is in the prefix ".omnibucket-overlay/" of the tombstones, but no
	// common prefix of tombstones is listed. An entry below has a key, whether it is a common
	// prefix, and a size.
	asObjects := []string{".a false 1", "a false 1"}
	asPrefixes := []string{".a true 0", "a true 0"}
	tests := []struct {
		delimiter string
		want      []string
	}{
		{delimiter: "/", want: asObjects},
		{delimiter: "b", want: asObjects},
		{delimiter: "a", want: asPrefixes},
	}
	for _, tt := range tests {
		entries := listKeys(t, b, "", []storage.ListOption{storage.WithDelimiter(tt.delimiter)})
		require.Equal(t, tt.want, entries, tt.delimiter)
	}
}

// After random writes and removals with KeepOld, listings and contents are the same as those of a
// single store. They show no removed objects, and no folders whose objects were all removed.
func TestTombstonesInListing(t *testing.T) {
	const rounds = 60
	names := []string{
		"a", "a/", "a/b", "a/b/c", "a-b", "a0", "b/c", "b/d", "c/", "c/é", "ü", "z/z/z", "z/z", ".n", ".o",
	}
	listings := [][]storage.ListOption{
		{},
		{storage.WithDelimiter("/")},
		{storage.WithPrefix("a")},
		{storage.WithPrefix("a/"), storage.WithDelimiter("/")},
		{storage.WithDelimiter("b")},
		{storage.WithPrefix("."), storage.WithDelimiter("n")},
	}
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 2))
		randomKey := func() string { return names[random.IntN(len(names))] + fmt.Sprint(random.IntN(3)) }
		model := memstore.New() // a single store, which gets the same calls
		old := memstore.New()
		d := memstore.NewDriver(memstore.Config{})
		b := engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{KeepOld: true})))

		// The old store has some objects. Some of them are replaced and removed.
		for range 40 {
			key := randomKey()
			put(t, old, key, "any")
			put(t, model, key, "any")
		}
		oldContents := contentsOf(t, old)
		for range 60 {
			key := randomKey()
			if random.IntN(3) == 0 {
				put(t, b, key, "new")
				put(t, model, key, "new")
				continue
			}
			require.NoError(t, b.Remove(t.Context(), key))
			require.NoError(t, model.Remove(t.Context(), key))
		}

		// All listings are the same as those of a single store.
		for _, opts := range listings {
			opts = append(opts, storage.WithPageSize(1+random.IntN(5)))
			for _, start := range []string{"", "a/b1", "b/"} {
				require.Equal(t, listKeys(t, model, start, opts), listKeys(t, b, start, opts),
					"seed %d, %v after %q", seed, opts, start)
			}
		}

		// The contents are also equal, even after Finish.
		want := contentsOf(t, model)
		require.Equal(t, want, contentsOf(t, b))
		_, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
		require.Equal(t, want, contentsOf(t, engine.New(d)))
		require.Equal(t, oldContents, contentsOf(t, old))
	}
}

// With KeepOld, a tombstone in the new store hides a removed object of the old store. Each key of
// the old store can be removed, even if the name of its tombstone would be too long. The same holds
// for a key that the engine would not write.
func TestTombstoneOfEachKey(t *testing.T) {
	// The test removes all objects but one. All of them have unusual keys.
	manySegments := strings.Repeat("s/", 253)
	remainingKey := manySegments + "2"
	removedKeys := []string{
		"f/",   // the marker of a folder
		"g/h/", // one in a folder
		"a//b", // an empty segment, which the engine would not write
		"x\\y", // a backslash, likewise
		// The key of a tombstone is a prefix and the key of the object. These keys would have too
		// many bytes or too many segments with the prefix.
		strings.Repeat("x", 1020),
		"y" + strings.Repeat("é", 505),
		manySegments + "1",
	}

	// The driver stores the objects, because the engine refuses some of the keys.
	oldDriver := memstore.NewDriver(memstore.Config{})
	old := engine.New(oldDriver)
	for _, key := range append(removedKeys, remainingKey) {
		_, err := oldDriver.Put(t.Context(), &driver.PutRequest{
			Key:  key,
			Body: strings.NewReader("text"),
			Size: 4,
		})
		require.NoError(t, err)
	}
	oldContents := contentsOf(t, old)
	b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{KeepOld: true})))

	// Each removal takes one more key out of the listing.
	for i, key := range removedKeys {
		require.Len(t, contentsOf(t, b), len(removedKeys)+1-i)
		require.NoError(t, b.Remove(t.Context(), key))
		_, err := b.Attrs(t.Context(), key)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}

	// Only one key is left. A listing can show it as a key, as part of a common prefix, and after a
	// smaller key.
	require.Equal(t, map[string]string{remainingKey: "text"}, contentsOf(t, b))
	require.Equal(t, []string{"s/ true 0"}, // key, IsPrefix and size
		listKeys(t, b, "", []storage.ListOption{storage.WithDelimiter("/")}))
	smallerKey := manySegments + "0"
	require.Len(t, listKeys(t, b, smallerKey, nil), 1)
	require.Empty(t, listKeys(t, b, remainingKey, nil), "a listing after the key must not have it")

	// Finish copies the remaining object, and does not change the old store.
	report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
	require.NoError(t, err)
	require.Equal(t, overlay.Report{Copied: 1, Bytes: 4}, report)
	require.Equal(t, oldContents, contentsOf(t, old))
}
