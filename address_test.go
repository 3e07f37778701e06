package storage_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/stretchr/testify/require"
)

// The scheme "nothing" has no opener, and that of "failing" finds no bucket.
func init() {
	engine.Register("nothing", driver.Opener{Params: []string{"own"}})
	engine.Register("failing", driver.Opener{Driver: func(context.Context, *url.URL) (driver.Driver, error) {
		return nil, storage.BucketNotFound
	}})
}

// Open fails with InvalidArgument for an invalid address, and the error says why without showing credentials.
func TestOpenRefusesBadAddresses(t *testing.T) {
	tests := map[string]struct {
		address     string
		wantMessage string
	}{
		"not a URL":      {address: "mem://%zz", wantMessage: "must be a URL"},
		"unknown scheme": {address: "ftp://host/x", wantMessage: "(import the package that registers the scheme)"},
		"missing import": {
			address:     "azblob://x",
			wantMessage: `(import _ "github.com/omnibucket/storage/providers/azure", which registers the scheme)`,
		},
		"no scheme": {address: "some/path", wantMessage: "known are: "},
		"unknown parameter": {
			address: "mem://x?colour=red",
			wantMessage: `has parameter "colour"; known to mem are: object_lock, part_size, prefix, public, ` +
				`public_base_url, signing_base_url, versions`,
		},
		"repeated parameter": {address: "mem://x?public=true&public=true", wantMessage: "more than once"},
		"credentials":        {address: "mem://user:SECRET@x", wantMessage: "must not hold credentials"},
		"fragment":           {address: "mem://x#y", wantMessage: "must not have a fragment"},
		"malformed boolean":  {address: "mem://x?public=yes", wantMessage: "neither true nor false"},
		"bad query":          {address: "mem://x?a=%zz", wantMessage: "query"},
		"bad base address": {
			address:     "mem://x?public_base_url=cdn.example.com",
			wantMessage: "WithPublicBaseURL must be an http or https address",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := storage.Open(t.Context(), tt.address)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			require.ErrorContains(t, err, tt.wantMessage)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

// Open and OpenService fail with Unsupported if the scheme has no opener for them.
func TestOpenOfLimitedScheme(t *testing.T) {
	_, err := storage.Open(t.Context(), "nothing://x")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	_, err = storage.OpenService(t.Context(), "nothing://")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
}

// The error of a driver that cannot open a bucket has the Op Open.
func TestOpenErrorNamesOpen(t *testing.T) {
	_, err := storage.Open(t.Context(), "failing://x")
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "Open", storageErr.Op)
	require.Equal(t, storage.BucketNotFound, storageErr.Code)
}

// The parameters of an address have the effects of the options with their names.
func TestOpenTakesParameters(t *testing.T) {
	bucket, err := storage.Open(t.Context(),
		"mem://parameters?versions=true&public_base_url=https://cdn.example.com/a")
	require.NoError(t, err)
	require.True(t, storage.Supports(bucket, storage.Versioning))

	url, err := bucket.PublicURL("x/é+ %.png")
	require.NoError(t, err)
	require.Equal(t, "https://cdn.example.com/a/x/%C3%A9%2B%20%25.png", url)
}

// For any address, Open returns a bucket or an *Error.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{
		"mem://x",
		"mem://x?versions=true",
		"file:///",
		"://",
		"mem://a:b@c/d?e=f#g",
		"mem://%2e",
		"nothing://x?own=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		b, err := storage.Open(t.Context(), address)
		if err != nil {
			var e *storage.Error
			require.True(t, errors.As(err, &e), "%T is no *Error", err)
			return
		}
		require.NoError(t, storage.Close(b))
	})
}
