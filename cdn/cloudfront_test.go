package cdn_test

import (
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

const distribution = "https://d111111abcdef8.cloudfront.net/"

// asked is a time, at which a signature for an hour ends at 1767290400.
var asked = time.Unix(1767290400, 0).Add(-time.Hour)

// testFile returns the content of a file in testdata.
func testFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

// newCloudFront returns a signer whose configuration the test may change.
func newCloudFront(t *testing.T, change func(*cdn.CloudFrontConfig)) *cdn.CloudFrontSigner {
	t.Helper()
	c := cdn.CloudFrontConfig{
		BaseURL:    distribution,
		KeyPairID:  "K2JCJMDEHXQW5F",
		PrivateKey: testFile(t, "cloudfront-rsa.pem"),
	}
	if change != nil {
		change(&c)
	}
	s, err := cdn.NewCloudFrontSigner(c)
	require.NoError(t, err)
	s.At(asked)
	return s
}

// opensslSignature returns a policy, and the signature that openssl has made of it.
func opensslSignature(t *testing.T, name, hash string) (policy, signature string) {
	t.Helper()
	for line := range strings.Lines(string(testFile(t, "openssl.tsv"))) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 4 && fields[0] == name &&
			fields[1] == hash {
			return fields[2], fields[3]
		}
	}
	require.Fail(t, "no signature of "+name)
	return "", ""
}

// cloudFrontBase64 returns a text in the Base64 of CloudFront, which has other characters than the standard.
func cloudFrontBase64(text string) string {
	return strings.NewReplacer("+", "-", "=", "_", "/",
		"~").Replace(base64.StdEncoding.EncodeToString([]byte(text)))
}

// A signed URL of CloudFront has the signature that OpenSSL makes of its policy.
func TestCloudFrontURLsAreThoseOfOpenSSL(t *testing.T) {
	addresses := func(c *cdn.CloudFrontConfig) {
		c.Addresses = netip.MustParsePrefix("192.0.2.0/24")
	}
	tests := []struct {
		name    string
		change  func(*cdn.CloudFrontConfig)
		opts    []storage.SignedDownloadOption
		query   string // in front of the signature
		visible bool   // whether the URL has the policy
	}{
		{name: "canned", query: "Expires=1767290400"},
		{name: "addresses", change: addresses, visible: true},
		{
			name: "query",
			change: func(c *cdn.CloudFrontConfig) {
				c.ForwardsQuery = true
			},
			opts:  []storage.SignedDownloadOption{storage.WithVersion("v1")},
			query: "versionId=v1&Expires=1767290400",
		},
	}
	for _, tt := range tests {
		for hash, suffix := range map[string]string{"sha1": "", "sha256": "&Hash-Algorithm=SHA256"} {
			t.Run(tt.name+"/"+hash, func(t *testing.T) {
				s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
					c.SHA256 = hash == "sha256"
					if tt.change != nil {
						tt.change(c)
					}
				})
				signedURL, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg", tt.opts...)
				require.NoError(t, err)
				policy, signature := opensslSignature(t, tt.name, hash)
				if tt.visible {
					tt.query = "Policy=" + cloudFrontBase64(policy)
				}

				require.Equal(t, &storage.SignedURL{
					URL: distribution + "images/horizon.jpg?" + tt.query +
						"&Signature=" + signature + "&Key-Pair-Id=K2JCJMDEHXQW5F" + suffix,
					Method:    http.MethodGet,
					Header:    http.Header{},
					ExpiresAt: time.Unix(1767290400, 0).UTC(),
				}, signedURL)
			})
		}
	}
}

// URLs and cookies for a prefix have the signature that OpenSSL makes of their policy.
func TestCloudFrontPrefixes(t *testing.T) {
	s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
		c.SHA256 = true
		c.CookieDomain = ".CloudFront.net"
	})
	granted, err := s.SignPrefix("images/")
	require.NoError(t, err)

	policy, signature := opensslSignature(t, "prefix", "sha256")
	require.Equal(t, time.Unix(1767290400, 0).UTC(), granted.ExpiresAt)
	address, err := granted.URL("images/a b.jpg")
	require.NoError(t, err)
	require.Equal(t, distribution+"images/a%20b.jpg?Policy="+cloudFrontBase64(policy)+"&Signature="+signature+
		"&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256", address)

	var cookies []string
	for _, c := range granted.Cookies {
		cookies = append(cookies, c.String())
	}

	const attributes = "; Path=/images/; Domain=cloudfront.net; HttpOnly; Secure; SameSite=Lax"
	require.Equal(t, []string{
		"CloudFront-Policy=" + cloudFrontBase64(policy) + attributes,
		"CloudFront-Signature=" + signature + attributes,
		"CloudFront-Key-Pair-Id=K2JCJMDEHXQW5F" + attributes,
		"CloudFront-Hash-Algorithm=SHA256" + attributes,
	}, cookies)
}

// A signer with an ECDSA key makes the same URL each time, and its signature is valid.
func TestCloudFrontTakesECDSA(t *testing.T) {
	for _, sha := range []bool{false, true} {
		s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
			c.PrivateKey = testFile(t, "cloudfront-ec.pem")
			c.SHA256 = sha
		})
		signedURL, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg")
		require.NoError(t, err)
		second, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg")
		require.NoError(t, err)
		require.Equal(t, signedURL, second, "a cache keeps what has the same URL")

		policy, _ := opensslSignature(t, "canned", "sha1")
		sum1 := sha1.Sum([]byte(policy))
		sum256 := sha256.Sum256([]byte(policy))
		sum := sum1[:]
		if sha {
			sum = sum256[:]
		}
		require.True(t, ecdsa.VerifyASN1(ecPublicKey(t), sum, signatureOf(t, signedURL.URL)))
	}
}

// ecPublicKey returns the public key of the ECDSA key in testdata.
func ecPublicKey(t *testing.T) *ecdsa.PublicKey {
	_, rest := pem.Decode(testFile(t, "cloudfront-ec.pem"))
	block, _ := pem.Decode(rest)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	require.NoError(t, err)
	return &key.PublicKey
}

// signatureOf returns the signature in a URL.
func signatureOf(t *testing.T, address string) []byte {
	u, err := url.Parse(address)
	require.NoError(t, err)
	text := strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(u.Query().Get("Signature"))
	signature, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return signature
}

// An incomplete or invalid configuration is refused, and the error does not show the key.
func TestCloudFrontConfigurationsAreChecked(t *testing.T) {
	small := []byte("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n")
	tests := []struct {
		name, says string
		change     func(*cdn.CloudFrontConfig)
	}{
		{name: "no address", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = ""
		}},
		{name: "no host", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "https:///a"
		}},
		{name: "another scheme", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "ftp://cdn.example.com"
		}},
		{name: "a query", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "https://cdn.example.com/?a"
		}},
		{name: "a user", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "https://user:secret@cdn.example.com/"
		}},
		{name: "a wildcard as host", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "https://*.example.com/"
		}},
		{name: "a wildcard as path", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = "https://cdn.example.com/*/"
		}},
		{name: "a quote", says: "BaseURL", change: func(c *cdn.CloudFrontConfig) {
			c.BaseURL = `https://cdn.example.com/"`
		}},
		{
			name: "a path that climbs",
			says: "BaseURL",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://cdn.example.com/a/%2e%2e/"
			},
		},
		{name: "no id", says: "KeyPairID", change: func(c *cdn.CloudFrontConfig) {
			c.KeyPairID = ""
		}},
		{name: "an id with a parameter", says: "KeyPairID", change: func(c *cdn.CloudFrontConfig) {
			c.KeyPairID = "K&Policy="
		}},
		{name: "no key", says: "PrivateKey", change: func(c *cdn.CloudFrontConfig) {
			c.PrivateKey = nil
		}},
		{name: "a key that is none", says: "PrivateKey", change: func(c *cdn.CloudFrontConfig) {
			c.PrivateKey = small
		}},
		{name: "IPv6", says: "Addresses", change: func(c *cdn.CloudFrontConfig) {
			c.Addresses = netip.MustParsePrefix("2001:db8::/32")
		}},
		{name: "a foreign domain", says: "CookieDomain", change: func(c *cdn.CloudFrontConfig) {
			c.CookieDomain = "example.com"
		}},
		{name: "the end of a name", says: "CookieDomain", change: func(c *cdn.CloudFrontConfig) {
			c.CookieDomain = "loudfront.net"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := cdn.CloudFrontConfig{
				BaseURL:    distribution,
				KeyPairID:  "K",
				PrivateKey: testFile(t, "cloudfront-rsa.pem"),
			}
			tt.change(&c)
			_, err := cdn.NewCloudFrontSigner(c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config."+tt.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}
