// Package s3 opens buckets on Amazon S3 and on servers with its protocol. It has profiles for
// DigitalOcean Spaces, Cloudflare R2, Backblaze B2, Wasabi, Scaleway, Tigris, MinIO, Ceph, Garage,
// SeaweedFS, versitygw, and the XML API of Google Cloud Storage.
//
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Region: "eu-west-1"})
//	bucket, err := s3.Open(ctx, s3.Config{Bucket: "photos", Endpoint: "https://nyc3.digitaloceanspaces.com"})
//
// If [Config] has no credentials, they come from the SDK's default chain: the environment
// (AWS_ACCESS_KEY_ID), files, roles.
//
// A [Profile] says what a server can do. It is chosen by the endpoint's host, or by name. An
// unknown server gets the careful profile "unknown", which declares no conditions. Package s3probe
// tests what such a server enforces.
//
// [storage.As] returns a *s3.Client of aws-sdk-go-v2's service/s3. It is Config.Client, or a client
// with the same credentials and settings that retries as the SDK does.
//
// The package registers addresses like s3://photos, with the parameters region=, endpoint=,
// path_style=, profile=, request_payer=, expected_bucket_owner=, kms_key=, bucket_key=, cdn=,
// anonymous=, credentials= and vend_role=. The address of an account, for [storage.OpenService],
// has no bucket name.
package s3

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/internal/redact"
)

const provider = "s3"

// A Config has the bucket, its server and the credentials.
//
// Credentials come from one of these sources:
//
//   - Client or AWS
//   - AccessKeyID and SecretKey
//   - a named profile, or variables with a named prefix (see the field Credentials)
//   - Anonymous: requests have no credentials
//
// If two sources are set, opening fails with InvalidArgument. There is one exception: AWS may be
// set together with AccessKeyID or Anonymous, if AWS has no credentials. If Client or AWS is the
// only source and has no credentials, requests are anonymous.
//
// If no source is set, credentials come from the SDK's default chain (environment, shared files,
// container, instance). No request is sent to a metadata service if AccessKeyID or Anonymous is
// set, or if the endpoint is not Amazon's.
//
// If the store refuses credentials that it has accepted before, new credentials are requested from
// the same source, and the request is repeated. The chain reads its files again. The cache of
// Client or AWS is invalidated. AccessKeyID and SecretKey are never replaced.
//
// With AccessKeyID or Anonymous, the region, the endpoint and FIPS still come from the default
// chain, unless Config has them. If Endpoint is set too, only AWS_CA_BUNDLE is read from the
// environment.
type Config struct {
	Bucket   string // the name, or the ARN of an access point in one region; empty if Config is for an account
	Region   string // "" means that of the profile, the endpoint, or the default chain
	Endpoint string // the server's root URL; "" means that of the default chain, the Profile or Amazon S3
	// PathStyle says whether the bucket is in the path of URLs (true) or in their host (false). If
	// PathStyle is nil, the setting of Client decides. If Client is nil too, the profile decides,
	// with one exception: on an IP address or localhost, the bucket is always in the path.
	PathStyle *bool
	// Profile says what the server can do. If it is nil, the endpoint's host decides. An unknown
	// host, and a custom endpoint resolver, have the profile "unknown". If Bucket is the ARN of an
	// access point of Amazon's, or an alias that ends in "-ext-s3alias", the profile is
	// "accesspoint". This profile has fewer features, because an access point may belong to an FSx
	// volume instead of a bucket.
	//
	// If Endpoint is empty, the profile of a provider other than Amazon selects that provider's
	// host for the Region. If the profile has no host, opening fails with InvalidArgument. See
	// [NamedProfile].
	Profile *Profile

	// RequesterPays adds a header to requests and signed URLs. The header says that the one who
	// signs the request pays for it. A bucket of Amazon's may require this header of everyone
	// except its owner. SignedUploadForm fails with Unsupported, because a form cannot have this
	// header. In addresses, the parameter is request_payer=requester.
	RequesterPays bool

	// ExpectedBucketOwner is the account that must own the bucket. If another account owns the
	// bucket, every request fails with PermissionDenied, and nothing is written to or read from a
	// stranger's bucket. On Amazon, the value is an account id of 12 digits. If the server is not
	// known to check the owner (Profile.BucketOwners), opening fails with Unsupported. Signed URLs
	// require the owner, too. SignedUploadForm fails with Unsupported, because a form cannot name
	// an owner. The server copies only between buckets with the same ExpectedBucketOwner.
	ExpectedBucketOwner string

	// KMSKey names the key of AWS KMS with which the store encrypts every object that is written
	// (SSE-KMS). KMSKey is a key's id or ARN, or the ARN of an alias. It applies to uploads,
	// copies, signed URLs and forms. [WithKMSKey] and [WithCustomerKey] replace it for one object.
	// If KMSKey is empty, the bucket's default decides. If KMSKey has none of these forms, or the
	// account is Anonymous, opening fails with InvalidArgument. If the server is not known to have
	// SSE-KMS (Profile.KMS), opening fails with Unsupported. If there is no such key, writes fail
	// with InvalidArgument.
	KMSKey string
	// BucketKey makes writes with KMSKey use an S3 Bucket Key, which saves requests to KMS. If
	// BucketKey is false, the bucket's setting decides. If BucketKey is true and KMSKey is empty,
	// opening fails with InvalidArgument.
	BucketKey bool

	// CDN makes PublicURL return addresses at the provider's own CDN. The owner of the bucket must
	// have enabled the CDN for it. Only DigitalOcean Spaces has a CDN whose host follows from the
	// bucket's name (Profile.CDNURL). For any other server, opening fails with Unsupported. Use
	// [storage.WithPublicBaseURL] there, which also takes precedence over CDN.
	CDN bool

	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Anonymous    bool
	// Credentials is the name of credentials, for programs with several accounts. It names a
	// profile in AWS's shared files. If there is no such profile, it is the beginning of the names
	// of variables: <NAME>_AWS_ACCESS_KEY_ID, <NAME>_AWS_SECRET_ACCESS_KEY,
	// <NAME>_AWS_SESSION_TOKEN and <NAME>_AWS_REGION. In variables, the name is in upper case, with
	// an underscore for each character that is not a letter or digit. If there are no such
	// variables either, opening fails with Unauthenticated.
	Credentials string
	// CredentialsFor returns the credentials for a key. For a listing, the key is the prefix of the
	// listing. An Iceberg REST catalog vends credentials of this kind. The function is called for
	// the first request, half a minute before the credentials expire, and once if the store refuses
	// them. Concurrent requests share one call.
	// The call ends only when the function returns, so it must return when its context ends.
	//
	// If CredentialsFor fails and no earlier credentials are still valid, the request fails. If the
	// error of CredentialsFor has the code PermissionDenied, RateLimited, Unavailable or
	// DeadlineExceeded, the request fails with this code. With any other error, the request fails
	// with Unauthenticated.
	//
	// If two keys have the same credentials, the server copies between them. If the credentials
	// differ, the bytes pass through this process. [storage.As] returns false. [NewService] refuses
	// a Config with this field.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// VendRole is the ARN of the role of AWS that [storage.Vend] assumes. The credentials and the
	// role's trust policy must permit sts:AssumeRole. The role must permit what is vended. The role
	// also limits how long vended credentials are valid: one hour by default. If the credentials of
	// this Config belong to a role, too, the limit is always one hour. If VendRole is empty, Vend
	// fails with Unsupported on Amazon. MinIO and package s3server need no role.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	VendRole string

	// AWS is a configuration of the SDK. Its region, endpoint, credentials, HTTP client and logging
	// are used. If AWS has a ClientLogMode, the SDK sends and logs all requests. This is slower
	// than without logging. Some modes log signatures, and the keys of WithCustomerKey.
	AWS        *aws.Config
	Client     *awss3.Client // a client of the SDK; its settings are kept except for retries and checksums
	HTTPClient *http.Client  // nil means a client that is made for bulk transfers
}

// Format shows the fields of c that are set, without secrets. It ignores the verb.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "SecretKey", "SessionToken") }

// PrefixCredentials are credentials for all keys with a prefix, until they expire. See
// [Config].CredentialsFor.
type PrefixCredentials struct {
	Prefix       string // prefix of the keys that the credentials are valid for; "" means all keys
	AccessKeyID  string
	SecretKey    string
	SessionToken string
	Expires      time.Time // zero means never
}

// Format shows the fields of c that are set, without secrets. It ignores the verb.
func (c PrefixCredentials) Format(s fmt.State, _ rune) {
	redact.Fields(s, c, "SecretKey", "SessionToken")
}

// LogValue returns the text that Format writes.
func (c PrefixCredentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }
