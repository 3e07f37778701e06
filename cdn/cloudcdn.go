package cdn

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
)

// A CloudCDNConfig says how Google Cloud CDN serves a bucket, and has the signing key. The key
// belongs to the backend bucket or service
// (https://docs.cloud.google.com/cdn/docs/using-signed-urls).
type CloudCDNConfig struct {
	BaseURL string // address of the load balancer, such as https://cdn.example.com/
	KeyName string // name of the signing key: 1 to 63 letters, digits, "-" and "_"
	Key     string `json:"-"` // 16 bytes in base64url, as in the key file for gcloud
	// CookieDomain is the domain of cookies, such as example.com for pages on www.example.com. The default is the host
	// of BaseURL.
	CookieDomain string
}

// Format shows the fields of c that are set, without the key. It ignores the verb.
func (c CloudCDNConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "Key") }

// A CloudCDNSigner signs for one load balancer of Google. It is safe for concurrent use.
//
// Cloud CDN also serves requests without a signature if the origin permits them. Therefore objects
// must not be public. Only the cache-filling service account of Cloud CDN needs permission to read
// them.
type CloudCDNSigner struct {
	site    site
	keyName string
	key     []byte
	domain  string
}

// Format shows the base URL and not the key. It ignores the verb.
func (s *CloudCDNSigner) Format(f fmt.State, _ rune) { s.site.format(f) }

// NewCloudCDNSigner returns a signer. It fails with InvalidArgument if a field of c is not valid.
func NewCloudCDNSigner(c CloudCDNConfig) (*CloudCDNSigner, error) {
	s, err := newSite("cloudcdn", c.BaseURL)
	if err != nil {
		return nil, err
	}
	domain, err := s.cookieDomain(c.CookieDomain)
	if err != nil {
		return nil, err
	}
	if !isKeyName(c.KeyName) {
		return nil, argument.Invalid("Config.KeyName", `must be 1 to 63 letters, digits, "-" and "_"`, "")
	}

	const keyBytes = 16
	key, err := base64.URLEncoding.DecodeString(strings.TrimSpace(c.Key))
	if err != nil || len(key) != keyBytes {
		// err is dropped, because it would quote a part of the key.
		return nil, argument.Invalid("Config.Key", "must be base64url of 16 bytes", "")
	}
	return &CloudCDNSigner{site: s, keyName: c.KeyName, key: key, domain: domain}, nil
}

// isKeyName reports whether name consists of 1 to 63 letters, digits, "-" and "_".
func isKeyName(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	// A URL needs no escape for these characters, nor for "." and "~".
	return escape.All(name) == name && !strings.ContainsAny(name, ".~")
}

// SignedDownloadURL returns a URL that reads one object until it expires. It makes no request.
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same URL. If key is not valid, it fails with InvalidArgument. All
// other options fail with Unsupported, except WithMethod for GET.
func (s *CloudCDNSigner) SignedDownloadURL(
	ctx context.Context, key string, opts ...storage.SignedDownloadOption,
) (*storage.SignedURL, error) {
	grant, err := s.site.checkKeyOptions(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	unsigned := fmt.Sprintf("%s?Expires=%d&KeyName=%s", s.site.address(key), grant.until.Unix(), s.keyName)
	return signedURL(unsigned+"&Signature="+s.sign(unsigned), grant.until), nil
}

// SignPrefix permits the reading of every object below a prefix, which is "" or ends in "/". It
// makes no request. The cookie is described at
// https://docs.cloud.google.com/cdn/docs/using-signed-cookies.
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same signature. If prefix is not valid, it fails with InvalidArgument.
// All other options fail with Unsupported.
func (s *CloudCDNSigner) SignPrefix(prefix string, opts ...storage.SignedDownloadOption) (*SignedPrefix, error) {
	grant, err := s.site.checkPrefixOptions(prefix, opts)
	if err != nil {
		return nil, err
	}
	fields := []string{
		"URLPrefix=" + base64.URLEncoding.EncodeToString([]byte(s.site.address(prefix))),
		fmt.Sprintf("Expires=%d", grant.until.Unix()),
		"KeyName=" + s.keyName,
	}

	// A URL and a cookie have different separators, so each needs its own signature.
	query := strings.Join(fields, "&")
	query += "&Signature=" + s.sign(query)
	value := strings.Join(fields, ":")
	value += ":Signature=" + s.sign(value)

	return &SignedPrefix{
		Prefix:    prefix,
		ExpiresAt: grant.until,
		Cookies:   []*http.Cookie{s.site.cookie(s.domain, prefix, "Cloud-CDN-Cookie", value)},
		site:      &s.site,
		query:     query,
	}, nil
}

// sign returns the signature of a text: HMAC-SHA1 in base64url.
func (s *CloudCDNSigner) sign(text string) string {
	mac := hmac.New(sha1.New, s.key)
	_, _ = mac.Write([]byte(text))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}
