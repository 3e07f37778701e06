package encrypt_test

import (
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

// Caches recognize a store by its identity. Two encryption layers with equal keys and settings give a store the same
// identity. If a key or a setting differs, so does the identity.
func TestStackIdentityHasKeys(t *testing.T) {
	store := memstore.NewDriver(memstore.Config{})
	mine, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	quantum, err := age.GenerateHybridIdentity()
	require.NoError(t, err)

	// All configurations encrypt for the identity mine. They differ in the identities that decrypt.
	decryptingWith := func(identities ...age.Identity) encrypt.Config {
		return encrypt.Config{Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, identities)}
	}
	parsed, err := encrypt.ParseKeys(strings.NewReader(mine.String()))
	require.NoError(t, err)
	joined := encrypt.JoinKeys([]encrypt.Keys{parsed}, []encrypt.Keys{parsed})

	identity := driver.StackIdentity(layerOf(t, decryptingWith(mine))(store))
	require.NotEqual(t, driver.StackIdentity(store), identity, "without the layer")
	tests := []struct {
		name   string
		config encrypt.Config
		isSame bool
	}{
		{name: "the same keys", config: decryptingWith(mine), isSame: true},
		{name: "the same keys from a file", config: encrypt.Config{Keys: parsed}, isSame: true},
		{name: "another identity", config: decryptingWith(other), isSame: false},
		{name: "a further identity", config: decryptingWith(mine, quantum), isSame: false},
		{name: "keys that only encrypt", config: decryptingWith(), isSame: false},
		{name: "plain objects, too", config: encrypt.Config{Keys: parsed, AllowPlain: true}, isSame: false},
		{name: "joined keys", config: encrypt.Config{Keys: joined}, isSame: false},
		{name: "keys of another type", config: encrypt.Config{Keys: boundKeys{}}, isSame: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := driver.StackIdentity(layerOf(t, tt.config)(store))
			require.Equal(t, tt.isSame, identity == got)

			again := driver.StackIdentity(layerOf(t, tt.config)(store))
			require.Equal(t, got, again, "a second layer with this configuration")
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
	layerFor := func(id *age.X25519Identity) driver.Layer {
		return layerOf(t, encrypt.Config{
			Keys: encrypt.NewKeys([]age.Recipient{mine.Recipient()}, []age.Identity{id}),
		})
	}
	readText := func(b storage.Bucket) (string, error) {
		got, _, err := storage.ReadAll(t.Context(), b, "a")
		return string(got), err
	}

	// An opener opens a store with a cache. All caches share one directory.
	type opener func(store driver.Driver, cache driver.Layer) storage.Bucket
	cacheAbove := func(store driver.Driver, cache driver.Layer) storage.Bucket {
		return engine.New(cache(layerFor(mine)(store)))
	}
	cacheBelow := func(store driver.Driver, cache driver.Layer) storage.Bucket {
		return engine.New(layerFor(mine)(cache(store)))
	}
	withoutKeys := func(store driver.Driver, cache driver.Layer) storage.Bucket {
		return engine.New(cache(store))
	}
	cacheAboveOtherKey := func(store driver.Driver, cache driver.Layer) storage.Bucket {
		return engine.New(cache(layerFor(other)(store)))
	}

	tests := []struct {
		name          string
		openFirst     opener
		openSecond    opener
		wantErr       error // of the second bucket
		wantEncrypted bool  // the second bucket returns the encrypted bytes
	}{
		{name: "cache above, then below", openFirst: cacheAbove, openSecond: cacheBelow},
		{name: "cache below, then above", openFirst: cacheBelow, openSecond: cacheAbove},
		{
			name:          "cache above, then without the encryption",
			openFirst:     cacheAbove,
			openSecond:    withoutKeys,
			wantEncrypted: true,
		},
		{
			name:       "cache above, then with a key that cannot decrypt",
			openFirst:  cacheAbove,
			openSecond: cacheAboveOtherKey,
			wantErr:    storage.PermissionDenied,
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

			// The first bucket fills the cache. Its second read uses the cache.
			first := tt.openFirst(store, cache.Layer())
			mustUpload(t, first, "a", content)
			for range 2 {
				got, err := readText(first)
				require.NoError(t, err)
				require.Equal(t, content, got)
			}

			// The second bucket uses no block of the first one.
			got, err := readText(tt.openSecond(store, cache.Layer()))
			require.ErrorIs(t, err, tt.wantErr)
			if tt.wantErr != nil {
				return
			}
			want := content
			if tt.wantEncrypted {
				want, err = readText(engine.New(store))
				require.NoError(t, err)
				require.NotEqual(t, content, want)
			}
			require.Equal(t, want, got)
		})
	}
}
