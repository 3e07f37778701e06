package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/named"
	"github.com/omnibucket/storage/providers/internal/vended"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/credential"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// Open opens a bucket and sends no request. If the bucket does not exist, the first
// operation fails with BucketNotFound. If c is not valid, or the region is unknown, Open
// fails with InvalidArgument.
//
// Open a bucket once and share it, because each call of Open makes new connections and reads the
// environment again. For many buckets of one account, use [NewService].
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver opens a bucket like [Open], and returns its driver for [engine.New].
func NewDriver(ctx context.Context, c Config) (driver.Driver, error) {
	if c.Bucket == "" {
		return nil, argument.Invalid("Config.Bucket", "must not be empty", "")
	}
	if err := bucketname.Check(c.Bucket); err != nil {
		return nil, err
	}
	if c.CredentialsFor != nil {
		return openVended(ctx, c)
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}

	// An endpoint "bucket.host" is a mistake if "host" is that of a known provider.
	if a.endpoint != nil && strings.HasPrefix(a.endpoint.Host, c.Bucket+".") {
		_, _, isKnown := profileOfHost(strings.TrimPrefix(a.endpoint.Hostname(), c.Bucket+"."))
		if isKnown {
			_ = a.close()
			return nil, argument.Invalid("endpoint", "must be the server's, without the bucket's name", "remove "+c.Bucket+".")
		}
	}
	return newDriver(a.bucketAccount(c.Bucket), c.Bucket), nil
}

// openVended opens a bucket that signs each request with the credentials that Config.CredentialsFor
// returns for its key.
func openVended(ctx context.Context, c Config) (driver.Driver, error) {
	if c.hasOtherCredentials() {
		return nil, argument.Invalid("Config.CredentialsFor", "must not be set with other credentials, AWS or Client", "")
	}

	// Open a driver with credentials that are never used, because NewDriver needs some. They are
	// replaced below.
	credentialsFor := c.CredentialsFor
	c.CredentialsFor = nil
	c.AccessKeyID = "none"
	c.SecretKey = "none"
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}

	account := d.(*objectDriver).account
	// The server copies only between buckets with equal identities. This identity is unique, so the
	// server copies only inside this bucket.
	account.identity = account
	account.isVended = true

	// For each request, the driver takes the credentials that CredentialsFor returns for its key.
	keys := vended.NewKeyring(func(ctx context.Context, key string) (*vended.Grant[aws.Credentials], error) {
		creds, err := credentialsFor(ctx, key)
		if err != nil {
			return nil, err
		}
		return newGrant(creds)
	})
	account.credentials = aws.CredentialsProviderFunc(keys.Credentials)
	account.client = sdkcall.CloneClient(account.client, func(o *awss3.Options) {
		o.Credentials = account.credentials
	})
	return vended.New(d, keys), nil
}

// hasOtherCredentials reports whether c has any credentials besides CredentialsFor.
func (c *Config) hasOtherCredentials() bool {
	if c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != "" {
		return true
	}
	return c.Anonymous || c.Credentials != "" || c.AWS != nil || c.Client != nil
}

// newGrant converts credentials that Config.CredentialsFor has returned to the form that a keyring
// keeps.
func newGrant(creds PrefixCredentials) (*vended.Grant[aws.Credentials], error) {
	if creds.AccessKeyID == "" || creds.SecretKey == "" {
		return nil, errors.New("CredentialsFor has returned no AccessKeyID or SecretKey")
	}
	return &vended.Grant[aws.Credentials]{
		Prefix:  creds.Prefix,
		Expires: creds.Expires,
		Credentials: aws.Credentials{
			AccessKeyID:     creds.AccessKeyID,
			SecretAccessKey: creds.SecretKey,
			SessionToken:    creds.SessionToken,
			CanExpire:       !creds.Expires.IsZero(),
			Expires:         creds.Expires,
			Source:          "CredentialsFor",
		},
	}, nil
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
	options, err := sdkOptions(ctx, c)
	if err != nil {
		return nil, err
	}

	a := &account{
		isAnonymous:        c.Anonymous,
		configClient:       c.Client,
		requesterPays:      c.RequesterPays,
		vendRole:           c.VendRole,
		expectedOwner:      c.ExpectedBucketOwner,
		cdn:                c.CDN,
		hasProfile:         c.Profile != nil,
		environmentExpires: credential.EnvironmentExpiry(),
		keys:               &signature.Keys{},
		clock:              &serverclock.Clock{Now: time.Now},
		server:             &evidence.Server{},
		deniedAt:           &atomic.Pointer[time.Time]{},
	}

	// Find the server and its profile, and check the settings that depend on the profile.
	if err := a.resolveEndpoint(c, &options); err != nil {
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

	a.setHTTP(c, &options)
	a.setCredentials(c, options)
	a.client = awss3.New(options, a.configureClient)
	return a, nil
}

// checkConfig refuses fields of c that are invalid or contradict each other.
func checkConfig(c Config) error {
	hasKeys := c.AccessKeyID != "" || c.SecretKey != "" || c.SessionToken != ""
	// Anonymous is a choice of credentials, too.
	hasCredentials := hasKeys || c.Anonymous
	switch {
	// For a bucket, openVended has cleared this field.
	case c.CredentialsFor != nil:
		return argument.Invalid("Config.CredentialsFor", "must be of a bucket: an account has no keys", "")
	case c.VendRole != "" && !strings.HasPrefix(c.VendRole, "arn:"):
		return argument.Invalid("Config.VendRole (vend_role=)", "must be the ARN of a role", "")
	case c.Client != nil && c.AWS != nil:
		return argument.Invalid("Config.Client and Config.AWS", "exclude each other", "")
	case c.Client != nil && (hasCredentials || c.HTTPClient != nil):
		return argument.Invalid("Config.Client", "has its own credentials and HTTP client", "")
	case hasKeys && c.Anonymous:
		return argument.Invalid("Config.Anonymous", "must not be set with credentials", "")
	case c.RequesterPays && c.Anonymous:
		return argument.Invalid("Config.RequesterPays", "must not be set with Anonymous: nobody would pay", "")
	case c.AWS != nil && c.AWS.Credentials != nil && hasCredentials:
		return argument.Invalid("Config.AWS", "has its own credentials",
			"set its Credentials to nil, or remove those of Config")
	case c.Credentials != "" && (hasCredentials || c.AWS != nil || c.Client != nil):
		return argument.Invalid("Config.Credentials", "must not be set with other credentials, AWS or Client", "")
	case hasKeys && (c.AccessKeyID == "" || c.SecretKey == ""):
		return argument.Invalid("Config.AccessKeyID and Config.SecretKey", "must be set together", "")
	}
	return named.Credentials(c.Credentials).Check()
}

// configureClient sets the options that this package needs. They replace those of the caller's
// client and of the environment.
func (a *account) configureClient(o *awss3.Options) {
	o.Region = a.region
	o.UsePathStyle = a.pathStyle
	o.Credentials = a.credentials

	if a.endpoint != nil {
		o.BaseEndpoint = aws.String(a.endpoint.String())
	}
	//lint:ignore SA1019 endpointOf has resolved the endpoint already
	o.EndpointResolver = nil

	if a.http != nil {
		o.HTTPClient = a.http
	}

	// The engine retries, so the SDK must not.
	o.Retryer = aws.NopRetryer{}
	o.RetryMaxAttempts = 0
	// The driver itself adds a checksum to those requests that need one. By default the SDK would
	// send checksums in trailers, which half of the S3 servers refuse.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	// A caller who wants logs has set a ClientLogMode.
	if a.configClient == nil && o.ClientLogMode == 0 {
		o.Logger = logging.Nop{}
	}

	a.addMiddleware(o)
}

// addMiddleware makes the client observe each response, and adds the headers that the account's
// settings need.
func (a *account) addMiddleware(o *awss3.Options) {
	correctsSkew := !o.DisableClockSkewCorrection
	o.APIOptions = append(o.APIOptions, sdkcall.WithResponse(func(operation string, response *http.Response) error {
		a.server.Observe(response.Header)
		a.renewer.Observe(response) // does nothing without a renewer
		if correctsSkew {
			a.clock.Observe(response)
		}
		return evidence.Check(operation, response, a.profile.identifies)
	}))

	if a.renewer != nil {
		a.renewer.Configure(o)
	}
	if a.profile.UnsignedEncoding {
		o.APIOptions = append(o.APIOptions, sdkcall.WithUnsignedEncoding)
	}
	if a.requesterPays {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(rawclient.PayerHeader, sdkcall.Requester))
	}
	if a.expectedOwner != "" {
		o.APIOptions = append(o.APIOptions, sdkcall.WithExpectedOwner(a.expectedOwner))
	}
}

// setEncryption sets the key with which the server encrypts new objects, from Config.KMSKey and
// Config.BucketKey.
func (a *account) setEncryption(c Config) error {
	if c.KMSKey == "" {
		if c.BucketKey {
			return argument.Invalid("Config.BucketKey", "needs a KMSKey", "")
		}
		return nil
	}
	if err := option.CheckKMSKey("Config.KMSKey", c.KMSKey); err != nil {
		return err
	}
	if c.Anonymous {
		return argument.Invalid("Config.KMSKey", "must not be set with Anonymous: KMS needs a signature", "")
	}
	a.kms = &option.KMSKey{Argument: "Config.KMSKey", ID: &c.KMSKey, BucketKey: c.BucketKey}
	return a.optionServer().CheckKMS(a.kms.Argument)
}
