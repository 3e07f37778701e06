package s3_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// knownHostileFailures has the cases that fail. There should be none.
var knownHostileFailures = map[string]string{}

// The driver survives servers that answer wrongly, slowly or without end. If the tests run without servers, only the
// case "a login page" runs.
func TestHostileServers(t *testing.T) {
	store := newHostileStore(t)
	store.Skip = knownHostileFailures
	store.Only = testserver.Sample("a login page", "")
	hostile.Run(t, store)
}

// With "make statuses", the driver gets responses with every HTTP status. Other runs try only the
// usual statuses.
func TestHostileStatuses(t *testing.T) {
	testserver.Further(t)
	hostile.RunStatuses(t, newHostileStore(t))
}

// newHostileStore returns the store that the tests make hostile. It has an s3server, and drivers
// and a service for this server.
func newHostileStore(t *testing.T) hostile.Store {
	t.Helper()
	const key, secret, token = "AKIDHOSTILE", "secret key of the test", "the-session-token/of+the-test=="
	profile, ok := s3.NamedProfile("minio")
	require.True(t, ok)
	profile.MaxCopySize = 1 << 10 // larger objects are copied in parts

	customerKey, ok := s3.WithCustomerKey([]byte(strings.Repeat("k3y/", 8))).(storage.NativeOption)
	require.True(t, ok)
	trustingClient := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
	}

	return hostile.Store{
		Server: s3server.New(s3server.Config{
			Buckets:     []string{"photos"},
			Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret, SessionToken: token}},
		}),
		OpenService: func(t *testing.T, address string) driver.ServiceDriver {
			s, err := s3.NewServiceDriver(t.Context(), s3.Config{
				Endpoint:     address,
				Profile:      &profile,
				AccessKeyID:  key,
				SecretKey:    secret,
				SessionToken: token,
			})
			require.NoError(t, err)
			return s
		},
		Open: func(t *testing.T, address string) driver.Driver {
			c := s3.Config{
				Bucket:       "photos",
				Endpoint:     address,
				Profile:      &profile,
				AccessKeyID:  key,
				SecretKey:    secret,
				SessionToken: token,
			}
			if strings.HasPrefix(address, "https:") {
				c.HTTPClient = trustingClient
			}
			d, err := s3.NewDriver(t.Context(), c)
			require.NoError(t, err)
			return d
		},
		CustomerKey: customerKey,
		EmptyPage:   emptyPage,
		Statuses:    os.Getenv("OMNIBUCKET_STATUSES") != "",
	}
}

// emptyPage returns the response to a request for a listing: a page without entries and with a
// token. For other requests, it returns "".
func emptyPage(r *http.Request, token string) (contentType, body string) {
	if r.URL.Query().Get("list-type") != "2" {
		return "", ""
	}
	body = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<Name>photos</Name><IsTruncated>true</IsTruncated>` +
		`<NextContinuationToken>` + token + `</NextContinuationToken></ListBucketResult>`
	return "application/xml", body
}
