package s3

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A listingProbe turns a request that lists the whole bucket into one that only seems to have a
// prefix. A server must not apply the condition s3:prefix of a policy to what only seems to be the
// prefix.
type listingProbe struct {
	name   string
	change func(header http.Header, query url.Values, prefix string)
}

// MinIO takes the value of s3:prefix from a header or a parameter "Prefix" if there is one, and
// accepts any of several values. https://github.com/minio/pkg/pull/267
var listingProbes = []listingProbe{
	{
		name:   "a header Prefix",
		change: func(header http.Header, _ url.Values, prefix string) { header.Set("Prefix", prefix) },
	},
	{
		name:   "a parameter Prefix",
		change: func(_ http.Header, query url.Values, prefix string) { query.Set("Prefix", prefix) },
	},
	{
		name: "two prefixes",
		change: func(_ http.Header, query url.Values, prefix string) {
			query["prefix"] = []string{"", prefix}
		},
	},
	{name: "no prefix", change: func(http.Header, url.Values, string) {}},
}

// probesListings reports whether Vend must test that the server limits listings to the prefix.
func (b *bucket) probesListings(r *driver.VendRequest) bool {
	return !b.account.isAmazon() && r.Rights.List && r.Prefix != ""
}

// probeListings fails unless the server refuses to list the whole bucket for the credentials v,
// which may list only the prefix. It tries each form of request in listingProbes.
func (d *objectDriver) probeListings(ctx context.Context, v *storage.VendedCredentials, prefix string) error {
	provider := credentials.NewStaticCredentialsProvider(v.AccessKeyID, v.SecretKey, v.SessionToken)
	for _, probe := range listingProbes {
		input := &awss3.ListObjectsV2Input{Bucket: &d.bucket.name, MaxKeys: aws.Int32(1)}
		_, err := d.account.client.ListObjectsV2(ctx, input, func(o *awss3.Options) {
			o.Credentials = provider
			o.APIOptions = append(o.APIOptions, probe.middleware(prefix))
		})
		if err == nil {
			return &storage.Error{
				Code: storage.Unsupported,
				Err:  errors.New("the server lists the whole bucket for a request with " + probe.name),
				Hint: "vend rights without List, or a prefix of \"\" for a bucket that has the objects of one client only",
			}
		}
		if code, _ := s3error.CodeAndMessage(err); code != "AccessDenied" {
			return d.bucket.listError(err)
		}
	}
	return nil
}

// middleware returns an option for the SDK's client with which each request seems to have a prefix. It
// changes the header and the query of the request before the request is signed.
func (p listingProbe) middleware(prefix string) func(*middleware.Stack) error {
	change := middleware.BuildMiddlewareFunc(
		"omnibucket:ListingProbe",
		func(
			ctx context.Context, input middleware.BuildInput, next middleware.BuildHandler,
		) (middleware.BuildOutput, middleware.Metadata, error) {
			if request, ok := input.Request.(*smithyhttp.Request); ok {
				query := request.URL.Query()
				p.change(request.Header, query, prefix)
				request.URL.RawQuery = query.Encode()
			}
			return next.HandleBuild(ctx, input)
		},
	)
	return func(stack *middleware.Stack) error { return stack.Build.Add(change, middleware.After) }
}
