package overlay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
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

// A listing is the same as that of one store with all objects, whatever the page size.
func TestListBothStores(t *testing.T) {
	const rounds = 60
	names := []string{"a", "a/", "a/b", "a/b/c", "a-b", "a0", "b/c", "b/d", "c/", "c/é", "ü", "z/z/z", "z/z"}
	listings := [][]storage.ListOption{
		{},
		{storage.WithDelimiter("/")},
		{storage.WithPrefix("a")},
		{storage.WithPrefix("a/"), storage.WithDelimiter("/")},
		{storage.WithDelimiter("b")},
	}
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 1))
		model := memstore.New() // a single store, which gets all objects
		old := memstore.New()
		d := memstore.NewDriver(memstore.Config{})
		b := engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{})))
		for range 60 {
			key := names[random.IntN(len(names))] + fmt.Sprint(random.IntN(4))
			if random.IntN(2) == 0 {
				put(t, old, key, "old")
			} else {
				put(t, b, key, "new")
			}
			put(t, model, key, "any")
		}

		// All listings are the same as those of the single store.
		for _, opts := range listings {
			opts = append(opts, storage.WithPageSize(1+random.IntN(5)))
			for _, start := range []string{"", "a/b1", "b/"} {
				require.Equal(t, listKeys(t, model, start, opts), listKeys(t, b, start, opts),
					"seed %d, %v after %q", seed, opts, start)
			}
		}
	}
}

// listKeys lists the keys in pages, and once more as a whole. Both results must be the same.
func listKeys(t *testing.T, b storage.Bucket, start string, opts []storage.ListOption) (keys []string) {
	t.Helper()
	first := opts
	if start != "" {
		first = append(slices.Clone(opts), storage.WithStartAfter(start))
	}
	for e, err := range b.List(t.Context(), first...) {
		require.NoError(t, err)
		keys = append(keys, fmt.Sprint(e.Key, " ", e.IsPrefix, " ", e.Size))
	}

	var paged []string
	for token := ""; ; first = opts { // a start fits only the first page
		page, err := storage.ListPage(t.Context(), b, token, first...)
		require.NoError(t, err)
		for _, e := range page.Entries {
			paged = append(paged, fmt.Sprint(e.Key, " ", e.IsPrefix, " ", e.Size))
		}
		token = page.Token
		if token == "" {
			break
		}
	}

	require.Equal(t, keys, paged)
	return keys
}

// A removal leaves a marker under the object's key. The size of a marker depends only on the key, so a listing reads only
// the few objects of that size to find the markers.
func TestListReadsFewObjects(t *testing.T) {
	// Markers have 72 to 1095 bytes. The size 72 itself is not tested: an early version gave it to all markers, so a
	// listing reads each object of that size.
	for _, size := range []int{0, 71, 73, 100, 500, 1000, 1095, 1096, 5000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			const objects = 1000
			const maxHeads = 5 // on average, at most one of the 1000 keys has a marker of this size

			// The new store has 1000 objects of the size, and no marker.
			counter := faults.New()
			d := memstore.NewDriver(memstore.Config{})
			b := engine.New(d, driver.WithLayer(counter.Layer()),
				driver.WithLayer(newLayer(t, memstore.New(), overlay.Config{})))
			text := strings.Repeat("x", size)
			for i := range objects {
				put(t, engine.New(d), strconv.Itoa(i), text)
			}
			require.Len(t, contentsOf(t, b), objects)

			// The listing has all objects, and requests the attributes of only a few of them.
			headsBefore := counter.Count(faults.Head)
			listed := 0
			for entry, err := range b.List(t.Context()) {
				require.NoError(t, err)
				require.EqualValues(t, size, entry.Size)
				listed++
			}
			require.Equal(t, objects, listed)
			require.LessOrEqual(t, counter.Count(faults.Head)-headsBefore, maxHeads)
		})
	}
}

// A removal leaves a marker under the object's key. If a marker and an object have the same size,
// only their metadata tells them apart. A listing shows the object, and hides the marker.
func TestListObjectOfMarkerSize(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{})
	b := engine.New(d, driver.WithLayer(newLayer(t, memstore.New(), overlay.Config{})))

	// textOf returns a text with as many bytes as a marker has.
	userText := textOf("of a user")
	put(t, b, key, userText)
	require.Equal(t, map[string]string{key: userText}, contentsOf(t, b))

	// Replace the object by a marker.
	_, err := d.Put(t.Context(), &driver.PutRequest{
		Key:        key,
		Body:       strings.NewReader(textOf("marker")),
		Size:       int64(markerSize),
		Properties: storage.Properties{Metadata: map[string]string{"omnibucketoverlay": "removed"}},
	})
	require.NoError(t, err)
	require.Empty(t, contentsOf(t, b))
}
