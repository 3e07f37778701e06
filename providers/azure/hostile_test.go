package azure_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// azuriteVersions is the reason to leave out the operation Versions.
const azuriteVersions = "Azurite has no versions"

// knownHostileFailures are the operations and faults that are left out because they fail, each with
// the reason.
var knownHostileFailures = map[string]string{
	"Versions": azuriteVersions,
	"an encoding that nobody asked for/Download": "it looks like an object that another tool has replaced by compressed content: docs/maintainers/decisions/checksums-on-azure.md",
}

// The driver reports broken and hostile responses instead of returning wrong data. hostile.Run puts
// a proxy in front of Azurite. The proxy breaks the responses to each operation with each fault.
func TestHostileServers(t *testing.T) {
	tests := []struct {
		name        string
		isSigned    bool              // whether the bucket has a shared access signature, and not the account's key
		faultPrefix string            // tries only the faults whose names begin with it
		skip        map[string]string // faults and operations that are left out, with the reasons
	}{
		{name: "the account's key", skip: knownHostileFailures},
		{
			// If the server quotes a request in its response, no error may show the signature in
			// the request's URL.
			name:        "a shared access signature",
			isSigned:    true,
			faultPrefix: "the request quoted",
			skip:        map[string]string{"Versions": azuriteVersions},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := newHostileStore(t, tt.isSigned)
			store.Only = tt.faultPrefix
			store.Skip = tt.skip
			hostile.Run(t, store)
		})
	}
}

// The driver handles the statuses that gateways send most often. Azurite runs in another process,
// so the test takes minutes.
func TestHostileStatuses(t *testing.T) {
	if os.Getenv("OMNIBUCKET_STATUSES") == "" {
		t.Skip("make statuses runs it")
	}
	hostile.RunStatuses(t, newHostileStore(t, false))
}

// newHostileStore returns Azurite as a store that is opened by the account's key. If signing is true, it is opened by a
// shared access signature of the container.
func newHostileStore(t *testing.T, signing bool) hostile.Store {
	t.Helper()
	emulator := needAzurite(t)
	u, err := url.Parse(emulator.endpoint)
	require.NoError(t, err)
	account := u.Path
	container := emulator.container(t)
	token := ""
	if signing {
		address, err := emulator.raw.NewContainerClient(container).GetSASURL(
			sas.ContainerPermissions{
				Read:   true,
				Create: true,
				Write:  true,
				Delete: true,
				List:   true,
				Tag:    true,
			}, time.Now().Add(time.Hour), nil)
		require.NoError(t, err)
		_, token, _ = strings.Cut(address, "?")
	}

	key := []byte(strings.Repeat("k3y/", 8))
	customerKey, ok := azure.WithCustomerKey(key).(storage.NativeOption)
	require.True(t, ok)
	trusting := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	// Keep connections, because Azurite takes long for a new one.
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)

	return hostile.Store{
		Server: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme = u.Scheme
				r.Out.URL.Host = u.Host
				r.Out.Host = u.Host
			},
			Transport: transport,
		},
		OpenService: func(t *testing.T, address string) driver.ServiceDriver {
			s, err := azure.NewServiceDriver(t.Context(), azure.Config{Endpoint: address + account})
			require.NoError(t, err)
			return s
		},
		Open: func(t *testing.T, address string) driver.Driver {
			c := azure.Config{Bucket: container, Endpoint: address + account, SASToken: token}
			if strings.HasPrefix(address, "https:") {
				c.HTTPClient = trusting
			}
			d, err := azure.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		},
		CustomerKey: customerKey,
		EmptyPage:   emptyPage,
	}
}

// emptyPage returns the response to a request for a listing: a page without entries but with a
// token for the next page. For other requests it returns "".
func emptyPage(r *http.Request, token string) (contentType, body string) {
	if r.URL.Query().Get("comp") != "list" {
		return "", ""
	}
	return "application/xml", `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/><NextMarker>` + token + `</NextMarker></EnumerationResults>`
}
