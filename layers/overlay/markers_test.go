package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// newStores are the stores to which folder markers are moved. The key of a marker ends in "/", and
// a directory cannot store such a key.
var newStores = map[string]struct {
	open          func(t *testing.T) driver.Driver
	hasFolderKeys bool // it can have keys that end in "/"
}{
	"memory": {
		open:          func(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) },
		hasFolderKeys: true,
	},
	"a directory": {
		open: func(t *testing.T) driver.Driver {
			d, err := local.NewDriver(t.TempDir(), local.Config{})
			require.NoError(t, err)
			return d
		},
		hasFolderKeys: false,
	},
}

// A folder marker is an empty object whose key ends in "/". Finish copies it if the new store can
// have its key, and otherwise ignores it.
func TestFinishMovesMarkersOfFolders(t *testing.T) {
	// The old store has two objects and the markers of their folders. The content of each object is
	// its key. So the objects have 6 bytes together.
	objects := []string{"a/b/c", "d"}
	markers := foldermarker.Of(objects...) // "a/" and "a/b/"
	all := []string{"a/", "a/b/", "a/b/c", "d"}
	for name, kind := range newStores {
		for _, keepOld := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, KeepOld %v", name, keepOld), func(t *testing.T) {
				old, putUnchecked := foldermarker.New(t)
				putUnchecked(append(markers, objects...)...)
				d := kind.open(t)
				b := engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{KeepOld: keepOld})))

				// The first run copies the objects, and the markers if the new store can have keys that end in "/".
				want := overlay.Report{Copied: 2, Bytes: 6, Ignored: 2}
				wantKeys := objects
				if kind.hasFolderKeys {
					want = overlay.Report{Copied: 4, Bytes: 6}
					wantKeys = all
				}
				report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
				require.NoError(t, err)
				require.Equal(t, want, report)
				require.Equal(t, wantKeys, foldermarker.Keys(t, engine.New(d)), "in the new store")

				// The second run finds nothing to copy.
				report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
				require.NoError(t, err)
				require.Equal(t, overlay.Report{Ignored: want.Ignored}, report)
				remaining, err := overlay.Left(t.Context(), b)
				require.NoError(t, err)
				require.Equal(t, want.Ignored, remaining)
				require.Equal(t, all, foldermarker.Keys(t, b), "in both stores")
			})
		}
	}
}

// An object with content may have a key that ends in "/". If the new store cannot have such a key,
// Finish fails for this object, and counts it as left.
func TestFinishReportsObjectNamedLikeFolder(t *testing.T) {
	for name, kind := range newStores {
		t.Run(name, func(t *testing.T) {
			// The driver stores the object, because the engine refuses such a key.
			const text = "text"
			oldDriver := memstore.NewDriver(memstore.Config{})
			_, err := oldDriver.Put(t.Context(), &driver.PutRequest{
				Key:  "a/",
				Body: strings.NewReader(text),
				Size: int64(len(text)),
			})
			require.NoError(t, err)
			d := kind.open(t)
			b := engine.New(d, driver.WithLayer(newLayer(t, engine.New(oldDriver), overlay.Config{})))

			report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			if kind.hasFolderKeys {
				require.NoError(t, err)
				require.Equal(t, map[string]string{"a/": text}, contentsOf(t, engine.New(d)))
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, overlay.Report{Left: 1}, report)
		})
	}
}

// If the engine does not write the key of an object, Finish leaves the object in the old store, and
// fails with InvalidArgument.
func TestFinishRefusesUnwritableKeys(t *testing.T) {
	for _, key := range []string{"a//", "/", "a//b", "a.", "a./", `a\/`} {
		t.Run(key, func(t *testing.T) {
			old, plant := foldermarker.New(t)
			plant(key)
			b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{})))

			report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, overlay.Report{Left: 1}, report)
		})
	}
}
