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
		name        string
		prefix      string // "" for the whole container
		rights      storage.Rights
		kind        string // the signed resource: "c" for a container, "d" for a directory
		depth       string // the number of segments of the directory
		permissions string // a letter for each, such as "r" for read
	}{
		{name: "list a container", rights: storage.Rights{List: true}, kind: "c", permissions: "l"},
		{
			name:        "all rights to a container",
			rights:      storage.Rights{Read: true, List: true, Write: true, Remove: true},
			kind:        "c",
			permissions: "rcwdl",
		},
		{
			name:        "read a directory",
			prefix:      "users/",
			rights:      storage.Rights{Read: true},
			kind:        "d",
			depth:       "1",
			permissions: "r",
		},
		{
			name:        "write below a directory",
			prefix:      "users/1/",
			rights:      storage.Rights{Write: true},
			kind:        "d",
			depth:       "2",
			permissions: "cw",
		},
		{
			name:        "remove below a directory",
			prefix:      "users/1/",
			rights:      storage.Rights{Remove: true},
			kind:        "d",
			depth:       "2",
			permissions: "d",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vended, err := newVendingDriver(t, nil).vend(t.Context(), newVendRequest(tt.prefix, tt.rights), signedAt)
			require.NoError(t, err)
			query := parsedQuery(t, vended.Token)
			require.Equal(t, tt.kind, query.Get("sr"))
			require.Equal(t, tt.depth, query.Get("sdd"))
			require.Equal(t, tt.permissions, query.Get("sp"))
			require.Equal(t, "https", query.Get("spr"))

			require.False(t, vended.Expires.After(signedAt.Add(time.Hour)), "the signature must end within the TTL")
			require.Equal(t, vended.Expires.Format(sasTime), query.Get("se"))
		})
	}
}

// Vend for a prefix needs an account with a hierarchical namespace, and an API version that can
// sign for a directory. Vend for a whole container needs neither.
func TestVendPrefixNeedsHierarchy(t *testing.T) {
	const wholeContainer = "" // the prefix
	read := storage.Rights{Read: true}

	// An account with a flat namespace has no directories.
	flat := newVendingDriver(t, func(c *Config) {
		c.HierarchicalNamespace = false
	})
	_, err := flat.vend(t.Context(), newVendRequest("users/1/", read), signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "HierarchicalNamespace")
	_, err = flat.vend(t.Context(), newVendRequest(wholeContainer, read), signedAt)
	require.NoError(t, err)

	// This API version cannot sign for a directory yet.
	old := newVendingDriver(t, func(c *Config) {
		c.APIVersion = "2019-12-12"
	})
	_, err = old.vend(t.Context(), newVendRequest("users/1/", read), signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
}

// A bucket declares Vending only if its account can sign, because it vends signatures.
func TestVendNeedsSigningAccount(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   bool
	}{
		{name: "the account's key", config: Config{Key: testKey, HierarchicalNamespace: true}, want: true},
		{name: "no credentials", config: Config{Anonymous: true, HierarchicalNamespace: true}, want: false},
		{
			name:   "a shared access signature",
			config: Config{SASToken: "sv=x&sig=y", HierarchicalNamespace: true},
			want:   false,
		},
		{name: "vended credentials", config: Config{CredentialsFor: Vended(nil)}, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Account = testAccount
			tt.config.Bucket = "photos"
			d, err := NewDriver(t.Context(), tt.config)
			require.NoError(t, err)
			require.Equal(t, tt.want, d.Describe().Features&storage.Vending != 0)
			require.NoError(t, d.Close())
		})
	}
}

// Vended accepts credentials that were sent as JSON, and refuses those of another provider.
func TestVendedCredentialsAreForTheirProvider(t *testing.T) {
	sent := storage.VendedCredentials{Provider: "azure", Prefix: "a/", Token: "sig=x", Expires: signedAt}
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	var received storage.VendedCredentials
	require.NoError(t, json.Unmarshal(text, &received))
	fetch := Vended(func(context.Context, string) (*storage.VendedCredentials, error) { return &received, nil })

	got, err := fetch(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, PrefixCredentials{Prefix: "a/", SASToken: "sig=x", Expires: signedAt}, got)

	received.Provider = "s3"
	_, err = fetch(t.Context(), "a/b")
	require.ErrorIs(t, err, storage.InvalidArgument)
}
