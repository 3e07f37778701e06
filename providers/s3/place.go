package s3

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/urlpath"
)

// bucketAddress is where a signed request finds the bucket: the SDK's own rules
// of path and host, applied to base where clients outside reach the server by
// another name. It ends without a slash. A base that names the bucket in its
// host already (an accelerated address, a domain of the bucket's name) is the
// bucket's own.
func (d *driver) bucketAddress(ctx context.Context, base string) (*url.URL, error) {
	return d.addressOf(ctx, d.bucket, base)
}

// amazon reports whether the server is Amazon's own.
func (a *account) amazon() bool {
	return !a.resolved && (a.endpoint == nil || amazonEndpoint(a.endpoint.String()))
}

// addressOf is the bucket's address or, of "", the server's.
func (a *account) addressOf(ctx context.Context, bucket, base string) (*url.URL, error) {
	u, _, err := a.resolve(ctx, bucket, base)
	return u, err
}

// A manner is how requests are made to an address.
type manner struct {
	plain bool // signed as all is that is signed here: with SigV4, for S3 in the account's region
	usual bool // plain, of a bucket by its name, with no header of the address's own, at a path that needs no escaping
}

// resolve is addressOf, and how requests are made there.
func (a *account) resolve(ctx context.Context, bucket, base string) (address *url.URL, m manner, err error) {
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
			return nil, m, storage.InvalidArgument // the core has read it before
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		if !o.UsePathStyle && (u.Hostname() == bucket || strings.HasPrefix(u.Hostname(), bucket+".")) {
			return u, manner{plain: true}, nil
		}
		p.Endpoint = aws.String(u.String())
		p.Accelerate, p.UseFIPS, p.UseDualStack = aws.Bool(false), aws.Bool(false), aws.Bool(false) // of AWS's own hosts
	}
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, p.WithDefaults())
	if err != nil {
		return nil, m, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "set the region, or the endpoint of the server"}
	}
	e.URI.Path = strings.TrimSuffix(e.URI.Path, "/")
	schemes, _ := auth.GetAuthOptions(&e.Properties)
	m.plain = len(schemes) == 0 || len(schemes) == 1 && a.isPlain(schemes[0])
	m.usual = m.plain && len(schemes) == 1 && len(e.Headers) == 0 && !isARN(bucket) && e.URI.EscapedPath() == e.URI.Path
	return &e.URI, m, nil
}

// isPlain: what a scheme leaves open is as it always is.
func (a *account) isPlain(scheme *auth.Option) bool {
	name, named := smithyhttp.GetSigV4SigningName(&scheme.SignerProperties)
	region, placed := smithyhttp.GetSigV4SigningRegion(&scheme.SignerProperties)
	return scheme.SchemeID == "sigv4" && (!named || name == signingService) && (!placed || region == a.region)
}

// A place is a bucket's address, in the pieces that requests are made of.
type place struct {
	base    string   // that it was worked out from
	address *url.URL // never changed
	origin  string   // "https://host"
	host    string   // as it is signed: without the scheme's own port
	path    string   // escaped, "" or "/bucket"
	manner
}

// placeAt is the bucket's address on base, worked out once: base is the same
// for all that a bucket signs.
func (d *driver) placeAt(ctx context.Context, base string) (*place, error) {
	known := &d.places[0]
	if base != "" {
		known = &d.places[1]
	}
	if p := known.Load(); p != nil && p.base == base {
		return p, nil
	}
	address, manner, err := d.resolve(ctx, d.bucket, base)
	if err != nil {
		return nil, err
	}
	p := &place{base: base, address: address, origin: address.Scheme + "://" + address.Host, host: address.Host, path: address.EscapedPath(), manner: manner}
	if port := address.Port(); port == "80" && address.Scheme == "http" || port == "443" && address.Scheme == "https" {
		p.host = strings.TrimSuffix(p.host, ":"+port)
	}
	known.Store(p)
	return p, nil
}

// keyAddress is the key's address in the bucket's: every byte but the
// unreserved ones and "/" is escaped, and the signature is of that.
func keyAddress(bucket *url.URL, key string) *url.URL {
	u := *bucket
	raw := u.EscapedPath()
	u.Path += "/" + key
	u.RawPath = raw + "/" + urlpath.Escape(key)
	return &u
}
