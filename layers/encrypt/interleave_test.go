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
	tests := []struct {
		name           string
		other          func(ctx context.Context, b storage.Bucket) error // the call of the other process
		changesContent bool
		want           string // content of the object if the call succeeds; "" if there is none
	}{
		{
			name: "upload",
			other: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "k", strings.NewReader("new"))
				return err
			},
			changesContent: true,
			want:           "new",
		},
		{
			name: "rewrap",
			other: func(ctx context.Context, b storage.Bucket) error {
				_, err := encrypt.Rewrap(ctx, b, "k")
				return err
			},
			changesContent: false,
			want:           "first",
		},
		{
			name: "rewrap all",
			other: func(ctx context.Context, b storage.Bucket) error {
				_, err := encrypt.RewrapAll(ctx, b, encrypt.RewrapConfig{Concurrency: 1})
				return err
			},
			changesContent: false,
			want:           "first",
		},
		{
			name:           "remove",
			other:          func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "k") },
			changesContent: true,
			want:           "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
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
				writer := writing.Go("other", func(ctx context.Context) error { return tt.other(ctx, written) })

				// The write of the other process remains, whatever the order of the calls.
				s.Check(func() {
					data, _, err := storage.ReadAll(s.Context(), outside, "k")
					if !errors.Is(err, storage.ObjectNotFound) {
						require.NoError(s, err)
					}
					isUnknown := tt.changesContent && !explored.Succeeded(writer)
					if isUnknown {
						require.Contains(s, []string{"first", "new", ""}, string(data))
						return
					}
					require.Equal(s, tt.want, string(data))
				})
			})
		})
	}
}
