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

func layerOf(t *testing.T, c encrypt.Config) driver.Layer {
	t.Helper()
	layer, err := encrypt.New(c)
	require.NoError(t, err)
	return layer
}

// Two chains of layers with different encryption keys have different identities.
func TestStackIdentityHasKeys(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	quantum, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	keys := func(of ...age.Identity) encrypt.Config {
		return encrypt.Config{Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, of)}
	}
	parsed, err := encrypt.ParseKeys(strings.NewReader(mine.String()))
	require.NoError(t, err)
	joined := func(k ...encrypt.Keys) encrypt.Config { return encrypt.Config{Keys: encrypt.JoinKeys(k, k)} }
	own := driver.StackIdentity(layerOf(t, keys(mine))(store))
	require.NotEqual(t, driver.StackIdentity(store), own, "without the layer")
	for _, row := range []struct {
		name   string
		config encrypt.Config
		same   bool
	}{
		{"the same keys", keys(mine), true},
		{"the same keys from a file", encrypt.Config{Keys: parsed}, true},
		{"another identity", keys(other), false},
		{"a further identity", keys(mine, quantum), false},
		{"keys that only encrypt", keys(), false},
		{"plain objects, too", encrypt.Config{Keys: parsed, AllowPlain: true}, false},
		{"joined keys", joined(parsed), false},
		{"keys of another type", encrypt.Config{Keys: boundKeys{}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := driver.StackIdentity(layerOf(t, row.config)(store))
			require.Equal(t, row.same, own == got)
			require.Equal(t, got, driver.StackIdentity(layerOf(t, row.config)(store)), "it stays the same")
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
		return layerOf(t, encrypt.Config{Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, []age.Identity{id})})
	}
	read := func(b storage.Bucket) (string, error) {
		got, _, err := storage.ReadAll(context.Background(), b, "a")
		return string(got), err
	}
	for _, row := range []struct {
		name          string
		before, after func(cache driver.Layer) []driver.Layer
		want          string // of the read after; "" for what is stored
	}{
		{
			"the cache moves below",
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache, encrypted(mine)} },
			content,
		},
		{
			"the cache moves above",
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache, encrypted(mine)} },
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			content,
		},
		{
			"a location without keys",
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{cache} },
			"",
		},
		{
			"a location with another key",
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(mine), cache} },
			func(cache driver.Layer) []driver.Layer { return []driver.Layer{encrypted(other), cache} },
			"refused",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			store := memstore.NewDriver(memstore.Config{})
			cache, err := diskcache.Open(t.TempDir(), diskcache.Config{Unpinned: true})
			require.NoError(t, err)
			defer func() { require.NoError(t, cache.Close()) }()
			with := func(layers []driver.Layer) storage.Bucket {
				d := store
				for _, layer := range layers {
					d = layer(d)
				}
				return engine.New(d)
			}
			first := with(row.before(cache.Layer()))
			_, err = first.Upload(context.Background(), "a", strings.NewReader(content))
			require.NoError(t, err)
			for range 2 {
				got, err := read(first)
				require.NoError(t, err)
				require.Equal(t, content, got)
			}
			got, err := read(with(row.after(cache.Layer())))
			if row.want == "refused" {
				require.ErrorIs(t, err, storage.PermissionDenied)
				return
			}
			require.NoError(t, err)
			want := row.want
			if want == "" {
				want, err = read(engine.New(store))
				require.NoError(t, err)
				require.NotEqual(t, content, want)
			}
			require.Equal(t, want, got)
		})
	}
}
