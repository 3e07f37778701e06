package memstore_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// New returns a new, empty bucket.
func TestNewReturnsEmptyBucket(t *testing.T) {
	a := memstore.New()
	b := memstore.New()
	_, err := a.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)
	ok, err := b.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.False(t, ok)
}

// A bucket opened by its address is the bucket of the service at that address.
func TestOpenBucketOfService(t *testing.T) {
	b, err := storage.Open(t.Context(), "mem://shared")
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)

	account, err := storage.OpenService(t.Context(), "mem://")
	require.NoError(t, err)
	shared, err := account.Bucket("shared")
	require.NoError(t, err)
	ok, err := shared.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.True(t, ok)
}

// A parameter of the address turns versions on.
func TestOpenWithVersions(t *testing.T) {
	// The name is new in each run, because the bucket stays after the test.
	bucket, err := storage.Open(t.Context(), "mem://"+rand.Text()+"?versions=true")
	require.NoError(t, err)
	for _, content := range []string{"1", "2"} {
		_, err = bucket.Upload(t.Context(), "k", strings.NewReader(content))
		require.NoError(t, err)
	}

	var result []string
	for entry, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		data, _, err := storage.ReadAll(t.Context(), bucket, "k", storage.WithVersion(entry.Version))
		require.NoError(t, err)
		result = append(result, string(data))
	}

	require.Equal(t, []string{"2", "1"}, result)
}

// storage.Open fails with InvalidArgument for these addresses.
func TestOpenRefusesAddressesOfCore(t *testing.T) {
	for _, address := range []string{
		"mem://user@name",
		"mem://name?create=true",
		"mem://name#part",
		"mem://",
		"mem://name/path",
		"mem://name:80",
	} {
		_, err := storage.Open(t.Context(), address)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
	}
}

// NewService returns a new, empty account.
func TestNewServiceReturnsEmptyAccount(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{})
	_, err := s.CreateBucket(t.Context(), "photos", storage.WithVersioning(true))
	require.NoError(t, err)

	photos, err := s.Bucket("photos")
	require.NoError(t, err)
	require.True(t, storage.Supports(photos, storage.Versioning))

	_, err = photos.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)
	var names []string
	for info, err := range s.Buckets(t.Context()) {
		require.NoError(t, err)
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"photos"}, names)
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
}
