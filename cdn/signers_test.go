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

// A signer has the methods that all signers have.
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

// Each signer refuses the options that its CDN would not enforce, and the error names the option.
func TestSignersRefuseWhatIsNotEnforced(t *testing.T) {
	tests := []struct {
		name   string
		option storage.SignedDownloadOption
	}{
		{name: "WithMethod", option: storage.WithMethod(http.MethodHead)},
		{name: "WithVersion", option: storage.WithVersion("v1")},
		{name: "WithNative", option: storage.WithNative("s3", 1)},
		{name: "WithDownloadName", option: storage.WithDownloadName("a.jpg")},
		{name: "WithResponseContentDisposition", option: storage.WithResponseContentDisposition("inline")},
		{name: "WithResponseContentType", option: storage.WithResponseContentType("text/plain")},
	}
	for _, tt := range tests {
		for signerName, s := range newSigners(t) {
			t.Run(tt.name+"/"+signerName, func(t *testing.T) {
				_, err := s.SignedDownloadURL(t.Context(), "a.jpg", tt.option)
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, tt.name)

				_, err = s.SignPrefix("a/", tt.option)
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, tt.name)
			})
		}
	}
}

// With WithStableFor, a URL stays the same for that time, so that caches can keep it.
func TestSignersStableURLs(t *testing.T) {
	const ttl = time.Minute
	startOfHour := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	startOfNextHour := startOfHour.Add(time.Hour)
	for name, s := range newSigners(t) {
		t.Run(name, func(t *testing.T) {
			signAt := func(now time.Time) *storage.SignedURL {
				s.At(now)
				stable := storage.WithStableFor(time.Hour)
				signedURL, err := s.SignedDownloadURL(t.Context(), "a.jpg", stable, storage.WithTTL(ttl))
				require.NoError(t, err)
				return signedURL
			}

			// All URLs of one hour are the same, and are valid for the TTL after its end.
			first := signAt(startOfHour)
			last := signAt(startOfNextHour.Add(-1))
			require.Equal(t, first, last)
			require.Equal(t, startOfNextHour.Add(ttl), first.ExpiresAt)
			require.NotEqual(t, first.URL, signAt(startOfNextHour).URL)

			// A URL that would be valid for longer than seven days is refused.
			_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithStableFor(7*24*time.Hour))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// With ForwardsQuery, a signed URL of CloudFront has the parameters that S3 understands, and other
// options are refused.
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

// If CloudFrontConfig.Addresses is set, a URL needs a custom policy. Such a policy cannot sign a query, because
// CloudFront would take the "?" for a wildcard.
func TestCloudFrontSignsNoQueryInACustomPolicy(t *testing.T) {
	s := newCloudFront(t, func(c *cdn.CloudFrontConfig) {
		c.ForwardsQuery = true
		c.Addresses = netip.MustParsePrefix("192.0.2.0/24")
	})

	_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithVersion("v1"))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Addresses")

	_, err = s.SignedDownloadURL(t.Context(), "a.jpg")
	require.NoError(t, err)
}

// A key with hostile characters cannot change the meaning of its URL, because it is either escaped or refused.
func TestSignersHostileKeys(t *testing.T) {
	tests := []struct {
		key      string
		wantPath string // below site, or "" if the key is refused
	}{
		{key: "", wantPath: ""},
		{key: "..", wantPath: ""},
		{key: "a/../b", wantPath: ""},
		{key: "a/./b", wantPath: ""},
		{key: "\xff", wantPath: ""},
		{key: strings.Repeat("a", 1025), wantPath: ""},
		{key: "*", wantPath: "%2A"},
		{key: "a?Policy=x&Signature=y", wantPath: "a%3FPolicy%3Dx%26Signature%3Dy"},
		{key: "a?b", wantPath: "a%3Fb"},
		{key: "a#b", wantPath: "a%23b"},
		{key: "a%2Fb", wantPath: "a%252Fb"},
		{key: "%2e%2e/b", wantPath: "%252e%252e/b"},
		{key: "a b", wantPath: "a%20b"},
		{key: "a\nb", wantPath: "a%0Ab"},
		{key: `a"},"b`, wantPath: "a%22%7D%2C%22b"},
		{key: `a\b`, wantPath: "a%5Cb"},
		{key: "é", wantPath: "%C3%A9"},
		{key: "/a", wantPath: "/a"},
		{key: "http://evil.example/", wantPath: "http%3A//evil.example/"},
	}
	for name, s := range newSigners(t) {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/%.20q", name, tt.key), func(t *testing.T) {
				signedURL, err := s.SignedDownloadURL(t.Context(), tt.key)
				isRefused := tt.wantPath == ""
				if isRefused {
					require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
					return
				}
				// The signer of Bunny refuses each key that would have to be escaped.
				isEscaped := tt.wantPath != tt.key
				if name == "bunny" && isEscaped {
					require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
					return
				}
				require.NoError(t, err)

				address, query, _ := strings.Cut(signedURL.URL, "?")
				require.Equal(t, site+tt.wantPath, address)
				require.NotContains(t, query, "?")

				u, err := url.Parse(signedURL.URL)
				require.NoError(t, err)
				require.Equal(t, "/files/"+tt.key, u.Path, "the CDN reads the same key")
			})
		}
	}
}

// A prefix is refused unless it ends at a slash, because users/4 would also permit users/42/. A key
// outside of the prefix has no URL.
func TestSignPrefixEndsAtASegment(t *testing.T) {
	for name, s := range newSigners(t) {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"users/4", "/..", "users/../", "users/42/../", "\xff/", "../"} {
				_, err := s.SignPrefix(prefix)
				require.ErrorIs(t, err, storage.InvalidArgument, "%q", prefix)
			}

			// A key inside of the prefix has a URL.
			granted, err := s.SignPrefix("users/42/")
			require.NoError(t, err)
			address, err := granted.URL("users/42/a.jpg")
			require.NoError(t, err)
			require.Contains(t, address, site+"users/42/a.jpg?")

			// Keys outside of it are refused.
			for _, key := range []string{"users/421/a", "users/42", "users/42/../43/a", "a", ""} {
				_, err := granted.URL(key)
				require.ErrorIs(t, err, storage.InvalidArgument, "%q", key)
			}
		})
	}
}

// Browsers send the cookies of a prefix only with requests for objects below it.
func TestSignPrefixCookies(t *testing.T) {
	for name, s := range newSigners(t) {
		t.Run(name, func(t *testing.T) {
			// bunny signs no prefix with such characters, and its signatures are no cookies.
			granted, err := s.SignPrefix("a b*/")
			if name == "bunny" {
				require.ErrorIs(t, err, storage.Unsupported)
				return
			}
			require.NoError(t, err)

			// A browser sends each cookie to this host and path only, and keeps it until it is closed.
			require.NotEmpty(t, granted.Cookies)
			for _, c := range granted.Cookies {
				require.NoError(t, c.Valid())
				require.Equal(t, "/files/a%20b%2A/", c.Path)
				require.Equal(t, "cdn.example.com", c.Domain)
				require.True(t, c.Secure)
				require.True(t, c.HttpOnly)
				require.Equal(t, http.SameSiteLaxMode, c.SameSite)
				require.Zero(t, c.MaxAge)
			}
		})
	}
}

// A URL expires at a whole second. A time between two seconds is rounded up.
func TestExpiry(t *testing.T) {
	tests := []struct {
		name string
		now  time.Time
		ttl  time.Duration
		want int64 // seconds since 1970
	}{
		{name: "no TTL, an hour by default", now: time.Unix(1000, 0), want: 1000 + 60*60},
		{name: "whole seconds", now: time.Unix(1000, 0), ttl: time.Minute, want: 1060},
		{name: "signed between two seconds", now: time.Unix(1000, 1), ttl: time.Minute, want: 1061},
		{name: "TTL with a part of a second", now: time.Unix(1000, 0), ttl: 1500 * time.Millisecond, want: 1002},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, time.Unix(tt.want, 0).UTC(), cdn.Expiry(t, tt.now, tt.ttl))
		})
	}
}

// A signed URL expires after the time of WithTTL. As for a bucket, more than seven days are
// refused.
func TestSignersTimeToLive(t *testing.T) {
	for name, s := range newSigners(t) {
		t.Run(name, func(t *testing.T) {
			// More than seven days are refused.
			const tooLong = 8 * 24 * time.Hour
			_, err := s.SignedDownloadURL(t.Context(), "a.jpg", storage.WithTTL(tooLong))
			require.ErrorIs(t, err, storage.InvalidArgument)

			// A URL for a minute expires after a minute.
			now := time.Unix(1000, 0)
			s.At(now)
			signedURL, err := s.SignedDownloadURL(t.Context(), "a.jpg",
				storage.WithTTL(time.Minute), storage.WithMethod(http.MethodGet))
			require.NoError(t, err)
			require.Equal(t, now.Add(time.Minute).UTC(), signedURL.ExpiresAt)
		})
	}
}

// Nothing is signed after the context has ended.
func TestSignersCtxIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, s := range newSigners(t) {
		_, err := s.SignedDownloadURL(ctx, "a.jpg")
		require.ErrorIs(t, err, storage.Canceled, name)
	}
}

// A signer, a purger or a configuration that is printed or logged does not show its key.
func TestSignersAndConfigurationsShowNoKey(t *testing.T) {
	const key = "hidden-key"
	cloudflare, err := cdn.NewCloudflarePurger(cdn.CloudflareConfig{ZoneID: "z", Token: key})
	require.NoError(t, err)
	fastly, err := cdn.NewFastlyPurger(cdn.FastlyConfig{Token: key})
	require.NoError(t, err)
	bunny, err := cdn.NewBunnyPurger(cdn.BunnyPurgeConfig{AccessKey: key})
	require.NoError(t, err)

	// Collect all values that have a key, and the forms in which a key could be printed.
	values := map[string]any{
		"CloudFrontConfig": cdn.CloudFrontConfig{BaseURL: site, PrivateKey: []byte(key)},
		"CloudCDNConfig":   cdn.CloudCDNConfig{BaseURL: site, Key: key},
		"BunnyConfig":      cdn.BunnyConfig{BaseURL: site, Key: key},
		"CloudflareConfig": cdn.CloudflareConfig{ZoneID: "z", Token: key},
		"FastlyConfig":     cdn.FastlyConfig{Token: key},
		"BunnyPurgeConfig": cdn.BunnyPurgeConfig{AccessKey: key},
		"cloudflare":       cloudflare,
		"fastly":           fastly,
		"bunny purger":     bunny,
	}

	pem := testFile(t, "cloudfront-rsa.pem")
	secrets := []string{
		key,
		fmt.Sprint([]byte(key)),
		"aGlkZGVuLWtleQ", // key in Base64
		"secret-of-bunny",
		"157 155 81", // the first bytes of googleKey, as fmt prints them
		string(pem[40:80]),
	}

	// The signature of a prefix is a secret, too, because it grants the right to read all objects with the prefix.
	for name, signer := range newSigners(t) {
		granted, err := signer.SignPrefix("a/")
		require.NoError(t, err)
		address, err := granted.URL("a/b")
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)

		values[name] = signer
		values[name+" prefix"] = granted
		values[name+" prefix by value"] = *granted
		secrets = append(secrets, u.Query().Get("Signature")+u.Query().Get("token"))
	}

	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			output := printed(t, value)
			for _, secret := range secrets {
				require.NotContains(t, output, secret)
				require.NotContains(t, output, fmt.Sprintf("%x", secret))
			}
		})
	}
}

// printed returns what encoding/json, log/slog and fmt print of a value.
func printed(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var output bytes.Buffer
	_, _ = output.Write(text)
	slog.New(slog.NewTextHandler(&output, nil)).Info("x", "v", value)
	slog.New(slog.NewJSONHandler(&output, nil)).Info("x", "v", value)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		_, _ = fmt.Fprintf(&output, verb, value)
	}
	return output.String()
}
