package s3

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
)

// An account is what buckets of one endpoint and one credential have in common.
type account struct {
	client      *awss3.Client // makes one attempt of each request: retrying is the core's
	credentials aws.CredentialsProvider
	region      string // that requests are signed for
	keys        *signingKeys
	clock       *clock
	endpoint    *url.URL // the server's root; nil: Amazon S3, by region
	resolved    bool     // a resolver of the user's has the last word on where requests go
	pathStyle   bool
	profile     Profile
	chosen      bool // Config says which profile
	payer       bool // Config.RequesterPays
	anonymous   bool
	sessionEnds time.Time            // of the environment's credentials; zero: it does not say
	http        *http.Client         // nil where the SDK's configuration or client brought its own
	owned       bool                 // http was made here, and ends with the account
	direct      *transport.Transport // http's, where the lane is open; else nil
	inLambda    bool
	given       *awss3.Client // Config.Client
	identity    any           // equal for accounts between which the server can copy
}

// newAccount reads a Config; Config.Bucket has no say. It makes no request.
func newAccount(ctx context.Context, c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	s, err := settings(ctx, c)
	if err != nil {
		return nil, err
	}
	a := &account{anonymous: c.Anonymous, given: c.Client, payer: c.RequesterPays, chosen: c.Profile != nil, sessionEnds: sessionEnd(), keys: &signingKeys{}, clock: &clock{now: time.Now}}
	if err := a.place(c, &s); err != nil {
		return nil, err
	}
	a.setHTTP(c, &s)
	a.setCredentials(c, s)
	a.client = awss3.New(s, a.settle)
	return a, nil
}

func checkConfig(c Config) error {
	static := c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != ""
	switch {
	case c.Client != nil && c.AWS != nil:
		return argument.Invalid("Config.Client and Config.AWS", "exclude one another", "")
	case c.Client != nil && (static || c.Anonymous || c.HTTPClient != nil):
		return argument.Invalid("Config.Client", "brings credentials and HTTP client of its own", "")
	case static && c.Anonymous:
		return argument.Invalid("Config.Anonymous", "does not fit credentials", "")
	case c.RequesterPays && c.Anonymous:
		return argument.Invalid("Config.RequesterPays", "does not fit Anonymous: nobody would pay", "")
	case c.AWS != nil && c.AWS.Credentials != nil && (static || c.Anonymous):
		return argument.Invalid("Config.AWS", "brings credentials of its own", "set its Credentials to nil, or leave Config's away")
	case static && (c.AccessKeyID == "" || c.SecretKey == ""):
		return argument.Invalid("Config.AccessKeyID and Config.SecretKey", "must be given together", "")
	}
	return nil
}

// settle makes the client one that this package can rely on, whatever it was
// made of and whatever the environment says.
func (a *account) settle(o *awss3.Options) {
	o.Region = a.region
	o.UsePathStyle = a.pathStyle
	if a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
	//lint:ignore SA1019 what it has to say was asked once, in endpointOf
	o.EndpointResolver = nil
	o.Credentials = a.credentials
	if a.http != nil {
		o.HTTPClient = a.http
	}
	o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
	// Sums are set in headers by each call, or not at all: a trailer would be
	// refused by half of the servers that speak S3.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	if a.given == nil && o.ClientLogMode == 0 { // else Config.AWS asks for it
		o.Logger, o.ClientLogMode = logging.Nop{}, 0
	}
	if !o.DisableClockSkewCorrection {
		o.APIOptions = append(o.APIOptions, a.clock.listen)
	}
	if a.profile.UnsignedEncoding {
		o.APIOptions = append(o.APIOptions, withUnsignedEncoding)
	}
	if a.payer {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(payerHeader, requester))
	}
}

// close ends what was opened here.
func (a *account) close() error {
	if a.owned {
		a.http.CloseIdleConnections()
	}
	return nil
}

// sharedIdentity makes accounts equal that were opened separately with one
// credential: a copy between their buckets need not pass through this process.
type sharedIdentity struct {
	endpoint, credential string
}

func (a *account) identify(c Config) {
	endpoint := ""
	if a.endpoint != nil {
		endpoint = a.endpoint.String()
	}
	switch {
	case c.Client != nil || c.AWS != nil:
		a.identity = a
	case c.Anonymous:
		a.identity = sharedIdentity{endpoint, "anonymous"}
	case c.AccessKeyID != "":
		a.identity = sharedIdentity{endpoint, "key " + c.AccessKeyID}
	default:
		a.identity = sharedIdentity{endpoint, "chain " + os.Getenv("AWS_ACCESS_KEY_ID") + " " + os.Getenv("AWS_PROFILE")}
	}
}
