package memstore

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func parseURL(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

// All buckets that are opened by one address have the same objects, and a bucket of another address has none of them.
func TestOpenSameAddress(t *testing.T) {
	// Open the bucket "one" twice by its address, and once through the account.
	first, err := openBucket(t.Context(), parseURL(t, "mem://one"))
	require.NoError(t, err)
	second, err := openBucket(t.Context(), parseURL(t, "mem://one"))
	require.NoError(t, err)
	account, err := openAccount(t.Context(), parseURL(t, "mem://"))
	require.NoError(t, err)
	third, err := account.Driver("one")
	require.NoError(t, err)
	other, err := openBucket(t.Context(), parseURL(t, "mem://another"))
	require.NoError(t, err)

	// Only the other bucket does not have an object that is stored in "one".
	_, err = first.Put(t.Context(), &driver.PutRequest{Key: "k", Body: strings.NewReader("x"), Size: 1})
	require.NoError(t, err)
	for _, d := range []driver.Driver{second, third} {
		_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
	}
	_, err = other.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// Opening an account creates no bucket.
func TestOpenServiceCreatesNoBucket(t *testing.T) {
	account, err := openAccount(t.Context(), parseURL(t, "mem://"))
	require.NoError(t, err)
	_, err = account.BucketInfo(t.Context(), "never-made")
	require.ErrorIs(t, err, storage.BucketNotFound)
}

// openBucket and openAccount fail with InvalidArgument for invalid addresses.
func TestOpenRefusesAddresses(t *testing.T) {
	buckets := map[string]string{
		"a bucket without a name": "mem://",
		"a name after the colon":  "mem:name",
		"a name as a path":        "mem:///name",
		"a path":                  "mem://name/prefix",
		"a slash":                 "mem://name/",
		"a user":                  "mem://user@name",
		"a port":                  "mem://name:80",
		"an empty port":           "mem://name:",
	}
	for name, address := range buckets {
		t.Run(name, func(t *testing.T) {
			_, err := openBucket(t.Context(), parseURL(t, address))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	accounts := map[string]string{
		"an account with a name":     "mem://name",
		"an account with a path":     "mem:///x",
		"an account with a port":     "mem://:80",
		"an account without slashes": "mem:x",
	}
	for name, address := range accounts {
		t.Run(name, func(t *testing.T) {
			_, err := openAccount(t.Context(), parseURL(t, address))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}
