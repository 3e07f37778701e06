package encrypt_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// A countedFile counts the bytes that are read.
type countedFile struct {
	*bytes.Reader
	read atomic.Int64
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Reader.ReadAt(p, off)
	f.read.Add(int64(n))
	return n, err
}

// openServer starts an S3 server, with TLS if the configuration is not nil, and opens an encrypted bucket of it. It also
// returns a counter of the requests whose checksum follows their body, as a trailer.
func openServer(t *testing.T, config *tls.Config) (b storage.Bucket, trailers *atomic.Int64) {
	t.Helper()
	trailers = &atomic.Int64{}
	server, err := s3server.Start(s3server.Config{
		Buckets: []string{"photos"},
		Strict:  true,
		TLS:     config,
		Middleware: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Amz-Trailer") == "x-amz-checksum-crc32c" {
					trailers.Add(1)
				}
				h.ServeHTTP(w, r)
			})
		},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	if config != nil {
		file := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{
			Type:  "CERTIFICATE",
			Bytes: server.Certificate().Raw,
		}), 0o600))
		t.Setenv("AWS_CA_BUNDLE", file)
	}
	profile, _ := s3.NamedProfile("omnibucket")
	b, err = s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}, driver.WithLayer(newLayer(t, newKeys(t))))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b, trailers
}

// Over TLS, the checksum of a part follows the part, so that the part is encrypted once. Without TLS, it is encrypted
// twice: to compute the checksum, and to be sent.
func TestPutPartEncryptsOnceOverTLS(t *testing.T) {
	const parts = 3
	tests := []struct {
		name         string
		tls          *tls.Config
		wantPasses   int64 // over the bytes of the file
		wantTrailers int64 // checksums that follow a part
	}{
		{name: "with TLS", tls: &tls.Config{}, wantPasses: 1, wantTrailers: parts},
		{name: "without TLS", wantPasses: 2, wantTrailers: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, trailers := openServer(t, tt.tls)
			const partSize = 5 << 20
			const lastPartSize = 2<<20 + 5
			content := randomText((parts-1)*partSize + lastPartSize)
			file := &countedFile{Reader: bytes.NewReader([]byte(content))}

			_, err := b.Upload(t.Context(), "a", file, storage.WithPartSize(partSize))
			require.NoError(t, err)
			const tolerance = 1000 // bytes
			require.InDelta(t, tt.wantPasses*int64(len(content)), file.read.Load(), tolerance)
			require.Equal(t, tt.wantTrailers, trailers.Load())

			got, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, content == string(got))
		})
	}
}
