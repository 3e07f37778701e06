package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The driver follows no redirect to another host, because Go's HTTP client would send that host the
// customer's key.
func TestRedirectWithoutCustomerKey(t *testing.T) {
	provider := credentials.NewStaticCredentialsProvider("key", "secret", "")

	// Each function returns a Config. Its requests go by the given client to the server at root.
	configs := map[string]func(root string, client *http.Client) Config{
		"HTTPClient": func(root string, client *http.Client) Config {
			return Config{
				Endpoint:    root,
				Region:      "us-east-1",
				HTTPClient:  client,
				AccessKeyID: "key",
				SecretKey:   "secret",
			}
		},
		"the HTTP client of a configuration": func(root string, client *http.Client) Config {
			return Config{
				Endpoint: root,
				AWS:      &aws.Config{Region: "us-east-1", HTTPClient: client, Credentials: provider},
			}
		},
		"the HTTP client of a client": func(root string, client *http.Client) Config {
			return Config{
				Client: awss3.New(awss3.Options{
					Region:       "us-east-1",
					BaseEndpoint: &root,
					UsePathStyle: true,
					HTTPClient:   client,
					Credentials:  provider,
				}),
			}
		},
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			// The other host records the method and the customer's key of each request.
			var followed []string
			otherHost := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				followed = append(followed, r.Method+" "+r.Header.Get(customerKeyHeader))
			}))
			t.Cleanup(otherHost.Close)

			// The server redirects each request to the other host.
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, otherHost.URL+r.URL.Path, http.StatusTemporaryRedirect)
			}))
			t.Cleanup(server.Close)

			// The client trusts the certificate of the server, and the bucket makes one attempt for each call.
			c := config(server.URL, server.Client())
			c.Bucket = "photos"
			c.Profile = newProfile(t, "aws")
			b, err := Open(t.Context(), c, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			// The driver returns the redirect as an error.
			key := WithCustomerKey(newRawKey(t, 0))
			_, err = b.Attrs(t.Context(), "a", key)
			require.ErrorIs(t, err, storage.InvalidArgument)
			_, err = b.Upload(t.Context(), "a", strings.NewReader("x"), key)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Empty(t, followed, "the other host must get no request")
		})
	}
}
