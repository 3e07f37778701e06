package cdn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
)

// A signer is what all signers have in common.
type signer interface {
	storage.SignedDownloader
	SignPrefix(prefix string, opts ...storage.SignedDownloadOption) (*cdn.SignedPrefix, error)
	At(time.Time)
}

const site = "https://cdn.example.com/files/"

// newSigners returns a signer of each CDN, by names.
func newSigners(t *testing.T) map[string]signer {
	t.Helper()
	google, err := cdn.NewCloudCDNSigner(cdn.CloudCDNConfig{BaseURL: site, KeyName: "my-key", Key: googleKey})
	require.NoError(t, err)
	bunny, err := cdn.NewBunnySigner(cdn.BunnyConfig{BaseURL: site, Key: "secret-of-bunny"})
	require.NoError(t, err)
	return map[string]signer{
		"cloudfront": newCloudFront(t, func(c *cdn.CloudFrontConfig) {
			c.BaseURL = site
		}),
		"cloudcdn": google,
		"bunny":    bunny,
	}
}

// Each signer refuses options that its CDN does not enforce.
func TestSignersRefuseWhatIsNotEnforced(t *testing.T) {
	tests := []struct {
		option string
		given  storage.SignedDownloadOption
	}{
		{"WithMethod", storage.WithMethod(http.MethodHead)},
		{"WithVersion", storage.WithVersion("v1")},
		{"WithNative", storage.WithNative("s3", 1)},
		{"WithDownloadName", storage.WithDownloadName("a.jpg")},
		{"WithResponseContentDisposition", storage.WithResponseContentDisposition("inline")},
		{"WithResponseContentType", storage.WithResponseContentType("text/plain")},
	}
	for _, tt := range tests {
		for name, s := range newSigners(t) {
			t.Run(tt.option+"/"+name, func(t *testing.T) {
				_, err := s.SignedDownloadURL(t.Context(), "a.jpg", tt.given)
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, tt.option)
				_, err = s.SignPrefix("a/", tt.given)
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, tt.option)
			})
		}
	}
}

// With WithStableFor, a URL stays the same for that time, so that caches can keep it.
func TestSignersStableURLs(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	stable := []storage.SignedDownloadOption{storage.WithStableFor(time.Hour), storage.WithTTL(time.Minute)}
	for name, s := range newSigners(t) {
		t.Run(name, func(t *testing.T) {
			sign := func(at time.Time) *storage.SignedURL {
				s.At(at)
				signedURL, err := s.SignedDownloadURL(t.Context(), "a.jpg", stable...)
				require.NoError(t, err)
				return signedURL
			}
			first := sign(when)
			require.Equal(t, first, sign(when.Add(time.Hour-1)))
			require.Equal(t, when.Add(time.Hour+time.Minute), first.ExpiresAt)
			require.NotEqual(t, first.URL, sign(when.Add(time.Hour)).URL)
			_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithStableFor(7*24*time.Hour))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// With ForwardsQuery, a signed URL of CloudFront has the parameters for S3. Other options are refused.
func TestCloudFrontForwardsParametersOfS3(t *testing.T) {
	s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
		c.ForwardsQuery = true
	})
	signedURL, err := s.SignedDownloadURL(
		t.Context(),
		"a.jpg",
		storage.WithDownloadName("ü & b.jpg"),
		storage.WithResponseContentType("text/plain"),
		storage.WithVersion("a+b*"),
	)
	require.NoError(t, err)

	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "text/plain", u.Query().Get("response-content-type"))
	require.Equal(t, "a+b*", u.Query().Get("versionId"))
	require.Contains(t, u.Query().Get("response-content-disposition"), "attachment")
	require.NotContains(t, signedURL.URL, "*", "no wildcard is signed")

	for name, opt := range map[string]storage.SignedDownloadOption{
		"HEAD":            storage.WithMethod(http.MethodHead),
		"a native option": storage.WithNative("s3", 1),
	} {
		_, err := s.SignedDownloadURL(t.Context(), "a.jpg", opt)
		require.ErrorIs(t, err, storage.Unsupported, name)
	}
}

// In a custom policy, which Addresses need, the "?" before a query would be a wildcard.
func TestCloudFrontSignsNoQueryInACustomPolicy(t *testing.T) {
	s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
		c.ForwardsQuery, c.Addresses = true, netip.MustParsePrefix("192.0.2.0/24")
	})
	_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithVersion("v1"))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Addresses")
	_, err = s.SignedDownloadURL(t.Context(), "a.jpg")
	require.NoError(t, err)
}

// A key cannot change the meaning of its URL: it is escaped, or refused.
func TestSignersHostileKeys(t *testing.T) {
	for name, s := range newSigners(t) {
		tests := []struct {
			key, path string // path is "" if the key is refused
			code      storage.Code
		}{
			{key: "", code: storage.InvalidArgument},
			{key: "..", code: storage.InvalidArgument},
			{key: "a/../b", code: storage.InvalidArgument},
			{key: "a/./b", code: storage.InvalidArgument},
			{key: "\xff", code: storage.InvalidArgument},
			{key: strings.Repeat("a", 1025), code: storage.InvalidArgument},
			{key: "*", path: "%2A"},
			{key: "a?Policy=x&Signature=y", path: "a%3FPolicy%3Dx%26Signature%3Dy"},
			{key: "a?b", path: "a%3Fb"},
			{key: "a#b", path: "a%23b"},
			{key: "a%2Fb", path: "a%252Fb"},
			{key: "%2e%2e/b", path: "%252e%252e/b"},
			{key: "a b", path: "a%20b"},
			{key: "a\nb", path: "a%0Ab"},
			{key: `a"},"b`, path: "a%22%7D%2C%22b"},
			{key: `a\b`, path: "a%5Cb"},
			{key: "é", path: "%C3%A9"},
			{key: "/a", path: "/a"},
			{key: "http://evil.example/", path: "http%3A//evil.example/"},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/%.20q", name, tt.key), func(t *testing.T) {
				if name == "bunny" && tt.path != "" && tt.path != tt.key {
					tt.path = ""
					tt.code = storage.Unsupported
				}
				signedURL, err := s.SignedDownloadURL(t.Context(), tt.key)
				if tt.path == "" {
					require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
					return
				}
				require.NoError(t, err)

				address, query, _ := strings.Cut(signedURL.URL, "?")
				require.Equal(t, site+tt.path, address)
				require.NotContains(t, query, "?")

				u, err := url.Parse(signedURL.URL)
				require.NoError(t, err)
				require.Equal(t, "/files/"+tt.key, u.Path, "the CDN reads the same key")
			})
		}
	}
}

// If a prefix does not end at a segment, SignPrefix fails with InvalidArgument. If a key is outside of the prefix,
// URL does.
func TestSignPrefixEndsAtASegment(t *testing.T) {
	for name, s := range newSigners(t) {
		for _, prefix := range []string{"users/4", "/..", "users/../", "users/42/../", "\xff/", "../"} {
			_, err := s.SignPrefix(prefix)
			require.ErrorIs(t, err, storage.InvalidArgument, "%s %q", name, prefix)
		}
		granted, err := s.SignPrefix("users/42/")
		require.NoError(t, err)
		for _, key := range []string{"users/421/a", "users/42", "users/42/../43/a", "a", ""} {
			_, err := granted.URL(key)
			require.ErrorIs(t, err, storage.InvalidArgument, "%s %q", name, key)
		}
		address, err := granted.URL("users/42/a.jpg")
		require.NoError(t, err)
		require.Contains(t, address, site+"users/42/a.jpg?")
	}
}

// Cookies reach only the prefix.
func TestSignPrefixCookies(t *testing.T) {
	for name, s := range newSigners(t) {
		granted, err := s.SignPrefix("a b*/")
		if name == "bunny" {
			require.ErrorIs(t, err, storage.Unsupported)
			continue
		}
		require.NoError(t, err)
		for _, c := range granted.Cookies {
			require.NoError(t, c.Valid())
			require.Equal(t, "/files/a%20b%2A/", c.Path)
			require.Equal(t, "cdn.example.com", c.Domain)
			require.True(t, c.Secure && c.HttpOnly)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite)
			require.Zero(t, c.MaxAge)
		}
	}
}

// A URL expires at a whole second, never earlier than asked for.
func TestExpiry(t *testing.T) {
	tests := []struct {
		name string
		now  time.Time
		ttl  time.Duration
		want int64
	}{
		{name: "an hour by default", now: time.Unix(1000, 0), want: 4600},
		{name: "whole seconds", now: time.Unix(1000, 0), ttl: time.Minute, want: 1060},
		{name: "never earlier than asked for", now: time.Unix(1000, 1), ttl: time.Minute, want: 1061},
		{name: "a part of a second", now: time.Unix(1000, 0), ttl: 1500 * time.Millisecond, want: 1002},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, time.Unix(tt.want, 0).UTC(), cdn.Expiry(t, tt.now, tt.ttl))
		})
	}
}

// If WithTTL exceeds the limit of a bucket's signed URLs, a signer fails with InvalidArgument.
func TestSignersTimeToLive(t *testing.T) {
	for name, s := range newSigners(t) {
		_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithTTL(8*24*time.Hour))
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		s.At(time.Unix(1000, 0))
		signedURL, err := s.SignedDownloadURL(
			t.Context(),
			"a.jpg",
			storage.WithTTL(time.Minute),
			storage.WithMethod(http.MethodGet),
		)
		require.NoError(t, err)
		require.Equal(t, time.Unix(1060, 0).UTC(), signedURL.ExpiresAt)
	}
}

// Nothing is signed after the end of the context.
func TestSignersCtxIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, s := range newSigners(t) {
		_, err := s.SignedDownloadURL(ctx, "a.jpg")
		require.ErrorIs(t, err, storage.Canceled, name)
	}
}

// If a program prints or logs a signer, a purger or a configuration, no key is in the output.
func TestSignersAndConfigurationsShowNoKey(t *testing.T) {
	pem := testFile(t, "cloudfront-rsa.pem")
	values := map[string]any{
		"CloudFrontConfig": cdn.CloudFrontConfig{BaseURL: site, PrivateKey: []byte("hidden-key")},
		"CloudCDNConfig":   cdn.CloudCDNConfig{BaseURL: site, Key: "hidden-key"},
		"BunnyConfig":      cdn.BunnyConfig{BaseURL: site, Key: "hidden-key"},
		"CloudflareConfig": cdn.CloudflareConfig{ZoneID: "z", Token: "hidden-key"},
		"FastlyConfig":     cdn.FastlyConfig{Token: "hidden-key"},
		"BunnyPurgeConfig": cdn.BunnyPurgeConfig{AccessKey: "hidden-key"},
	}
	cloudflare, err := cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "z", Token: "hidden-key"})
	require.NoError(t, err)
	fastly, err := cdn.NewFastlyPurger(cdn.FastlyConfig{Token: "hidden-key"})
	require.NoError(t, err)
	bunny, err := cdn.NewBunnyPurger(cdn.BunnyPurgeConfig{AccessKey: "hidden-key"})
	require.NoError(t, err)
	values["cloudflare"], values["fastly"], values["bunny purger"] = cloudflare, fastly, bunny
	secrets := []string{
		"hidden-key",
		fmt.Sprint([]byte("hidden-key")),
		"aGlkZGVuLWtleQ",
		"secret-of-bunny",
		"157 155 81",
		string(pem[40:80]),
	}
	for name, s := range newSigners(t) {
		values[name] = s
		granted, err := s.SignPrefix("a/")
		require.NoError(t, err)
		address, err := granted.URL("a/b")
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		values[name+" prefix"], values[name+" prefix by value"] = granted, *granted
		secrets = append(secrets, u.Query().Get("Signature")+u.Query().Get("token"))
	}

	for name, value := range values {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", value)
		output := string(text) + logged.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			output += fmt.Sprintf(verb, value)
		}

		for _, secret := range secrets {
			require.NotContains(t, output, secret, name)
			require.NotContains(t, output, fmt.Sprintf("%x", secret), name)
		}
	}
}
