package permissions_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// toServer returns a client that reaches the server at every host name.
func toServer(t *testing.T, address string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate does not name the provider's hosts
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(address, "https://"))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestPermissionsOfAmazon(t *testing.T) {
	permissions.Check(t, permissions.Amazon, func(t *testing.T, kind permissions.Kind) permissions.Account {
		recorder := &permissions.Recorder{}
		server, err := s3server.Start(s3server.Config{Strict: kind != permissions.AccessLists, Middleware: recorder.Wrap, TLS: &tls.Config{}})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		pathStyle := true
		service, err := s3.NewService(t.Context(), s3.Config{
			Region: s3server.DefaultRegion, AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey,
			PathStyle: &pathStyle, HTTPClient: toServer(t, server.URL),
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, service.Close()) })
		setting := map[permissions.Kind][]storage.BucketOption{
			permissions.Versions: {storage.WithVersioning(true)},
			permissions.Locks:    {storage.WithObjectLock()},
		}
		_, err = service.CreateBucket(t.Context(), "photos", setting[kind]...)
		require.NoError(t, err)
		return permissions.Account{
			Recorder: recorder, Service: service, Bucket: "photos",
			Key: s3.WithKMSKey("1234abcd-12ab-34cd-56ef-1234567890ab"), Archive: "GLACIER",
		}
	})
}
