package s3

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// settings are the SDK's, of what the Config brings: a client, a configuration,
// or the default chain where nothing says who asks.
func settings(ctx context.Context, c Config) (awss3.Options, error) {
	switch {
	case c.Client != nil:
		return c.Client.Options(), nil
	case c.AWS != nil:
		return fromConfig(*c.AWS), nil
	case c.Anonymous || c.AccessKeyID != "":
		// The environment says where and how Amazon is reached, whatever else
		// Config says; of another server it says no more than whom to trust.
		switch {
		case c.Endpoint != "" && c.HTTPClient != nil:
			return awss3.Options{}, nil
		case c.Endpoint != "":
			return trustedByEnvironment()
		}
		return fromChain(ctx, c, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	return fromChain(ctx, c)
}

// fromChain loads the default chain. It reads the environment and files; no
// request is made before the first one that must be signed.
func fromChain(ctx context.Context, c Config, with ...func(*config.LoadOptions) error) (awss3.Options, error) {
	// The mode "auto" of the environment would ask the metadata service for the
	// region while loading.
	with = append(with, config.WithDefaultsMode(aws.DefaultsModeStandard))
	if c.Endpoint != "" && !amazonEndpoint(c.Endpoint) {
		with = append(with, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	loaded, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return awss3.Options{}, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "the environment's or the shared files' settings for AWS cannot be read"}
	}
	return fromConfig(loaded), nil
}

// fromConfig is what the SDK makes of a configuration, its endpoint for S3
// included, but for the HTTP client: the SDK puts timeouts of its own into one
// that can be built upon, and what the user chose could not be told any more.
func fromConfig(c aws.Config) awss3.Options {
	chosen := c.HTTPClient
	if _, standard := standardButTLS(chosen); standard {
		c.HTTPClient = nil
	}
	var made *awshttp.BuildableClient
	c.ServiceOptions = append([]func(string, any){func(_ string, o any) {
		made, _ = o.(*awss3.Options).HTTPClient.(*awshttp.BuildableClient)
	}}, c.ServiceOptions...)
	o := awss3.NewFromConfig(c).Options()
	if now, _ := o.HTTPClient.(*awshttp.BuildableClient); now != nil && now == made { // no service option chose another
		o.HTTPClient = chosen
	}
	return o
}

// setCredentials settles who asks.
func (a *account) setCredentials(c Config, s awss3.Options) {
	a.identify(c)
	switch {
	case c.Anonymous:
		a.credentials = aws.AnonymousCredentials{}
		return
	case c.AccessKeyID != "":
		a.credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretKey, c.SessionToken)
		return
	case s.Credentials == nil: // of a client or configuration that has none
		a.anonymous, a.credentials = true, aws.AnonymousCredentials{}
		return
	case aws.IsCredentialsProvider(s.Credentials, aws.AnonymousCredentials{}):
		a.anonymous = true
	}
	a.credentials = s.Credentials
	if a.anonymous {
		return
	}
	if c.Client == nil && c.AWS == nil && a.endpoint != nil && !amazonEndpoint(a.endpoint.String()) && fromMetadata(s.Credentials) {
		a.credentials = noCredentials{}
		return
	}
	a.credentials = namedCredentials{s.Credentials}
}

// fromMetadata reports whether credentials would be asked of a metadata service
// of Amazon's: of the instance's, or of the container's.
func fromMetadata(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*ec2rolecreds.Provider)(nil)) || aws.IsCredentialsProvider(p, (*endpointcreds.Provider)(nil))
}

const credentialsHint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or anonymous=true for a public bucket"

// noCredentials stand for Amazon's own where the server is not Amazon's.
type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, &storage.Error{Code: storage.Unauthenticated, Hint: credentialsHint}
}

// namedCredentials say of a failure that it is one of the credentials: the SDK
// would have it look like one of the request.
type namedCredentials struct{ from aws.CredentialsProvider }

func (n namedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := n.from.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return c, err
	}
	if passes(err) {
		return c, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err, Hint: "the service that gives the credentials did not answer"}
	}
	return c, &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: credentialsHint}
}

// passes reports whether credentials may be had a moment later: whoever gives them
// answered with a failure of its own, or did not answer. The metadata service is not
// there on most machines: only its answers count.
func passes(err error) bool {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.Response != nil {
		return sdkerror.IsRetryable(sdkerror.CodeFromStatus(answer.HTTPStatusCode()))
	}
	var call *smithy.OperationError
	if errors.As(err, &call) && call.Service() == imds.ServiceID {
		return false
	}
	var unsent *smithyhttp.RequestSendError
	return errors.As(err, &unsent)
}
