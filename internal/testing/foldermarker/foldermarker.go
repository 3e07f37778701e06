// Package foldermarker makes buckets with folder markers: empty objects whose keys end in "/", as consoles and
// rclone store them for each folder. The core refuses to write them (rule K1), so that they are stored below it.
package foldermarker

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// New returns a bucket in memory, and a function that stores objects in it, as Plant does.
func New(t testing.TB, opts ...storage.OpenOption) (_ storage.Bucket, plant func(keys ...string)) {
	d := memstore.NewDriver(memstore.Config{})
	return engine.New(d, opts...), func(keys ...string) {
		t.Helper()
		Plant(t, d, keys...)
	}
}

// Plant stores objects by a driver. Their keys may be any text. One that ends in "/" is empty, any other one contains
// its key.
func Plant(t testing.TB, d driver.Driver, keys ...string) {
	t.Helper()
	for _, key := range keys {
		content := key
		if strings.HasSuffix(key, "/") {
			content = ""
		}
		r := &driver.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))}
		_, err := d.Put(t.Context(), r)
		require.NoError(t, err, key)
	}
}

// Of returns the marker of each folder in which one of the keys is, at every level.
func Of(keys ...string) []string {
	var markers []string
	for _, key := range keys {
		for i := range len(key) - 1 {
			if key[i] == '/' {
				markers = append(markers, key[:i+1])
			}
		}
	}
	slices.Sort(markers)
	return slices.Compact(markers)
}

// Keys returns the keys of a bucket, those of markers, too.
func Keys(t testing.TB, b storage.Lister, opts ...storage.ListOption) (keys []string) {
	t.Helper()
	for entry, err := range b.List(t.Context(), opts...) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}
