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
	client             *awss3.Client // sends each request once, because the core retries
	credentials        aws.CredentialsProvider
	renewer            *renewer                   // renews the credentials; nil if their source has no others
	denied             *atomic.Pointer[time.Time] // when credentials last were not the cause of a denied HEAD
	environmentExpires time.Time                  // expiry of the environment's credentials; zero if unknown
	anonymous          bool
	requesterPays      bool // Config.RequesterPays
	expectedOwner      string
	kms                *kmsKey // key for writes without an option of their own; nil means the bucket's default
	region             string
	keys               *signature.Keys
	clock              *clock
	server             *serverKind
	endpoint           *url.URL // the server's root; nil for Amazon S3, by region
	orderedHost        bool     // a profile that has the endpoint's host says that it lists in byte order
	customResolver     bool     // the user's endpoint resolver may send requests elsewhere
	pathStyle          bool
	profile            Profile
	profileGiven       bool                 // Config has a profile
	http               *http.Client         // nil if the SDK's configuration or client has its own
	ownsHTTP           bool                 // http was made here, and is closed with the account
	rawTransport       *transport.Transport // the transport of http if a raw client may be used; else nil
	givenClient        *awss3.Client        // Config.Client
	identity           any                  // equal for accounts between which the server can copy
}

// newAccount reads a Config except for Config.Bucket. It sends no request.
func newAccount(ctx context.Context, c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	c, err := withNamed(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := sdkOptions(ctx, c)
	if err != nil {
		return nil, err
	}
	a := &account{
		anonymous: c.Anonymous, givenClient: c.Client, requesterPays: c.RequesterPays,
		expectedOwner:      c.ExpectedBucketOwner,
		profileGiven:       c.Profile != nil,
		environmentExpires: environmentExpiry(), keys: &signature.Keys{}, clock: &clock{now: time.Now},
		server: &serverKind{}, denied: &atomic.Pointer[time.Time]{},
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
	case c.Client != nil && c.AWS != nil:
		return argument.Invalid("Config.Client and Config.AWS", "exclude each other", "")
	case c.Client != nil && (static || c.Anonymous || c.HTTPClient != nil):
		return argument.Invalid("Config.Client", "has its own credentials and HTTP client", "")
	case static && c.Anonymous:
		return argument.Invalid("Config.Anonymous", "must not be set with credentials", "")
	case c.RequesterPays && c.Anonymous:
		return argument.Invalid("Config.RequesterPays", "must not be set with Anonymous: nobody would pay", "")
	case c.AWS != nil && c.AWS.Credentials != nil && (static || c.Anonymous):
		return argument.Invalid(
			"Config.AWS", "has its own credentials", "set its Credentials to nil, or remove those of Config",
		)
	case c.Credentials != "" && (static || c.Anonymous || c.AWS != nil || c.Client != nil):
		return argument.Invalid("Config.Credentials", "must not be set with other credentials, AWS or Client", "")
	case static && (c.AccessKeyID == "" || c.SecretKey == ""):
		return argument.Invalid("Config.AccessKeyID and Config.SecretKey", "must be set together", "")
	}
	return named.Credentials(c.Credentials).Check()
}

// configureClient sets the options that this package needs, however the client was made, and
// whatever the environment says.
func (a *account) configureClient(o *awss3.Options) {
	o.Region = a.region
	o.UsePathStyle = a.pathStyle
	if a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
	//lint:ignore SA1019 it was asked once, in endpointOf
	o.EndpointResolver = nil
	o.Credentials = a.credentials
	if a.http != nil {
		o.HTTPClient = a.http
	}
	o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
	// Each call sets checksums in headers, or not at all. Half of the S3 servers refuse
	// a trailer.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	if a.givenClient == nil && o.ClientLogMode == 0 { // otherwise Config.AWS wants the logs
		o.Logger, o.ClientLogMode = logging.Nop{}, 0
	}
	corrects := !o.DisableClockSkewCorrection
	o.APIOptions = append(o.APIOptions, withResponse(func(operation string, response *http.Response) error {
		a.server.see(response.Header)
		a.renewer.see(response)
		if corrects {
			a.clock.see(response)
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

// close closes what newAccount opened.
func (a *account) close() error {
	if a.ownsHTTP {
		a.http.CloseIdleConnections()
	}
	return nil
}

// A sharedIdentity makes accounts equal that were opened separately with one
// credential. The server can copy between their buckets.
type sharedIdentity struct {
	endpoint, credential string
	owner                string // that both buckets are expected to have, or ""
	pays                 bool   // a copy says for both buckets, or for neither, that the requester pays
}

func (a *account) identify(c Config) {
	shared := sharedIdentity{owner: a.expectedOwner, pays: a.requesterPays}
	if a.endpoint != nil {
		shared.endpoint = a.endpoint.String()
	}
	switch {
	case c.Client != nil || c.AWS != nil:
		a.identity = a
		return
	case c.Anonymous:
		shared.credential = "anonymous"
	case c.AccessKeyID != "":
		shared.credential = "key " + c.AccessKeyID
	case c.Credentials != "":
		shared.credential = "profile " + c.Credentials
	default:
		shared.credential = "chain " + os.Getenv("AWS_ACCESS_KEY_ID") + " " + os.Getenv("AWS_PROFILE")
	}
	a.identity = shared
}

// The headers that name the account which must own a bucket. A signed URL has the first one in
// its query, in lower case, as the SDK's presigner does.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
const (
	ownerHeader       = rawclient.OwnerHeader
	ownerQuery        = "x-amz-expected-bucket-owner"
	sourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
)

func (a *account) checkOwner() error {
	owner := a.expectedOwner
	switch {
	case owner == "":
		return nil
	case !a.profile.BucketOwners:
		return &storage.Error{
			Code: storage.Unsupported,
			Err: fmt.Errorf(
				"Config.ExpectedBucketOwner needs a server that checks it, and profile %s is not known to",
				a.profile.Name,
			),
			Hint: "name the server with profile= if its kind checks the owner, or set BucketOwners in s3.Config.Profile: others ignore the request",
		}
	case a.amazon() && (len(owner) != 12 || strings.Trim(owner, "0123456789") != ""):
		return argument.Invalid("Config.ExpectedBucketOwner", "must be an account id of 12 digits", "")
	case strings.ContainsFunc(owner, func(c rune) bool { return c <= ' ' || c > '~' }):
		return argument.Invalid("Config.ExpectedBucketOwner", "must be visible ASCII characters", "")
	}
	return nil
}

// withExpectedOwner adds the headers to all requests for a bucket that exists. The source of a copy
// has the same owner: see sharedIdentity.
func withExpectedOwner(owner string) func(*middleware.Stack) error {
	set := middleware.BuildMiddlewareFunc(
		"omnibucket:ExpectedOwner",
		func(
			ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler,
		) (middleware.BuildOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			operation := awsmiddleware.GetOperationName(ctx)
			switch {
			case !ok, operation == "CreateBucket", operation == "ListBuckets", operation == "CreateSession":
			default:
				request.Header.Set(ownerHeader, owner)
				if operation == "CopyObject" || operation == "UploadPartCopy" {
					request.Header.Set(sourceOwnerHeader, owner)
				}
			}
			return next.HandleBuild(ctx, in)
		},
	)
	return func(stack *middleware.Stack) error { return stack.Build.Add(set, middleware.After) }
}
