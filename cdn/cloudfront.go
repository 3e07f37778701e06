package cdn

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
)

const providerCloudFront = "cloudfront"

// A CloudFrontConfig says how a distribution of Amazon CloudFront serves a bucket, and has the
// private key that signs. Its public key belongs to a key group that the distribution trusts
// (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html).
type CloudFrontConfig struct {
	BaseURL    string // address of the distribution or of its alternate domain name, such as https://cdn.example.com/
	KeyPairID  string // id of the public key
	PrivateKey []byte `json:"-"` // RSA key of 2,048 bits, or ECDSA key on P-256, in PEM
	// SHA256 makes signatures with SHA-256, and adds the parameter Hash-Algorithm to the URL. If it
	// is false, signatures use SHA-1, which is the default of CloudFront.
	SHA256 bool
	// Addresses are the IPv4 addresses of viewers that may use a signature. The zero value means
	// all addresses. If Addresses is set, turn IPv6 off for the distribution, because CloudFront
	// does not compare IPv6 addresses.
	Addresses netip.Prefix
	// ForwardsQuery permits WithVersion and the options of response headers. These options become
	// parameters of S3 in the URL, and the signature covers them. If ForwardsQuery is false, the
	// options fail with Unsupported.
	//
	// Set ForwardsQuery only if three conditions hold. The distribution passes query strings to S3,
	// has them in its cache key, and has an origin access control that signs requests.
	ForwardsQuery bool
	// CookieDomain is the domain of cookies, such as example.com for pages on www.example.com. The default is the host
	// of BaseURL.
	CookieDomain string
}

// Format shows the fields of c that are set, without the key. It ignores the verb.
func (c CloudFrontConfig) Format(s fmt.State, _ rune) { redact.Fields(s, c, "PrivateKey") }

// A CloudFrontSigner signs for one distribution. It is safe for concurrent use.
type CloudFrontSigner struct {
	site      site
	key       cloudFrontKey
	addresses netip.Prefix
	domain    string
}

// Format shows the base URL and not the key. It ignores the verb.
func (s *CloudFrontSigner) Format(f fmt.State, _ rune) { s.site.format(f) }

// NewCloudFrontSigner returns a signer. It fails with InvalidArgument if a field of c is not valid.
func NewCloudFrontSigner(c CloudFrontConfig) (*CloudFrontSigner, error) {
	s, err := newSite(providerCloudFront, c.BaseURL)
	if err != nil {
		return nil, err
	}

	s.forwards = c.ForwardsQuery
	s.forwardHint = "if the distribution passes query strings to S3, set CloudFrontConfig.ForwardsQuery"
	domain, err := s.cookieDomain(c.CookieDomain)
	if err != nil {
		return nil, err
	}
	if c.KeyPairID == "" || escape.All(c.KeyPairID) != c.KeyPairID {
		return nil, argument.Invalid("Config.KeyPairID", "must be the id of a public key, such as K2JCJMDEHXQW5F", "")
	}
	key, err := newCloudFrontKey(c.KeyPairID, c.PrivateKey, c.SHA256)
	if err != nil {
		return nil, err
	}

	// The zero value of Addresses means all addresses.
	isLimited := c.Addresses != (netip.Prefix{})
	if isLimited && (!c.Addresses.IsValid() || !c.Addresses.Addr().Is4()) {
		return nil, argument.Invalid("Config.Addresses", "must be a range of IPv4 addresses", "")
	}

	return &CloudFrontSigner{
		site:      s,
		key:       key,
		addresses: c.Addresses,
		domain:    domain,
	}, nil
}

// SignedDownloadURL returns a URL that reads one object until it expires. It makes no request. The
// URL has a canned policy of CloudFront, or a custom policy if the configuration has Addresses
// (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html).
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same URL. If key is not valid, SignedDownloadURL fails with
// InvalidArgument. It fails with Unsupported for WithNative, and for WithMethod with HEAD.
// WithVersion and the options of response headers need ForwardsQuery, and must not be used with
// Addresses. Otherwise they fail with Unsupported.
func (s *CloudFrontSigner) SignedDownloadURL(
	ctx context.Context, key string, opts ...storage.SignedDownloadOption,
) (*storage.SignedURL, error) {
	grant, err := s.site.checkKeyOptions(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	needsCustomPolicy := s.addresses.IsValid()
	if needsCustomPolicy && grant.query != "" {
		// In a custom policy, the "?" before the query would be a wildcard.
		return nil, s.site.unsupported("SignedDownloadURL", key, "parameters of the store together with Addresses", "")
	}

	resource := s.site.address(key)
	separator := "?"
	if grant.query != "" {
		resource += "?" + grant.query
		separator = "&"
	}
	signature, err := s.sign(resource, grant.until, needsCustomPolicy)
	if err != nil {
		return nil, err
	}
	return signedURL(resource+separator+signature.query(), grant.until), nil
}

// SignPrefix permits the reading of every object below a prefix, which is "" or ends in "/". It
// makes no request. The resource of the custom policy is the prefix with a wildcard at its end,
// which also matches query strings.
//
// WithTTL accepts 1 second to 7 days. The default is 1 hour. With [storage.WithStableFor], calls in
// the same window return the same signature. If prefix is not valid, it fails with InvalidArgument.
// All other options fail with Unsupported.
func (s *CloudFrontSigner) SignPrefix(prefix string, opts ...storage.SignedDownloadOption) (*SignedPrefix, error) {
	grant, err := s.site.checkPrefixOptions(prefix, opts)
	if err != nil {
		return nil, err
	}

	const needsCustomPolicy = true // a canned policy cannot have a wildcard
	resource := s.site.address(prefix) + "*"
	signature, err := s.sign(resource, grant.until, needsCustomPolicy)
	if err != nil {
		return nil, err
	}

	cookies := make([]*http.Cookie, len(signature))
	for i, parameter := range signature {
		cookies[i] = s.site.cookie(s.domain, prefix, "CloudFront-"+parameter.name, parameter.value)
	}
	return &SignedPrefix{
		Prefix:    prefix,
		ExpiresAt: grant.until,
		Cookies:   cookies,
		site:      &s.site,
		query:     signature.query(),
	}, nil
}

// sign returns the parameters of a signature. They include a custom policy, but not a canned one, which
// CloudFront makes from the URL and Expires.
func (s *CloudFrontSigner) sign(resource string, expires time.Time, needsCustomPolicy bool) (parameters, error) {
	text := policy(resource, expires, s.addresses)
	signature, err := s.key.sign(text)
	if err != nil {
		return nil, err
	}

	var params parameters
	if needsCustomPolicy {
		params = append(params, parameter{"Policy", cloudFrontBase64([]byte(text))})
	} else {
		params = append(params, parameter{"Expires", strconv.FormatInt(expires.Unix(), 10)})
	}
	params = append(params, parameter{"Signature", signature})
	return append(params, s.key.names...), nil
}
