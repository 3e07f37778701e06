package gcs

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/named"
)

// An account holds the settings and clients for one endpoint and one credential. All of its buckets
// share them.
type account struct {
	client       *gcs.Client
	http         *http.Client // adds the credentials
	plainHTTP    *http.Client // adds no credentials; it is for requests that have a token already
	endpoint     *url.URL     // the server's root, without a path; nil means Google
	universe     string       // universe of the credentials, as far as it is known without a request
	project      string
	anonymous    bool
	isVended     bool          // Config.CredentialsFor
	credentials  *credentials  // nil if anonymous
	signerFinder *signerFinder // nil if the account cannot sign
	composite    bool          // Config.ParallelComposite
	kmsKey       string        // Config.KMSKey
	userProject  string        // Config.UserProject
	identity     any           // the server can copy objects between accounts that have an equal identity

	emulator     bool                 // true if the endpoint is that of STORAGE_EMULATOR_HOST
	ownTransport *transport.Transport // created here, and closed with the account; nil if Config has an HTTP client
}

// newAccount returns the account of a Config, without a request, and ignores Config.Bucket.
func newAccount(ctx context.Context, c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	c, err := withNamedCredentials(c)
	if err != nil {
		return nil, err
	}

	a := &account{
		project:     c.Project,
		anonymous:   c.Anonymous,
		composite:   c.ParallelComposite,
		kmsKey:      c.KMSKey,
		userProject: c.UserProject,
	}
	if err := a.resolveEndpoint(c); err != nil {
		return nil, err
	}

	if !a.anonymous {
		a.credentials, err = newCredentials(c)
		if err != nil {
			return nil, err
		}
		if c.TokenSource == nil && a.isGoogle() {
			a.credentials.universe = a.universe
		}
	}

	a.identify(c)
	a.signerFinder, err = newSignerFinder(c, a)
	if err != nil {
		return nil, err
	}
	if err := a.connect(ctx, c); err != nil {
		return nil, err
	}
	return a, nil
}

// checkConfig fails with InvalidArgument if a field of c is invalid, or if two fields exclude each
// other.
func checkConfig(c Config) error {
	if c.CredentialsFor != nil {
		return argument.Invalid("Config.CredentialsFor", "must be of a bucket: an account has no objects", "")
	}

	hasCredentials := c.CredentialsJSON != nil || c.TokenSource != nil
	if c.Credentials != "" && (hasCredentials || c.Anonymous) {
		return argument.Invalid("Config.Credentials", "must not be set with other credentials or Anonymous", "")
	}
	if c.CredentialsJSON != nil && c.TokenSource != nil {
		return argument.Invalid("Config.CredentialsJSON and Config.TokenSource", "must not both be set", "")
	}
	if hasCredentials && c.Anonymous {
		return argument.Invalid("Config.Anonymous", "must not be set together with credentials", "")
	}

	if strings.ContainsFunc(c.UserProject, isInvalidInBucket) {
		return argument.Invalid("Config.UserProject", "must be a project's name or number", "")
	}
	if c.KMSKey != "" {
		if err := checkKMSKey("Config.KMSKey", c.KMSKey); err != nil {
			return err
		}
	}
	return named.Credentials(c.Credentials).Check()
}

// connect creates the clients. They follow no redirects, because status 308 means that a resumable
// upload is not complete.
func (a *account) connect(ctx context.Context, c Config) error {
	a.http, a.ownTransport = transport.NewClient(c.HTTPClient)
	plain := *a.http // a copy, which keeps the Transport without the wrappers below
	a.plainHTTP = &plain

	// A request passes the adder first, then the responseChecker, and last the authorizer.
	if a.credentials != nil {
		a.http.Transport = &authorizer{base: a.http.Transport, credentials: a.credentials}
	}
	_, host, _ := strings.Cut(a.root(), "://")
	a.http.Transport = &adder{
		base:        &responseChecker{base: a.http.Transport, emulator: a.emulator},
		host:        host,
		userProject: a.userProject,
	}

	client, err := a.newClient(ctx)
	if err != nil {
		return argument.Invalid("Config", "must be valid for a client of the SDK", "")
	}

	// The engine repeats requests, so the SDK must not.
	client.SetRetry(gcs.WithPolicy(gcs.RetryNever))
	a.client = client
	return nil
}

// handleOf returns the SDK's handle of a bucket. The handle sends each request once, because the
// engine retries.
func (a *account) handleOf(bucket string) *gcs.BucketHandle {
	handle := a.client.Bucket(bucket).Retryer(gcs.WithPolicy(gcs.RetryNever))
	if a.userProject != "" {
		handle = handle.UserProject(a.userProject)
	}
	return handle
}

// newClient returns a client of the SDK that has no credentials. The HTTP client adds the
// credentials to each request. If the SDK were to find credentials, NewClient would already ask the
// metadata service.
func (a *account) newClient(ctx context.Context) (*gcs.Client, error) {
	return gcs.NewClient(ctx,
		option.WithHTTPClient(a.http),
		option.WithoutAuthentication(),
		option.WithEndpoint(a.root()+"/storage/v1/"),
		gcs.WithDisabledClientMetrics(),
	)
}

// close closes the idle connections that this account has opened.
func (a *account) close() error {
	if a.ownTransport != nil {
		a.ownTransport.CloseIdleConnections()
	}
	return nil
}

// A sharedIdentity compares equal for accounts that were opened separately with the same
// credential. The server can copy between the buckets of such accounts.
type sharedIdentity struct {
	endpoint, credential string
	userProject          string // must be equal, because a copy bills one project
}

// identify sets a.identity, which is equal for two accounts of the same server and credentials. A token
// source or an HTTP client cannot be compared, so an account with one of them is equal only to itself.
func (a *account) identify(c Config) {
	if c.TokenSource != nil || c.HTTPClient != nil {
		a.identity = a
		return
	}

	identity := sharedIdentity{endpoint: a.root(), userProject: a.userProject}
	switch {
	case a.anonymous:
		identity.credential = "anonymous"
	case c.CredentialsJSON != nil:
		identity.credential = "json " + fingerprint(c.CredentialsJSON)
	default:
		identity.credential = "default " + os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	}
	a.identity = identity
}
