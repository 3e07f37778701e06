package overlay_test

import (
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

// During a rolling update, some processes use the overlay and others NewOnly. Later, some use NewOnly and others no
// layer. Each sees the writes and removals of the others.
func TestNewOnlyBesideOverlay(t *testing.T) {
	for _, keepOld := range []bool{false, true} {
		tests := []struct {
			name   string
			former int // index of the former bucket; the next one is the later bucket
		}{
			{name: "NewOnly beside the layer", former: 0},
			{name: "without the layer beside NewOnly", former: 1},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				old := memstore.New()
				d := memstore.NewDriver(memstore.Config{})
				for _, key := range []string{"a", "b", "c", "d", "e"} {
					put(t, old, key, "old "+key)
				}
				open := func(newOnly bool) storage.Bucket {
					return engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{
						CopyOnRead: true,
						KeepOld:    keepOld,
						NewOnly:    newOnly,
					})))
				}
				buckets := []storage.Bucket{open(false), open(true), engine.New(d)}
				_, err := overlay.Finish(t.Context(), buckets[0], overlay.FinishConfig{})
				require.NoError(t, err)
				former := buckets[tt.former]
				later := buckets[tt.former+1]

				// Each bucket removes an object. The later one also removes an object with a given revision.
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

				// A removed object can be created again, and all buckets have the same objects in the end.
				_, err = former.Upload(t.Context(), "a", strings.NewReader("again"), storage.IfAbsent())
				require.NoError(t, err)
				_, err = overlay.Finish(t.Context(), buckets[1], overlay.FinishConfig{})
				require.NoError(t, err)
				want := map[string]string{"a": "again", "d": "new d", "e": "old e"}
				for _, b := range append(buckets[1:], former) {
					got := contentsOf(t, b)
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
