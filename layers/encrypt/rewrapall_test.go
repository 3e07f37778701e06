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
	"github.com/omnibucket/storage/storagetest/faults"
)

// newRotatedKeys returns the keys of an identity file whose first identity is new.
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

func TestRewrapAllRotatesATree(t *testing.T) {
	s := newStore()
	first, older := newRotatedKeys(t)
	keys := []string{"a", "photos/b", "photos/c"}
	for _, key := range keys {
		mustUpload(t, s.open(t, first), key, "content of "+key)
	}
	both, newer := newRotatedKeys(t, older)
	newKeys, err := encrypt.ParseKeys(strings.NewReader(newer.String()))
	require.NoError(t, err)

	var named []string
	report, err := encrypt.RewrapAll(t.Context(), storage.Prefixed(s.open(t, both), "photos/"),
		encrypt.RewrapConfig{
			Concurrency: 1,
			Rewrapped: func(a *storage.Attrs) {
				named = append(named, a.Key)
			},
		})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2}, report)
	require.Equal(t, []string{"b", "c"}, named)
	_, _, err = storage.ReadAll(t.Context(), s.open(t, newKeys), "a")
	require.ErrorIs(t, err, storage.PermissionDenied, "outside of the view")

	report, err = encrypt.RewrapAll(t.Context(), s.open(t, both), encrypt.RewrapConfig{})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 3}, report)
	for _, key := range keys {
		got, _, err := storage.ReadAll(t.Context(), s.open(t, newKeys), key)
		require.NoError(t, err)
		require.Equal(t, "content of "+key, string(got))
	}
}

func TestRewrapAllEncryptsWhatExists(t *testing.T) {
	s := newStore()
	mustUpload(t, engine.New(s.Driver), "a", "plain", storage.WithContentType("text/x-test"))
	keys, _ := newRotatedKeys(t)
	layer, err := encrypt.New(encrypt.Config{Keys: keys, AllowPlain: true})
	require.NoError(t, err)

	report, err := encrypt.RewrapAll(t.Context(), engine.New(s.Driver, driver.WithLayer(layer)),
		encrypt.RewrapConfig{})
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 1}, report)
	require.NotContains(t, string(s.get(t, "a").body), "plain")

	got, attrs, err := storage.ReadAll(t.Context(), s.open(t, keys), "a") // without AllowPlain
	require.NoError(t, err)
	require.Equal(t, "plain", string(got))
	require.Equal(t, "text/x-test", attrs.ContentType)

	mustUpload(t, engine.New(s.Driver), "b", "plain")
	report, err = encrypt.RewrapAll(t.Context(), s.open(t, keys), encrypt.RewrapConfig{})
	require.ErrorIs(t, err, storage.ChecksumMismatch, "without AllowPlain")
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 1, Failed: 1}, report)
}

// If another program writes or removes an object once, RewrapAll succeeds. If it writes at each attempt, the
// report counts the object as failed.
func TestRewrapAllBearsOtherWriters(t *testing.T) {
	tests := []struct {
		name   string
		writes int32
		remove bool
		want   encrypt.RewrapReport
	}{
		{name: "a write between", writes: 1, want: encrypt.RewrapReport{Rewrapped: 1}},
		{name: "a write at each attempt", writes: 100, want: encrypt.RewrapReport{Failed: 1}},
		{name: "a removal", writes: 1, remove: true, want: encrypt.RewrapReport{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			keys, _ := newRotatedKeys(t)
			bucket := s.open(t, keys)
			mustUpload(t, bucket, "a", "old")
			var writes atomic.Int32
			calls := faults.New()
			racing := engine.New(s.Driver, driver.WithLayer(calls.Layer()),
				driver.WithLayer(func(next driver.Driver) driver.Driver {
					return driver.Intercept(next,
						func(ctx context.Context, call string, next func(context.Context) error) error {
							if call == "Copy" && writes.Add(1) <= tt.writes {
								if tt.remove {
									require.NoError(t, bucket.Remove(ctx, "a"))
								} else {
									mustUpload(t, bucket, "a", fmt.Sprint("new ", writes.Load()))
								}
							}
							return next(ctx)
						})
				}), driver.WithLayer(newLayer(t, keys)))

			report, err := encrypt.RewrapAll(t.Context(), racing, encrypt.RewrapConfig{})
			require.Equal(t, tt.want.Failed > 0, err != nil, err)
			require.Equal(t, tt.want, report)
		})
	}
	_, err := encrypt.RewrapAll(t.Context(), engine.New(newStore().Driver), encrypt.RewrapConfig{
		Concurrency: -1,
	})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// With Former, RewrapAll rewraps only the objects that former keys still encrypt. A dry run only names them.
func TestRewrapAllOfFormerKeys(t *testing.T) {
	s := newStore()
	first, older := newRotatedKeys(t)
	for _, key := range []string{"a", "b", "c"} {
		mustUpload(t, s.open(t, first), key, "content of "+key)
	}
	both, newer := newRotatedKeys(t, older)
	newKeys, err := encrypt.ParseKeys(strings.NewReader(newer.String()))
	require.NoError(t, err)
	b := s.open(t, both)
	_, err = encrypt.Rewrap(t.Context(), b, "b")
	require.NoError(t, err)

	var keys []string
	c := encrypt.RewrapConfig{
		Concurrency: 1,
		Former:      first,
		DryRun:      true,
		Rewrapped: func(a *storage.Attrs) {
			keys = append(keys, a.Key)
		},
	}

	report, err := encrypt.RewrapAll(t.Context(), b, c)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2, Current: 1}, report)
	require.Equal(t, []string{"a", "c"}, keys)

	_, _, err = storage.ReadAll(t.Context(), s.open(t, newKeys), "a")
	require.ErrorIs(t, err, storage.PermissionDenied, "a dry run changes nothing")

	c.DryRun = false
	report, err = encrypt.RewrapAll(t.Context(), storage.Prefixed(b, "none/"), c)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{}, report)

	report, err = encrypt.RewrapAll(t.Context(), b, c)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Rewrapped: 2, Current: 1}, report)

	report, err = encrypt.RewrapAll(t.Context(), b, c)
	require.NoError(t, err)
	require.Equal(t, encrypt.RewrapReport{Current: 3}, report)

	for _, key := range []string{"a", "b", "c"} {
		got, _, err := storage.ReadAll(t.Context(), s.open(t, newKeys), key)
		require.NoError(t, err)
		require.Equal(t, "content of "+key, string(got))
	}
}
