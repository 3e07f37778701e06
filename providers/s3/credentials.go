package s3

import (
	"cmp"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/named"
	"github.com/omnibucket/storage/providers/s3/internal/credential"
	"github.com/omnibucket/storage/providers/s3/internal/httpclient"
)

// sdkOptions returns the SDK's options, which come from Config.Client, from Config.AWS, or from the
// default chain.
func sdkOptions(ctx context.Context, c Config) (awss3.Options, error) {
	if c.Client != nil {
		return c.Client.Options(), nil
	}
	if c.AWS != nil {
		return sdkConfig(*c.AWS), nil
	}
	hasCredentials := c.Anonymous || c.AccessKeyID != ""
	if !hasCredentials {
		if c.Credentials != "" {
			return loadDefaultChain(ctx, c, config.WithSharedConfigProfile(c.Credentials))
		}
		return loadDefaultChain(ctx, c)
	}

	// setCredentials sets the credentials of the Config, so the chain must look for none.
	isAmazon := c.Endpoint == ""
	if isAmazon {
		return loadDefaultChain(ctx, c, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	// The environment describes how to reach Amazon. For another server, only its certificates apply, and
	// none if the caller's own HTTP client sends the requests.
	if c.HTTPClient != nil {
		return awss3.Options{}, nil
	}
	return httpclient.OptionsWithCABundle()
}

// withNamedCredentials returns c with the credentials in the environment variables that begin with
// the name c.Credentials. If the shared files of AWS have a profile with this name, c stays as it
// is, and sdkOptions reads the profile.
func withNamedCredentials(ctx context.Context, c Config) (Config, error) {
	if c.Credentials == "" {
		return c, nil
	}

	// A profile of the shared files comes before the variables. Another profile, which this one names
	// as its source, may be missing, too. loadDefaultChain reports such errors of the files.
	_, err := config.LoadSharedConfigProfile(ctx, c.Credentials, credential.SharedFiles)
	missingErr, ok := errors.AsType[config.SharedConfigProfileNotExistError](err)
	isMissing := ok && missingErr.Profile == c.Credentials
	if !isMissing {
		return c, nil
	}

	name := named.Credentials(c.Credentials)
	c.AccessKeyID = name.Get("AWS_ACCESS_KEY_ID")
	c.SecretKey = name.Get("AWS_SECRET_ACCESS_KEY")
	c.SessionToken = name.Get("AWS_SESSION_TOKEN")
	c.Region = cmp.Or(c.Region, name.Get("AWS_REGION"))
	if c.AccessKeyID == "" || c.SecretKey == "" {
		return c, name.Missing(
			name.Variable("AWS_ACCESS_KEY_ID")+" and "+name.Variable("AWS_SECRET_ACCESS_KEY"),
			"add the profile "+c.Credentials+" to the shared files of AWS",
		)
	}
	return c, nil
}

// loadDefaultChain loads the default chain from the environment and files, but sends no request
// before a request must be signed.
func loadDefaultChain(ctx context.Context, c Config, opts ...func(*config.LoadOptions) error) (awss3.Options, error) {
	opts = append(
		opts,
		// This replaces a mode that the environment has set. With the mode "auto", the SDK would request
		// the region from the metadata service immediately.
		config.WithDefaultsMode(aws.DefaultsModeStandard),
		config.WithCredentialsCacheOptions(credential.ReplaceEarly),
		// A library must print nothing, and the errors say everything.
		config.WithLogger(logging.Nop{}),
	)
	// Another server must not get the credentials of Amazon's metadata service.
	if c.Endpoint != "" && !isAmazonEndpoint(c.Endpoint) {
		opts = append(opts, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}

	withCABundle, err := httpclient.ChainWithCABundle()
	if err != nil {
		return awss3.Options{}, err
	}
	opts = append(opts, withCABundle...)

	loaded, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return awss3.Options{}, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  err,
			Hint: "check the AWS settings in the environment and the shared files",
		}
	}
	return sdkConfig(loaded), nil
}

// sdkConfig returns the options that the SDK makes from a configuration, with its endpoint for S3,
// but keeps the HTTP client of the user. The SDK would add timeouts to a BuildableClient, and hide
// whether the user had set any.
func sdkConfig(c aws.Config) awss3.Options {
	userClient := c.HTTPClient
	if _, isDefault := httpclient.IsDefaultExceptTLS(userClient); isDefault {
		// The SDK then makes a default client of its own, which is replaced below.
		c.HTTPClient = nil
	}

	// The SDK calls the service options in their order. The first one sees the client that the SDK has
	// made, and the user's ones may replace that client.
	var clientOfSDK *awshttp.BuildableClient
	recordClient := func(_ string, o any) {
		clientOfSDK, _ = o.(*awss3.Options).HTTPClient.(*awshttp.BuildableClient)
	}
	c.ServiceOptions = append([]func(string, any){recordClient}, c.ServiceOptions...)

	o := awss3.NewFromConfig(c).Options()
	finalClient, _ := o.HTTPClient.(*awshttp.BuildableClient)
	isClientOfSDK := finalClient != nil && finalClient == clientOfSDK
	if isClientOfSDK {
		o.HTTPClient = userClient
	}
	return o
}

// setCredentials sets the credentials of the account, and how refused ones are replaced. s has the
// SDK's options, with the default chain.
func (a *account) setCredentials(c Config, s awss3.Options) {
	a.identify(c)
	if c.Anonymous {
		a.credentials = aws.AnonymousCredentials{}
		return
	}
	if c.AccessKeyID != "" {
		a.credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretKey, c.SessionToken)
		a.isSession = c.SessionToken != ""
		return
	}
	if s.Credentials == nil {
		// The caller's client or configuration has no credentials.
		a.isAnonymous = true
		a.credentials = aws.AnonymousCredentials{}
		return
	}

	// The caller's client or configuration may itself be anonymous.
	if aws.IsCredentialsProvider(s.Credentials, aws.AnonymousCredentials{}) {
		a.isAnonymous = true
	}
	if a.isAnonymous {
		a.credentials = s.Credentials
		return
	}
	if a.isForeignMetadata(c, s.Credentials) {
		// Credentials of Amazon's metadata service are not for this server.
		a.credentials = credential.Empty{Hint: credentialsHint(c)}
		return
	}

	// Other credentials may be replaced by new ones after a refusal.
	a.renewer = credential.NewRenewer(s.Credentials, a.reloader(c))
	// The renewer also signs, unless the caller may have set a signer, which must stay.
	a.renewer.Signs = !mayChangeRequests(c)
	a.credentials = credential.Errors{Provider: a.renewer, Hint: credentialsHint(c)}
}

// isForeignMetadata reports whether p, the credentials of the default chain, would send credentials of
// Amazon's metadata service to a server that is not Amazon's.
func (a *account) isForeignMetadata(c Config, p aws.CredentialsProvider) bool {
	if c.Client != nil || c.AWS != nil {
		return false
	}
	if a.endpoint == nil || isAmazonEndpoint(a.endpoint.String()) {
		return false
	}
	return credential.FromMetadata(p)
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
		if err != nil {
			return nil, err
		}
		// The server must not get the credentials of Amazon's metadata service if it is not Amazon's.
		if s.Credentials == nil || a.isForeignMetadata(c, s.Credentials) {
			return nil, storage.Unauthenticated
		}
		return s.Credentials, nil
	}
}

// credentialsHint says what to do if the chain of a Config finds no credentials.
func credentialsHint(c Config) string {
	if c.Credentials != "" {
		return "check what the profile " + c.Credentials + " says of credentials in the shared files of AWS"
	}
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or anonymous=true for a public bucket"
}
