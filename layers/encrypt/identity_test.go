package encrypt_test

import (
	"context"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/memstore"
)

// layerOf returns a layer with a configuration.
func layerOf(t *testing.T, c encrypt.Config) driver.Layer {
	t.Helper()
	layer, err := encrypt.New(c)
	require.NoError(t, err)
	return layer
}

// The identity of a store with a layer, by which caches recognize it, is another one for other keys or
// settings of the layer, and the same for equal ones.
func TestStackIdentityHasKeys(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	quantum, err := age.GenerateHybridIdentity()
	require.NoError(t, err)

	// All configurations encrypt for mine. They differ in the identities that decrypt.
	keys := func(ids ...age.Identity) encrypt.Config {
		return encrypt.Config{Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, ids)}
	}
	parsed, err := encrypt.ParseKeys(strings.NewReader(mine.String()))
	require.NoError(t, err)
	joined := encrypt.JoinKeys([]encrypt.Keys{parsed}, []encrypt.Keys{parsed})

	identity := driver.StackIdentity(layerOf(t, keys(mine))(store))
	require.NotEqual(t, driver.StackIdentity(store), identity, "without the layer")
	tests := []struct {
		name   string
		config encrypt.Config
		isSame bool
	}{
		{name: "the same keys", config: keys(mine), isSame: true},
		{name: "the same keys from a file", config: encrypt.Config{Keys: parsed}, isSame: true},
		{name: "another identity", config: keys(other), isSame: false},
		{name: "a further identity", config: keys(mine, quantum), isSame: false},
		{name: "keys that only encrypt", config: keys(), isSame: false},
		{name: "plain objects, too", config: encrypt.Config{Keys: parsed, AllowPlain: true}, isSame: false},
		{name: "joined keys", config: encrypt.Config{Keys: joined}, isSame: false},
		{name: "keys of another type", config: encrypt.Config{Keys: boundKeys{}}, isSame: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := driver.StackIdentity(layerOf(t, tt.config)(store))
			require.Equal(t, tt.isSame, identity == got)
			require.Equal(t, got, driver.StackIdentity(layerOf(t, tt.config)(store)), "it stays the same")
		})
	}
}

// A disk cache above the encryption layer and one below it may share a directory. Neither uses blocks of the
// other.
func TestDiskCacheAboveAndBelowShareNoBlock(t *testing.T) {
	content := strings.Repeat("The quick brown fox. ", 10_000)
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	encrypted := func(id *age.X25519Identity) driver.Layer {
		return layerOf(t, encrypt.Config{
			Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, []age.Identity{id}),
		})
	}
	readText := func(b storage.Bucket) (string, error) {
		got, _, err := storage.ReadAll(context.Background(), b, "a")
		return string(got), err
	}

	tests := []struct {
		name          string
		before, after func(cache driver.Layer) []driver.Layer
		want          string // of the read after; "" for what is stored
	}{
		{
			name:   "the cache moves below",
			before: func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			after:  func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache, encrypted(mine)} },
			want:   content,
		},
		{
			name:   "the cache moves above",
			before: func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache, encrypted(mine)} },
			after:  func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			want:   content,
		},
		{
			name:   "a location without keys",
			before: func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			after:  func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache} },
			want:   "",
		},
		{
			name:   "a location with another key",
			before: func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			after: func(cache driver.Layer) []driver.Layer {
				return []driver.Layer{
					encrypted(other), cache,
				}
			},
			want: "refused",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := memstore.NewDriver(memstore.Config{})
			cache, err := diskcache.Open(t.TempDir(), diskcache.Config{Unpinned: true})
			require.NoError(t, err)
			defer func() {
				require.NoError(t, cache.Close())
			}()
			openWith := func(layers []driver.Layer) storage.Bucket {
				d := store
				for _, layer := range layers {
					d = layer(d)
				}
				return engine.New(d)
			}
			first := openWith(tt.before(cache.Layer()))
			_, err = first.Upload(context.Background(), "a", strings.NewReader(content))
			require.NoError(t, err)

			for range 2 {
				got, err := readText(first)
				require.NoError(t, err)
				require.Equal(t, content, got)
			}

			got, err := readText(openWith(tt.after(cache.Layer())))
			if tt.want == "refused" {
				require.ErrorIs(t, err, storage.PermissionDenied)
				return
			}
			require.NoError(t, err)
			want := tt.want
			if want == "" {
				want, err = readText(engine.New(store))
				require.NoError(t, err)
				require.NotEqual(t, content, want)
			}
			require.Equal(t, want, got)
		})
	}
}
