// In most tests, each request has a connection of its own. Without the exchange of post-quantum keys, a connection
// costs a third less.

package s3_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
)

// If a custom HTTP client uploads an object over TLS, the object keeps its bytes, content encoding
// and CRC32C. The SDK by itself would send the checksum after the body, in a trailer.
func TestBodiesOverTLS(t *testing.T) {
	s := needServer(t, "minio-tls")

	// The bucket is created by a client that trusts the certificate of the server.
	secure := *s
	secure.raw = secure.clientOver(newTrustingClient(t, os.Getenv("OMNIBUCKET_TEST_MINIO_TLS_CA")))
	profile, _ := s3.NamedProfile("minio")
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      secure.bucket(t, false),
		Endpoint:    s.endpoint,
		Region:      "us-east-1",
		Profile:     &profile,
		AccessKeyID: s.key,
		SecretKey:   s.secret,
		HTTPClient:  newTrustingClient(t, os.Getenv("OMNIBUCKET_TEST_MINIO_TLS_CA")),
	})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()

	for _, size := range []int{0, 1000, 2*partSize + 1} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			want := wiretest.Content(size, 1)
			// The length of the body is unknown, so a body that is longer than a part is uploaded in parts.
			body := struct{ io.Reader }{bytes.NewReader(want)}
			uploaded, err := b.Upload(t.Context(), "a", body,
				storage.WithPartSize(partSize),
				storage.WithContentEncoding("gzip"))
			require.NoError(t, err)

			got, attrs, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "got %d other bytes", len(got))
			require.Equal(t, "gzip", attrs.ContentEncoding, "the coding of the transfer must be removed")
			require.True(t, attrs.CRC32C.Known)
			require.Equal(t, uploaded.CRC32C.Sum, attrs.CRC32C.Sum)
		})
	}
}

// newTrustingClient returns an HTTP client that trusts only the certificates in a file.
func newTrustingClient(t *testing.T, certificateFile string) *http.Client {
	t.Helper()
	certificate, err := os.ReadFile(certificateFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: pool},
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
	}
}
