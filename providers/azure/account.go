package azure

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/transport"
)

// An account holds the settings and clients for one storage account and one credential. All of its
// containers share them. If Config.Client is set, requests use that client's credential. Otherwise
// exactly one of sharedKey, token, sas, requestSAS and isAnonymous is set.
type account struct {
	service             *service.Client              // sends each request once, because the engine retries
	key                 string                       // the account's own key, in base64; "" if it is not known
	sharedKey           *service.SharedKeyCredential // the SDK's form of key
	token               azcore.TokenCredential
	sas                 string                                // a shared access signature, encoded, without "?"
	requestSAS          func(context.Context) (string, error) // returns a shared access signature for one request
	endpoint            *url.URL                              // URL of the blob service, without a query or a final slash
	root                string                                // endpoint as a string
	name                string
	isAnonymous         bool
	hasNamedCredentials bool                 // Config.Credentials names the credentials
	isHierarchical      bool                 // Config.HierarchicalNamespace
	version             string               // Config.APIVersion
	scope               string               // Config.EncryptionScope
	http                *http.Client         // nil if Config.Client is set
	ownTransport        *transport.Transport // transport that newAccount created for http; nil if the Config has a client
	sdkClient           *service.Client      // Config.Client
	identity            any                  // equal for accounts between which the service can copy objects
	signer              *signingKey          // signs with key; nil if there is no key
	userKeys            userKeyCache         // keys for signing with a token credential
}

// newAccount returns the account of a Config without making a request. It ignores Config.Bucket.
func newAccount(c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}

	a := &account{
		key:            c.Key,
		token:          c.Credential,
		sas:            strings.TrimPrefix(c.SASToken, "?"),
		name:           c.Account,
		isAnonymous:    c.Anonymous,
		isHierarchical: c.HierarchicalNamespace,
		version:        c.APIVersion,
		scope:          c.EncryptionScope,
		sdkClient:      c.Client,
	}

	// Find the endpoint and the credential, and what follows from them.
	if err := a.resolve(c); err != nil {
		return nil, err
	}
	a.root = a.endpoint.String()
	a.signer = newSigningKey(a.name, a.key, a.version)
	a.identify(c)

	if a.sdkClient != nil {
		a.service = a.sdkClient
		return a, nil
	}

	// Without a client of the caller, the account needs its own.
	a.http, a.ownTransport = transport.NewClient(c.HTTPClient)
	var err error
	if a.service, err = a.client(noRetry); err != nil {
		return nil, argument.Invalid("Config", "must be valid for a client of the SDK", "")
	}
	return a, nil
}

// client returns a client of the SDK that sends the account's credential and the headers of
// prepare.
func (a *account) client(retry policy.RetryOptions) (*service.Client, error) {
	opts := &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       a.http,
		Retry:           retry,
		Telemetry:       policy.TelemetryOptions{ApplicationID: "omnibucket"},
		PerCallPolicies: []policy.Policy{requestPolicy(a.prepare)},
	}}

	address := a.root + "/"
	switch {
	case a.sharedKey != nil:
		return service.NewClientWithSharedKeyCredential(address, a.sharedKey, opts)
	case a.token != nil:
		return service.NewClient(address, translatingCredential{credential: a.token}, opts)
	case a.sas != "":
		address += "?" + a.sas
	}
	return service.NewClientWithNoCredential(address, opts)
}

// noRetry makes the SDK send each request once. The value 0 would mean three retries.
var noRetry = policy.RetryOptions{MaxRetries: -1}

// prepare adds the headers and the vended signature that each request needs, or returns the error
// of getting the signature. It sets Accept-Encoding because Go's transport would otherwise accept
// gzip, and decompress objects that are stored as gzip.
func (a *account) prepare(req *http.Request) error {
	req.Header.Set("Accept-Encoding", "identity")
	if a.version != "" {
		// The SDK also writes the name of this header in lower case. Header.Set would write it in
		// another form, and the request would have both headers.
		req.Header["x-ms-version"] = []string{a.version}
	}
	if a.requestSAS == nil {
		return nil
	}

	sas, err := a.requestSAS(req.Context())
	if err != nil {
		return err
	}
	req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&"+sas, "&")
	return nil
}

// A requestPolicy is a policy of the SDK that calls the function for each request before sending
// it.
type requestPolicy func(*http.Request) error

// Do calls the function for r, and sends r unless that fails.
func (p requestPolicy) Do(r *policy.Request) (*http.Response, error) {
	if err := p(r.Raw()); err != nil {
		return nil, err
	}
	return r.Next()
}

// singleAttempt returns the context that every request must use. It turns off the retries of
// Config.Client, and requests the bytes as they are stored, both of which the package's own clients
// always do.
func (a *account) singleAttempt(ctx context.Context) context.Context {
	if a.sdkClient == nil {
		return ctx
	}
	ctx = policy.WithHTTPHeader(ctx, http.Header{"Accept-Encoding": {"identity"}})
	return policy.WithRetryOptions(ctx, noRetry)
}

// close closes the idle connections of the transport that newAccount created, if any.
func (a *account) close() error {
	if a.ownTransport != nil {
		a.ownTransport.CloseIdleConnections()
	}
	return nil
}
