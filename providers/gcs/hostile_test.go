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

// knownHostileFailures are the rows that fail. There should be none.
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
	customerKey := gcs.WithCustomerKey([]byte(strings.Repeat("k3y/", 8)))
	trusting := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	server := startRuleServer(t)
	bucket := server.bucket(ruleBucket{})
	return hostile.Store{
		Server: server,
		OpenService: func(t *testing.T, address string) driver.ServiceDriver {
			s, err := gcs.NewServiceDriver(t.Context(), gcs.Config{
				Project:     "project",
				Endpoint:    address,
				TokenSource: hostileToken,
			})
			require.NoError(t, err)
			return s
		},
		Open: func(t *testing.T, address string) driver.Driver {
			c := gcs.Config{Bucket: bucket, Endpoint: address, TokenSource: hostileToken}
			if strings.HasPrefix(address, "https:") {
				c.HTTPClient = trusting
			}
			d, err := gcs.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return asGoogle{d}
		},
		CustomerKey: customerKey,
		EmptyPage:   emptyPage,
		Statuses:    os.Getenv("OMNIBUCKET_STATUSES") != "",
	}
}

// emptyPage returns a page of a listing without an entry.
func emptyPage(r *http.Request, token string) (contentType, body string) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/o") {
		return "", ""
	}
	return "application/json; charset=UTF-8", `{"kind":"storage#objects","nextPageToken":"` + token + `"}`
}
