// Package s3 opens buckets on Amazon S3 and on servers with its protocol. It knows
// DigitalOcean Spaces, Cloudflare R2, Backblaze B2, Wasabi, Scaleway, Tigris, MinIO, Ceph,
// Garage, SeaweedFS, versitygw, and the XML API of Google Cloud Storage.
//
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Region: "eu-west-1"})
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Endpoint: "https://nyc3.digitaloceanspaces.com"})
//
// Without credentials in [Config] they come from the SDK's default chain: the environment
// (AWS_ACCESS_KEY_ID), files, roles.
//
// A [Profile] says what a server can do. It is chosen by the endpoint's host, or by
// name. An unknown server gets the careful profile "unknown", which declares no
// conditions. Package s3probe tests what such a server enforces.
//
// [storage.As] returns a *s3.Client of aws-sdk-go-v2's service/s3: that of
// Config.Client, or one with the same credentials and settings. It retries as the SDK
// does.
//
// The package registers addresses like s3://photos, with the parameters region=,
// endpoint=, path_style=, profile=, request_payer=, expected_bucket_owner=, kms_key=,
// bucket_key=, anonymous= and credentials=. The address of an account, for
// [storage.OpenService], has no bucket name.
package s3

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
)

const provider = "s3"

// A Config has the bucket, its server and the credentials.
//
// Credentials come from Client, from AWS, from AccessKeyID and SecretKey, or by their name (Credentials).
// Anonymous means none. If two of these are set, opening fails with InvalidArgument. If Client or AWS has no
// credentials and Config has none either, requests are anonymous. If none of these is set, the SDK's default
// chain has the credentials (environment, shared files, container, instance). No request is sent to a metadata
// service for static credentials, an anonymous bucket, or an endpoint that is not Amazon's.
//
// If the store refuses credentials that it has accepted before, new ones are requested from their source, and
// the request is repeated. The chain reads its files again, and the cache of Client or AWS is invalidated.
// AccessKeyID and SecretKey stay.
//
// With static credentials or Anonymous, the default chain still has the region, the
// endpoint and FIPS, unless Config has them. With an Endpoint, only AWS_CA_BUNDLE is
// read.
type Config struct {
	Bucket   string // the name, or the ARN of an access point in one region; empty for an account
	Region   string // "" means that of the profile, the endpoint, or the default chain
	Endpoint string // the server's root URL; "" means that of the default chain, the Profile or Amazon S3
	// PathStyle says whether URLs have the bucket in the path (true) or in the host. If
	// it is nil, Client or else the profile decides. Without a Client, an IP address and
	// localhost have the bucket in the path.
	PathStyle *bool
	// Profile says what the server can do. If it is nil, the endpoint's host decides.
	// An unknown host, and a custom endpoint resolver, have the profile "unknown". An
	// access point may belong to an FSx volume. If it is named by its ARN, or by an alias
	// that ends in "-ext-s3alias", it has the profile "accesspoint".
	//
	// Without an Endpoint, a profile of another provider selects its host for the
	// Region. If it has no such host, opening fails with InvalidArgument. See
	// [NamedProfile].
	Profile *Profile

	// RequesterPays makes requests and signed URLs say that their signer pays. A bucket of
	// Amazon's may require this of everyone but its owner. Forms cannot say it, and fail with
	// Unsupported. In addresses it is request_payer=requester, like S3's header.
	RequesterPays bool

	// ExpectedBucketOwner is the account that must own the bucket. If another one does, every
	// request fails with PermissionDenied, and nothing is written to or read from a stranger's
	// bucket. On Amazon it is an account id of 12 digits. A server that is not known to check
	// it (Profile.BucketOwners) makes opening fail with Unsupported. Signed URLs have it; forms
	// cannot, and fail with Unsupported. The server copies only between buckets with the same
	// ExpectedBucketOwner.
	ExpectedBucketOwner string

	// KMSKey encrypts every object that is written with this key of AWS KMS (SSE-KMS): a key's
	// id or ARN, or the ARN of an alias. It holds for uploads, copies, signed URLs and forms.
	// [WithKMSKey] and [WithCustomerKey] replace it for one object. If it is empty, the bucket's
	// default decides. If it is not a name that AWS KMS has, or the account is Anonymous, opening
	// fails with InvalidArgument; if the server is not known to have SSE-KMS (Profile.KMS),
	// with Unsupported. If there is no such key, writes fail with InvalidArgument.
	KMSKey string
	// BucketKey makes such writes use an S3 Bucket Key, which saves requests to KMS. If it is
	// false, the bucket's setting decides. Without a KMSKey, opening fails with
	// InvalidArgument.
	BucketKey bool

	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Anonymous    bool
	// Credentials is the name of credentials, for programs with several accounts: a profile of
	// AWS's shared files, or else what precedes the variables <NAME>_AWS_ACCESS_KEY_ID,
	// <NAME>_AWS_SECRET_ACCESS_KEY, <NAME>_AWS_SESSION_TOKEN and <NAME>_AWS_REGION. The name is
	// in upper case there, with an underscore for each character that is no letter or digit. If
	// neither has it, opening fails with Unauthenticated.
	Credentials string
	// CredentialsFor returns the credentials for a key or, for a listing, its prefix. An Iceberg REST catalog vends
	// such credentials. It is called for the first request, half a minute before the credentials expire, and once if
	// the store refuses them. Requests at the same time share one call. If the credentials have expired and the call
	// fails, the request fails with its error, with the code Unauthenticated unless it has PermissionDenied,
	// RateLimited, Unavailable or DeadlineExceeded. The server copies only between keys with the same credentials;
	// else the bytes pass through the process. [storage.As] returns false. [NewService] does not take it.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// AWS is a configuration of the SDK. Its region, endpoint, credentials, HTTP client
	// and logging are used. With a ClientLogMode, the SDK sends all requests, which is
	// slower, and logs them. Some modes show signatures, and the keys of WithCustomerKey.
	AWS        *aws.Config
	Client     *awss3.Client // a client of the SDK; its settings are kept except for retries and checksums
	HTTPClient *http.Client  // nil means a client that is made for bulk transfers
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "SecretKey", "SessionToken") }

// Open opens a bucket and sends no request. If the bucket does not exist, the first
// operation fails with BucketNotFound. If c is not valid, or the region is unknown, Open
// fails with InvalidArgument.
//
// Open a bucket once and share it: each one has its own connections and reads the
// environment again. For many buckets of one account, use [NewService].
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver opens a bucket as [Open] does, and returns its driver for [engine.New].
func NewDriver(ctx context.Context, c Config) (driver.Driver, error) {
	if c.Bucket == "" {
		return nil, argument.Invalid("Config.Bucket", "must not be empty", "")
	}
	if err := checkName(c.Bucket); err != nil {
		return nil, err
	}
	if c.CredentialsFor != nil {
		return openVended(ctx, c)
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	if a.endpoint != nil && strings.HasPrefix(a.endpoint.Host, c.Bucket+".") {
		if _, _, known := profileOfHost(strings.TrimPrefix(a.endpoint.Hostname(), c.Bucket+".")); known {
			_ = a.close()
			return nil, argument.Invalid("endpoint", "must be the server's, without the bucket's name", "remove "+c.Bucket+".")
		}
	}
	return newDriver(a.forBucket(c.Bucket), c.Bucket), nil
}
