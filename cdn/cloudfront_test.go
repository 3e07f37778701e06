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

// The signatures of OpenSSL in testdata are for this time, in seconds since 1970. By default, a signer signs for an
// hour.
const (
	expiry     = 1767290400
	expiryText = "1767290400"
)

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
	s.At(time.Unix(expiry, 0).Add(-time.Hour))
	return s
}

// opensslSignature returns a policy, and the signature that openssl has made of it. Each line of the file has the name
// of a test case, a hash, the policy and the signature.
func opensslSignature(t *testing.T, name, hash string) (policy, signature string) {
	t.Helper()
	for line := range strings.Lines(string(testFile(t, "openssl.tsv"))) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 4 && fields[0] == name && fields[1] == hash {
			return fields[2], fields[3]
		}
	}
	require.Fail(t, "no signature of "+name)
	return "", ""
}

// cloudFrontBase64 returns a text in the Base64 of CloudFront, which has other characters than the standard.
func cloudFrontBase64(text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(encoded)
}

// A signed URL of CloudFront has the signature that OpenSSL makes of its policy.
func TestCloudFrontURLsAreThoseOfOpenSSL(t *testing.T) {
	tests := []struct {
		name          string // of the policy in testdata/openssl.tsv
		addresses     netip.Prefix
		forwardsQuery bool
		opts          []storage.SignedDownloadOption
		query         string // that the URL has before the signature; "" stands for the policy
	}{
		{
			name:  "canned",
			query: "Expires=" + expiryText,
		},
		{
			name:      "addresses",
			addresses: netip.MustParsePrefix("192.0.2.0/24"),
		},
		{
			name:          "query",
			forwardsQuery: true,
			opts:          []storage.SignedDownloadOption{storage.WithVersion("v1")},
			query:         "versionId=v1&Expires=" + expiryText,
		},
	}
	hashParameters := map[string]string{"sha1": "", "sha256": "&Hash-Algorithm=SHA256"}
	for _, tt := range tests {
		for hash, hashParameter := range hashParameters {
			t.Run(tt.name+"/"+hash, func(t *testing.T) {
				s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
					c.SHA256 = hash == "sha256"
					c.Addresses = tt.addresses
					c.ForwardsQuery = tt.forwardsQuery
				})

				// The test data has the policy and the signature of OpenSSL.
				policy, signature := opensslSignature(t, tt.name, hash)
				query := tt.query
				if query == "" {
					query = "Policy=" + cloudFrontBase64(policy)
				}

				signedURL, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg", tt.opts...)
				require.NoError(t, err)
				require.Equal(t, &storage.SignedURL{
					URL: distribution + "images/horizon.jpg?" + query +
						"&Signature=" + signature + "&Key-Pair-Id=K2JCJMDEHXQW5F" + hashParameter,
					Method:    http.MethodGet,
					Header:    http.Header{},
					ExpiresAt: time.Unix(expiry, 0).UTC(),
				}, signedURL)
			})
		}
	}
}

// The URLs and cookies of a prefix have the signature that OpenSSL makes of their policy.
func TestCloudFrontPrefixes(t *testing.T) {
	s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
		c.SHA256 = true
		c.CookieDomain = ".CloudFront.net"
	})
	granted, err := s.SignPrefix("images/")
	require.NoError(t, err)
	require.Equal(t, time.Unix(expiry, 0).UTC(), granted.ExpiresAt)

	// OpenSSL has signed this policy with the same key.
	policy, signature := opensslSignature(t, "prefix", "sha256")
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

// A signer with an ECDSA key makes the same valid URL each time, so that a cache finds it again.
func TestCloudFrontTakesECDSA(t *testing.T) {
	// This is the policy of the URL. Its signature by an RSA key does not matter here.
	policy, _ := opensslSignature(t, "canned", "sha1")
	sha1Sum := sha1.Sum([]byte(policy))
	sha256Sum := sha256.Sum256([]byte(policy))
	tests := []struct {
		name   string
		sha256 bool
		sum    []byte // of the policy
	}{
		{name: "SHA-1", sha256: false, sum: sha1Sum[:]},
		{name: "SHA-256", sha256: true, sum: sha256Sum[:]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
				c.PrivateKey = testFile(t, "cloudfront-ec.pem")
				c.SHA256 = tt.sha256
			})

			first, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg")
			require.NoError(t, err)
			second, err := s.SignedDownloadURL(t.Context(), "images/horizon.jpg")
			require.NoError(t, err)
			require.Equal(t, first, second)
			require.True(t, ecdsa.VerifyASN1(ecPublicKey(t), tt.sum, signatureOf(t, first.URL)))
		})
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
	const keyText = "c2VjcmV0" // "secret" in base64
	malformedKey := []byte("-----BEGIN RSA PRIVATE KEY-----\n" + keyText + "\n-----END RSA PRIVATE KEY-----\n")
	tests := []struct {
		name      string
		change    func(*cdn.CloudFrontConfig) // of a valid configuration
		wantField string                      // that the error names
	}{
		{
			name: "no base URL",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = ""
			},
			wantField: "BaseURL",
		},
		{
			name: "no host",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https:///a"
			},
			wantField: "BaseURL",
		},
		{
			name: "another scheme",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "ftp://cdn.example.com"
			},
			wantField: "BaseURL",
		},
		{
			name: "a query",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://cdn.example.com/?a"
			},
			wantField: "BaseURL",
		},
		{
			name: "a user",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://user:secret@cdn.example.com/"
			},
			wantField: "BaseURL",
		},
		{
			name: "a wildcard as host",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://*.example.com/"
			},
			wantField: "BaseURL",
		},
		{
			name: "a wildcard as path",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://cdn.example.com/*/"
			},
			wantField: "BaseURL",
		},
		{
			name: "a quote",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = `https://cdn.example.com/"`
			},
			wantField: "BaseURL",
		},
		{
			name: "a path with escaped dots",
			change: func(c *cdn.CloudFrontConfig) {
				c.BaseURL = "https://cdn.example.com/a/%2e%2e/"
			},
			wantField: "BaseURL",
		},
		{
			name: "no id",
			change: func(c *cdn.CloudFrontConfig) {
				c.KeyPairID = ""
			},
			wantField: "KeyPairID",
		},
		{
			name: "an id with a parameter",
			change: func(c *cdn.CloudFrontConfig) {
				c.KeyPairID = "K&Policy="
			},
			wantField: "KeyPairID",
		},
		{
			name: "no key",
			change: func(c *cdn.CloudFrontConfig) {
				c.PrivateKey = nil
			},
			wantField: "PrivateKey",
		},
		{
			name: "a malformed key",
			change: func(c *cdn.CloudFrontConfig) {
				c.PrivateKey = malformedKey
			},
			wantField: "PrivateKey",
		},
		{
			name: "IPv6",
			change: func(c *cdn.CloudFrontConfig) {
				c.Addresses = netip.MustParsePrefix("2001:db8::/32")
			},
			wantField: "Addresses",
		},
		{
			name: "a cookie domain without the host",
			change: func(c *cdn.CloudFrontConfig) {
				c.CookieDomain = "example.com"
			},
			wantField: "CookieDomain",
		},
		{
			name: "a cookie domain that cuts a label",
			change: func(c *cdn.CloudFrontConfig) {
				c.CookieDomain = "loudfront.net"
			},
			wantField: "CookieDomain",
		},
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
			require.ErrorContains(t, err, "Config."+tt.wantField)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), keyText)
		})
	}
}
