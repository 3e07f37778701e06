package layers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// callsOfKey are calls of a bucket for the key "k", by their names.
var callsOfKey = map[string]func(t *testing.T, b storage.Bucket) error{
	"Download": func(t *testing.T, b storage.Bucket) error {
		_, err := b.Download(t.Context(), "k")
		return err
	},
	"Attrs": func(t *testing.T, b storage.Bucket) error {
		_, err := b.Attrs(t.Context(), "k")
		return err
	},
	"Exists": func(t *testing.T, b storage.Bucket) error {
		_, err := b.Exists(t.Context(), "k")
		return err
	},
	"Tags": func(t *testing.T, b storage.Bucket) error {
		_, err := storage.Tags(t.Context(), b, "k")
		return err
	},
	"SetTags": func(t *testing.T, b storage.Bucket) error {
		return storage.SetTags(t.Context(), b, "k", map[string]string{"a": "b"})
	},
	"Remove": func(t *testing.T, b storage.Bucket) error { return b.Remove(t.Context(), "k") },
	"List": func(t *testing.T, b storage.Bucket) error {
		for _, err := range b.List(t.Context(), storage.WithPrefix("k")) {
			return err
		}
		return nil
	},
	"ListPage": func(t *testing.T, b storage.Bucket) error {
		_, err := storage.ListPage(t.Context(), b, "", storage.WithPrefix("k"))
		return err
	},
}

// If a store of an overlay or a mirror fails, the error names the operation and the key of the
// caller. It names neither the operation nor the key of the call that the layer made to the store.
func TestErrorOfTwoStoresNamesCall(t *testing.T) {
	testserver.Slow(t)

	// The options that make a store fail are given to the old store of an overlay, and to both stores of a mirror.
	openOverlay := func(t *testing.T, failing ...storage.OpenOption) storage.Bucket {
		layer, err := overlay.New(memstore.New(failing...), overlay.Config{})
		require.NoError(t, err)
		return memstore.New(driver.WithLayer(layer))
	}
	openMirror := func(t *testing.T, failing ...storage.OpenOption) storage.Bucket {
		layer, err := mirror.New(memstore.New(failing...), mirror.Config{})
		require.NoError(t, err)
		return memstore.New(append(failing, driver.WithLayer(layer))...)
	}

	denied := &storage.Error{Code: storage.PermissionDenied, Hint: "ask the owner"}
	unavailable := &storage.Error{Code: storage.Unavailable}
	tests := []struct {
		name    string
		open    func(t *testing.T, failing ...storage.OpenOption) storage.Bucket
		failure *storage.Error // of the store
	}{
		{name: "old store of an overlay denies access", open: openOverlay, failure: denied},
		{name: "old store of an overlay is unavailable", open: openOverlay, failure: unavailable},
		{name: "both stores of a mirror deny access", open: openMirror, failure: denied},
		{name: "both stores of a mirror are unavailable", open: openMirror, failure: unavailable},
	}
	for _, tt := range tests {
		for op, call := range callsOfKey {
			t.Run(tt.name+", "+op, func(t *testing.T) {
				failAll := faults.New(faults.Fail(faults.Any).WithError(tt.failure))
				noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
				b := tt.open(t, driver.WithLayer(failAll.Layer()), noRetry)

				// The call is for the key "k" in a folder. Its error does not show the folder.
				err := call(t, storage.Prefixed(b, "folder/"))
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.ErrorIs(t, err, tt.failure.Code)
				require.Equal(t, op, storageErr.Op)
				require.Equal(t, "k", storageErr.Key)
				require.Equal(t, tt.failure.Hint, storageErr.Hint)
				require.LessOrEqual(t, strings.Count(err.Error(), "ask the owner"), 1, "the hint once: %v", err)
			})
		}
	}
}

// A mirror above a mirror and an overlay above an overlay are refused, because the outer layer would
// take the inner one's markers and notes for its own.
func TestLayersOfTwoStoresRefuseOwnKind(t *testing.T) {
	tests := []struct {
		name     string
		newLayer func() (driver.Layer, error)
	}{
		{
			name:     "overlay",
			newLayer: func() (driver.Layer, error) { return overlay.New(memstore.New(), overlay.Config{}) },
		},
		{
			name:     "mirror",
			newLayer: func() (driver.Layer, error) { return mirror.New(memstore.New(), mirror.Config{}) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner, err := tt.newLayer()
			require.NoError(t, err)
			outer, err := tt.newLayer()
			require.NoError(t, err)
			b := memstore.New(driver.WithLayer(inner), driver.WithLayer(outer))

			_, err = b.Exists(t.Context(), "a")
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}
