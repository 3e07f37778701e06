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

// An account has the settings and clients which the containers of one storage account and one
// credential share. One of sharedKey, token, sas, vended and anonymous is set, or none if
// Config.Client is.
type account struct {
	service      *service.Client              // makes one attempt per request, under singleAttempt: the core retries
	key          string                       // the account's own key, in base64; "" if it is not known
	sharedKey    *service.SharedKeyCredential // made from key
	token        azcore.TokenCredential
	sas          string                                // a shared access signature, encoded, without "?"
	vended       func(context.Context) (string, error) // returns such a signature for one request
	endpoint     *url.URL                              // of the blob service, without a query and without a slash at its end
	root         string                                // endpoint as a text
	name         string                                // name of the account
	anonymous    bool
	hierarchical bool                 // Config.HierarchicalNamespace
	version      string               // Config.APIVersion
	scope        string               // Config.EncryptionScope
	http         *http.Client         // nil if Config.Client is set
	own          *transport.Transport // transport of http to close with the account, or nil
	sdkClient    *service.Client      // Config.Client
	identity     any                  // equal for accounts between which the service can copy objects
	signer       *signingKey          // signs with key
	userKeys     userKeyCache         // keys for signing with a token credential
}

// newAccount returns the account of a Config and ignores Config.Bucket. It makes
// no request.
func newAccount(c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	a := &account{
		key:          c.Key,
		token:        c.Credential,
		sas:          strings.TrimPrefix(c.SASToken, "?"),
		name:         c.Account,
		anonymous:    c.Anonymous,
		hierarchical: c.HierarchicalNamespace,
		version:      c.APIVersion,
		scope:        c.EncryptionScope,
		sdkClient:    c.Client,
	}
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
	a.http, a.own = transport.NewClient(c.HTTPClient)
	var err error
	if a.service, err = a.client(noRetry); err != nil {
		return nil, argument.Invalid("Config", "must be valid for a client of the SDK", "")
	}
	return a, nil
}

// client returns a client of the SDK with the account's credential.
func (a *account) client(retry policy.RetryOptions) (*service.Client, error) {
	o := &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       a.http,
		Retry:           retry,
		Telemetry:       policy.TelemetryOptions{ApplicationID: "omnibucket"},
		PerCallPolicies: []policy.Policy{requestPolicy(a.prepare)},
	}}
	address := a.root + "/"
	switch {
	case a.sharedKey != nil:
		return service.NewClientWithSharedKeyCredential(address, a.sharedKey, o)
	case a.token != nil:
		return service.NewClient(address, translatingCredential{a.token}, o)
	case a.sas != "":
		address += "?" + a.sas
	}
	return service.NewClientWithNoCredential(address, o)
}

// noRetry makes one attempt. 0 would mean three retries.
var noRetry = policy.RetryOptions{MaxRetries: -1}

// prepare requests the stored bytes, with the account's service version and vended signature. Without
// the first header, Go's transport would accept gzip and decompress objects that are stored that way.
func (a *account) prepare(r *http.Request) error {
	r.Header.Set("Accept-Encoding", "identity")
	if a.version != "" {
		r.Header["x-ms-version"] = []string{a.version} // as the SDK spells it
	}
	if a.vended == nil {
		return nil
	}
	sas, err := a.vended(r.Context())
	r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&"+sas, "&")
	return err
}

// A requestPolicy changes each request.
type requestPolicy func(*http.Request) error

func (p requestPolicy) Do(r *policy.Request) (*http.Response, error) {
	if err := p(r.Raw()); err != nil {
		return nil, err
	}
	return r.Next()
}

// singleAttempt returns the context for every request. With it, Config.Client
// makes one attempt and requests the stored bytes, as other clients do anyway.
func (a *account) singleAttempt(ctx context.Context) context.Context {
	if a.sdkClient == nil {
		return ctx
	}
	ctx = policy.WithHTTPHeader(ctx, http.Header{"Accept-Encoding": {"identity"}})
	return policy.WithRetryOptions(ctx, noRetry)
}

// close closes the connections that were opened here.
func (a *account) close() error {
	if a.own != nil {
		a.own.CloseIdleConnections()
	}
	return nil
}
