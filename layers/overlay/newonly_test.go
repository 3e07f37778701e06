package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// The conformance suite passes for an overlay with Config.NewOnly.
func TestFurtherConformanceWithNewOnly(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	for _, keepOld := range []bool{false, true} {
		storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
			layer := newLayer(t, memstore.New(), overlay.Config{NewOnly: true, KeepOld: keepOld})
			return layer(memstore.NewDriver(memstore.Config{}))
		})
	}
}

// After the objects have moved, programs are updated in two steps: first from the overlay to an
// overlay with NewOnly, and then to no layer. During a step, some processes still use the former
// bucket, and others already use the later one. Each of them sees the writes and removals of the
// others.
func TestNewOnlyBesideOverlay(t *testing.T) {
	for _, keepOld := range []bool{false, true} {
		for _, isSecondStep := range []bool{false, true} {
			t.Run(fmt.Sprintf("KeepOld %v, to no layer %v", keepOld, isSecondStep), func(t *testing.T) {
				old := memstore.New()
				d := memstore.NewDriver(memstore.Config{})
				for _, key := range []string{"a", "b", "c", "d", "e"} {
					put(t, old, key, "old "+key)
				}

				// These three buckets have the same new store.
				config := overlay.Config{CopyOnRead: true, KeepOld: keepOld}
				overlaid := engine.New(d, driver.WithLayer(newLayer(t, old, config)))
				config.NewOnly = true
				newOnly := engine.New(d, driver.WithLayer(newLayer(t, old, config)))
				withoutLayer := engine.New(d)
				former, later := overlaid, newOnly
				if isSecondStep {
					former, later = newOnly, withoutLayer
				}

				// All objects move to the new store.
				_, err := overlay.Finish(t.Context(), overlaid, overlay.FinishConfig{})
				require.NoError(t, err)

				// Each of the buckets former and later removes an object. The bucket later also
				// removes an object with a given revision.
				require.NoError(t, later.Remove(t.Context(), "a"))
				require.NoError(t, former.Remove(t.Context(), "b"))
				attrs, err := later.Attrs(t.Context(), "c")
				require.NoError(t, err)
				revision := storage.IfRevision(attrs.Revision)
				require.NoError(t, later.Remove(t.Context(), "c", revision))

				// For both buckets, the object with this revision is gone.
				laterErr := later.Remove(t.Context(), "c", revision)
				formerErr := former.Remove(t.Context(), "c", revision)
				require.Equal(t, storage.CodeOf(laterErr), storage.CodeOf(formerErr))
				require.NoError(t, former.Remove(t.Context(), "c"))

				// Neither bucket sees an object that was removed.
				put(t, later, "d", "new d")
				for _, key := range []string{"a", "b", "c"} {
					for name, b := range map[string]storage.Bucket{"former": former, "later": later} {
						_, _, err := storage.ReadAll(t.Context(), b, key)
						require.ErrorIs(t, err, storage.ObjectNotFound, "%s: %s", name, key)
						_, err = b.SignedDownloadURL(t.Context(), key)
						require.Contains(t, []storage.Code{"", storage.Unsupported}, storage.CodeOf(err))
						_, err = b.Attrs(t.Context(), key)
						require.ErrorIs(t, err, storage.ObjectNotFound, "%s: %s", name, key)
					}
				}

				// A removed object can be created again. In the end, all buckets have the same
				// objects.
				_, err = former.Upload(t.Context(), "a", strings.NewReader("again"), storage.IfAbsent())
				require.NoError(t, err)
				_, err = overlay.Finish(t.Context(), newOnly, overlay.FinishConfig{})
				require.NoError(t, err)
				want := map[string]string{"a": "again", "d": "new d", "e": "old e"}
				for _, b := range []storage.Bucket{newOnly, withoutLayer, former} {
					got := contentsOf(t, b)
					// Without a layer, a bucket also shows the tombstones of KeepOld, which mark removed objects.
					for key := range got {
						if strings.HasPrefix(key, overlay.TombstonesPrefix) {
							delete(got, key)
						}
					}
					require.Equal(t, want, got)
				}
			})
		}
	}
}
