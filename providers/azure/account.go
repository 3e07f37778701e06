package azure

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/omnibucket/storage/internal/address"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/transport"
)

// An account is what containers of one storage account and one credential have
// in common. Of sharedKey, token, sas and anonymous one is set, beside a given
// client perhaps none.
type account struct {
	service      *service.Client // makes one attempt of each request, under once: retrying is the core's
	sharedKey    *service.SharedKeyCredential
	token        azcore.TokenCredential
	sas          string   // a shared access signature, encoded, without "?"
	endpoint     *url.URL // of the blob service, without query and without a slash at its end
	name         string   // the account's
	anonymous    bool
	hierarchical bool            // Config.HierarchicalNamespace
	version      string          // Config.APIVersion
	http         *http.Client    // nil where a client was given
	owned        bool            // http was made here, and ends with the account
	sdkClient    *service.Client // Config.Client
	identity     any             // equal for accounts between which the service can copy
	signing
}

// newAccount reads a Config; Config.Bucket has no say. It makes no request.
func newAccount(c Config) (*account, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	s, err := resolveSettings(c)
	if err != nil {
		return nil, err
	}
	a := &account{
		sharedKey:    s.sharedKey,
		signing:      signing{signer: newSigningKey(s.name, s.key, c.APIVersion)},
		token:        s.token,
		sas:          s.sas,
		endpoint:     s.endpoint,
		name:         s.name,
		anonymous:    s.anonymous,
		hierarchical: c.HierarchicalNamespace,
		version:      c.APIVersion,
		sdkClient:    c.Client,
	}
	a.identify(c)
	if a.sdkClient != nil {
		a.service = a.sdkClient
		return a, nil
	}
	var own *transport.Transport
	a.http, own = transport.NewClient(c.HTTPClient)
	a.owned = own != nil
	a.service, err = a.client(noRetry)
	if err != nil {
		return nil, invalid.Argument("Config", "cannot be used by Azure's SDK", "")
	}
	return a, nil
}

// client is one of the SDK's with the account's credential.
func (a *account) client(retry policy.RetryOptions) (*service.Client, error) {
	o := &service.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       a.http,
		Retry:           retry,
		Telemetry:       policy.TelemetryOptions{ApplicationID: "omnibucket"},
		PerCallPolicies: []policy.Policy{encodingPolicy{}, versionPolicy(a.version)},
	}}
	address := a.endpoint.String() + "/"
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

// noRetry is one attempt: of no retries the SDK would make three.
var noRetry = policy.RetryOptions{MaxRetries: -1}

// unpacked asks for the bytes that are stored: without the header Go's transport
// asks for gzip, and unpacks what was stored packed.
type encodingPolicy struct{}

func (encodingPolicy) Do(r *policy.Request) (*http.Response, error) {
	r.Raw().Header.Set("Accept-Encoding", "identity")
	return r.Next()
}

// pinned sets the service version of each request; "" leaves the SDK's.
type versionPolicy string

func (p versionPolicy) Do(r *policy.Request) (*http.Response, error) {
	if p != "" {
		r.Raw().Header["x-ms-version"] = []string{string(p)} // as the SDK spells it
	}
	return r.Next()
}

// once has a client that was given make one attempt, and ask for the bytes that
// are stored, as those made here do. Every request is made under it.
func (a *account) singleAttempt(ctx context.Context) context.Context {
	if a.sdkClient == nil {
		return ctx
	}
	ctx = policy.WithHTTPHeader(ctx, http.Header{"Accept-Encoding": {"identity"}})
	return policy.WithRetryOptions(ctx, noRetry)
}

// driver is one container of the account.
func (a *account) driver(bucket string) *driver {
	return &driver{account: a, container: a.service.NewContainerClient(bucket), bucket: bucket}
}

// close ends what was opened here.
func (a *account) close() error {
	if a.owned {
		a.http.CloseIdleConnections()
	}
	return nil
}

// accountInPath reports whether the account of an address has to stand in its
// path: on Azure it is the first label of the host.
func accountInPath(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil || !strings.Contains(host, ".")
}

// parseEndpoint reads the blob service's root, and the account's name that it
// tells, if it tells one. Known is the name where it is given: another at the
// end of a path is a container's.
func parseEndpoint(endpoint, known string) (u *url.URL, name string, err error) {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return nil, "", invalid.Argument("endpoint", "must be the blob service's root, as https://account.blob.core.windows.net or http://127.0.0.1:10000/devstoreaccount1", "")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	host := strings.ToLower(u.Hostname())
	label, domain, _ := strings.Cut(host, ".")
	name = strings.TrimPrefix(u.Path, "/")
	switch {
	case accountInPath(host):
		if name == "" || strings.Contains(name, "/") {
			return nil, "", invalid.Argument("endpoint", "must end with the account, as http://127.0.0.1:10000/devstoreaccount1", "")
		}
		return u, name, nil
	case name != "": // an emulator, or a gateway, in a network of containers
		if azureHost(host) || strings.Contains(name, "/") || known != "" && name != known {
			return nil, "", invalid.Argument("endpoint", "must be without a path, but for the account's name where the server is not Azure: the container is no part of it", "")
		}
		return u, name, nil
	case strings.HasPrefix(domain, "dfs."):
		return nil, "", invalid.Argument("endpoint", "must be the blob service's, not the one of Data Lake", "its host has .blob. in the place of .dfs.")
	case strings.HasPrefix(domain, "blob."), strings.HasPrefix(domain, "privatelink.blob."), strings.Contains(domain, ".blob.storage."):
		return u, strings.TrimSuffix(label, "-secondary"), nil
	}
	return u, "", nil
}
