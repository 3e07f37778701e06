package gcs_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// knownHostileFailures are the operations and faults that are left out because they fail. There
// should be none.
var knownHostileFailures = map[string]string{}

// hostileToken is a token that must appear in no error.
var hostileToken = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "ya29.the-token_of/the.test"})

// The driver reports broken and hostile responses instead of returning wrong data.
func TestHostileServers(t *testing.T) {
	store := newHostileStore(t)
	store.Skip, store.Only = knownHostileFailures, testserver.Sample("a login page", "")
	hostile.Run(t, store)
}

// With "make statuses", the driver sees every HTTP status. Other runs try only the usual ones.
func TestHostileStatuses(t *testing.T) {
	testserver.Further(t)
	hostile.RunStatuses(t, newHostileStore(t))
}

// newHostileStore returns the rule server as a store whose responses can be broken.
func newHostileStore(t *testing.T) hostile.Store {
	t.Helper()
	server := startRuleServer(t)
	bucket := server.bucket(ruleBucket{})
	trustingClient := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the server's certificate is its own
	}}

	openService := func(t *testing.T, address string) driver.ServiceDriver {
		s, err := gcs.NewServiceDriver(t.Context(), gcs.Config{
			Project:     "project",
			Endpoint:    address,
			TokenSource: hostileToken,
		})
		require.NoError(t, err)
		return s
	}
	openBucket := func(t *testing.T, address string) driver.Driver {
		c := gcs.Config{Bucket: bucket, Endpoint: address, TokenSource: hostileToken}
		if strings.HasPrefix(address, "https:") {
			c.HTTPClient = trustingClient
		}
		d, err := gcs.NewDriver(t.Context(), c)
		require.NoError(t, err)
		return asGoogle{d}
	}

	return hostile.Store{
		Server:      server,
		OpenService: openService,
		Open:        openBucket,
		CustomerKey: gcs.WithCustomerKey([]byte(strings.Repeat("k3y/", 8))),
		EmptyPage:   emptyPage,
		Statuses:    os.Getenv("OMNIBUCKET_STATUSES") != "",
	}
}

// emptyPage returns the response to a request for a listing: a page without entries but with a
// token for the next page. For other requests it returns "".
func emptyPage(r *http.Request, token string) (contentType, body string) {
	isListing := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/o")
	if !isListing {
		return "", ""
	}
	return "application/json; charset=UTF-8", `{"kind":"storage#objects","nextPageToken":"` + token + `"}`
}
