package gcs

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage/internal/address"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/transport"
)

// An account is what buckets of one endpoint and one credential have in common.
type account struct {
	client       *gcs.Client  // for handleOf: a given one retries of its own accord
	http         *http.Client // adds the credentials; nil with Config.Client
	endpoint     *url.URL     // the server's root, without a path; nil: Google
	universe     string       // of the credentials, where it is known at opening
	project      string
	anonymous    bool
	credentials  *credentials  // nil where anonymous, and with Config.Client
	signerFinder *signerFinder // nil: there is nothing to sign with
	composite    bool          // Config.ParallelComposite
	identity     any           // equal for accounts between which the server can copy

	sdkClient *gcs.Client // Config.Client
	owned     bool        // http was made here, and ends with the account
}

// newAccount reads a Config; Config.Bucket has no say. It makes no request.
func newAccount(ctx context.Context, c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	a := &account{project: c.Project, anonymous: c.Anonymous, composite: c.ParallelComposite, sdkClient: c.Client}
	if err := a.resolveEndpoint(c); err != nil {
		return nil, err
	}
	var err error
	if c.Client == nil && !a.anonymous {
		if a.credentials, err = newCredentials(c); err != nil {
			return nil, err
		}
		if c.TokenSource == nil && (a.endpoint == nil || isHostOf(a.universe, a.endpoint)) {
			a.credentials.universe = a.universe
		}
	}
	a.identify(c)
	if a.signerFinder, err = newSignerFinder(c, a); err != nil {
		return nil, err
	}
	if err := a.connect(ctx, c); err != nil {
		return nil, err
	}
	return a, nil
}

func checkConfig(c Config) error {
	credentials := c.CredentialsJSON != nil || c.TokenSource != nil
	switch {
	case c.Client != nil && (credentials || c.Anonymous || c.HTTPClient != nil || c.ParallelComposite):
		return invalid.Argument("Config.Client", "brings credentials and HTTP client of its own, and uploads in one request", "")
	case c.CredentialsJSON != nil && c.TokenSource != nil:
		return invalid.Argument("Config.CredentialsJSON and Config.TokenSource", "exclude one another", "")
	case credentials && c.Anonymous:
		return invalid.Argument("Config.Anonymous", "does not fit credentials", "")
	}
	return nil
}

// place settles where the server is. The environment's emulator has no use for
// credentials, and a server that is not Google's is not told the environment's.
func (a *account) resolveEndpoint(c Config) error {
	endpoint, emulator := c.Endpoint, ""
	if endpoint == "" {
		emulator = os.Getenv("STORAGE_EMULATOR_HOST")
		if endpoint = emulator; emulator != "" && !strings.Contains(emulator, "://") {
			endpoint = "http://" + emulator
		}
	}
	a.universe = googleUniverse
	if c.Client == nil && !c.Anonymous && emulator == "" {
		a.universe = universeOf(c)
	}
	if endpoint == "" {
		if a.universe == googleUniverse {
			return nil
		}
		endpoint = "https://storage." + a.universe
	}
	u, ok := address.Endpoint(endpoint)
	if !ok || strings.Trim(u.Path, "/") != "" {
		return invalid.Argument("endpoint", "must be the server's root, as https://host or http://host:port, without a path", "")
	}
	a.endpoint = &url.URL{Scheme: u.Scheme, Host: u.Host}
	given := c.CredentialsJSON != nil || c.TokenSource != nil
	switch {
	case c.Client != nil || a.anonymous:
	case emulator != "" || !given && !isHostOf(a.universe, u) && !isHostOf(googleUniverse, u):
		a.anonymous = true
	case a.universe != googleUniverse && isHostOf(googleUniverse, u):
		return invalid.Argument("endpoint", "must be of the credentials' universe, "+a.universe, "leave the endpoint out, or set https://storage."+a.universe)
	}
	return nil
}

// connect makes the clients. That no redirect is followed has a use of its own
// here: a resumable upload says with a 308 that it goes on.
func (a *account) connect(ctx context.Context, c Config) error {
	if c.Client != nil {
		a.client = c.Client
		return nil
	}
	var own *transport.Transport
	a.http, own = transport.NewClient(c.HTTPClient)
	a.owned = own != nil
	if a.credentials != nil {
		a.http.Transport = &authorizer{base: a.http.Transport, credentials: a.credentials}
	}
	client, err := a.newClient(ctx)
	if err != nil {
		return invalid.Argument("Config", "makes no client", "")
	}
	client.SetRetry(gcs.WithPolicy(gcs.RetryNever))
	a.client = client
	return nil
}

// handleOf is a bucket, for the SDK. It makes one attempt of each request:
// retrying is the core's.
func (a *account) handleOf(bucket string) *gcs.BucketHandle {
	return a.client.Bucket(bucket).Retryer(gcs.WithPolicy(gcs.RetryNever))
}

// newClient is the SDK's. Credentials are our HTTP client's: the SDK would ask
// the metadata service at once.
func (a *account) newClient(ctx context.Context) (*gcs.Client, error) {
	return gcs.NewClient(ctx,
		option.WithHTTPClient(a.http),
		option.WithoutAuthentication(),
		option.WithEndpoint(a.root()+"/storage/v1/"),
		gcs.WithDisabledClientMetrics(),
	)
}

// root is the server's address, without a slash at its end.
func (a *account) root() string {
	if a.endpoint == nil {
		return "https://storage.googleapis.com"
	}
	return a.endpoint.String()
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
	switch {
	case c.Client != nil || c.TokenSource != nil || c.HTTPClient != nil:
		a.identity = a
	case a.anonymous:
		a.identity = sharedIdentity{a.root(), "anonymous"}
	case c.CredentialsJSON != nil:
		a.identity = sharedIdentity{a.root(), "json " + fingerprint(c.CredentialsJSON)}
	default:
		a.identity = sharedIdentity{a.root(), "default " + os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")}
	}
}
