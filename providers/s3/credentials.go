package s3

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/named"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// sdkOptions returns the SDK's options, which come from Config.Client, from Config.AWS or from the
// default chain.
func sdkOptions(ctx context.Context, c Config) (awss3.Options, error) {
	if c.Client != nil {
		return c.Client.Options(), nil
	}
	if c.AWS != nil {
		return sdkConfig(*c.AWS), nil
	}
	if c.Anonymous || c.AccessKeyID != "" {
		// The environment describes how to reach Amazon. For another server, only the certificates
		// in the environment apply.
		if c.Endpoint != "" && c.HTTPClient != nil {
			return awss3.Options{}, nil
		}
		if c.Endpoint != "" {
			return optionsWithCABundle()
		}
		return loadDefaultChain(ctx, c, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	if c.Credentials != "" {
		return loadDefaultChain(ctx, c, config.WithSharedConfigProfile(c.Credentials))
	}
	return loadDefaultChain(ctx, c)
}

// withNamedCredentials returns c with the credentials that c.Credentials names. They come from environment
// variables that begin with this name. But if the shared files of AWS have a profile with this
// name, withNamedCredentials returns c unchanged, and sdkOptions reads the profile.
func withNamedCredentials(ctx context.Context, c Config) (Config, error) {
	if c.Credentials == "" {
		return c, nil
	}
	_, err := config.LoadSharedConfigProfile(ctx, c.Credentials, sharedFiles)
	if missingErr, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); !ok ||
		missingErr.Profile != c.Credentials {
		return c, nil // loadDefaultChain reports the error in the files
	}
	name := named.Credentials(c.Credentials)
	c.AccessKeyID, c.SecretKey, c.SessionToken = name.Get("AWS_ACCESS_KEY_ID"), name.Get("AWS_SECRET_ACCESS_KEY"),
		name.Get("AWS_SESSION_TOKEN")
	c.Region = cmp.Or(c.Region, name.Get("AWS_REGION"))
	if c.AccessKeyID == "" || c.SecretKey == "" {
		return c, name.Missing(
			name.Variable("AWS_ACCESS_KEY_ID")+" and "+name.Variable("AWS_SECRET_ACCESS_KEY"),
			"add the profile "+c.Credentials+" to the shared files of AWS",
		)
	}
	return c, nil
}

// sharedFiles makes the SDK load the shared files of AWS that environment variables name, instead
// of the default files.
func sharedFiles(o *config.LoadSharedConfigOptions) {
	o.Logger = logging.Nop{}
	env, _ := config.NewEnvConfig() // loadDefaultChain reports a variable that is not valid
	if env.SharedConfigFile != "" {
		o.ConfigFiles = []string{env.SharedConfigFile}
	}
	if env.SharedCredentialsFile != "" {
		o.CredentialsFiles = []string{env.SharedCredentialsFile}
	}
}

// loadDefaultChain loads the default chain from the environment and files. It sends no request
// until a request must be signed.
func loadDefaultChain(ctx context.Context, c Config, opts ...func(*config.LoadOptions) error) (awss3.Options, error) {
	// DefaultsModeStandard replaces a mode that the environment has set. With the mode "auto", the
	// SDK would request the region from the metadata service immediately.
	opts = append(
		opts, config.WithDefaultsMode(aws.DefaultsModeStandard), config.WithCredentialsCacheOptions(replaceEarly),
		config.WithLogger(logging.Nop{}),
	) // a library must print nothing, and the errors say everything
	if c.Endpoint != "" && !amazonEndpoint(c.Endpoint) {
		opts = append(opts, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	bundle, err := chainWithCABundle()
	if err != nil {
		return awss3.Options{}, err
	}
	loaded, err := config.LoadDefaultConfig(ctx, append(opts, bundle...)...)
	if err != nil {
		return awss3.Options{}, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  err,
			Hint: "check the AWS settings in the environment and the shared files",
		}
	}
	return sdkConfig(loaded), nil
}

// replaceEarly makes the SDK replace credentials half a minute before they expire, or earlier: S3 refuses a request
// that was signed before the expiry and arrives after it.
func replaceEarly(o *aws.CredentialsCacheOptions) {
	o.ExpiryWindow = max(o.ExpiryWindow, 30*time.Second)
}

// sdkConfig returns the options that the SDK makes from a configuration, including its endpoint
// for S3. It keeps the user's HTTP client as it is. The SDK would add timeouts to a
// BuildableClient, and hide whether the user had set any.
func sdkConfig(c aws.Config) awss3.Options {
	client := c.HTTPClient
	if _, standard := isDefaultExceptTLS(client); standard {
		c.HTTPClient = nil
	}
	var made *awshttp.BuildableClient
	c.ServiceOptions = append([]func(string, any){func(_ string, o any) {
		made, _ = o.(*awss3.Options).HTTPClient.(*awshttp.BuildableClient)
	}}, c.ServiceOptions...)
	o := awss3.NewFromConfig(c).Options()
	if final, _ := o.HTTPClient.(*awshttp.BuildableClient); final != nil &&
		final == made { // no service option has replaced the client that the SDK made
		o.HTTPClient = client
	}
	return o
}

func (a *account) setCredentials(c Config, s awss3.Options) {
	a.identify(c)
	switch {
	case c.Anonymous:
		a.credentials = aws.AnonymousCredentials{}
		return
	case c.AccessKeyID != "":
		a.credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretKey, c.SessionToken)
		a.isSession = c.SessionToken != ""
		return
	case s.Credentials == nil: // the caller's client or configuration has no credentials
		a.anonymous = true
		a.credentials = aws.AnonymousCredentials{}
		return
	case aws.IsCredentialsProvider(s.Credentials, aws.AnonymousCredentials{}):
		a.anonymous = true
	}
	a.credentials = s.Credentials
	if a.anonymous {
		return
	}
	if a.isForeignMetadata(c, s.Credentials) {
		a.credentials = emptyProvider{credentialsHint(c)}
		return
	}
	a.renewer = newRenewer(s.Credentials, a.reloader(c))
	a.renewer.signs = c.Client == nil &&
		(c.AWS == nil || len(c.AWS.ServiceOptions) == 0) // keep a signer that the client or ServiceOptions may have
	a.credentials = credentialErrors{a.renewer, credentialsHint(c)}
}

// isForeignMetadata reports whether a chain would send credentials of Amazon's metadata service to another server.
func (a *account) isForeignMetadata(c Config, p aws.CredentialsProvider) bool {
	return c.Client == nil && c.AWS == nil && a.endpoint != nil && !amazonEndpoint(a.endpoint.String()) &&
		fromMetadata(p)
}

// reloader returns a function that reads the default chain of a Config again, because the SDK reads
// the shared files only once. It returns nil if the credentials come from Config.Client or
// Config.AWS.
func (a *account) reloader(c Config) func(context.Context) (aws.CredentialsProvider, error) {
	if c.Client != nil || c.AWS != nil {
		return nil
	}
	return func(ctx context.Context) (aws.CredentialsProvider, error) {
		s, err := sdkOptions(ctx, c)
		if err == nil && (s.Credentials == nil || a.isForeignMetadata(c, s.Credentials)) {
			err = storage.Unauthenticated
		}
		return s.Credentials, err
	}
}

// fromMetadata reports whether credentials come from a metadata service of Amazon's: that
// of the instance or of the container.
func fromMetadata(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*ec2rolecreds.Provider)(nil)) ||
		aws.IsCredentialsProvider(p, (*endpointcreds.Provider)(nil))
}

// credentialsHint says what to do if the chain of a Config has no credentials.
func credentialsHint(c Config) string {
	if c.Credentials != "" {
		return "check what the profile " + c.Credentials + " says of credentials in the shared files of AWS"
	}
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or anonymous=true for a public bucket"
}

// emptyProvider is a provider without credentials. It takes the place of Amazon's metadata service
// if the server is not Amazon's.
type emptyProvider struct{ hint string }

func (n emptyProvider) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, &storage.Error{Code: storage.Unauthenticated, Hint: n.hint}
}

// A credentialErrors is a provider of credentials. It returns the credentials of another provider,
// and translates the errors of that provider. Without the translation, the SDK would only report
// that the request failed.
type credentialErrors struct {
	provider aws.CredentialsProvider
	hint     string // hint if there are no credentials
}

func (n credentialErrors) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := n.provider.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return c, err
	}
	if isTemporary(err) {
		return c, &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       err,
			Hint:      "check the service that provides the credentials: it did not respond",
		}
	}
	return c, &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: n.hint}
}

// isTemporary reports whether retrieving credentials may succeed later. This is so if the service
// that provides them failed or did not respond. There is one exception: most machines have no
// metadata service for instances, so a missing response of this service is not temporary.
func isTemporary(err error) bool {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.Response != nil &&
		response.Response.Response != nil {
		return sdkerror.IsRetryable(sdkerror.CodeFromStatus(response.HTTPStatusCode()))
	}
	if call, ok := errors.AsType[*smithy.OperationError](err); ok && call.Service() == imds.ServiceID {
		return false
	}
	return s3error.IsUnsent(err)
}

// longestSession limits how long a signed URL is valid if temporary credentials of unknown expiry
// sign it. The session of a role lasts for 12 hours at most.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const longestSession = 12 * time.Hour

// environmentExpiry returns the time at which the credentials of the environment expire, or zero if
// it is unknown. The command "aws configure export-credentials --format env" sets
// AWS_CREDENTIAL_EXPIRATION, which the SDK does not read.
func environmentExpiry() time.Time {
	end, err := time.Parse(time.RFC3339, os.Getenv("AWS_CREDENTIAL_EXPIRATION"))
	if err != nil {
		return time.Time{}
	}
	return end.UTC()
}
