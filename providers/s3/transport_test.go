package s3

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// newOpener returns a function that opens a bucket whose HTTP client is in the Config.
func newOpener(t *testing.T) wiretest.OpenWithClient {
	return func(root string, client *http.Client, opts ...storage.OpenOption) storage.Bucket {
		b, err := Open(t.Context(), Config{
			Bucket:      "photos",
			Endpoint:    root,
			Region:      "us-east-1",
			AccessKeyID: "key",
			SecretKey:   "secret",
			HTTPClient:  client,
		}, opts...)
		require.NoError(t, err)
		return b
	}
}

// newConfigOpener returns a function that opens a bucket whose HTTP client is in the configuration of the SDK.
func newConfigOpener(t *testing.T) wiretest.OpenWithClient {
	return func(root string, client *http.Client, opts ...storage.OpenOption) storage.Bucket {
		c := aws.Config{Region: "us-east-1"}
		if client != nil {
			c.HTTPClient = client
		}
		b, err := Open(t.Context(), Config{
			Bucket:      "photos",
			Endpoint:    root,
			AccessKeyID: "key",
			SecretKey:   "secret",
			AWS:         &c,
		}, opts...)
		require.NoError(t, err)
		return b
	}
}

// If a server never answers, every call still ends.
func TestSilentServer(t *testing.T) {
	wiretest.SilentServer(t, newOpener(t))
	t.Run("of a configuration", func(t *testing.T) {
		wiretest.SilentServer(t, newConfigOpener(t))
	})
}

// Hooks count the same requests as the server.
func TestHooksCountRequests(t *testing.T) {
	wiretest.CountedRequests(t, newOpener(t))
	t.Run("of a configuration", func(t *testing.T) {
		wiretest.CountedRequests(t, newConfigOpener(t))
	})
}
