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

func newCloudCDN(t *testing.T, base string, expiry int64) *cdn.CloudCDNSigner {
	t.Helper()
	s, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{BaseURL: base, KeyName: "my-key", Key: googleKey})
	require.NoError(t, err)
	s.At(time.Unix(expiry, 0).Add(-time.Hour))
	return s
}

func TestCloudCDNURLsAreThoseOfGooglesExamples(t *testing.T) {
	signedURL, err := newCloudCDN(t, "http://35.186.234.33", 1558131350).SignedDownloadURL(t.Context(), "index.html")
	require.NoError(t, err)
	require.Equal(
		t,
		"http://35.186.234.33/index.html?Expires=1558131350&KeyName=my-key&Signature=fm6JZSmKNsB5sys8VGr-JE4LiiE=",
		signedURL.URL,
	)
	require.Equal(t, time.Unix(1558131350, 0).UTC(), signedURL.ExpiresAt)
}

func TestCloudCDNPrefixesAreThoseOfGooglesExamples(t *testing.T) {
	tests := []struct {
		name, base, prefix, key string
		until                   int64
		url, cookie             string
	}{
		{
			name:   "a prefix",
			base:   "https://media.example.com/",
			prefix: "segments/",
			key:    "segments/1.ts",
			until:  1558131350,
			url:    "https://media.example.com/segments/1.ts?URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=&Expires=1558131350&KeyName=my-key&Signature=HWE5tBTZgnYVoZzVLG7BtRnOsgk=",
			cookie: "URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=:Expires=1558131350:KeyName=my-key:Signature=_qwhz38bxCKdiDqENLIx4ujrw-U=",
		},
		{
			name:   "a prefix of two segments",
			base:   "https://video.example.com/manifests/",
			prefix: "123/",
			key:    "123/a",
			until:  1558131350,
			cookie: "URLPrefix=aHR0cHM6Ly92aWRlby5leGFtcGxlLmNvbS9tYW5pZmVzdHMvMTIzLw==:Expires=1558131350:KeyName=my-key:Signature=0ZSSGg0VdRH29siXG8wiPTV5LOE=",
		},
		{
			name:  "all objects",
			base:  "https://www.google.com",
			key:   "a",
			until: 1549751401,
			url:   "https://www.google.com/a?URLPrefix=aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8=&Expires=1549751401&KeyName=my-key&Signature=o0zZ77jb7BgtGRPQEaXmX3cCLh8=",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			granted, err := newCloudCDN(t, tt.base, tt.until).SignPrefix(tt.prefix)
			require.NoError(t, err)
			if tt.url != "" {
				address, err := granted.URL(tt.key)
				require.NoError(t, err)
				require.Equal(t, tt.url, address)
			}
			if tt.cookie != "" {
				require.Len(t, granted.Cookies, 1)
				require.Equal(t, "Cloud-CDN-Cookie", granted.Cookies[0].Name)
				require.Equal(t, tt.cookie, granted.Cookies[0].Value)
				require.NoError(t, granted.Cookies[0].Valid())
				require.Contains(t, granted.Cookies[0].String(), tt.cookie, "nothing is escaped")
			}
		})
	}
}

func TestCloudCDNConfigurationsAreChecked(t *testing.T) {
	tests := []struct {
		name, says string
		change     func(*cdn.CloudCDNConfig)
	}{
		{"no address", "BaseURL", func(c *cdn.CloudCDNConfig) {
			c.BaseURL = ""
		}},
		{"no name", "KeyName", func(c *cdn.CloudCDNConfig) {
			c.KeyName = ""
		}},
		{"a name that ends the cookie's field", "KeyName", func(c *cdn.CloudCDNConfig) {
			c.KeyName = "a:b"
		}},
		{"a name with a dot", "KeyName", func(c *cdn.CloudCDNConfig) {
			c.KeyName = "a.b"
		}},
		{"a key that is no base64", "Key", func(c *cdn.CloudCDNConfig) {
			c.Key = "secret!"
		}},
		{"a key of another length", "Key", func(c *cdn.CloudCDNConfig) {
			c.Key = "c2VjcmV0"
		}},
		{"a foreign domain", "CookieDomain", func(c *cdn.CloudCDNConfig) {
			c.CookieDomain = "example.org"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cdn.CloudCDNConfig{BaseURL: "https://cdn.example.com", KeyName: "k", Key: googleKey}
			tt.change(&c)
			_, err := cdn.NewCloudCDNSigner(c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+tt.says)
			require.NotContains(t, err.Error(), "c2VjcmV0")
			require.NotContains(t, err.Error(), "secret!")
		})
	}
}
