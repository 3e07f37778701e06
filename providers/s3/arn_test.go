package s3

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
)

const accessPoint = "arn:aws:s3:us-west-2:123456789012:accesspoint/my"

// A bucket declares SignedURLs and SignedForms only if this package can sign requests for its name.
func TestDescribeSignedURLs(t *testing.T) {
	bucketProfile := newProfile(t, "aws")

	// The access point is in us-west-2.
	inAnotherRegion := Config{Bucket: accessPoint, Profile: bucketProfile, Client: awss3.New(awss3.Options{
		Region:       "eu-west-1",
		UseARNRegion: true,
		Credentials:  credentials.NewStaticCredentialsProvider("own", "secret", ""),
	})}
	tests := []struct {
		name      string
		config    Config
		wantURLs  bool
		wantForms bool
	}{
		{name: "a bucket", config: Config{Bucket: "photos", Region: "us-west-2"}, wantURLs: true, wantForms: true},
		{
			name:     "an access point of a bucket, which a policy cannot name",
			config:   Config{Bucket: accessPoint, Region: "us-west-2", Profile: bucketProfile},
			wantURLs: true,
		},
		{
			name:   "an access point without a known bucket",
			config: Config{Bucket: accessPoint, Region: "us-west-2"},
		},
		{
			name:   "an alias of a volume",
			config: Config{Bucket: "data-abc123-ext-s3alias", Region: "us-west-2"},
		},
		{name: "an access point in another region", config: inAnotherRegion},
		{
			name:   "a directory bucket, which needs a session",
			config: Config{Bucket: "photos--usw2-az1--x-s3", Region: "us-west-2"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			b, err := Open(t.Context(), tt.config)
			require.NoError(t, err)
			require.Equal(t, tt.wantURLs, storage.Supports(b, storage.SignedURLs))
			require.Equal(t, tt.wantForms, storage.Supports(b, storage.SignedForms))

			// A call that signs succeeds only if SignedURLs is declared.
			_, err = b.SignedDownloadURL(t.Context(), "k")
			if tt.wantURLs {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// CopySource escapes the key, and names an object of an access point by the ARN.
func TestCopySource(t *testing.T) {
	tests := map[string]struct {
		ref  driver.ObjectRef
		want string
	}{
		"in a bucket": {
			ref:  driver.ObjectRef{Bucket: "photos", Key: "a b/c"},
			want: "photos/a%20b/c",
		},
		"a version": {
			ref:  driver.ObjectRef{Bucket: "photos", Key: "k", Version: "v+1"},
			want: "photos/k?versionId=v%2B1",
		},
		"at an access point": {
			ref:  driver.ObjectRef{Bucket: accessPoint, Key: "a b"},
			want: accessPoint + "/object/a%20b",
		},
		"at an access point whose name is after a colon": {
			ref:  driver.ObjectRef{Bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint:my", Key: "k"},
			want: "arn:aws:s3:us-west-2:123456789012:accesspoint:my/object/k",
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, aws.ToString(attributes.CopySource(tt.ref)))
		})
	}
}

// Service.Bucket refuses the ARN of a multi-region access point with InvalidArgument, because such
// an ARN does not name a single bucket.
func TestServiceBucketRefusesMultiRegionARN(t *testing.T) {
	service, err := NewService(t.Context(), Config{
		Region:      "us-west-2",
		AccessKeyID: "key",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	_, err = service.Bucket("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap")
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// An access point may lead to an FSx volume, which lacks features of a bucket, such as versions.
// The name of a bucket may be the ARN of an access point, or an alias that ends in "-ext-s3alias".
// The driver then declares these features only if Config.Profile says that the name leads to a
// bucket.
func TestProfileOfAccessPoint(t *testing.T) {
	const bucketFeatures = storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
		storage.ObjectACLs | storage.Versioning
	tests := []struct {
		name        string
		config      Config
		mayBeVolume bool
	}{
		{name: "an alias of a volume", config: Config{Bucket: "data-abc123-ext-s3alias"}, mayBeVolume: true},
		{name: "an ARN", config: Config{Bucket: accessPoint}, mayBeVolume: true},
		{
			name:        "an ARN at an endpoint of Amazon",
			config:      Config{Bucket: accessPoint, Endpoint: "https://s3.us-west-2.amazonaws.com"},
			mayBeVolume: true,
		},
		{
			name:   "an ARN with a profile",
			config: Config{Bucket: accessPoint, Profile: newProfile(t, "aws")},
		},
		{
			name:   "an alias of a bucket",
			config: Config{Bucket: "my-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias"},
		},
		{name: "a bucket", config: Config{Bucket: "photos"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			config := tt.config
			config.Region = "us-west-2"
			d, err := NewDriver(t.Context(), config)
			require.NoError(t, err)
			b := engine.New(d, storage.WithVersioning(true))
			if !tt.mayBeVolume {
				require.True(t, storage.Supports(b, bucketFeatures))
				return
			}

			// None of the features is declared. The errors name the profile with which the features
			// can be used.
			require.Zero(t, d.Describe().Features&bucketFeatures)
			_, err = b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "profile=aws")

			_, err = b.SignedDownloadURL(t.Context(), "k")
			require.ErrorContains(t, err, "profile=aws")

			// An access point has a host of its own.
			require.False(t, d.(*objectDriver).account.pathStyle)
		})
	}
}

// Locate returns a different account for each access point, so the engine lets the server copy only
// within one access point. All buckets have the same account.
func TestLocateAccessPoint(t *testing.T) {
	service, err := NewServiceDriver(t.Context(), Config{
		Region:      "us-west-2",
		AccessKeyID: "key",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	accountOf := func(bucket string) any {
		d, err := service.Driver(bucket)
		require.NoError(t, err)
		return d.Locate("k").Account
	}

	// The alias of an access point stands for the name of its bucket.
	const alias, otherAlias = "data-abc123-ext-s3alias", "other-abc123-ext-s3alias"
	require.Equal(t, accountOf(alias), accountOf(alias))
	require.NotEqual(t, accountOf(alias), accountOf("photos"))
	require.NotEqual(t, accountOf(alias), accountOf(otherAlias))
	require.Equal(t, accountOf("photos"), accountOf("pictures"))
}
