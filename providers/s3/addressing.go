package s3

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/urlpath"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// A bucket has the URLs of a bucket and of its objects. It finds out why requests failed.
type bucket struct {
	account   *account
	name      string
	endpoints [2]atomic.Pointer[bucketEndpoint] // [0] is for the server's own URL, [1] for the last base URL
	seen      atomic.Pointer[time.Time]         // when a missing object last showed that the bucket exists
}

func (a *account) amazon() bool {
	return !a.customResolver && (a.endpoint == nil || amazonEndpoint(a.endpoint.String()))
}

// urlOf returns the URL of a bucket or, if bucket is empty, of the server.
func (a *account) urlOf(ctx context.Context, bucket string) (*url.URL, error) {
	u, _, err := a.resolve(ctx, bucket, "")
	return u, err
}

// An authScheme says how requests to a URL are signed and sent.
type authScheme struct {
	sigV4 bool // SigV4 for S3 in the account's region, as sign.go makes it
	plain bool // for a raw client: sigV4 for a named bucket, no headers of the endpoint, no escapes in the path
}

// resolve returns the URL of a bucket, without a slash at its end, and how requests are sent there. It
// applies the SDK's rules for path and host to base, which is how clients outside reach the server. If the
// host of base already names the bucket (an accelerated address, a domain with the bucket's name), base is
// the URL.
func (a *account) resolve(ctx context.Context, bucket, base string) (u *url.URL, scheme authScheme, err error) {
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
	if base != "" {
		u, err := url.Parse(base)
		if err != nil {
			return nil, scheme, storage.InvalidArgument // the core has parsed it already
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		if !o.UsePathStyle && (u.Hostname() == bucket || strings.HasPrefix(u.Hostname(), bucket+".")) {
			return u, authScheme{sigV4: true}, nil
		}
		p.Endpoint = aws.String(u.String())
		p.Accelerate, p.UseFIPS, p.UseDualStack = new(bool), new(bool), new(bool) // only for hosts of AWS
	}
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, p.WithDefaults())
	if err != nil {
		return nil, scheme, &storage.Error{
			Code: storage.InvalidArgument, Err: err, Hint: "set the region, or the endpoint of the server",
		}
	}
	e.URI.Path = strings.TrimSuffix(e.URI.Path, "/")
	options, _ := auth.GetAuthOptions(&e.Properties)
	scheme.sigV4 = len(options) == 0 || len(options) == 1 && a.isPlainSigV4(options[0])
	scheme.plain = scheme.sigV4 && len(options) == 1 && len(e.Headers) == 0 && !isARN(bucket) &&
		e.URI.EscapedPath() == e.URI.Path
	return &e.URI, scheme, nil
}

// isPlainSigV4 reports whether an option is SigV4 for S3 in the account's region,
// which are the defaults.
func (a *account) isPlainSigV4(o *auth.Option) bool {
	name, hasName := smithyhttp.GetSigV4SigningName(&o.SignerProperties)
	region, hasRegion := smithyhttp.GetSigV4SigningRegion(&o.SignerProperties)
	return o.SchemeID == "sigv4" && (!hasName || name == signature.Service) && (!hasRegion || region == a.region)
}

// A bucketEndpoint is the URL of a bucket, split into what requests need.
type bucketEndpoint struct {
	base   string   // the base URL that it was resolved from
	url    *url.URL // never modified
	origin string   // "https://host"
	host   string   // in the form that is signed: without the scheme's default port
	path   string   // escaped, "" or "/bucket"
	sigV4  bool
	raw    *rawclient.Client // nil if only the SDK can send requests to the bucket
}

// endpoint returns the endpoint for base, and caches it: all URLs that a bucket
// signs have the same base.
func (b *bucket) endpoint(ctx context.Context, base string) (*bucketEndpoint, error) {
	cache := &b.endpoints[0]
	if base != "" {
		cache = &b.endpoints[1]
	}
	if e := cache.Load(); e != nil && e.base == base {
		return e, nil
	}
	u, scheme, err := b.account.resolve(ctx, b.name, base)
	if err != nil {
		return nil, err
	}
	e := &bucketEndpoint{
		base: base, url: u,
		origin: u.Scheme + "://" + u.Host,
		host:   u.Host,
		path:   u.EscapedPath(),
		sigV4:  scheme.sigV4,
	}
	if port := u.Port(); port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		e.host = strings.TrimSuffix(e.host, ":"+port)
	}
	if base == "" && scheme.plain && b.account.rawTransport != nil {
		e.raw = b.account.rawClient(e)
	}
	cache.Store(e)
	return e, nil
}

// canSign reports whether this package can sign URLs of the bucket. A directory bucket
// needs a session, and another region needs its own key. If there is no URL, Sign
// returns the reason.
func (b *bucket) canSign() bool {
	e, err := b.endpoint(context.Background(), "")
	return err != nil || e.sigV4
}

// publicURL returns the URL at which the objects are public, or "".
func (b *bucket) publicURL() string {
	switch pattern := b.account.profile.PublicURL; pattern {
	case "none":
		return ""
	case "":
		u, err := b.account.urlOf(context.Background(), b.name)
		if err != nil {
			return ""
		}
		return u.String() + "/"
	default:
		region := b.account.region
		if b.account.endpoint != nil { // the host's region, which may differ from the one for signatures
			if own, known := b.account.profile.regionOf(b.account.endpoint.Hostname()); known {
				region = own
			}
		}
		return strings.NewReplacer("{bucket}", b.name, "{region}", region).Replace(pattern)
	}
}

// The exported methods below are for package s3probe.

// Profile returns the profile of d.
func (d *objectDriver) Profile() Profile { return d.account.profile }

// WithProfile returns a driver with another profile and the same connections.
func (d *objectDriver) WithProfile(p Profile) driver.Driver {
	changed := *d.account
	changed.profile = p
	return newDriver(&changed, d.bucket.name)
}

// AnswersAs returns the name of the profile of the server that responses have named so
// far, or "".
func (d *objectDriver) AnswersAs() string {
	if kind := d.account.server.seen.Load(); kind != nil {
		return kind.profile
	}
	return ""
}

// HTTPClient returns the client that sends the requests of d.
func (d *objectDriver) HTTPClient() awss3.HTTPClient { return d.account.client.Options().HTTPClient }

// ServerURL returns the URL of the server.
func (d *objectDriver) ServerURL(ctx context.Context) (*url.URL, error) {
	return d.account.urlOf(ctx, "")
}

// URL returns the URL of an object or, if key is empty, of the bucket.
func (d *objectDriver) URL(ctx context.Context, key string) (*url.URL, error) {
	u, err := d.account.urlOf(ctx, d.bucket.name)
	if err != nil || key == "" {
		return u, err
	}
	u.Path, u.RawPath = u.Path+"/"+key, u.EscapedPath()+"/"+urlpath.Escape(key)
	return u, nil
}

func isARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// accessPointProfile is the profile of an access point that may not belong to a bucket.
const accessPointProfile = "accesspoint"

// aliasSuffix ends the alias of an access point of another service than S3.
// https://docs.aws.amazon.com/fsx/latest/OpenZFSGuide/access-point-restrictions-limitations-naming-rules.html
const aliasSuffix = "-ext-s3alias"

// forBucket returns the account for a bucket. An access point of Amazon's gets a careful
// profile, unless Config has a profile.
func (a *account) forBucket(bucket string) *account {
	if a.profileGiven || !a.profile.row().amazon || !isARN(bucket) && !strings.HasSuffix(bucket, aliasSuffix) {
		return a
	}
	careful := *a
	careful.profile, _ = NamedProfile(accessPointProfile)
	careful.identity = accessPointIdentity{a.identity, bucket}
	return &careful
}

// An accessPointIdentity prevents server-side copies to and from other buckets: FSx
// copies only inside one access point.
type accessPointIdentity struct {
	account any
	name    string
}

// checkName refuses names that the SDK accepts and that are not one bucket of S3, because
// conditions may not hold there. A multi-region access point has several buckets, which become
// equal only later. Outposts and Object Lambda are other services.
func checkName(bucket string) error {
	if !isARN(bucket) {
		return nil
	}
	parts := strings.SplitN(bucket, ":", 6) // arn, partition, service, region, account, resource
	if len(parts) == 6 && parts[2] == signature.Service && parts[3] != "" &&
		strings.HasPrefix(strings.Replace(parts[5], ":", "/", 1), "accesspoint/") {
		return nil
	}
	return argument.Invalid("the bucket", "must be a name, or the ARN of an access point in one region", "")
}
