package s3

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
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
func (a *account) amazon() bool { return a.endpoint == nil || amazonEndpoint(a.endpoint.String()) }

// addressOf is the bucket's address or, of "", the server's.
func (a *account) addressOf(ctx context.Context, bucket, base string) (*url.URL, error) {
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
			return nil, storage.InvalidArgument // the core has read it before
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		if !o.UsePathStyle && (u.Hostname() == bucket || strings.HasPrefix(u.Hostname(), bucket+".")) {
			return u, nil
		}
		p.Endpoint = aws.String(u.String())
		p.Accelerate, p.UseFIPS, p.UseDualStack = aws.Bool(false), aws.Bool(false), aws.Bool(false) // of AWS's own hosts
	}
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, p.WithDefaults())
	if err != nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "set the region, or the endpoint of the server"}
	}
	e.URI.Path = strings.TrimSuffix(e.URI.Path, "/")
	return &e.URI, nil
}

// keyAddress is the key's address in the bucket's: every byte but the
// unreserved ones and "/" is escaped, and the signature is of that.
func keyAddress(bucket *url.URL, key string) *url.URL {
	u := *bucket
	raw := u.EscapedPath()
	u.Path += "/" + key
	u.RawPath = raw + "/" + escape.Key(key)
	return &u
}
