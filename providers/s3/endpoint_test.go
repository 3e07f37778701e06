//lint:file-ignore SA1019 configurations and clients have resolvers of the old kind all the same

package s3

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// legacyResolver returns a configuration with an older kind of resolver, which BaseEndpoint has
// replaced. The resolver returns endpoint and err.
func legacyResolver(endpoint aws.Endpoint, err error) *aws.Config {
	resolve := func(string, string, ...any) (aws.Endpoint, error) { return endpoint, err }
	return &aws.Config{
		Region:                      "eu-north-1",
		Credentials:                 credentials.NewStaticCredentialsProvider("own", "secret", ""),
		EndpointResolverWithOptions: aws.EndpointResolverWithOptionsFunc(resolve),
	}
}

// amazonsOwn is the endpoint that Amazon's own resolver returns.
var amazonsOwn = aws.Endpoint{URL: "https://s3.eu-north-1.amazonaws.com"}

// A customResolver is a resolver with the interface that the SDK uses now. It sends requests
// elsewhere.
type customResolver struct{ awss3.EndpointResolverV2 }

// ResolveEndpoint returns an endpoint of the server 127.0.0.1, in place of Amazon's.
func (r customResolver) ResolveEndpoint(
	ctx context.Context, p awss3.EndpointParameters,
) (smithyendpoints.Endpoint, error) {
	p.Endpoint = aws.String("http://127.0.0.1:9000")
	return r.EndpointResolverV2.ResolveEndpoint(ctx, p)
}

// NewDriver asks the endpoint resolver of the configuration for the address of S3. From that address it takes the
// profile, the region and the public URL. Only Amazon's profile declares conditional removals here.
func TestEndpointResolverSelectsProfile(t *testing.T) {
	elsewhere := awss3.New(awss3.Options{
		Region:             "eu-north-1",
		EndpointResolverV2: customResolver{awss3.NewDefaultEndpointResolverV2()},
	})
	tests := []struct {
		name          string
		config        Config
		wantProfile   string
		wantRegion    string
		wantPublicURL string // of the bucket
		wantAmazon    bool
	}{
		{
			name: "unknown server",
			config: Config{
				AWS: legacyResolver(aws.Endpoint{URL: "http://127.0.0.1:9000", HostnameImmutable: true}, nil),
			},
			wantProfile:   "unknown",
			wantRegion:    "eu-north-1",
			wantPublicURL: "http://127.0.0.1:9000/photos/",
		},
		{
			name: "R2, with its region",
			config: Config{
				AWS: legacyResolver(aws.Endpoint{URL: "https://abc.r2.cloudflarestorage.com", SigningRegion: "auto"}, nil),
			},
			wantProfile: "r2",
			wantRegion:  "auto",
		},
		{
			name:          "Amazon",
			config:        Config{AWS: legacyResolver(amazonsOwn, nil)},
			wantProfile:   "aws",
			wantRegion:    "eu-north-1",
			wantPublicURL: "https://photos.s3.eu-north-1.amazonaws.com/",
			wantAmazon:    true,
		},
		{
			name: "Amazon, at a host that may not be changed",
			config: Config{
				AWS: legacyResolver(aws.Endpoint{URL: "https://s3.eu-north-1.amazonaws.com", HostnameImmutable: true}, nil),
			},
			wantProfile:   "aws",
			wantRegion:    "eu-north-1",
			wantPublicURL: "https://s3.eu-north-1.amazonaws.com/photos/",
			wantAmazon:    true,
		},
		{
			name: "resolver without an endpoint for S3",
			config: Config{
				AWS: legacyResolver(aws.Endpoint{},
					&aws.EndpointNotFoundError{Err: errors.New("of another service")}),
			},
			wantProfile:   "aws",
			wantRegion:    "eu-north-1",
			wantPublicURL: "https://photos.s3.eu-north-1.amazonaws.com/",
			wantAmazon:    true,
		},
		{
			name: "Config.Endpoint has precedence",
			config: Config{
				Endpoint: "https://s3.example.org",
				AWS:      legacyResolver(aws.Endpoint{URL: "http://127.0.0.1:9000"}, nil),
			},
			wantProfile:   "unknown",
			wantRegion:    "eu-north-1",
			wantPublicURL: "https://s3.example.org/photos/",
		},
		{
			name: "resolver of a client",
			config: Config{Client: awss3.New(awss3.Options{
				Region:           "eu-north-1",
				UsePathStyle:     true,
				EndpointResolver: awss3.EndpointResolverFromURL("https://s3.example.org"),
			})},
			wantProfile:   "unknown",
			wantRegion:    "eu-north-1",
			wantPublicURL: "https://s3.example.org/photos/",
		},
		{
			name:          "resolver of a client, called for each request",
			config:        Config{Client: elsewhere},
			wantProfile:   "unknown",
			wantRegion:    "eu-north-1",
			wantPublicURL: "http://127.0.0.1:9000/photos/",
		},
		{
			name:          "profile in the Config",
			config:        Config{Client: elsewhere, Profile: newProfile(t, "minio")},
			wantProfile:   "minio",
			wantRegion:    "eu-north-1",
			wantPublicURL: "http://127.0.0.1:9000/photos/",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, nil)
			config := tt.config
			config.Bucket = "photos"
			opened, err := NewDriver(t.Context(), config)
			require.NoError(t, err)
			d := opened.(*objectDriver)

			require.Equal(t, tt.wantProfile, d.account.profile.Name)
			require.Equal(t, tt.wantRegion, d.account.region)
			require.Equal(t, tt.wantPublicURL, d.Describe().PublicBaseURL)
			require.Equal(t, tt.wantAmazon, d.account.isAmazon())
			require.Equal(t, tt.wantAmazon, storage.Supports(engine.New(d), storage.ConditionalRemove))
		})
	}
}

// Open fails with InvalidArgument if a resolver fails or returns no endpoint of S3, and the hint
// names Config.Endpoint.
func TestEndpointResolverUnusable(t *testing.T) {
	tests := []struct {
		name     string
		endpoint aws.Endpoint // that the resolver returns
		err      error        // with which the resolver fails
	}{
		{name: "the resolver fails", err: errors.New("no such partition")},
		{name: "no URL"},
		{
			name:     "another protocol",
			endpoint: aws.Endpoint{URL: "https://example.org", SigningName: "execute-api"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := Config{Bucket: "photos", AWS: legacyResolver(tt.endpoint, tt.err)}
			_, err := Open(t.Context(), config)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "set Config.Endpoint")
		})
	}
}

// Sign returns URLs with the same host and path as requests. This also holds if an endpoint
// resolver does not permit the bucket's name in the host.
func TestSignedURLsHaveTheHostOfRequests(t *testing.T) {
	server := newStandIn(t, stored)
	opened, err := NewDriver(t.Context(), Config{
		Bucket: "photos",
		AWS:    legacyResolver(aws.Endpoint{URL: server.URL, HostnameImmutable: true}, nil),
	})
	require.NoError(t, err)
	d := opened.(*objectDriver)

	// A request.
	_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.NoError(t, err)
	require.Equal(t, "PUT /photos/k", server.Last(t).Call())

	// Sign signs a URL for the same key.
	signedURL, err := d.Sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Key = "k"
	}))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(signedURL.URL, server.URL+"/photos/k?"), signedURL.URL)
}
