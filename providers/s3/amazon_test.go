package s3_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

// startAmazon starts our server, which is as strict as Amazon's documents, and returns a
// Config whose client reaches it at every host name.
func startAmazon(t *testing.T, c s3server.Config) (*s3server.Server, s3.Config) {
	t.Helper()
	c.TLS = &tls.Config{}
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server, newAmazonConfig(t, server.URL)
}

// newAmazonConfig returns a Config whose client reaches a server at every host name.
func newAmazonConfig(t *testing.T, address string) s3.Config {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate does not name Amazon's hosts
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(address, "https://"))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.Config{
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		HTTPClient:  &http.Client{Transport: transport},
	}
}

// The suite of services passes on a server that follows Amazon's documents, at the host names of
// Amazon.
func TestServiceOfAmazon(t *testing.T) {
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		_, c := startAmazon(t, s3server.Config{Strict: true})
		service, err := s3.NewService(t.Context(), c)
		require.NoError(t, err)
		return service
	}, storagetest.WithName("s3"))
}
