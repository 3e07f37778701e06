package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/named"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// An account has the settings and clients that all buckets of one endpoint and one credential
// share.
type account struct {
	client             *awss3.Client // sends each request once, because the engine retries
	credentials        aws.CredentialsProvider
	renewer            *renewer                   // replaces refused credentials; nil if no others can be had
	deniedAt           *atomic.Pointer[time.Time] // when a HEAD last got 403, but not because of its credentials
	environmentExpires time.Time                  // expiry of the environment's credentials; zero if unknown
	anonymous          bool
	isSession          bool   // Config has temporary credentials
	isVended           bool   // Config.CredentialsFor
	vendRole           string // Config.VendRole
	requesterPays      bool   // Config.RequesterPays
	expectedOwner      string
	cdn                bool    // whether PublicURL names the provider's CDN
	kms                *kmsKey // from Config.KMSKey, for writes without WithKMSKey; nil means the bucket's default
	region             string
	keys               *signature.Keys
	clock              *clock
	server             *serverKind
	endpoint           *url.URL // root URL of the server; nil for Amazon S3, whose host depends on the region
	orderedHost        bool     // true if the host belongs to a provider that lists in byte order
	customResolver     bool     // true if the caller's endpoint resolver may send requests to another host
	pathStyle          bool
	profile            Profile
	profileGiven       bool                 // Config has a profile
	http               *http.Client         // nil if the SDK's configuration or client has its own
	ownsHTTP           bool                 // true if newAccount made http; the method close closes it
	rawTransport       *transport.Transport // transport of http; nil if only the SDK may send requests
	configClient       *awss3.Client        // Config.Client
	identity           any                  // accounts with equal identities can copy from one another on the server
}

// newAccount makes an account from all fields of c except Bucket. It sends no request.
func newAccount(ctx context.Context, c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	c, err := withNamedCredentials(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := sdkOptions(ctx, c)
	if err != nil {
		return nil, err
	}
	a := &account{
		anonymous:          c.Anonymous,
		configClient:       c.Client,
		requesterPays:      c.RequesterPays,
		vendRole:           c.VendRole,
		expectedOwner:      c.ExpectedBucketOwner,
		cdn:                c.CDN,
		profileGiven:       c.Profile != nil,
		environmentExpires: environmentExpiry(),
		keys:               &signature.Keys{},
		clock:              &clock{now: time.Now},
		server:             &serverKind{},
		deniedAt:           &atomic.Pointer[time.Time]{},
	}
	if err := a.resolveEndpoint(c, &s); err != nil {
		return nil, err
	}
	if err := a.setEncryption(c); err != nil {
		return nil, err
	}
	if err := a.checkOwner(); err != nil {
		return nil, err
	}
	if err := a.checkCDN(); err != nil {
		return nil, err
	}
	a.setHTTP(c, &s)
	a.setCredentials(c, s)
	a.client = awss3.New(s, a.configureClient)
	return a, nil
}

func checkConfig(c Config) error {
	static := c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != ""
	switch {
	case c.CredentialsFor != nil:
		return argument.Invalid("Config.CredentialsFor", "must be of a bucket: an account has no keys", "")
	case c.VendRole != "" && !strings.HasPrefix(c.VendRole, "arn:"):
		return argument.Invalid("Config.VendRole (vend_role=)", "must be the ARN of a role", "")
	case c.Client != nil && c.AWS != nil:
		return argument.Invalid("Config.Client and Config.AWS", "exclude each other", "")
	case c.Client != nil && (static || c.Anonymous || c.HTTPClient != nil):
		return argument.Invalid("Config.Client", "has its own credentials and HTTP client", "")
	case static && c.Anonymous:
		return argument.Invalid("Config.Anonymous", "must not be set with credentials", "")
	case c.RequesterPays && c.Anonymous:
		return argument.Invalid("Config.RequesterPays", "must not be set with Anonymous: nobody would pay", "")
	case c.AWS != nil && c.AWS.Credentials != nil && (static || c.Anonymous):
		return argument.Invalid("Config.AWS", "has its own credentials",
			"set its Credentials to nil, or remove those of Config")
	case c.Credentials != "" && (static || c.Anonymous || c.AWS != nil || c.Client != nil):
		return argument.Invalid("Config.Credentials", "must not be set with other credentials, AWS or Client", "")
	case static && (c.AccessKeyID == "" || c.SecretKey == ""):
		return argument.Invalid("Config.AccessKeyID and Config.SecretKey", "must be set together", "")
	}
	return named.Credentials(c.Credentials).Check()
}

// configureClient sets the options that this package needs. They replace those of the caller's
// client and of the environment.
func (a *account) configureClient(o *awss3.Options) {
	o.Region = a.region
	o.UsePathStyle = a.pathStyle
	if a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
	//lint:ignore SA1019 endpointOf has resolved the endpoint already
	o.EndpointResolver = nil
	o.Credentials = a.credentials
	if a.http != nil {
		o.HTTPClient = a.http
	}
	o.Retryer = aws.NopRetryer{}
	o.RetryMaxAttempts = 0
	// The driver itself adds a checksum to those requests that need one. By default the SDK would
	// send checksums in trailers, which half of the S3 servers refuse.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	if a.configClient == nil && o.ClientLogMode == 0 { // a ClientLogMode would mean that the caller wants logs
		o.Logger = logging.Nop{}
		o.ClientLogMode = 0
	}
	correctsSkew := !o.DisableClockSkewCorrection
	o.APIOptions = append(o.APIOptions, withResponse(func(operation string, response *http.Response) error {
		a.server.observe(response.Header)
		a.renewer.observe(response)
		if correctsSkew {
			a.clock.observe(response)
		}
		return checkEvidence(operation, response, a.profile.identifies)
	}))
	if a.renewer != nil {
		a.renewer.configure(o)
	}
	if a.profile.UnsignedEncoding {
		o.APIOptions = append(o.APIOptions, withUnsignedEncoding)
	}
	if a.requesterPays {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(rawclient.PayerHeader, requester))
	}
	if a.expectedOwner != "" {
		o.APIOptions = append(o.APIOptions, withExpectedOwner(a.expectedOwner))
	}
}

// close closes the idle connections of the HTTP client that newAccount made.
func (a *account) close() error {
	if a.ownsHTTP {
		a.http.CloseIdleConnections()
	}
	return nil
}

// A sharedIdentity is equal for two accounts that were opened separately with the same credential.
// The server can copy between the buckets of such accounts.
type sharedIdentity struct {
	endpoint, credential string
	owner                string // Config.ExpectedBucketOwner, which both buckets of a copy must have
	pays                 bool   // Config.RequesterPays; both buckets of a copy must have the same value
}

func (a *account) identify(c Config) {
	identity := sharedIdentity{owner: a.expectedOwner, pays: a.requesterPays}
	if a.endpoint != nil {
		identity.endpoint = a.endpoint.String()
	}
	switch {
	case c.Client != nil || c.AWS != nil:
		a.identity = a
		return
	case c.Anonymous:
		identity.credential = "anonymous"
	case c.AccessKeyID != "":
		identity.credential = "key " + c.AccessKeyID
	case c.Credentials != "":
		identity.credential = "profile " + c.Credentials
	default:
		identity.credential = "chain " + os.Getenv("AWS_ACCESS_KEY_ID") + " " + os.Getenv("AWS_PROFILE")
	}
	a.identity = identity
}

// These headers name the account that must own a bucket. A signed URL has the first header as a
// query parameter, in lower case, as in the URLs of the SDK.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
const (
	ownerHeader       = rawclient.OwnerHeader
	ownerQuery        = "x-amz-expected-bucket-owner"
	sourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
)

func (a *account) checkOwner() error {
	owner := a.expectedOwner
	if owner == "" {
		return nil
	}
	if !a.profile.BucketOwners {
		return &storage.Error{
			Code: storage.Unsupported,
			Err: fmt.Errorf(
				"Config.ExpectedBucketOwner needs a server that checks it, and profile %s is not known to",
				a.profile.Name,
			),
			Hint: "name the server with profile= if its kind checks the owner, or set BucketOwners in s3.Config.Profile: others ignore the request",
		}
	}
	if a.amazon() && (len(owner) != 12 || strings.Trim(owner, "0123456789") != "") {
		return argument.Invalid("Config.ExpectedBucketOwner", "must be an account id of 12 digits", "")
	}
	if strings.ContainsFunc(owner, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return argument.Invalid("Config.ExpectedBucketOwner", "must be visible ASCII characters", "")
	}
	return nil
}

// withExpectedOwner adds the headers with the expected owner to every request for an existing
// bucket. The source bucket of a copy must have the same owner (see sharedIdentity).
func withExpectedOwner(owner string) func(*middleware.Stack) error {
	set := middleware.BuildMiddlewareFunc(
		"omnibucket:ExpectedOwner",
		func(
			ctx context.Context, input middleware.BuildInput, next middleware.BuildHandler,
		) (middleware.BuildOutput, middleware.Metadata, error) {
			request, ok := input.Request.(*smithyhttp.Request)
			operation := awsmiddleware.GetOperationName(ctx)
			switch {
			case !ok || operation == "CreateBucket" || operation == "ListBuckets" || operation == "CreateSession":
			default:
				request.Header.Set(ownerHeader, owner)
				if operation == "CopyObject" || operation == "UploadPartCopy" {
					request.Header.Set(sourceOwnerHeader, owner)
				}
			}
			return next.HandleBuild(ctx, input)
		},
	)
	return func(stack *middleware.Stack) error { return stack.Build.Add(set, middleware.After) }
}
