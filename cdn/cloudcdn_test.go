package cdn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

// googleKey is the key of Google's examples
// (https://github.com/GoogleCloudPlatform/golang-samples/tree/main/cdn), from which the signatures here come, too.
const googleKey = "nZtRohdNF9m3cKM24IcK4w=="

// newCloudCDN returns a signer whose URLs expire at a time.
func newCloudCDN(t *testing.T, base string, expiry int64) *cdn.CloudCDNSigner {
	t.Helper()
	s, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{BaseURL: base, KeyName: "my-key", Key: googleKey})
	require.NoError(t, err)
	s.At(time.Unix(expiry, 0).Add(-time.Hour))
	return s
}

// The signer returns the URL of the example in Google's documentation of Cloud CDN.
func TestCloudCDNURLsAreThoseOfGooglesExamples(t *testing.T) {
	const expires = 1558131350
	signer := newCloudCDN(t, "http://35.186.234.33", expires)
	signedURL, err := signer.SignedDownloadURL(t.Context(), "index.html")
	require.NoError(t, err)
	require.Equal(t, "http://35.186.234.33/index.html?Expires=1558131350&KeyName=my-key"+
		"&Signature=fm6JZSmKNsB5sys8VGr-JE4LiiE=", signedURL.URL)
	require.Equal(t, time.Unix(expires, 0).UTC(), signedURL.ExpiresAt)
}

// For the examples in Google's documentation, the URLs and cookies of a prefix are those of the
// documentation.
func TestCloudCDNPrefixesAreThoseOfGooglesExamples(t *testing.T) {
	tests := []struct {
		name       string
		base       string
		prefix     string
		key        string
		expires    int64
		wantURL    string // of the key, or "" if the documentation has none
		wantCookie string // or "" if the documentation has none
	}{
		{
			name:    "a prefix",
			base:    "https://media.example.com/",
			prefix:  "segments/",
			key:     "segments/1.ts",
			expires: 1558131350,
			wantURL: "https://media.example.com/segments/1.ts?" +
				"URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=&Expires=1558131350" +
				"&KeyName=my-key&Signature=HWE5tBTZgnYVoZzVLG7BtRnOsgk=",
			wantCookie: "URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=:Expires=1558131350:" +
				"KeyName=my-key:Signature=_qwhz38bxCKdiDqENLIx4ujrw-U=",
		},
		{
			name:    "a prefix of two segments",
			base:    "https://video.example.com/manifests/",
			prefix:  "123/",
			key:     "123/a",
			expires: 1558131350,
			wantCookie: "URLPrefix=aHR0cHM6Ly92aWRlby5leGFtcGxlLmNvbS9tYW5pZmVzdHMvMTIzLw==:" +
				"Expires=1558131350:KeyName=my-key:Signature=0ZSSGg0VdRH29siXG8wiPTV5LOE=",
		},
		{
			name:    "all objects",
			base:    "https://www.google.com",
			key:     "a",
			expires: 1549751401,
			wantURL: "https://www.google.com/a?URLPrefix=aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8=" +
				"&Expires=1549751401&KeyName=my-key&Signature=o0zZ77jb7BgtGRPQEaXmX3cCLh8=",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			granted, err := newCloudCDN(t, tt.base, tt.expires).SignPrefix(tt.prefix)
			require.NoError(t, err)

			if tt.wantURL != "" {
				address, err := granted.URL(tt.key)
				require.NoError(t, err)
				require.Equal(t, tt.wantURL, address)
			}

			if tt.wantCookie != "" {
				require.Len(t, granted.Cookies, 1)
				require.Equal(t, "Cloud-CDN-Cookie", granted.Cookies[0].Name)
				require.Equal(t, tt.wantCookie, granted.Cookies[0].Value)
				require.NoError(t, granted.Cookies[0].Valid())
				require.Contains(t, granted.Cookies[0].String(), tt.wantCookie, "nothing is escaped")
			}
		})
	}
}

// An incomplete or invalid configuration is refused, and the error does not show the key.
func TestCloudCDNConfigurationsAreChecked(t *testing.T) {
	const (
		notBase64 = "secret!"
		shortKey  = "c2VjcmV0"
	)
	tests := []struct {
		name      string
		change    func(*cdn.CloudCDNConfig)
		wantField string // that the error names
	}{
		{
			name: "no address",
			change: func(c *cdn.CloudCDNConfig) {
				c.BaseURL = ""
			},
			wantField: "BaseURL",
		},
		{
			name: "no name",
			change: func(c *cdn.CloudCDNConfig) {
				c.KeyName = ""
			},
			wantField: "KeyName",
		},
		{
			name: "a name that ends the cookie's field",
			change: func(c *cdn.CloudCDNConfig) {
				c.KeyName = "a:b"
			},
			wantField: "KeyName",
		},
		{
			name: "a name with a dot",
			change: func(c *cdn.CloudCDNConfig) {
				c.KeyName = "a.b"
			},
			wantField: "KeyName",
		},
		{
			name: "a key that is no base64",
			change: func(c *cdn.CloudCDNConfig) {
				c.Key = notBase64
			},
			wantField: "Key",
		},
		{
			name: "a key of another length",
			change: func(c *cdn.CloudCDNConfig) {
				c.Key = shortKey
			},
			wantField: "Key",
		},
		{
			name: "a foreign domain",
			change: func(c *cdn.CloudCDNConfig) {
				c.CookieDomain = "example.org"
			},
			wantField: "CookieDomain",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cdn.CloudCDNConfig{BaseURL: "https://cdn.example.com", KeyName: "k", Key: googleKey}
			tt.change(&c)

			_, err := cdn.NewCloudCDNSigner(c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+tt.wantField)
			require.NotContains(t, err.Error(), shortKey)
			require.NotContains(t, err.Error(), notBase64)
		})
	}
}
