package azure

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// newVendingDriver opens a container of an account with a key and a hierarchical namespace. change may be nil.
func newVendingDriver(t *testing.T, change func(c *Config)) *objectDriver {
	t.Helper()
	c := Config{Account: testAccount, Key: testKey, Bucket: "photos", HierarchicalNamespace: true}
	if change != nil {
		change(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// newVendRequest returns a request for credentials that are valid for an hour.
func newVendRequest(prefix string, rights storage.Rights) *driver.VendRequest {
	return &driver.VendRequest{Prefix: prefix, Rights: rights, TTL: time.Hour}
}

// Vend returns a signature for a directory or for the whole container.
func TestVendDirectoryOrContainer(t *testing.T) {
	tests := []struct {
		prefix, kind, depth, permissions string
		rights                           storage.Rights
	}{
		{prefix: "", kind: "c", permissions: "l", rights: storage.Rights{List: true}},
		{
			prefix:      "",
			kind:        "c",
			permissions: "rcwdl",
			rights:      storage.Rights{Read: true, List: true, Write: true, Remove: true},
		},
		{prefix: "users/", kind: "d", depth: "1", permissions: "r", rights: storage.Rights{Read: true}},
		{prefix: "users/1/", kind: "d", depth: "2", permissions: "cw", rights: storage.Rights{Write: true}},
		{prefix: "users/1/", kind: "d", depth: "2", permissions: "d", rights: storage.Rights{Remove: true}},
	}
	for _, tt := range tests {
		v, err := newVendingDriver(t, nil).vend(t.Context(), newVendRequest(tt.prefix, tt.rights), signedAt)
		require.NoError(t, err)
		q := parsedQuery(t, v.Token)
		require.Equal(
			t,
			[]string{tt.kind, tt.depth, tt.permissions},
			[]string{q.Get("sr"), q.Get("sdd"), q.Get("sp")},
			tt.prefix,
		)
		require.Equal(t, "https", q.Get("spr"))
		require.False(t, v.Expires.After(signedAt.Add(time.Hour)), "never later than ttl")
		require.Equal(t, v.Expires.Format(sasTime), q.Get("se"))
	}
}

// Vend for a prefix fails unless the account has a hierarchical namespace.
func TestVendPrefixNeedsHierarchy(t *testing.T) {
	flat := newVendingDriver(t, func(c *Config) {
		c.HierarchicalNamespace = false
	})
	_, err := flat.vend(t.Context(), newVendRequest("users/1/", storage.Rights{Read: true}), signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "HierarchicalNamespace")

	_, err = flat.vend(t.Context(), newVendRequest("", storage.Rights{Read: true}), signedAt)
	require.NoError(t, err)
	old := newVendingDriver(t, func(c *Config) {
		c.APIVersion = "2019-12-12"
	})
	_, err = old.vend(t.Context(), newVendRequest("users/1/", storage.Rights{Read: true}), signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
}

// A bucket declares Vending only if its account can sign.
func TestVendNeedsSigningAccount(t *testing.T) {
	has := func(d driver.Driver) bool { return d.Describe().Features&storage.Vending != 0 }
	require.True(t, has(newVendingDriver(t, nil)))
	require.False(t, has(newVendingDriver(t, func(c *Config) {
		c.Key = ""
		c.Anonymous = true
	})))
	require.False(t, has(newVendingDriver(t, func(c *Config) {
		c.Key = ""
		c.SASToken = "sv=x&sig=y"
	})))

	vended, err := NewDriver(t.Context(), Config{
		Account:        testAccount,
		Bucket:         "photos",
		CredentialsFor: Vended(nil),
	})
	require.NoError(t, err)
	require.False(t, has(vended))
	require.NoError(t, vended.Close())
}

// Vended accepts credentials that were sent as JSON, and refuses those of another provider.
func TestVendedCredentialsAreForTheirProvider(t *testing.T) {
	v := &storage.VendedCredentials{Provider: "azure", Prefix: "a/", Token: "sig=x", Expires: signedAt}
	fetch := Vended(func(context.Context, string) (*storage.VendedCredentials, error) { return v, nil })
	text, err := json.Marshal(v)
	require.NoError(t, err)
	v = &storage.VendedCredentials{}
	require.NoError(t, json.Unmarshal(text, v), "a client gets them as JSON")

	got, err := fetch(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, PrefixCredentials{Prefix: "a/", SASToken: "sig=x", Expires: signedAt}, got)

	v.Provider = "s3"
	_, err = fetch(t.Context(), "a/b")
	require.ErrorIs(t, err, storage.InvalidArgument)
}
