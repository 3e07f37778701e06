package encrypt_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// If a program writes an object during a Rewrap, its write remains and is readable.
func TestExploredRewrapAndAWriter(t *testing.T) {
	keys, _ := newRotatedKeys(t)
	for name, other := range map[string]func(ctx context.Context, b storage.Bucket) error{
		"upload": func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("new"))
			return err
		},
		"rewrap": func(ctx context.Context, b storage.Bucket) error {
			_, err := encrypt.Rewrap(ctx, b, "k")
			return err
		},
		"rewrap all": func(ctx context.Context, b storage.Bucket) error {
			_, err := encrypt.RewrapAll(ctx, b, encrypt.RewrapConfig{Concurrency: 1})
			return err
		},
		"remove": func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "k") },
	} {
		t.Run(name, func(t *testing.T) {
			explored.EachOrder(t, func(s *interleave.Scene) {
				layer, err := encrypt.New(encrypt.Config{Keys: keys})
				require.NoError(s, err)
				store := s.Store("s")
				outside := store.Bucket(driver.WithLayer(layer))
				_, err = outside.Upload(s.Context(), "k", strings.NewReader("first"))
				require.NoError(s, err)

				// One process rewraps the object, while the other one changes it.
				rewrapping := s.Process("rewraps")
				writing := s.Process("other")
				rewrapped := rewrapping.Bucket(store, driver.WithLayer(layer))
				written := writing.Bucket(store, driver.WithLayer(layer))
				rewrapping.Go("rewraps", func(ctx context.Context) error {
					_, err := encrypt.Rewrap(ctx, rewrapped, "k")
					return err
				})
				writer := writing.Go("other", func(ctx context.Context) error { return other(ctx, written) })

				// The write of the other process remains, whatever the order of the calls.
				s.Check(func() {
					data, _, err := storage.ReadAll(s.Context(), outside, "k")
					if !errors.Is(err, storage.ObjectNotFound) {
						require.NoError(s, err)
					}
					changesContent := name == "upload" || name == "remove"
					switch {
					case !changesContent:
						require.Equal(s, "first", string(data))
					case !explored.Succeeded(writer): // its outcome is unknown
						require.Contains(s, []string{"first", "new", ""}, string(data))
					case name == "upload":
						require.Equal(s, "new", string(data))
					case name == "remove":
						require.Empty(s, data)
					}
				})
			})
		})
	}
}
