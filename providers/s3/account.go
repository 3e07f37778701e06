package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/omnibucket/storage/internal/address"
	"github.com/omnibucket/storage/internal/invalid"
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
	pathStyle   bool
	profile     Profile
	anonymous   bool
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
	a := &account{anonymous: c.Anonymous, given: c.Client, keys: &signingKeys{}, clock: &clock{now: time.Now}}
	if err := a.place(c, s); err != nil {
		return nil, err
	}
	a.setHTTP(c, s)
	a.setCredentials(c, s)
	a.client = awss3.New(s, a.settle)
	return a, nil
}

// setHTTP settles by what requests are made.
func (a *account) setHTTP(c Config, s awss3.Options) {
	if c.HTTPClient == nil && s.HTTPClient != nil {
		return
	}
	var own *transport.Transport
	a.http, own = transport.NewClient(c.HTTPClient)
	a.owned = own != nil
	if a.owned && isUsual(c, &s) {
		a.direct = own
		_, a.inLambda = os.LookupEnv("AWS_LAMBDA_FUNCTION_NAME")
	}
}

func checkConfig(c Config) error {
	static := c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != ""
	switch {
	case c.Client != nil && c.AWS != nil:
		return invalid.Argument("Config.Client and Config.AWS", "exclude one another", "")
	case c.Client != nil && (static || c.Anonymous || c.HTTPClient != nil):
		return invalid.Argument("Config.Client", "brings credentials and HTTP client of its own", "")
	case static && c.Anonymous:
		return invalid.Argument("Config.Anonymous", "does not fit credentials", "")
	case static && (c.AccessKeyID == "" || c.SecretKey == ""):
		return invalid.Argument("Config.AccessKeyID and Config.SecretKey", "must be given together", "")
	}
	return nil
}

// place settles where the server is, what it is, and how it is addressed.
func (a *account) place(c Config, s awss3.Options) error {
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = aws.ToString(s.BaseEndpoint)
	}
	host := ""
	if endpoint != "" {
		u, err := parseEndpoint(endpoint)
		if err != nil {
			return err
		}
		a.endpoint, host = u, u.Hostname()
	}
	a.profile, a.region = profileAt(c.Profile, host)
	switch {
	case c.Region != "":
		a.region = c.Region
	case s.Region != "" && (c.Endpoint == "" || c.AWS != nil || c.Client != nil):
		a.region = s.Region // else the environment's, which is Amazon's
	}
	if a.region == "" && host != "" {
		a.region = "us-east-1"
	}
	if a.region == "" {
		return invalid.Argument("region", "is not known", "set Config.Region, region= in the address, or AWS_REGION")
	}
	a.pathStyle = !a.profile.VirtualHost || s.UsePathStyle && c.Client != nil || isNumberOrLocal(host)
	if c.PathStyle != nil {
		a.pathStyle = *c.PathStyle
	}
	return nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return nil, invalid.Argument("endpoint", "must be the server's root, as https://host or http://host:port", "")
	}
	return u, nil
}

// isNumberOrLocal reports whether a bucket's name cannot stand before host.
func isNumberOrLocal(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil
}

// settle makes the client one that this package can rely on, whatever it was
// made of and whatever the environment says.
func (a *account) settle(o *awss3.Options) {
	o.Region = a.region
	o.UsePathStyle = a.pathStyle
	if a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
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
	if a.given == nil {
		o.Logger, o.ClientLogMode = logging.Nop{}, 0
	}
	if a.profile.UnsignedEncoding {
		o.APIOptions = append(o.APIOptions, withUnsignedEncoding)
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
