// Package s3 keeps buckets on Amazon S3 and on whatever speaks its protocol:
// DigitalOcean Spaces, Cloudflare R2, Backblaze B2, Wasabi, MinIO, Ceph, Garage,
// SeaweedFS, versitygw, Google Cloud Storage through its XML API, and servers
// that nobody here has heard of.
//
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Region: "eu-west-1"})
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Endpoint: "https://nyc3.digitaloceanspaces.com"})
//
// What a server can and cannot do is its Profile, which is chosen by the
// endpoint's host, or by name. A server that is not known gets the careful one,
// "unknown", which declares no conditions: Probe finds out what it enforces.
//
// storage.As gives a *s3.Client of aws-sdk-go-v2's service/s3: the one of
// Config.Client, or one with the same credentials and settings, which retries as
// the SDK does.
//
// Importing it registers the scheme of its addresses: s3://photos with the
// parameters region=, endpoint=, path_style=, profile=, requester_pays= and
// anonymous=. The address of an account, for storage.OpenService, is the same without a
// bucket's name.
package s3

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

const provider = "s3"

// Config says which bucket, where, and with which credentials. Opening makes no
// request. Credentials are Client's, or AWS's, or AccessKeyID with SecretKey, or
// none where Anonymous is set: two of them are InvalidArgument. A Client, or an
// AWS, that has none asks as nobody unless Config has some to give. Without all
// that they are the SDK's default chain's (environment, shared files, container,
// instance). With static credentials, an anonymous bucket, or an endpoint that
// is not Amazon's, no metadata service is ever asked.
//
// With static credentials or Anonymous, the chain still says where Amazon is
// (region, endpoint, FIPS) as far as Config does not; beside an Endpoint nothing
// of it is read but AWS_CA_BUNDLE.
type Config struct {
	Bucket   string // the name, or the ARN of an access point in one region; empty for an account
	Region   string // "" is the profile's, the endpoint's, or the default chain's
	Endpoint string // the server's root, "https://nyc3.digitaloceanspaces.com"; "" is what the default chain names, or the Profile's, or Amazon S3
	// PathStyle says whether the bucket stands in the path (true) or in the
	// host. Nil is Client's way or, without one, the profile's; an address that
	// is a number, or localhost, then has it in the path.
	PathStyle *bool
	// Profile says what the server can do. Nil: by the endpoint's host, and
	// where that tells nothing, or an endpoint resolver of the user's own may send
	// requests anywhere, the careful one. An access point that is named by its ARN,
	// or by an alias that ends in "-ext-s3alias", may lead to a volume of FSx: it
	// has the profile "accesspoint", unless Profile says otherwise. Without an
	// Endpoint, a profile of another provider has the host of its Region, or it is
	// InvalidArgument. NamedProfile has them all.
	Profile *Profile

	// RequesterPays has requests and signed addresses say that whoever signs them
	// pays, as a bucket of Amazon's may demand of all but its owner. Forms cannot
	// say so, and are Unsupported.
	RequesterPays bool

	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Anonymous    bool

	// AWS is a configuration of the SDK: its region, endpoint, credentials, HTTP
	// client and logging are used. With a ClientLogMode the SDK makes all requests,
	// which is slower, and logs what the mode says; some modes show signatures.
	AWS        *aws.Config
	Client     *awss3.Client // a client of the SDK: its settings are kept, but for retrying and checksums
	HTTPClient *http.Client  // nil: one made for bulk transfers
}

// Open opens a bucket without a request: a bucket that is not there is
// BucketNotFound at the first operation. InvalidArgument where Config makes no
// sense, or where no region is known. Open a bucket once and share it: each has
// connections of its own, and reads the environment again. For many buckets of
// one account, use [NewService].
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return storage.New(d, opts...), nil
}

// NewDriver opens a bucket as Open does, for storage.New.
func NewDriver(ctx context.Context, c Config) (storage.Driver, error) {
	if c.Bucket == "" {
		return nil, argument.Invalid("Config.Bucket", "must not be empty", "")
	}
	if err := checkName(c.Bucket); err != nil {
		return nil, err
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	if a.endpoint != nil && strings.HasPrefix(a.endpoint.Host, c.Bucket+".") {
		if _, _, known := profileOfHost(strings.TrimPrefix(a.endpoint.Hostname(), c.Bucket+".")); known {
			_ = a.close()
			return nil, argument.Invalid("endpoint", "must be the server's, without the bucket's name", "leave "+c.Bucket+". away")
		}
	}
	return &driver{account: a.at(c.Bucket), bucket: c.Bucket}, nil
}
