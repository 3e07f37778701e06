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

// Each part is encrypted once if its checksum follows it, as over TLS. Otherwise it is encrypted twice:
// for the checksum, and to be sent.
func TestPutPartEncryptsOnceOverTLS(t *testing.T) {
	const parts = 3
	tests := []struct {
		name     string
		tls      *tls.Config
		passes   int64 // over the bytes of the file
		trailers int64 // checksums after a part
	}{
		{name: "with TLS", tls: &tls.Config{}, passes: 1, trailers: parts},
		{name: "without TLS", passes: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trailers := atomic.Int64{}
			server, err := s3server.Start(s3server.Config{
				Buckets: []string{"photos"},
				Strict:  true,
				TLS:     tt.tls,
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
			if tt.tls != nil {
				file := filepath.Join(t.TempDir(), "ca.pem")
				require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{
					Type:  "CERTIFICATE",
					Bytes: server.Certificate().Raw,
				}), 0o600))
				t.Setenv("AWS_CA_BUNDLE", file)
			}
			profile, _ := s3.NamedProfile("omnibucket")
			b, err := s3.Open(t.Context(), s3.Config{
				Bucket:      "photos",
				Endpoint:    server.URL,
				Region:      s3server.DefaultRegion,
				Profile:     &profile,
				AccessKeyID: s3server.DefaultAccessKeyID,
				SecretKey:   s3server.DefaultSecretKey,
			}, driver.WithLayer(newLayer(t, newKeys(t))))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			const partSize = 5 << 20
			content := randomText((parts-1)*partSize + 2<<20 + 5)
			file := &countedFile{Reader: bytes.NewReader([]byte(content))}

			_, err = b.Upload(t.Context(), "a", file, storage.WithPartSize(partSize))
			require.NoError(t, err)
			require.InDelta(t, tt.passes*int64(len(content)), file.read.Load(), 1000)
			require.Equal(t, tt.trailers, trailers.Load())

			got, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.True(t, content == string(got))
		})
	}
}
