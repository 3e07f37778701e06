// Package foldermarker makes buckets with folder markers: empty objects whose keys end in "/", as
// consoles and rclone store them for folders. The engine refuses to write such objects (rule K1), so
// this package writes them with the driver.
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

// New returns a bucket in memory, and a function that stores objects in it without the checks of
// the engine (see [Plant]).
func New(t testing.TB, opts ...storage.OpenOption) (storage.Bucket, func(keys ...string)) {
	d := memstore.NewDriver(memstore.Config{})
	plant := func(keys ...string) {
		t.Helper()
		Plant(t, d, keys...)
	}
	return engine.New(d, opts...), plant
}

// Plant stores an object at each of the keys with the driver, because the engine refuses some keys.
// An object contains its key, and is empty if the key ends in "/".
func Plant(t testing.TB, d driver.Driver, keys ...string) {
	t.Helper()
	for _, key := range keys {
		content := key
		if strings.HasSuffix(key, "/") {
			content = ""
		}
		_, err := d.Put(t.Context(), &driver.PutRequest{
			Key:  key,
			Body: strings.NewReader(content),
			Size: int64(len(content)),
		})
		require.NoError(t, err, key)
	}
}

// Of returns the sorted keys of the markers of all folders, at every level, that contain one of the
// keys.
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

// Keys returns the keys of a bucket, including those of markers.
func Keys(t testing.TB, b storage.Lister, opts ...storage.ListOption) (keys []string) {
	t.Helper()
	for entry, err := range b.List(t.Context(), opts...) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}
