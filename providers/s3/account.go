package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/credential"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// An account has the settings and clients that all buckets of one endpoint and one credential
// share.
type account struct {
	client             *awss3.Client // sends each request once, because the engine retries
	credentials        aws.CredentialsProvider
	renewer            *credential.Renewer        // replaces refused credentials; nil if no others can be had
	deniedAt           *atomic.Pointer[time.Time] // when a HEAD last got 403, but not because of its credentials
	environmentExpires time.Time                  // expiry of the environment's credentials; zero if unknown
	isAnonymous        bool
	isSession          bool   // Config has temporary credentials
	isVended           bool   // Config.CredentialsFor
	vendRole           string // Config.VendRole
	requesterPays      bool   // Config.RequesterPays
	expectedOwner      string
	cdn                bool           // whether PublicURL names the provider's CDN
	kms                *option.KMSKey // from Config.KMSKey, for writes without WithKMSKey; nil means the bucket's default
	region             string
	keys               *signature.Keys
	clock              *serverclock.Clock
	server             *evidence.Server
	endpoint           *url.URL // root URL of the server; nil for Amazon S3, whose host depends on the region
	isOrderedHost      bool     // true if the host belongs to a provider that lists in byte order
	hasCustomResolver  bool     // true if the caller's endpoint resolver may send requests to another host
	pathStyle          bool
	profile            Profile
	hasProfile         bool                 // Config has a profile
	http               *http.Client         // nil if the SDK's configuration or client has its own
	ownsHTTP           bool                 // true if newAccount made http; the method close closes it
	rawTransport       *transport.Transport // transport of http; nil if only the SDK may send requests
	configClient       *awss3.Client        // Config.Client
	identity           any                  // accounts with equal identities can copy from one another on the server
}

// close closes the idle connections of the HTTP client, if newAccount made it.
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

// identify sets the account's identity. Objects are copied on the server only between accounts with
// equal identities. An account with a client or an aws.Config, which cannot be compared, has an
// identity of its own.
func (a *account) identify(c Config) {
	if c.Client != nil || c.AWS != nil {
		a.identity = a // a pointer that no other account has
		return
	}

	identity := sharedIdentity{owner: a.expectedOwner, pays: a.requesterPays}
	if a.endpoint != nil {
		identity.endpoint = a.endpoint.String()
	}
	switch {
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

// checkOwner returns an error if Config.ExpectedBucketOwner is not an id, or if the server does not
// check it.
func (a *account) checkOwner() error {
	owner := a.expectedOwner
	if owner == "" {
		return nil
	}
	// Other servers ignore the expected owner.
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

	// An account id of Amazon has 12 digits.
	const amazonDigits = 12
	isAmazonID := len(owner) == amazonDigits && strings.Trim(owner, "0123456789") == ""
	if a.isAmazon() && !isAmazonID {
		return argument.Invalid("Config.ExpectedBucketOwner", "must be an account id of 12 digits", "")
	}
	// On any other server, the id must fit into a header.
	isInvisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if strings.ContainsFunc(owner, isInvisible) {
		return argument.Invalid("Config.ExpectedBucketOwner", "must be visible ASCII characters", "")
	}
	return nil
}

// isAmazon reports whether the server is Amazon S3.
func (a *account) isAmazon() bool {
	if a.hasCustomResolver {
		return false
	}
	return a.endpoint == nil || isAmazonEndpoint(a.endpoint.String())
}

// checkCDN returns Unsupported if Config.CDN is set and the provider has no CDN whose host follows from
// the name of the bucket.
func (a *account) checkCDN() error {
	if !a.cdn || a.profile.CDNURL != "" {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  errors.New("Config.CDN: no CDN is known whose host follows from the bucket"),
		Hint: "name the host of the CDN by WithPublicBaseURL",
	}
}

// featureHint returns the hint for features that the profile does not declare. It is "" unless the
// server may still have them, because it is unknown or is an access point that may belong to FSx.
func (a *account) featureHint() string {
	row := a.profile.row()
	if row.isUnknown {
		return a.server.Hint()
	}
	if row.isAccessPoint {
		return "an access point may belong to an FSx volume: set profile=aws if it belongs to a bucket"
	}
	return ""
}

// signingHint returns the hint for an account that cannot sign, or "" if there is none.
func (a *account) signingHint() string {
	if a.profile.NoSigning {
		return a.featureHint()
	}
	return ""
}

// hasKnownOrder reports whether the server is known to list in byte order. The profile in Config is
// not enough, because it may be wrong for the server.
func (a *account) hasKnownOrder() bool {
	p := &a.profile
	if !p.OrderedListing {
		return false
	}
	if p.row().isAccessPoint || a.hasCustomResolver {
		// The requests may go to another server.
		return false
	}

	hasAmazonsEndpoint := a.endpoint == nil
	if hasAmazonsEndpoint || a.isOrderedHost {
		return true
	}

	// The server must have shown that it is the one of the profile. A profile of package s3probe has the
	// name of the profile that the probe began with, and ProbedSuffix.
	return p.Name != "" && a.server.Profile() == strings.TrimSuffix(p.Name, ProbedSuffix)
}

// canVend reports whether the account can get sessions for a bucket, as far as its credentials and
// configuration show.
func (a *account) canVend(bucket string) bool {
	if a.isAnonymous || a.isVended || a.hasCustomResolver {
		return false
	}
	if bucketname.IsARN(bucket) || bucketname.IsDirectory(bucket) {
		// Access points and directory buckets need another kind of name in a session's policy.
		return false
	}
	if a.isAmazon() && a.vendRole == "" {
		// Only a role can be assumed.
		return false
	}
	return a.profile.Sessions
}

// vendingHint returns the hint for an account that cannot vend credentials.
func (a *account) vendingHint() string {
	if a.isVended || a.isAnonymous {
		return "vend in a program that has credentials of its own"
	}
	if a.isAmazon() && a.vendRole == "" {
		return "set Config.VendRole (vend_role=) to the ARN of a role that the credentials may assume"
	}
	if a.profile.row().isUnknown {
		return a.featureHint()
	}
	return "the server is not known to have sessions with policies (AssumeRole of AWS STS)"
}

// currentCredentials returns the credentials with their expiry, if that is known. It adds the
// expiry of a session in the environment, which the SDK does not read.
func (a *account) currentCredentials(ctx context.Context) (aws.Credentials, error) {
	c, err := a.credentials.Retrieve(ctx)
	if err != nil {
		return c, err
	}
	isSession := c.SessionToken != "" && !c.CanExpire
	isOfEnvironment := c.Source == config.CredentialsSourceName
	if isSession && isOfEnvironment && !a.environmentExpires.IsZero() {
		c.CanExpire = true
		c.Expires = a.environmentExpires
	}
	return c, nil
}
