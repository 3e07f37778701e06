package s3

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
	"github.com/omnibucket/storage/providers/s3/internal/uploadbody"
)

// A bucket has the name and the URLs of one bucket, and finds out why requests for its objects
// failed.
type bucket struct {
	account   *account
	name      string
	ownCache  atomic.Pointer[bucketEndpoint] // cache for the server's own URL
	lastCache atomic.Pointer[bucketEndpoint] // cache for the base URL that was used last
	seenAt    atomic.Pointer[time.Time]      // latest time at which the bucket was seen to exist; see notFound
}

// urlOf returns the URL of a bucket or, if bucket is empty, of the server.
func (a *account) urlOf(ctx context.Context, bucket string) (*url.URL, error) {
	u, _, err := a.resolve(ctx, bucket, "")
	return u, err
}

// An authScheme says which code can sign and send requests to a URL.
type authScheme struct {
	sigV4 bool // true if sign.go can sign: SigV4 for the service s3, in the account's region
	// allowsRaw is true if package rawclient can send requests. It needs sigV4, a bucket name that is
	// not an ARN, no extra headers, and a path without escapes.
	allowsRaw bool
}

// resolve returns the URL of a bucket, without a slash at its end, and how requests to it are
// signed and sent.
//
// base is the address at which outside clients reach the server, or "". The name of the bucket is
// added to its path or its host, by the SDK's rules, unless the host already begins with it. Such a
// host is an accelerated address, or a domain with the bucket's name.
func (a *account) resolve(ctx context.Context, bucket, base string) (*url.URL, authScheme, error) {
	// The SDK's rules compute the URL from these parameters.
	o := a.client.Options()
	p := awss3.EndpointParameters{
		Region:         aws.String(o.Region),
		Endpoint:       o.BaseEndpoint,
		ForcePathStyle: aws.Bool(o.UsePathStyle),
		Accelerate:     aws.Bool(o.UseAccelerate),
		UseArnRegion:   aws.Bool(o.UseARNRegion),
		UseFIPS:        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	}
	if bucket != "" {
		p.Bucket = &bucket
	}

	// Replace the server's URL by base.
	if base != "" {
		baseURL, err := url.Parse(base)
		if err != nil {
			// Unreachable: the engine has already parsed base.
			return nil, authScheme{}, storage.InvalidArgument
		}
		baseURL.Path = strings.TrimSuffix(baseURL.Path, "/")
		hasBucket := baseURL.Hostname() == bucket || strings.HasPrefix(baseURL.Hostname(), bucket+".")
		if hasBucket && !o.UsePathStyle {
			// The URL is complete, so the SDK's rules have nothing to add.
			return baseURL, authScheme{sigV4: true}, nil
		}
		p.Endpoint = aws.String(baseURL.String())
		// Only hosts of AWS have these.
		p.Accelerate = new(bool)
		p.UseFIPS = new(bool)
		p.UseDualStack = new(bool)
	}

	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, p.WithDefaults())
	if err != nil {
		return nil, authScheme{}, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  err,
			Hint: "set the region, or the endpoint of the server",
		}
	}
	e.URI.Path = strings.TrimSuffix(e.URI.Path, "/")
	return &e.URI, a.schemeOf(&e, bucket), nil
}

// schemeOf returns how requests to the endpoint of a bucket are signed and sent, which the SDK's rules have
// chosen. If they name several ways to sign, this package cannot sign.
func (a *account) schemeOf(e *smithyendpoints.Endpoint, bucket string) authScheme {
	options, _ := auth.GetAuthOptions(&e.Properties)
	if len(options) == 0 {
		// The rules demand no other way than SigV4.
		return authScheme{sigV4: true}
	}
	if len(options) > 1 || !a.isPlainSigV4(options[0]) {
		return authScheme{}
	}
	isPlainURL := len(e.Headers) == 0 && e.URI.EscapedPath() == e.URI.Path
	return authScheme{sigV4: true, allowsRaw: isPlainURL && !bucketname.IsARN(bucket)}
}

// isPlainSigV4 reports whether an option signs by SigV4, for the service S3 and the account's
// region. An option without a service or a region has these two by default.
func (a *account) isPlainSigV4(o *auth.Option) bool {
	name, hasName := smithyhttp.GetSigV4SigningName(&o.SignerProperties)
	region, hasRegion := smithyhttp.GetSigV4SigningRegion(&o.SignerProperties)
	return o.SchemeID == "sigv4" && (!hasName || name == signature.Service) && (!hasRegion || region == a.region)
}

// A bucketEndpoint is the URL of a bucket, with the parts of the URL that requests need.
type bucketEndpoint struct {
	base   string   // base URL from which url was resolved; "" for the server's own URL
	url    *url.URL // never modified
	origin string   // "https://host"
	host   string   // in the form that is signed: without the scheme's default port
	path   string   // escaped, "" or "/bucket"
	sigV4  bool
	raw    *rawclient.Client // nil if only the SDK can send requests to the bucket
}

// endpoint returns the bucket's endpoint at the base URL base, or at the server's own URL if base
// is "". It keeps the endpoint of the last base URL, because all signed URLs of a bucket usually
// have the same one.
func (b *bucket) endpoint(ctx context.Context, base string) (*bucketEndpoint, error) {
	cache := &b.ownCache
	if base != "" {
		cache = &b.lastCache
	}
	if cached := cache.Load(); cached != nil && cached.base == base {
		return cached, nil
	}

	// The base URL is new, so compute its endpoint.
	u, scheme, err := b.account.resolve(ctx, b.name, base)
	if err != nil {
		return nil, err
	}
	e := &bucketEndpoint{
		base:   base,
		url:    u,
		origin: u.Scheme + "://" + u.Host,
		host:   hostHeader(u),
		path:   u.EscapedPath(),
		sigV4:  scheme.sigV4,
	}
	if base == "" && scheme.allowsRaw && b.account.rawTransport != nil {
		e.raw = b.account.rawClient(e)
	}
	cache.Store(e)
	return e, nil
}

// ownEndpoint returns the bucket's endpoint at the server's own URL. It needs no context of a caller,
// because the endpoint is computed without a request.
func (b *bucket) ownEndpoint() (*bucketEndpoint, error) {
	return b.endpoint(context.Background(), "")
}

// hostHeader returns the header Host of a request to u. HTTP clients omit the port from it if the
// port is the default of the scheme.
func hostHeader(u *url.URL) string {
	port := u.Port()
	isHTTPPort := u.Scheme == "http" && port == "80"
	isHTTPSPort := u.Scheme == "https" && port == "443"
	if isHTTPPort || isHTTPSPort {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}

// canSign reports whether this package can sign URLs of the bucket. It returns false for a
// directory bucket, because its requests need a session. It also returns false for a bucket in
// another region, because its requests need another signing key. If the URL of the bucket cannot be
// resolved, canSign returns true, so that Sign reports the error.
func (b *bucket) canSign() bool {
	e, err := b.ownEndpoint()
	return err != nil || e.sigV4
}

// publicURL returns the URL below which the objects of the bucket are public, or "" if there is
// none. The profile gives it as a pattern with the placeholders {bucket} and {region}.
func (b *bucket) publicURL() string {
	pattern := b.account.profile.PublicURL
	if b.account.cdn {
		pattern = b.account.profile.CDNURL
	}
	switch pattern {
	case "none":
		return ""
	case "":
		// Public objects have the same URL as requests. The SDK computes it without a request.
		u, err := b.account.urlOf(context.Background(), b.name)
		if err != nil {
			return ""
		}
		return u.String() + "/"
	default:
		region := b.account.region
		if b.account.endpoint != nil {
			// The URL needs the region in the host. Signatures may need another region.
			if r, ok := b.account.profile.regionOf(b.account.endpoint.Hostname()); ok {
				region = r
			}
		}
		return strings.NewReplacer("{bucket}", b.name, "{region}", region).Replace(pattern)
	}
}

// sendsMD5 reports whether requests to e have a header with the MD5 of their body. The server can
// compare the MD5 to detect a damaged body. The reasons are in
// docs/maintainers/decisions/s3-bodies-without-a-profile.md.
func (a *account) sendsMD5(e *bucketEndpoint) bool {
	p := &a.profile
	isInsecure := e == nil || e.url.Scheme != "https"
	return p.Checksum == ChecksumNone && (p.ContentMD5 || isInsecure)
}

// hashesNothing reports whether bodies are sent without any checksum in a header.
func (b *bucket) hashesNothing() bool {
	// The error is ignored, because the request itself reports an invalid address.
	endpoint, _ := b.ownEndpoint()
	return b.account.profile.Checksum == ChecksumNone && !b.account.sendsMD5(endpoint)
}

// sendsTrailers reports whether a part may be sent in chunks, with its checksum in a trailer after
// the bytes. A server that ignores trailers would store the sizes of the chunks as content.
//
// In a part, this damage is harmless, because nobody sees a part before the upload is completed. A
// Put never has a trailer, because its damage would be visible at once.
func (b *bucket) sendsTrailers() bool {
	p := &b.account.profile
	if !p.TrailingChecksums || p.Checksum == ChecksumNone {
		return false
	}
	endpoint, err := b.ownEndpoint()
	if err != nil {
		// The request itself reports an invalid address.
		return false
	}
	return endpoint.raw != nil && endpoint.url.Scheme == "https"
}

// rawClient returns the client that sends requests to an endpoint without the SDK.
func (a *account) rawClient(e *bucketEndpoint) *rawclient.Client {
	c := &rawclient.Client{
		SDK:              a.client,
		Transport:        a.rawTransport,
		URL:              e.url,
		Host:             e.host,
		Path:             e.path,
		Region:           a.region,
		Keys:             a.keys,
		Now:              a.clock.Time,
		Owner:            a.expectedOwner,
		UnsignedEncoding: a.profile.UnsignedEncoding,
		// Each response shows the server, refused credentials and the server's clock.
		See: func(response *http.Response) {
			a.server.Observe(response.Header)
			a.renewer.Observe(response)
			a.clock.Observe(response)
		},
		Check: evidence.CheckObject,
	}

	// An anonymous request has no signature.
	if !a.isAnonymous {
		c.Credentials = a.credentials
	}
	if a.requesterPays {
		c.Payer = sdkcall.Requester
	}
	if a.sendsMD5(e) {
		c.ContentMD5 = uploadbody.MD5
	}
	return c
}
