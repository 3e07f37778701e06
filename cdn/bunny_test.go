package cdn_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

// newBunny returns a signer with the key and the time of Bunny's documentation.
func newBunny(t *testing.T) *cdn.BunnySigner {
	t.Helper()
	s, err := cdn.NewBunnySigner(cdn.BunnyConfig{
		BaseURL: "https://token-tester.b-cdn.net",
		Key:     "SecurityKey",
	})
	require.NoError(t, err)
	s.At(time.Unix(1598024587, 0).Add(-time.Hour))
	return s
}

// The token is that of Bunny's vector "plain"
// (https://github.com/BunnyWay/BunnyCDN.TokenAuthentication, e2e/vectors.json).
func TestBunnySignerVectors(t *testing.T) {
	signedURL, err := newBunny(t).SignedDownloadURL(t.Context(), "300kb.jpg")
	require.NoError(t, err)
	require.Equal(t, "https://token-tester.b-cdn.net/300kb.jpg"+
		"?token=HS256-o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4&expires=1598024587", signedURL.URL)
}

// A URL for a prefix is signed by the formula in Bunny's documentation.
func TestBunnyPrefixes(t *testing.T) {
	const expires = "1598024587"
	tokenOf := func(path string) string {
		mac := hmac.New(sha256.New, []byte("SecurityKey"))
		_, _ = mac.Write([]byte(path + expires + "token_path=" + path))
		return "HS256-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}

	// The vector path_only of Bunny shows that the formula is right. A BunnySigner cannot make the
	// token of that vector, because its token_path /abc does not end in a slash.
	require.Equal(t, "HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ", tokenOf("/abc"))

	granted, err := newBunny(t).SignPrefix("abc/")
	require.NoError(t, err)
	require.Nil(t, granted.Cookies)
	address, err := granted.URL("abc/300kb.jpg")
	require.NoError(t, err)
	require.Equal(t, "https://token-tester.b-cdn.net/abc/300kb.jpg?token="+tokenOf("/abc/")+
		"&token_path=%2Fabc%2F&expires="+expires, address)
}

// A key is refused with Unsupported if its signature could also be that of another URL.
func TestBunnyRefusesKeysWhoseSignatureIsAmbiguous(t *testing.T) {
	tests := []struct{ name, key string }{
		{name: "a digit at the end could be the first one of a later expiry", key: "photos/12"},
		{name: "an escape", key: "a b.jpg"},
		{name: "another alphabet", key: "é.jpg"},
		{name: "a percent sign", key: "100%.jpg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newBunny(t).SignedDownloadURL(t.Context(), tt.key)
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// A prefix or key that needs an escape is refused. A key below a prefix may end in a digit, because
// only the prefix is signed.
func TestBunnyRefusesAmbiguousPrefixes(t *testing.T) {
	_, err := newBunny(t).SignPrefix("a b/")
	require.ErrorIs(t, err, storage.Unsupported)

	granted, err := newBunny(t).SignPrefix("photos/")
	require.NoError(t, err)
	_, err = granted.URL("photos/12")
	require.NoError(t, err)
	_, err = granted.URL("photos/a b")
	require.ErrorIs(t, err, storage.Unsupported)
}

// An incomplete or invalid configuration is refused, and the error does not show the key.
func TestBunnyConfigurationsAreChecked(t *testing.T) {
	tests := []struct {
		name   string
		config cdn.BunnyConfig
	}{
		{name: "no address", config: cdn.BunnyConfig{Key: "secret"}},
		{name: "an escaped path", config: cdn.BunnyConfig{BaseURL: "https://a.b-cdn.net/a%20b/", Key: "secret"}},
		{name: "no key", config: cdn.BunnyConfig{BaseURL: "https://a.b-cdn.net/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cdn.NewBunnySigner(tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}
