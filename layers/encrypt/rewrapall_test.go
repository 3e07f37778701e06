package encrypt_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
)

// newRotatedKeys returns a new identity, and the keys of an identity file. The file has the new identity first, and
// then the older ones.
func newRotatedKeys(t *testing.T, older ...*age.X25519Identity) (encrypt.Keys, *age.X25519Identity) {
	t.Helper()
	newer, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	file := newer.String()
	for _, identity := range older {
		file += "\n" + identity.String()
	}
	keys, err := encrypt.ParseKeys(strings.NewReader(file))
	require.NoError(t, err)
	return keys, newer
}

// RewrapAll encrypts all objects of a bucket, or of a view of it, for the identity that is now the
// first one in the file.
func TestRewrapAllRotatesATree(t *testing.T) {
	s := newStore()
	oldKeys, oldIdentity := newRotatedKeys(t)
	keys := []string{"a", "photos/b", "photos/c"}
	for _, key := range keys {
		mustUpload(t, s.open(t, oldKeys), key, "content of "+key)
	}

	bothKeys, newIdentity := newRotatedKeys(t, oldIdentity)
	onlyNewKeys, err := encrypt.ParseKeys(strings.NewReader(newIdentity.String()))
	require.NoError(t, err)

	// Two of the objects are in the view.
	var rewrapped []string
	photos := storage.Prefixed(s.open(t, bothKeys), "photos/")
	report, err := encrypt.RewrapAll(t.Context(), photos, encrypt.RewrapConfig{
		Concurrency: 1,
		Rewrapped: func(attrs *storage.Attrs) {
			rewrapped = append(rewrapped, attrs.Key)
		},
	})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2}, report)
	require.Equal(t, []string{"b", "c"}, rewrapped)
	_, _, err = storage.ReadAll(t.Context(), s.open(t, onlyNewKeys), "a")
	require.ErrorIs(t, err, storage.PermissionDenied, "outside of the view")

	// The whole bucket has three objects.
	report, err = encrypt.RewrapAll(t.Context(), s.open(t, bothKeys), encrypt.RewrapConfig{})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 3}, report)
	for _, key := range keys {
		got, _, err := storage.ReadAll(t.Context(), s.open(t, onlyNewKeys), key)
		require.NoError(t, err)
		require.Equal(t, "content of "+key, string(got))
	}
}

// RewrapAll encrypts objects that were stored without the layer if AllowPlain is set, and otherwise
// counts them as failed.
func TestRewrapAllEncryptsWhatExists(t *testing.T) {
	s := newStore()
	withoutLayer := engine.New(s.Driver)
	mustUpload(t, withoutLayer, "a", "plain", storage.WithContentType("text/x-test"))
	keys, _ := newRotatedKeys(t)
	layer, err := encrypt.New(encrypt.Config{Keys: keys, AllowPlain: true})
	require.NoError(t, err)
	allowing := engine.New(s.Driver, driver.WithLayer(layer))
	refusing := s.open(t, keys)

	// With AllowPlain, the object is encrypted.
	report, err := encrypt.RewrapAll(t.Context(), allowing, encrypt.RewrapConfig{})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 1}, report)
	require.NotContains(t, string(s.get(t, "a").body), "plain")
	got, attrs, err := storage.ReadAll(t.Context(), refusing, "a")
	require.NoError(t, err)
	require.Equal(t, "plain", string(got))
	require.Equal(t, "text/x-test", attrs.ContentType)

	// Without AllowPlain, another plain object fails.
	mustUpload(t, withoutLayer, "b", "plain")

	report, err = encrypt.RewrapAll(t.Context(), refusing, encrypt.RewrapConfig{})
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 1, Failed: 1}, report)
}

// RewrapAll tries an object again if another program writes it during the attempt, and counts the object as
// failed if that happens at each attempt. It does not count an object that another program removes.
func TestRewrapAllBearsOtherWriters(t *testing.T) {
	write := func(t *testing.T, b storage.Bucket, number int32) {
		mustUpload(t, b, "a", fmt.Sprint("new ", number))
	}
	remove := func(t *testing.T, b storage.Bucket, _ int32) {
		require.NoError(t, b.Remove(t.Context(), "a"))
	}
	tests := []struct {
		name   string
		change func(t *testing.T, b storage.Bucket, number int32) // what the other program does
		count  int32                                              // of such changes, one for each attempt
		want   encrypt.RewrapReport
	}{
		{name: "a write between", change: write, count: 1, want: encrypt.RewrapReport{Rewrapped: 1}},
		{name: "a write at each attempt", change: write, count: 100, want: encrypt.RewrapReport{Failed: 1}},
		{name: "a removal", change: remove, count: 1, want: encrypt.RewrapReport{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			keys, _ := newRotatedKeys(t)
			otherProgram := s.open(t, keys)
			mustUpload(t, otherProgram, "a", "old")

			// RewrapAll copies the object onto itself. The other program changes the object just before each copy.
			var copies atomic.Int32
			changeBeforeCopy := func(ctx context.Context, call string, next func(context.Context) error) error {
				if call != "Copy" {
					return next(ctx)
				}
				if number := copies.Add(1); number <= tt.count {
					tt.change(t, otherProgram, number)
				}
				return next(ctx)
			}
			b := engine.New(driver.Intercept(s.Driver, changeBeforeCopy), driver.WithLayer(newLayer(t, keys)))

			report, err := encrypt.RewrapAll(t.Context(), b, encrypt.RewrapConfig{})
			wantErr := tt.want.Failed > 0
			require.Equal(t, wantErr, err != nil, err)
			require.Equal(t, tt.want, report)
		})
	}
}

// RewrapAll refuses a negative concurrency.
func TestRewrapAllNegativeConcurrency(t *testing.T) {
	_, err := encrypt.RewrapAll(t.Context(), engine.New(newStore().Driver), encrypt.RewrapConfig{Concurrency: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// With RewrapConfig.Former, RewrapAll rewraps only the objects that the former keys can still decrypt, and counts
// the others as current.
func TestRewrapAllOfFormerKeys(t *testing.T) {
	s := newStore()
	oldKeys, oldIdentity := newRotatedKeys(t)
	for _, key := range []string{"a", "b", "c"} {
		mustUpload(t, s.open(t, oldKeys), key, "content of "+key)
	}

	// The bucket reads with both keys and writes with the new one. The object "b" already has the
	// new key.
	bothKeys, newIdentity := newRotatedKeys(t, oldIdentity)
	onlyNewKeys, err := encrypt.ParseKeys(strings.NewReader(newIdentity.String()))
	require.NoError(t, err)
	bucket := s.open(t, bothKeys)
	_, err = encrypt.Rewrap(t.Context(), bucket, "b")
	require.NoError(t, err)

	// A dry run names the other objects, and changes nothing.
	var rewrapped []string
	config := encrypt.RewrapConfig{
		Concurrency: 1,
		Former:      oldKeys,
		DryRun:      true,
		Rewrapped: func(attrs *storage.Attrs) {
			rewrapped = append(rewrapped, attrs.Key)
		},
	}
	report, err := encrypt.RewrapAll(t.Context(), bucket, config)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2, Current: 1}, report)
	require.Equal(t, []string{"a", "c"}, rewrapped)
	_, _, err = storage.ReadAll(t.Context(), s.open(t, onlyNewKeys), "a")
	require.ErrorIs(t, err, storage.PermissionDenied)

	// A view without objects has nothing to rewrap.
	config.DryRun = false
	report, err = encrypt.RewrapAll(t.Context(), storage.Prefixed(bucket, "none/"), config)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{}, report)

	// The first run rewraps the objects. So the second run has none to rewrap.
	report, err = encrypt.RewrapAll(t.Context(), bucket, config)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2, Current: 1}, report)
	report, err = encrypt.RewrapAll(t.Context(), bucket, config)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Current: 3}, report)

	// The new keys are now enough for all objects.
	for _, key := range []string{"a", "b", "c"} {
		got, _, err := storage.ReadAll(t.Context(), s.open(t, onlyNewKeys), key)
		require.NoError(t, err)
		require.Equal(t, "content of "+key, string(got))
	}
}
