package cdn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
)

// A BunnyConfig says how a pull zone of bunny.net serves a bucket, and has the signing key
// (https://docs.bunny.net/docs/cdn-token-authentication).
type BunnyConfig struct {
	BaseURL string // address of the pull zone, such as https://myzone.b-cdn.net/
	Key     string `json:"-"` // URL token authentication key of the pull zone
}

// Format shows the fields of c that are set, without the key. It ignores the verb.
func (c BunnyConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "Key") }

// A BunnySigner signs for one pull zone, by advanced token authentication with HMAC-SHA256. It is safe for concurrent
// use.
type BunnySigner struct {
	site site
	key  string
}

// Format shows the base URL and not the key. It ignores the verb.
func (s *BunnySigner) Format(f fmt.State, _ rune) { s.site.format(f) }

// NewBunnySigner returns a signer. It fails with InvalidArgument if a field of c is not valid.
func NewBunnySigner(c BunnyConfig) (*BunnySigner, error) {
	s, err := newSite("bunny", c.BaseURL)
	if err != nil {
		return nil, err
	}
	if escape.Path(s.path) != s.path {
		return nil, argument.Invalid("Config.BaseURL", "must not have an escaped path", "")
	}
	if c.Key == "" {
		return nil, argument.Invalid("Config.Key", "must not be empty", "")
	}

	// Bunny does not document whether it signs the escaped path, so the site refuses keys that need escapes.
	s.unescaped = true
	return &BunnySigner{site: s, key: c.Key}, nil
}

// SignedDownloadURL returns a URL that reads one object until it expires. It makes no request.
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same URL. WithMethod accepts only GET. All other options fail with
// Unsupported. If key is not valid, SignedDownloadURL fails with InvalidArgument. It fails with
// Unsupported for two kinds of keys:
//
//   - Keys with characters other than letters, digits and "-._~/". Bunny does not document whether
//     the escaped path is signed, and its own programs differ
//     (https://github.com/BunnyWay/BunnyCDN.TokenAuthentication).
//   - Keys that end in a digit. Bunny signs the path and the expiry without a separator. A client
//     could change the URL of photos/12 into a URL of photos/1 with a later expiry. For these keys,
//     use SignPrefix.
func (s *BunnySigner) SignedDownloadURL(
	ctx context.Context, key string, opts ...storage.SignedDownloadOption,
) (*storage.SignedURL, error) {
	grant, err := s.site.checkKeyOptions(ctx, key, opts)
	if err != nil {
		return nil, err
	}

	last := key[len(key)-1]
	endsInDigit := last >= '0' && last <= '9'
	if endsInDigit {
		return nil, s.site.unsupported("SignedDownloadURL", key, "a key that ends in a digit", "use SignPrefix")
	}

	// The token covers no parameters.
	query := fmt.Sprintf("token=%s&expires=%d", s.sign(s.site.path+key, grant.until, ""), grant.until.Unix())
	return signedURL(s.site.address(key)+"?"+query, grant.until), nil
}

// SignPrefix permits the reading of every object below a prefix, which is "" or ends in "/". It
// makes no request. The prefix becomes the token_path of
// https://docs.bunny.net/docs/cdn/security/token-authentication/advanced. The result has no
// cookies.
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same signature. All other options fail with Unsupported. If prefix is
// not valid, SignPrefix fails with InvalidArgument. If prefix has characters other than letters,
// digits and "-._~/", it fails with Unsupported.
func (s *BunnySigner) SignPrefix(prefix string, opts ...storage.SignedDownloadOption) (*SignedPrefix, error) {
	grant, err := s.site.checkPrefixOptions(prefix, opts)
	if err != nil {
		return nil, err
	}

	path := s.site.path + prefix
	tokenPath := "token_path=" + path // a parameter that the token covers
	query := fmt.Sprintf(
		"token=%s&token_path=%s&expires=%d",
		s.sign(path, grant.until, tokenPath),
		escape.All(path),
		grant.until.Unix(),
	)
	return &SignedPrefix{Prefix: prefix, ExpiresAt: grant.until, site: &s.site, query: query}, nil
}

// sign returns the token for a path. parameters are the URL parameters that the token covers,
// without escapes.
func (s *BunnySigner) sign(path string, expires time.Time, parameters string) string {
	mac := hmac.New(sha256.New, []byte(s.key))
	_, _ = fmt.Fprintf(mac, "%s%d%s", path, expires.Unix(), parameters)
	return "HS256-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
