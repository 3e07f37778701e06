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

// With Config.CredentialsFor, each request has a token for the prefix of its key. The driver asks for each token only
// once.
func TestCredentialsForTokens(t *testing.T) {
	server := newCannedServer(t, storedReply)
	var requestedKeys []string
	credentialsFor := func(_ context.Context, key string) (PrefixCredentials, error) {
		requestedKeys = append(requestedKeys, key)
		switch key[0] {
		case 'a':
			return PrefixCredentials{Prefix: "a/", AccessToken: "token-a"}, nil
		case 'b':
			return PrefixCredentials{Prefix: "b/", AccessToken: "token-b"}, nil
		}
		return PrefixCredentials{}, errors.New("no such table")
	}
	d, err := NewDriver(t.Context(), Config{
		Bucket:         "photos",
		Endpoint:       server.URL,
		CredentialsFor: credentialsFor,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	puts := []struct {
		key       string
		wantToken string
	}{
		{key: "a/1", wantToken: "token-a"},
		{key: "b/1", wantToken: "token-b"},
		{key: "a/2", wantToken: "token-a"},
	}
	for _, tt := range puts {
		_, err := d.Put(t.Context(), wiretest.Put(tt.key, "hello"))
		require.NoError(t, err)
		require.Equal(t, "Bearer "+tt.wantToken, server.Last(t).Header.Get("Authorization"))
	}
	require.Equal(t, []string{"a/1", "b/1"}, requestedKeys)

	// Nothing is sent without a token, or for a copy that would need two tokens.
	_, err = d.Put(t.Context(), wiretest.Put("c/1", "hello"))
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
	_, err = d.Copy(t.Context(), &driver.CopyRequest{Key: "a/3", Source: d.Locate("b/1")})
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.Len(t, server.Calls(), len(puts))
}

// noToken is a Config.CredentialsFor that returns empty credentials.
func noToken(context.Context, string) (PrefixCredentials, error) { return PrefixCredentials{}, nil }

// CredentialsFor cannot be combined with Anonymous, or be used for a service.
func TestCredentialsForExcludesOthers(t *testing.T) {
	_, err := NewDriver(t.Context(), Config{Bucket: "photos", Anonymous: true, CredentialsFor: noToken})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))

	_, err = NewServiceDriver(t.Context(), Config{CredentialsFor: noToken})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// A request fails with Unauthenticated if CredentialsFor returns no token.
func TestCredentialsForWithoutToken(t *testing.T) {
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", CredentialsFor: noToken})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err))
}
