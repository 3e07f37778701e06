package overlay_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newLayer returns the layer of an overlay with this old store.
func newLayer(t *testing.T, old storage.Bucket, c overlay.Config) driver.Layer {
	t.Helper()
	layer, err := overlay.New(old, c)
	require.NoError(t, err)
	return layer
}

// The conformance suite passes for an overlay of two stores in memory.
func TestConformance(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		layer := newLayer(t, memstore.New(), overlay.Config{})
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// The conformance suite passes for an overlay with Config.KeepOld.
func TestFurtherConformanceWithKeepOld(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		layer := newLayer(t, memstore.New(), overlay.Config{KeepOld: true})
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// The conformance suite passes for an overlay of two directories.
func TestFurtherConformanceOverADirectory(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	for _, m := range []mode{{name: "by default"}, {name: "KeepOld", keepOld: true}} {
		t.Run(m.name, func(t *testing.T) {
			storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
				old, err := local.Open(t.TempDir(), local.Config{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, storage.Close(old)) })
				d, err := local.NewDriver(t.TempDir(), local.Config{})
				require.NoError(t, err)
				return newLayer(t, old, m.config(false))(d)
			})
		})
	}
}

// An overlay can have keys that only the new store accepts, for example if the old store is a
// directory.
func TestKeysThatOldStoreRefuses(t *testing.T) {
	old, err := local.Open(t.TempDir(), local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(old)) })
	b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{})))
	put(t, old, "a/b", "old")

	tooLongForAFile := strings.Repeat("x", 300)
	for _, key := range []string{"a", "a/b/c", tooLongForAFile} {
		_, err := b.Attrs(t.Context(), key)
		require.ErrorIs(t, err, storage.ObjectNotFound, key)

		_, err = b.Upload(t.Context(), key, strings.NewReader("x"), storage.IfAbsent())
		require.NoError(t, err, key)
		_, _, err = storage.ReadAll(t.Context(), b, key)
		require.NoError(t, err, key)
		require.NoError(t, b.Remove(t.Context(), key), key)
	}
}

// If the old store of an overlay does not support stored checksums, object tags or leading slashes, the overlay does
// not support them, either.
func TestFeaturesOfBothStores(t *testing.T) {
	features := []storage.Features{storage.StoredChecksums, storage.ObjectTags, storage.LeadingSlashes}
	for _, feature := range features {
		lackingOld := engine.New(lacking{memstore.NewDriver(memstore.Config{}), feature})
		b := memstore.New(driver.WithLayer(newLayer(t, lackingOld, overlay.Config{})))
		require.False(t, storage.Supports(b, feature))

		b = memstore.New(driver.WithLayer(newLayer(t, memstore.New(), overlay.Config{})))
		require.True(t, storage.Supports(b, feature))
	}
}

// The old store of an overlay cannot be its new store, nor overlap with it.
func TestNewRefusesOneStoreTwice(t *testing.T) {
	newDriver := func(dir string) driver.Driver {
		d, err := local.NewDriver(dir, local.Config{NoSync: true})
		require.NoError(t, err)
		return d
	}
	newDir := t.TempDir()
	folder := filepath.Join(newDir, "folder")
	require.NoError(t, os.Mkdir(folder, 0o755))
	parent := filepath.Dir(newDir)
	tests := []struct {
		name string
		old  storage.Bucket
		want storage.Code
	}{
		{name: "the same directory", old: engine.New(newDriver(newDir)), want: storage.InvalidArgument},
		{name: "a folder of it", old: engine.New(newDriver(folder)), want: storage.InvalidArgument},
		{name: "the directory around it", old: engine.New(newDriver(parent)), want: storage.InvalidArgument},
		{
			name: "the same directory as a folder of another bucket",
			old:  storage.Prefixed(engine.New(newDriver(parent)), filepath.Base(newDir)+"/"),
			want: storage.InvalidArgument,
		},
		{name: "another directory", old: engine.New(newDriver(t.TempDir()))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layer, err := overlay.New(tt.old, overlay.Config{})
			require.NoError(t, err)
			b := engine.New(newDriver(newDir), driver.WithLayer(layer))

			_, err = b.Upload(t.Context(), "key", strings.NewReader("text"))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, "must not be the same bucket")
		})
	}
}

// The condition of an open upload is checked when the upload ends. So a create succeeds if the
// object in the old store was removed meanwhile.
func TestOpenUploadWhileObjectGoes(t *testing.T) {
	old := memstore.New()
	put(t, old, "a", "old")
	b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{})))
	upload, err := storage.BeginUpload(t.Context(), b, "a", storage.IfAbsent())
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("new"))
	require.NoError(t, err)

	_, err = upload.Complete(t.Context())
	require.ErrorIs(t, err, storage.PreconditionFailed)

	require.NoError(t, b.Remove(t.Context(), "a"))
	_, err = upload.Complete(t.Context())
	require.NoError(t, err)
}

// An overlay refuses a new store without conditional writes. The hint of the error names the
// profile of an S3 server, because a server without a profile counts as such a store.
func TestNewNeedsConditions(t *testing.T) {
	d := lacking{memstore.NewDriver(memstore.Config{}), storage.ConditionalUpdate}
	layer := newLayer(t, memstore.New(), overlay.Config{})
	b := engine.New(layer(d))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("a"))
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "profile=minio")
}
