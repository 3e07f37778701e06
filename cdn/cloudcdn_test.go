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

func newCloudCDN(t *testing.T, base string, until int64) *cdn.CloudCDNSigner {
	t.Helper()
	s, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{BaseURL: base, KeyName: "my-key", Key: googleKey})
	require.NoError(t, err)
	s.At(time.Unix(until, 0).Add(-time.Hour))
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
	for _, row := range []struct {
		name, base, prefix, key string
		until                   int64
		url, cookie             string
	}{
		{
			"a prefix", "https://media.example.com/", "segments/", "segments/1.ts", 1558131350,
			"https://media.example.com/segments/1.ts?URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=&Expires=1558131350&KeyName=my-key&Signature=HWE5tBTZgnYVoZzVLG7BtRnOsgk=",
			"URLPrefix=aHR0cHM6Ly9tZWRpYS5leGFtcGxlLmNvbS9zZWdtZW50cy8=:Expires=1558131350:KeyName=my-key:Signature=_qwhz38bxCKdiDqENLIx4ujrw-U=",
		},
		{
			"a prefix of two segments", "https://video.example.com/manifests/", "123/", "123/a", 1558131350, "",
			"URLPrefix=aHR0cHM6Ly92aWRlby5leGFtcGxlLmNvbS9tYW5pZmVzdHMvMTIzLw==:Expires=1558131350:KeyName=my-key:Signature=0ZSSGg0VdRH29siXG8wiPTV5LOE=",
		},
		{
			"all objects", "https://www.google.com", "", "a", 1549751401,
			"https://www.google.com/a?URLPrefix=aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8=&Expires=1549751401&KeyName=my-key&Signature=o0zZ77jb7BgtGRPQEaXmX3cCLh8=", "",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			granted, err := newCloudCDN(t, row.base, row.until).SignPrefix(row.prefix)
			require.NoError(t, err)
			if row.url != "" {
				address, err := granted.URL(row.key)
				require.NoError(t, err)
				require.Equal(t, row.url, address)
			}
			if row.cookie != "" {
				require.Len(t, granted.Cookies, 1)
				require.Equal(t, "Cloud-CDN-Cookie", granted.Cookies[0].Name)
				require.Equal(t, row.cookie, granted.Cookies[0].Value)
				require.NoError(t, granted.Cookies[0].Valid())
				require.Contains(t, granted.Cookies[0].String(), row.cookie, "nothing is escaped")
			}
		})
	}
}

func TestCloudCDNConfigurationsAreChecked(t *testing.T) {
	for _, row := range []struct {
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
	} {
		t.Run(row.name, func(t *testing.T) {
			c := cdn.CloudCDNConfig{BaseURL: "https://cdn.example.com", KeyName: "k", Key: googleKey}
			row.change(&c)
			_, err := cdn.NewCloudCDNSigner(c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+row.says)
			require.NotContains(t, err.Error(), "c2VjcmV0")
			require.NotContains(t, err.Error(), "secret!")
		})
	}
}
