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
				p := s.Process("rewraps")
				q := s.Process("other")
				b := p.Bucket(store, driver.WithLayer(layer))
				c := q.Bucket(store, driver.WithLayer(layer))
				p.Go("rewraps", func(ctx context.Context) error {
					_, err := encrypt.Rewrap(ctx, b, "k")
					return err
				})
				a := q.Go("other", func(ctx context.Context) error { return other(ctx, c) })

				// The write of the other process remains, whatever the order of the calls.
				s.Check(func() {
					data, _, err := storage.ReadAll(s.Context(), outside, "k")
					if !errors.Is(err, storage.ObjectNotFound) {
						require.NoError(s, err)
					}
					otherSucceeded := explored.Succeeded(a)
					switch {
					case name == "upload" && otherSucceeded:
						require.Equal(s, "new", string(data))
					case name == "remove" && otherSucceeded:
						require.Empty(s, data)
					case name == "upload" || name == "remove":
						require.Contains(s, []string{"first", "new", ""}, string(data))
					default:
						require.Equal(s, "first", string(data))
					}
				})
			})
		})
	}
}
