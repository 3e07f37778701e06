package accounts_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

var keys = accounts.Keys{
	{AccessKeyID: "permanent", SecretKey: "secret of one", Account: "111111111111"},
	{
		AccessKeyID:  "temporary",
		SecretKey:    "secret of two",
		SessionToken: "token of two",
		Account:      "222222222222",
	},
}

// A temporary key is valid only with its token, which here is "token of two". A permanent key is valid only without a
// token.
func TestFindKey(t *testing.T) {
	tests := []struct {
		name      string
		accessKey string
		token     string
		wantCode  string // of the error, or "" if the key is found
	}{
		{name: "a permanent key", accessKey: "permanent"},
		{
			name:      "a permanent key with a token",
			accessKey: "permanent",
			token:     "another",
			wantCode:  "InvalidToken",
		},
		{name: "a temporary key", accessKey: "temporary", token: "token of two"},
		{name: "a temporary key without its token", accessKey: "temporary", wantCode: "InvalidAccessKeyId"},
		{
			name:      "a temporary key with another token",
			accessKey: "temporary",
			token:     "another",
			wantCode:  "InvalidToken",
		},
		{name: "an unknown key", accessKey: "unknown", wantCode: "InvalidAccessKeyId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := keys.Find(tt.accessKey, tt.token)
			if tt.wantCode != "" {
				require.True(t, s3error.Is(err, tt.wantCode), err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.accessKey, c.AccessKeyID)
		})
	}
}

// A canonical id belongs to an account only if one of the credentials belongs to that account.
func TestAccountOfCanonicalID(t *testing.T) {
	account, ok := keys.AccountOf(accounts.OwnerOf("222222222222").ID)
	require.True(t, ok)
	require.Equal(t, "222222222222", account)

	_, ok = keys.AccountOf(accounts.OwnerOf("333333333333").ID)
	require.False(t, ok)
}

// HaveOneAccount reports whether all keys belong to the same account.
func TestKeysOfOneAccount(t *testing.T) {
	require.False(t, keys.HaveOneAccount())
	require.True(t, keys[:1].HaveOneAccount())
}

// The text of a credential in a log has no secrets.
func TestCredentialHidesSecrets(t *testing.T) {
	text := fmt.Sprintf("%+v %v", keys, keys[1].LogValue())

	require.Contains(t, text, "permanent")
	require.NotContains(t, text, "secret of")
	require.NotContains(t, text, "token of")
}
