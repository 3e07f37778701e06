package memstore_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// Each call of New returns a new, empty bucket.
func TestNewReturnsEmptyBucket(t *testing.T) {
	a := memstore.New()
	b := memstore.New()
	_, err := a.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)

	exists, err := b.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.False(t, exists)
}

// A bucket that Open opens by its address is the same as the one of that name in the account mem://.
func TestOpenBucketOfService(t *testing.T) {
	bucket, err := storage.Open(t.Context(), "mem://shared")
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)

	account, err := storage.OpenService(t.Context(), "mem://")
	require.NoError(t, err)
	bucketOfAccount, err := account.Bucket("shared")
	require.NoError(t, err)
	exists, err := bucketOfAccount.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.True(t, exists)
}

// The parameter versions=true of the address turns versions on.
func TestOpenWithVersions(t *testing.T) {
	// The name is new in each run, because the bucket stays after the test.
	bucket, err := storage.Open(t.Context(), "mem://"+rand.Text()+"?versions=true")
	require.NoError(t, err)
	for _, content := range []string{"1", "2"} {
		_, err = bucket.Upload(t.Context(), "k", strings.NewReader(content))
		require.NoError(t, err)
	}

	var contents []string
	for entry, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		data, _, err := storage.ReadAll(t.Context(), bucket, "k", storage.WithVersion(entry.Version))
		require.NoError(t, err)
		contents = append(contents, string(data))
	}
	require.Equal(t, []string{"2", "1"}, contents)
}

// storage.Open fails with InvalidArgument for an address that is not mem:// with a name and known parameters.
func TestOpenRefusesAddressesOfCore(t *testing.T) {
	tests := []struct {
		name    string
		address string
	}{
		{name: "user", address: "mem://user@name"},
		{name: "unknown parameter", address: "mem://name?create=true"},
		{name: "fragment", address: "mem://name#part"},
		{name: "no name", address: "mem://"},
		{name: "path", address: "mem://name/path"},
		{name: "port", address: "mem://name:80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.Open(t.Context(), tt.address)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// NewService returns a new account, which has only the buckets that are created in it.
func TestNewServiceReturnsEmptyAccount(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{})
	_, err := s.CreateBucket(t.Context(), "photos", storage.WithVersioning(true))
	require.NoError(t, err)

	// The bucket keeps versions, as it was created.
	photos, err := s.Bucket("photos")
	require.NoError(t, err)
	require.True(t, storage.Supports(photos, storage.Versioning))
	_, err = photos.Upload(t.Context(), "k", strings.NewReader("content"))
	require.NoError(t, err)

	// The account has no other bucket.
	var names []string
	for info, err := range s.Buckets(t.Context()) {
		require.NoError(t, err)
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"photos"}, names)

	// A bucket with an object cannot be deleted.
	require.ErrorIs(t, s.DeleteBucket(t.Context(), "photos"), storage.BucketNotEmpty)
}
