package s3

import (
	"cmp"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// setEnv removes all variables of AWS from the environment and sets the given ones.
func setEnv(t *testing.T, variables map[string]string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN",
		"AWS_CREDENTIAL_EXPIRATION",
		"AWS_PROFILE",
		"AWS_REGION",
		"AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_S3",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_REQUEST_CHECKSUM_CALCULATION",
		"AWS_DEFAULTS_MODE",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT",
		"AWS_EC2_METADATA_DISABLED",
		"AWS_CA_BUNDLE",
		"AWS_USE_FIPS_ENDPOINT",
		"AWS_USE_DUALSTACK_ENDPOINT",
	} {
		if _, exists := os.LookupEnv(name); exists {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

// The profile, the region, the address style and the public address of a bucket follow from the Config
// and the environment.
func TestEndpointAndRegion(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name          string
		config        Config
		env           map[string]string
		wantProfile   string
		wantRegion    string
		wantPublic    string // the address of the bucket's objects
		wantPathStyle bool
	}{
		{
			name:        "Amazon",
			config:      Config{Region: "eu-west-1"},
			wantProfile: "aws",
			wantRegion:  "eu-west-1",
			wantPublic:  "https://photos.s3.eu-west-1.amazonaws.com/",
		},
		{
			name:        "Amazon, with the environment's region",
			env:         map[string]string{"AWS_REGION": "eu-west-2"},
			wantProfile: "aws",
			wantRegion:  "eu-west-2",
			wantPublic:  "https://photos.s3.eu-west-2.amazonaws.com/",
		},
		{
			name:        "Amazon in China",
			config:      Config{Region: "cn-north-1"},
			wantProfile: "aws",
			wantRegion:  "cn-north-1",
			wantPublic:  "https://photos.s3.cn-north-1.amazonaws.com.cn/",
		},
		{
			name:          "Amazon with the bucket in the path",
			config:        Config{Region: "eu-west-1", PathStyle: &yes},
			wantProfile:   "aws",
			wantRegion:    "eu-west-1",
			wantPublic:    "https://s3.eu-west-1.amazonaws.com/photos/",
			wantPathStyle: true,
		},
		{
			name:        "a bucket with dots, which no certificate covers",
			config:      Config{Region: "eu-west-1", Bucket: "my.photos"},
			wantProfile: "aws",
			wantRegion:  "eu-west-1",
			wantPublic:  "https://s3.eu-west-1.amazonaws.com/my.photos/",
		},
		{
			name:        "an endpoint of Amazon's",
			config:      Config{Endpoint: "https://s3.dualstack.eu-west-3.amazonaws.com"},
			wantProfile: "aws",
			wantRegion:  "eu-west-3",
			wantPublic:  "https://photos.s3.dualstack.eu-west-3.amazonaws.com/",
		},
		{
			name:        "a VPC's endpoint",
			config:      Config{Endpoint: "https://bucket.vpce-1a2b3c.s3.eu-west-3.vpce.amazonaws.com"},
			wantProfile: "aws",
			wantRegion:  "eu-west-3",
			wantPublic:  "https://photos.bucket.vpce-1a2b3c.s3.eu-west-3.vpce.amazonaws.com/",
		},
		{
			name:        "Spaces, whose CDN exists only if it was enabled",
			config:      Config{Endpoint: "https://nyc3.digitaloceanspaces.com"},
			wantProfile: "spaces",
			wantRegion:  "nyc3",
			wantPublic:  "https://photos.nyc3.digitaloceanspaces.com/",
		},
		{
			name:          "R2, which has no public URL",
			config:        Config{Endpoint: "https://abc.r2.cloudflarestorage.com"},
			wantProfile:   "r2",
			wantRegion:    "auto",
			wantPathStyle: true,
		},
		{
			name:          "R2 in a jurisdiction",
			config:        Config{Endpoint: "https://abc.eu.r2.cloudflarestorage.com"},
			wantProfile:   "r2",
			wantRegion:    "auto",
			wantPathStyle: true,
		},
		{
			name:        "B2",
			config:      Config{Endpoint: "https://s3.us-west-004.backblazeb2.com"},
			wantProfile: "b2",
			wantRegion:  "us-west-004",
			wantPublic:  "https://photos.s3.us-west-004.backblazeb2.com/",
		},
		{
			name:          "Wasabi",
			config:        Config{Endpoint: "https://s3.eu-central-1.wasabisys.com"},
			wantProfile:   "wasabi",
			wantRegion:    "eu-central-1",
			wantPublic:    "https://s3.eu-central-1.wasabisys.com/photos/",
			wantPathStyle: true,
		},
		{
			name:          "Tigris",
			config:        Config{Endpoint: "https://t3.storage.dev"},
			wantProfile:   "tigris",
			wantRegion:    "auto",
			wantPublic:    "https://t3.storage.dev/photos/",
			wantPathStyle: true,
		},
		{
			name:        "Scaleway",
			config:      Config{Endpoint: "https://s3.fr-par.scw.cloud"},
			wantProfile: "scaleway",
			wantRegion:  "fr-par",
			wantPublic:  "https://photos.s3.fr-par.scw.cloud/",
		},
		{
			name:        "OVHcloud",
			config:      Config{Endpoint: "https://s3.gra.io.cloud.ovh.net"},
			wantProfile: "ovh",
			wantRegion:  "gra",
			wantPublic:  "https://photos.s3.gra.io.cloud.ovh.net/",
		},
		{
			name:        "OVHcloud's older endpoint",
			config:      Config{Endpoint: "https://s3.sbg.perf.cloud.ovh.net"},
			wantProfile: "ovh",
			wantRegion:  "sbg",
			wantPublic:  "https://photos.s3.sbg.perf.cloud.ovh.net/",
		},
		{
			name:          "a Local Zone of OVHcloud",
			config:        Config{Endpoint: "https://s3.eu-west-lz-bru.cloud.ovh.net"},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://s3.eu-west-lz-bru.cloud.ovh.net/photos/",
			wantPathStyle: true,
		},
		{
			name:          "GCS",
			config:        Config{Endpoint: "https://storage.googleapis.com"},
			wantProfile:   "gcs",
			wantRegion:    "auto",
			wantPublic:    "https://storage.googleapis.com/photos/",
			wantPathStyle: true,
		},
		{
			name:          "an unknown server",
			config:        Config{Endpoint: "https://s3.example.org/"},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://s3.example.org/photos/",
			wantPathStyle: true,
		},
		{
			name:          "an unknown server, which ignores the environment's region",
			config:        Config{Endpoint: "https://s3.example.org"},
			env:           map[string]string{"AWS_REGION": "eu-west-2"},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://s3.example.org/photos/",
			wantPathStyle: true,
		},
		{
			name:          "a given region",
			config:        Config{Endpoint: "https://s3.example.org", Region: "here"},
			wantProfile:   "unknown",
			wantRegion:    "here",
			wantPublic:    "https://s3.example.org/photos/",
			wantPathStyle: true,
		},
		{
			name:          "a given profile and its region",
			config:        Config{Endpoint: "http://127.0.0.1:3900", Profile: newProfile(t, "garage")},
			wantProfile:   "garage",
			wantRegion:    "garage",
			wantPathStyle: true,
		},
		{
			name:          "an IP address, which can have no bucket before it",
			config:        Config{Endpoint: "http://127.0.0.1:9000", Profile: newProfile(t, "aws")},
			wantProfile:   "aws",
			wantRegion:    "us-east-1",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:        "path style is configured",
			config:      Config{Endpoint: "http://localhost:9000", Profile: newProfile(t, "minio"), PathStyle: &no},
			wantProfile: "minio",
			wantRegion:  "us-east-1",
			wantPublic:  "http://photos.localhost:9000/",
		},
		{
			name: "the environment's endpoint and region",
			env: map[string]string{
				"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
				"AWS_REGION":          "here",
			},
			wantProfile:   "unknown",
			wantRegion:    "here",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:          "Config.Endpoint precedes the environment's",
			config:        Config{Endpoint: "https://s3.example.org"},
			env:           map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://s3.example.org/photos/",
			wantPathStyle: true,
		},
		{
			name:          "the environment's endpoint, beside a credential and a region",
			config:        Config{Region: "here", AccessKeyID: "key", SecretKey: "secret"},
			env:           map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"},
			wantProfile:   "unknown",
			wantRegion:    "here",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:          "the environment's endpoint, with only credentials",
			config:        Config{AccessKeyID: "key", SecretKey: "secret"},
			env:           map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_REGION": "here"},
			wantProfile:   "unknown",
			wantRegion:    "here",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:          "the environment's endpoint, anonymous in a region",
			config:        Config{Region: "here", Anonymous: true},
			env:           map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"},
			wantProfile:   "unknown",
			wantRegion:    "here",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:        "the environment's FIPS, beside a credential and a region",
			config:      Config{Region: "us-east-1", AccessKeyID: "key", SecretKey: "secret"},
			env:         map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"},
			wantProfile: "aws",
			wantRegion:  "us-east-1",
			wantPublic:  "https://photos.s3-fips.us-east-1.amazonaws.com/",
		},
		{
			name:          "an unknown server, which ignores the environment's FIPS",
			config:        Config{Endpoint: "https://s3.example.org", AccessKeyID: "key", SecretKey: "secret"},
			env:           map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://s3.example.org/photos/",
			wantPathStyle: true,
		},
		{
			name:        "an access point",
			config:      Config{Region: "us-west-2", Bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint/my"},
			wantProfile: "accesspoint",
			wantRegion:  "us-west-2",
			wantPublic:  "https://my-123456789012.s3-accesspoint.us-west-2.amazonaws.com/",
		},
		{
			name:        "Spaces by name",
			config:      Config{Region: "nyc3", Profile: newProfile(t, "spaces")},
			wantProfile: "spaces",
			wantRegion:  "nyc3",
			wantPublic:  "https://photos.nyc3.digitaloceanspaces.com/",
		},
		{
			name:        "Spaces by name, in the environment's region",
			config:      Config{Profile: newProfile(t, "spaces")},
			env:         map[string]string{"AWS_REGION": "ams3"},
			wantProfile: "spaces",
			wantRegion:  "ams3",
			wantPublic:  "https://photos.ams3.digitaloceanspaces.com/",
		},
		{
			name:          "Wasabi by name",
			config:        Config{Region: "eu-central-1", Profile: newProfile(t, "wasabi")},
			wantProfile:   "wasabi",
			wantRegion:    "eu-central-1",
			wantPublic:    "https://s3.eu-central-1.wasabisys.com/photos/",
			wantPathStyle: true,
		},
		{
			name:        "B2 by name",
			config:      Config{Region: "us-west-004", Profile: newProfile(t, "b2")},
			wantProfile: "b2",
			wantRegion:  "us-west-004",
			wantPublic:  "https://photos.s3.us-west-004.backblazeb2.com/",
		},
		{
			name:          "Google by name",
			config:        Config{Profile: newProfile(t, "gcs")},
			wantProfile:   "gcs",
			wantRegion:    "auto",
			wantPublic:    "https://storage.googleapis.com/photos/",
			wantPathStyle: true,
		},
		{
			name:          "a profile, and the environment's endpoint",
			config:        Config{Region: "here", Profile: newProfile(t, "minio")},
			env:           map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"},
			wantProfile:   "minio",
			wantRegion:    "here",
			wantPublic:    "http://127.0.0.1:9000/photos/",
			wantPathStyle: true,
		},
		{
			name:          "the profile of unknown servers, without an endpoint",
			config:        Config{Region: "eu-west-1", Profile: newProfile(t, "unknown")},
			wantProfile:   "unknown",
			wantRegion:    "eu-west-1",
			wantPublic:    "https://s3.eu-west-1.amazonaws.com/photos/",
			wantPathStyle: true,
		},
		{
			name: "a configuration of the SDK's",
			config: Config{
				AWS: &aws.Config{
					Region:       "eu-north-1",
					BaseEndpoint: aws.String("https://nyc3.digitaloceanspaces.com"),
				},
			},
			wantProfile: "spaces",
			wantRegion:  "eu-north-1",
			wantPublic:  "https://photos.nyc3.digitaloceanspaces.com/",
		},
		{
			name:          "a client of the SDK's",
			config:        Config{Client: awss3.New(awss3.Options{Region: "eu-north-1", UsePathStyle: true})},
			wantProfile:   "aws",
			wantRegion:    "eu-north-1",
			wantPublic:    "https://s3.eu-north-1.amazonaws.com/photos/",
			wantPathStyle: true,
		},
		{
			name: "OSS, with the bucket in the host",
			config: Config{
				Endpoint:  "https://oss-cn-hangzhou.aliyuncs.com",
				Region:    "cn-hangzhou",
				PathStyle: &no,
			},
			wantProfile: "unknown",
			wantRegion:  "cn-hangzhou",
			wantPublic:  "https://photos.oss-cn-hangzhou.aliyuncs.com/",
		},
		{
			name: "a client with the bucket in the host",
			config: Config{
				Client: awss3.New(awss3.Options{
					Region:       "us-east-1",
					BaseEndpoint: aws.String("https://oss-cn-hangzhou.aliyuncs.com"),
				}),
			},
			wantProfile: "unknown",
			wantRegion:  "us-east-1",
			wantPublic:  "https://photos.oss-cn-hangzhou.aliyuncs.com/",
		},
		{
			name: "a client with the bucket in the host, and a path style in the Config",
			config: Config{
				PathStyle: &yes,
				Client: awss3.New(awss3.Options{
					Region:       "us-east-1",
					BaseEndpoint: aws.String("https://oss-cn-hangzhou.aliyuncs.com"),
				}),
			},
			wantProfile:   "unknown",
			wantRegion:    "us-east-1",
			wantPublic:    "https://oss-cn-hangzhou.aliyuncs.com/photos/",
			wantPathStyle: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, tt.env)
			config := tt.config
			config.Bucket = cmp.Or(config.Bucket, "photos")
			opened, err := NewDriver(t.Context(), config)
			require.NoError(t, err)

			d := opened.(*objectDriver)
			require.Equal(t, tt.wantProfile, d.account.profile.Name)
			require.Equal(t, tt.wantRegion, d.account.region)
			require.Equal(t, tt.wantPathStyle, d.account.pathStyle)
			require.Equal(t, tt.wantPublic, d.Describe().PublicBaseURL)
		})
	}
}

// Open fails with InvalidArgument if the Config is invalid. The error does not contain the secret
// of the Config.
func TestOpenInvalidConfig(t *testing.T) {
	const secret = "hunter2"
	client := awss3.New(awss3.Options{Region: "eu-north-1"})
	for name, c := range map[string]Config{
		"no bucket":                         {Region: "r"},
		"no region":                         {Bucket: "b"},
		"an endpoint without a scheme":      {Bucket: "b", Endpoint: "nyc3.digitaloceanspaces.com"},
		"an endpoint with a query":          {Bucket: "b", Endpoint: "https://host/?x=1"},
		"an endpoint with the bucket in it": {Bucket: "b", Endpoint: "https://b.nyc3.digitaloceanspaces.com"},
		"an access key without a secret":    {Bucket: "b", Region: "r", AccessKeyID: "key"},
		"only a token":                      {Bucket: "b", Region: "r", SessionToken: "token"},
		"credentials and Anonymous": {
			Bucket:      "b",
			Region:      "r",
			AccessKeyID: "key",
			SecretKey:   secret,
			Anonymous:   true,
		},
		"a client and a configuration": {Bucket: "b", Client: client, AWS: &aws.Config{}},
		"RequesterPays and Anonymous":  {Bucket: "b", Region: "r", RequesterPays: true, Anonymous: true},
		"a client and a credential": {
			Bucket:      "b",
			Client:      client,
			AccessKeyID: "key",
			SecretKey:   secret,
		},
		"a client and an HTTP client": {Bucket: "b", Client: client, HTTPClient: http.DefaultClient},
		"a configuration with credentials, and others": {
			Bucket: "b",
			AWS: &aws.Config{
				Region:      "r",
				Credentials: credentials.NewStaticCredentialsProvider("own", secret, ""),
			},
			AccessKeyID: "key",
			SecretKey:   secret,
		},
		"a configuration with credentials, and Anonymous": {
			Bucket: "b",
			AWS: &aws.Config{
				Region:      "r",
				Credentials: credentials.NewStaticCredentialsProvider("own", secret, ""),
			},
			Anonymous: true,
		},
		"an access point of many regions": {
			Bucket: "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
			Region: "us-west-2",
		},
		"an Outpost": {
			Bucket: "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/reports",
			Region: "us-west-2",
		},
		"an object lambda": {
			Bucket: "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/reports",
			Region: "us-west-2",
		},
		"an ARN of a bucket": {
			Bucket: "arn:aws:s3:::photos",
			Region: "us-west-2",
		},
		"an invalid ARN": {Bucket: "arn:nonsense", Region: "us-west-2"},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, nil)
			_, err := Open(t.Context(), c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// Open fails with InvalidArgument for a profile without a known endpoint, because requests would
// otherwise go to Amazon with the key of another provider.
func TestProfileWithoutEndpoint(t *testing.T) {
	client := awss3.New(awss3.Options{Region: "eu-north-1"})
	tests := []struct {
		name, profile, region string
		client                *awss3.Client
	}{
		{name: "a host for each region, and no region", profile: "spaces"},
		{name: "a host for each region, and an invalid region", profile: "spaces", region: "x.example.org/"},
		{name: "a host for each account", profile: "r2"},
		{name: "a profile without a host", profile: "minio", region: "us-east-1"},
		{name: "another profile without a host", profile: "garage"},
		{name: "a profile that s3probe returned", profile: "ceph (probed)", region: "us-east-1"},
		{name: "a client that is configured for Amazon", profile: "wasabi", client: client},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			// The name of a probed profile is that of another profile with a suffix.
			profile := newProfile(t, strings.TrimSuffix(tt.profile, ProbedSuffix))
			profile.Name = tt.profile

			_, err := Open(t.Context(), Config{
				Bucket:  "photos",
				Region:  tt.region,
				Profile: profile,
				Client:  tt.client,
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A profile with a host for each region takes its endpoint from the region.
func TestProfileWithEndpointOfRegion(t *testing.T) {
	setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
	b, err := storage.Open(t.Context(), "s3://my-bucket?profile=spaces&region=nyc3")
	require.NoError(t, err)
	u, err := b.SignedUploadURL(t.Context(), "k")
	require.NoError(t, err)
	require.Contains(t, u.URL, "https://my-bucket.nyc3.digitaloceanspaces.com/k?")
	require.NoError(t, storage.Close(b))
}

// An option that an unknown server does not declare fails with Unsupported before any request. The
// hint names the profile, the probe and the bucket.
func TestUnknownServerFeatureHints(t *testing.T) {
	server := newStandIn(t)
	b := engine.New(server.openDriver(t, "unknown"))
	upload := func(opt storage.UploadOption) error {
		_, err := b.Upload(t.Context(), "k", http.NoBody, opt)
		return err
	}

	for name, call := range map[string]func() error{
		"IfAbsent":         func() error { return upload(storage.IfAbsent()) },
		"IfRevision":       func() error { return upload(storage.IfRevision("s3:x")) },
		"WithPublicRead":   func() error { return upload(storage.WithPublicRead()) },
		"WithStorageClass": func() error { return upload(storage.WithStorageClass("COLD")) },
		"Remove":           func() error { return b.Remove(t.Context(), "k", storage.IfRevision("s3:x")) },
		"Update": func() error {
			_, err := storage.Update(t.Context(), b, "k",
				func([]byte, *storage.Attrs) ([]byte, error) { return nil, nil })
			return err
		},
		"a signed upload": func() error {
			_, err := b.SignedUploadURL(t.Context(), "k", storage.IfAbsent())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "profile=")
			require.ErrorContains(t, err, "s3probe.Run")
			require.ErrorContains(t, err, "photos", "the bucket must be named")
		})
	}
	require.Empty(t, server.Lines())
}

// The error about a missing feature does not ask for a profile if the profile is known.
func TestKnownServerFeatureHints(t *testing.T) {
	b := engine.New(newStandIn(t).openDriver(t, "minio"))

	err := b.Remove(t.Context(), "k", storage.IfRevision("s3:x"))
	require.ErrorIs(t, err, storage.Unsupported)
	require.NotContains(t, err.Error(), "profile=")
}

// parseAddress returns the Config that an address stands for.
func TestAddress(t *testing.T) {
	yes := true
	tests := []struct {
		address string
		want    Config
	}{
		{address: "s3://photos", want: Config{Bucket: "photos"}},
		{address: "s3://my.photos/", want: Config{Bucket: "my.photos"}},
		{address: "s3://photos?region=eu-west-1", want: Config{Bucket: "photos", Region: "eu-west-1"}},
		{
			address: "s3://photos?endpoint=http%3A%2F%2F127.0.0.1:9000&path_style=true",
			want:    Config{Bucket: "photos", Endpoint: "http://127.0.0.1:9000", PathStyle: &yes},
		},
		{
			address: "s3://photos?profile=r2&anonymous=true",
			want:    Config{Bucket: "photos", Profile: newProfile(t, "r2"), Anonymous: true},
		},
		{address: "s3://?endpoint=https://s3.example.org", want: Config{Endpoint: "https://s3.example.org"}},
		{address: "s3://photos?request_payer=requester", want: Config{Bucket: "photos", RequesterPays: true}},
	}

	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			require.NoError(t, err)
			c, err := parseAddress(u)
			require.NoError(t, err)
			require.Equal(t, tt.want, c)
		})
	}
}

// parseAddress fails with InvalidArgument if a part of an address has no meaning.
func TestInvalidAddress(t *testing.T) {
	tests := []struct {
		name    string
		address string
	}{
		{name: "request_payer is not requester", address: "s3://photos?request_payer=true"},
		{name: "an empty request_payer", address: "s3://photos?request_payer="},
		{name: "a prefix", address: "s3://photos/prefix"},
		{name: "a port", address: "s3://photos:9000"},
		{name: "a user", address: "s3://key:secret@photos"},
		{name: "no slashes", address: "s3:photos"},
		{name: "path_style is neither true nor false", address: "s3://photos?path_style=yes"},
		{name: "anonymous is neither true nor false", address: "s3://photos?anonymous="},
		{name: "an unknown profile", address: "s3://photos?profile=none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.address)
			require.NoError(t, err)
			_, err = parseAddress(u)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// storage.Open opens an address with a bucket, and refuses one without a bucket or with an unknown
// parameter.
func TestAddressOfABucket(t *testing.T) {
	setEnv(t, nil)
	b, err := storage.Open(t.Context(), "s3://photos?region=eu-west-1&public=true")
	require.NoError(t, err)
	address, err := b.PublicURL("a b")
	require.NoError(t, err)
	require.Equal(t, "https://photos.s3.eu-west-1.amazonaws.com/a%20b", address)
	require.NoError(t, storage.Close(b))

	_, err = storage.Open(t.Context(), "s3://?region=eu-west-1")
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = storage.Open(t.Context(), "s3://photos?usePathStyle=true")
	require.ErrorIs(t, err, storage.InvalidArgument, "the SDK's name of a parameter must be refused")
}

// storage.OpenService opens an address without a bucket, and refuses one with a bucket.
func TestAddressOfAnAccount(t *testing.T) {
	setEnv(t, nil)
	service, err := storage.OpenService(t.Context(), "s3://?region=eu-west-1")
	require.NoError(t, err)
	require.NoError(t, service.Close())

	_, err = storage.OpenService(t.Context(), "s3://photos?region=eu-west-1")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// startSilentMetadata starts a metadata service that must get no request.
func startSilentMetadata(t *testing.T) *standIn {
	metadata := newStandIn(t, reply{Status: 404})
	t.Cleanup(func() {
		require.Empty(t, metadata.Lines(), "the metadata service must get no request")
	})
	return metadata
}

// Open sends no request, neither to the store nor for credentials.
func TestOpenSendsNoRequest(t *testing.T) {
	// This metadata service fails the test if it gets a request.
	metadata := startSilentMetadata(t)
	setEnv(t, map[string]string{
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL,
		"AWS_DEFAULTS_MODE":                 "auto",
		"AWS_REGION":                        "eu-west-1",
	})
	for name, c := range map[string]Config{
		"by the default chain": {Bucket: "photos"},
		"with credentials":     {Bucket: "photos", AccessKeyID: "key", SecretKey: "secret"},
		"anonymously":          {Bucket: "photos", Anonymous: true},
		"at an endpoint":       {Bucket: "photos", Endpoint: metadata.URL},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Open(t.Context(), c, storage.WithVersioning(true), storage.WithPublicAccess(true))
			require.NoError(t, err)
			require.NoError(t, storage.Close(b))
		})
	}
}

// If an endpoint but no credentials are set, calls fail with Unauthenticated, and do not ask the metadata service
// of AWS for credentials.
func TestEndpointWithoutMetadataService(t *testing.T) {
	for name, variable := range map[string]string{
		"service of the instance":  "AWS_EC2_METADATA_SERVICE_ENDPOINT",
		"service of the container": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		for _, source := range []string{"Config", "the environment"} {
			t.Run(name+", endpoint of "+source, func(t *testing.T) {
				// This metadata service fails the test if it gets a request.
				server := newStandIn(t)
				metadata := startSilentMetadata(t)
				env := map[string]string{
					variable:            metadata.URL + "/",
					"AWS_DEFAULTS_MODE": "auto",
					"AWS_REGION":        "eu-west-1",
				}
				c := Config{Bucket: "photos", Endpoint: server.URL}
				if source == "the environment" {
					c.Endpoint = ""
					env["AWS_ENDPOINT_URL"] = server.URL
				}
				setEnv(t, env)

				b, err := Open(t.Context(), c)
				require.NoError(t, err)
				_, err = b.Attrs(t.Context(), "k")
				require.ErrorIs(t, err, storage.Unauthenticated)
				require.ErrorContains(t, err, "AWS_ACCESS_KEY_ID")
				require.Empty(t, server.Lines(), "a request that cannot be signed must not be sent")
			})
		}
	}
}

// Requests are signed with the credentials of the Config, or with those of the environment if the
// Config has none. Without credentials, they are not signed.
func TestCredentialsOfAConfig(t *testing.T) {
	tests := []struct {
		name              string
		change            func(*Config)
		wantAuthorization string // its beginning; "": not signed
	}{
		{name: "a key", change: func(*Config) {}, wantAuthorization: "AWS4-HMAC-SHA256 Credential=key/"},
		{
			name: "anonymous",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
				c.Anonymous = true
			},
		},
		{
			name: "the environment",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
			},
			wantAuthorization: "AWS4-HMAC-SHA256 Credential=env/",
		},
		{
			name: "a configuration of the SDK's",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
				c.AWS = &aws.Config{
					Credentials: credentials.NewStaticCredentialsProvider("own", "secret", ""),
				}
			},
			wantAuthorization: "AWS4-HMAC-SHA256 Credential=own/",
		},
		{
			name: "a configuration without credentials",
			change: func(c *Config) {
				c.AccessKeyID = ""
				c.SecretKey = ""
				c.AWS = &aws.Config{}
			},
		},
		{
			name: "a key, and a configuration without credentials",
			change: func(c *Config) {
				c.AWS = &aws.Config{}
			},
			wantAuthorization: "AWS4-HMAC-SHA256 Credential=key/",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			server := newStandIn(t, stored)
			d := server.openDriver(t, "minio", tt.change)
			_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)

			authorization := server.Last(t).Header.Get("Authorization")
			if tt.wantAuthorization == "" {
				require.Empty(t, authorization)
				require.False(t, storage.Supports(engine.New(d), storage.SignedURLs))
				return
			}
			require.True(t, strings.HasPrefix(authorization, tt.wantAuthorization), authorization)
		})
	}
}

// A bucket uses the options of Config.Client, except for its retries and its default checksums.
func TestConfigClient(t *testing.T) {
	server := newStandIn(t, errorReply(503, "SlowDown", ""))
	client := awss3.New(awss3.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(server.URL),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("own", "secret", ""),
	})
	b, err := Open(t.Context(), Config{Bucket: "photos", Client: client},
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	require.NoError(t, err)

	native, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	require.Same(t, client, native)

	// Only one request is sent, although the error is retryable.
	_, err = b.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.RateLimited)
	require.Len(t, server.Lines(), 1, "the client must not retry")

	// The SDK has two kinds of default checksums. Neither of them is sent.
	_, err = b.Upload(t.Context(), "k", http.NoBody)
	require.Error(t, err)
	require.Empty(t, server.Last(t).Header.Get("X-Amz-Trailer"))
	require.Empty(t, server.Last(t).Header.Get("X-Amz-Checksum-Crc32"))
}

// A bucket can be opened with the native client of another bucket. The other bucket can itself have
// been opened in this way.
func TestNativeClientOpensBucket(t *testing.T) {
	server := newStandIn(t, stored)
	var d driver.Driver = server.openDriver(t, "aws")
	for range 2 {
		client := d.Native().(*awss3.Client)
		var err error
		d, err = NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
		require.NoError(t, err)
		_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
		require.NoError(t, err)
	}
}

// Put sends one request, without a checksum of the SDK, even if environment variables tell the SDK to
// retry and to add checksums.
func TestSDKSwitchesBreakNothing(t *testing.T) {
	setEnv(t, map[string]string{
		"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
		"AWS_RETRY_MODE":                   "adaptive",
		"AWS_MAX_ATTEMPTS":                 "9",
		"AWS_ACCESS_KEY_ID":                "env",
		"AWS_SECRET_ACCESS_KEY":            "secret",
	})
	server := newStandIn(t, reply{Status: 500})
	d := server.openDriver(t, "unknown", func(c *Config) {
		c.AccessKeyID = ""
		c.SecretKey = ""
	})

	// The server answers with status 500, which the SDK would retry.
	_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.Error(t, err)
	require.Len(t, server.Lines(), 1, "the SDK must not retry")

	got := server.Last(t)
	require.Empty(t, got.Header.Get("X-Amz-Trailer"), "the SDK must add no checksum")
	require.Equal(t, "hello", got.Body)
	require.NotEmpty(t, got.Header.Get("Content-Md5"), "the driver's own checksum")
}

// Two buckets belong to one account if they have the same endpoint and credentials. Credentials in an aws.Config cannot
// be compared, so each bucket with an aws.Config has an account of its own.
func TestAccountsOfOneCredential(t *testing.T) {
	setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
	accountOf := func(c Config) any {
		c.Bucket = "photos"
		d, err := NewDriver(t.Context(), c)
		require.NoError(t, err)
		return d.Locate("k").Account
	}

	withKey := Config{Endpoint: "http://127.0.0.1:9000", AccessKeyID: "key", SecretKey: "secret"}
	withOtherKey := withKey
	withOtherKey.AccessKeyID = "other"
	atOtherEndpoint := withKey
	atOtherEndpoint.Endpoint = "http://127.0.0.1:9001"
	withEnvironment := Config{Endpoint: withKey.Endpoint}
	withSDKConfig := Config{Region: "eu-west-1", AWS: &aws.Config{}}

	// The same Config gives the same account.
	require.Equal(t, accountOf(withKey), accountOf(withKey))
	require.Equal(t, accountOf(withEnvironment), accountOf(withEnvironment))

	// Another key, endpoint or source of credentials gives another account.
	require.NotEqual(t, accountOf(withKey), accountOf(withOtherKey))
	require.NotEqual(t, accountOf(withKey), accountOf(atOtherEndpoint))
	require.NotEqual(t, accountOf(withKey), accountOf(withEnvironment))

	// Even the same aws.Config gives two accounts.
	require.NotSame(t, accountOf(withSDKConfig), accountOf(withSDKConfig))
}
