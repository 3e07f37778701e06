package memstore

import (
	"context"
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
	bucket := func(ctx context.Context, u *url.URL) error {
		_, err := openBucket(ctx, u)
		return err
	}
	account := func(ctx context.Context, u *url.URL) error {
		_, err := openAccount(ctx, u)
		return err
	}
	tests := map[string]struct {
		open    func(context.Context, *url.URL) error
		address string
	}{
		"a bucket without a name":    {open: bucket, address: "mem://"},
		"a name after the colon":     {open: bucket, address: "mem:name"},
		"a name as a path":           {open: bucket, address: "mem:///name"},
		"a path":                     {open: bucket, address: "mem://name/prefix"},
		"a slash":                    {open: bucket, address: "mem://name/"},
		"a user":                     {open: bucket, address: "mem://user@name"},
		"a port":                     {open: bucket, address: "mem://name:80"},
		"an empty port":              {open: bucket, address: "mem://name:"},
		"an account with a name":     {open: account, address: "mem://name"},
		"an account with a path":     {open: account, address: "mem:///x"},
		"an account with a port":     {open: account, address: "mem://:80"},
		"an account without slashes": {open: account, address: "mem:x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, tt.open(t.Context(), parseURL(t, tt.address)), storage.InvalidArgument)
		})
	}
}
