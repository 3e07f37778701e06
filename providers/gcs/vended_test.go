package gcs

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// With Config.CredentialsFor, each request has the token of the prefix of its key.
func TestCredentialsForTokens(t *testing.T) {
	server := newCannedServer(t, storedReply)
	var requests []string
	d, err := NewDriver(t.Context(), Config{
		Bucket:   "photos",
		Endpoint: server.URL,
		CredentialsFor: func(_ context.Context, key string) (PrefixCredentials, error) {
			requests = append(requests, key)
			switch key[0] {
			case 'a':
				return PrefixCredentials{Prefix: "a/", AccessToken: "token-a"}, nil
			case 'b':
				return PrefixCredentials{Prefix: "b/", AccessToken: "token-b"}, nil
			}
			return PrefixCredentials{}, errors.New("no such table")
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	for _, row := range []struct{ key, token string }{{"a/1", "token-a"}, {"b/1", "token-b"}, {"a/2", "token-a"}} {
		_, err := d.Put(t.Context(), wiretest.Put(row.key, "hello"))
		require.NoError(t, err)
		require.Equal(t, "Bearer "+row.token, server.Last(t).Header.Get("Authorization"))
	}
	require.Equal(t, []string{"a/1", "b/1"}, requests)

	_, err = d.Put(t.Context(), wiretest.Put("c/1", "hello"))
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	req := driver.CopyRequest{Key: "a/3", Source: d.Locate("b/1")}
	_, err = d.Copy(t.Context(), &req)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.Len(t, server.Calls(), 3)
}

// CredentialsFor cannot be combined with other credentials or with a service. Empty credentials fail with
// Unauthenticated.
func TestCredentialsForExcludesOthers(t *testing.T) {
	ask := func(context.Context, string) (PrefixCredentials, error) { return PrefixCredentials{}, nil }
	_, err := NewDriver(t.Context(), Config{Bucket: "photos", Anonymous: true, CredentialsFor: ask})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))

	_, err = NewServiceDriver(t.Context(), Config{CredentialsFor: ask})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsFor: ask})
	require.NoError(t, err)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "no token")
	require.NoError(t, d.Close())
}
