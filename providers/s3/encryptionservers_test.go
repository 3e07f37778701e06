package s3_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/faults"
)

// startOwnServerTLS starts an s3server with TLS. It also returns the path of a file with the
// server's certificate.
func startOwnServerTLS(t *testing.T, c s3server.Config) (server *testServer, certificate string) {
	t.Helper()
	if c.Middleware == nil {
		c.Middleware = wiretest.OneRequestAConnection
	}
	c.TLS = &tls.Config{}
	s3srv, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(s3srv.Close)
	certificate = certificateFile(t, s3srv.Certificate())
	server = &testServer{
		name:     "aws",
		endpoint: s3srv.URL,
		key:      s3server.DefaultAccessKeyID,
		secret:   s3server.DefaultSecretKey,
	}
	server.raw = server.clientOver(newTrustingClient(t, certificate))
	return server, certificate
}

// certificateFile returns a file with the certificate.
func certificateFile(t *testing.T, certificate *x509.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600))
	return file
}

// trustCertificate makes the driver's own HTTP client trust it.
func trustCertificate(t *testing.T, certificate *x509.Certificate) {
	t.Helper()
	t.Setenv("AWS_CA_BUNDLE", certificateFile(t, certificate))
}

// runOverTLS runs a test with MinIO and with our server, by the raw client and by the SDK.
func runOverTLS(t *testing.T, test func(t *testing.T, s *testServer, c s3.Config)) {
	servers := map[string]func(t *testing.T) (*testServer, string){
		"minio": func(t *testing.T) (*testServer, string) {
			s := needServer(t, "minio-tls")
			certificate := os.Getenv("OMNIBUCKET_TEST_MINIO_TLS_CA")
			s.name, s.raw = "minio", s.clientOver(newTrustingClient(t, certificate))
			return s, certificate
		},
		"ours": func(t *testing.T) (*testServer, string) {
			return startOwnServerTLS(t, s3server.Config{Strict: true})
		},
	}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		for _, client := range []string{"by the raw client", "by the SDK"} {
			t.Run(name+", "+client, func(t *testing.T) {
				s, certificate := servers[name](t)
				t.Setenv("AWS_CA_BUNDLE", certificate)
				c := s.config(t, s.bucket(t, false))
				if client == "by the SDK" {
					c.HTTPClient = newTrustingClient(t, certificate)
				}
				test(t, s, c)
			})
		}
	}
}

// openBucket opens the bucket of c, and closes it after the test.
func openBucket(t *testing.T, c s3.Config) storage.Bucket {
	t.Helper()
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// customerKeyOf returns a key of 32 bytes c.
func customerKeyOf(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

// Objects with a customer's key are written, read and copied with it only.
func TestWithCustomerKeyObjects(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	other := s3.WithCustomerKey(customerKeyOf(2))
	source := s3.WithSourceCustomerKey(customerKeyOf(1))
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := openBucket(t, c)
		ctx := t.Context()
		small := wiretest.Content(1000, 1)
		large := wiretest.Content(partSize+partSize/2, 2)

		for name, content := range map[string][]byte{"small": small, "large": large} {
			var body io.Reader = bytes.NewReader(content)
			_, err := b.Upload(ctx, name, body, key, storage.WithPartSize(partSize),
				storage.WithMetadata(map[string]string{"a": "b"}))
			require.NoError(t, err, name)
			body = struct{ io.Reader }{bytes.NewReader(content)}
			_, err = b.Upload(ctx, name+" stream", body, key, storage.WithPartSize(partSize),
				storage.IfAbsent())
			require.NoError(t, err, name)

			for _, name := range []string{name, name + " stream"} {
				got, attrs, err := storage.ReadAll(ctx, b, name, key)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))
				require.Equal(t, "AES256", attrs.Encryption.Algorithm)
				require.NotEmpty(t, attrs.Encryption.KeyID)
				require.Nil(t, attrs.MD5)

				_, err = b.Attrs(ctx, name, key)
				require.NoError(t, err)

				for _, opts := range [][]storage.DownloadOption{nil, {other}} {
					_, _, err = storage.ReadAll(ctx, b, name, opts...)
					require.Contains(t, []storage.Code{storage.InvalidArgument, storage.PermissionDenied},
						storage.CodeOf(err))
				}
				_, err = b.Attrs(ctx, name)
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, "s3.WithCustomerKey")
				_, err = b.Attrs(ctx, name, other)
				require.ErrorIs(t, err, storage.PermissionDenied)
				require.ErrorContains(t, err, "another key")
			}
		}

		t.Run("ranges", func(t *testing.T) {
			got, _, err := storage.ReadAll(ctx, b, "large", key, storage.WithRange(10, 20))
			require.NoError(t, err)
			require.Equal(t, large[10:30], got)

			r, err := storage.NewReaderAt(ctx, b, "large", key)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, r.Close())
			}()
			_, err = r.ReadAt(got, partSize)
			require.NoError(t, err)
			require.Equal(t, large[partSize:partSize+20], got)

			ranges, _, err := storage.ReadAll(ctx, b, "large", key, storage.WithConcurrency(3))
			require.NoError(t, err)
			require.True(t, bytes.Equal(large, ranges))
		})

		t.Run("copies", func(t *testing.T) {
			_, err := storage.Copy(ctx, b, "copy", b, "small")
			require.ErrorIs(t, err, storage.InvalidArgument)
			_, err = storage.Copy(ctx, b, "copy", b, "small", source)
			require.NoError(t, err)
			got, _, err := storage.ReadAll(ctx, b, "copy")
			require.NoError(t, err)
			require.Equal(t, small, got)

			_, err = storage.Copy(ctx, b, "copy", b, "small", source, other)
			require.NoError(t, err)
			got, _, err = storage.ReadAll(ctx, b, "copy", other)
			require.NoError(t, err)
			require.Equal(t, small, got)

			_, err = storage.Copy(ctx, b, "small stream", b, "small stream", source, other)
			require.NoError(t, err, "the key of an object is changed")
			_, err = b.Attrs(ctx, "small stream", other)
			require.NoError(t, err)
			_, err = storage.Compose(ctx, b, "joined", []string{"large", "small"}, source, other)
			require.NoError(t, err)
			got, _, err = storage.ReadAll(ctx, b, "joined", other)
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(slices.Clone(large), small...), got))

			_, err = storage.Compose(ctx, b, "streamed", []string{"small", "large"}, source)
			require.NoError(t, err)
			got, _, err = storage.ReadAll(ctx, b, "streamed")
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(slices.Clone(small), large...), got))
			require.NoError(t, b.Remove(ctx, "joined"), "a removal needs no key")
		})

		t.Run("signed addresses", func(t *testing.T) {
			client := newTrustingClient(t, os.Getenv("AWS_CA_BUNDLE"))
			send := func(signedURL *storage.SignedURL, body string) (int, string) {
				r, err := signedURL.Request(ctx, strings.NewReader(body))
				require.NoError(t, err)
				got, err := client.Do(r)
				require.NoError(t, err)
				text, err := io.ReadAll(got.Body)
				require.NoError(t, err)
				require.NoError(t, got.Body.Close())
				return got.StatusCode, string(text)
			}
			signedURL, err := b.SignedUploadURL(ctx, "signed", key, storage.WithSize(5))
			require.NoError(t, err)

			status, text := send(signedURL, "hello")
			require.Equal(t, http.StatusOK, status, text)
			signedURL, err = b.SignedDownloadURL(ctx, "signed", key)
			require.NoError(t, err)
			_, text = send(signedURL, "")
			require.Equal(t, "hello", text)

			delete(signedURL.Header, "X-Amz-Server-Side-Encryption-Customer-Key")
			status, _ = send(signedURL, "")
			require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, status)
		})
		t.Run("resumed", func(t *testing.T) {
			resumeWithAKey(t, c)
		})
	})
}

// resumeWithAKey interrupts uploads in parts with a customer's key, and repeats them.
func resumeWithAKey(t *testing.T, c s3.Config) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	other := s3.WithCustomerKey(customerKeyOf(2))
	content := wiretest.Content(2*partSize+partSize/2, 3)
	tests := map[string]struct {
		again s3.CustomerKeyOption
		sent  int // parts of the second call
	}{
		"with the key, only the missing parts are sent": {key, 2},
		"with another key, all are":                     {other, 3},
	}
	for name, tt := range tests {
		calls := faults.New(faults.Fail(faults.PutPart).Nth(2))
		b, err := s3.Open(t.Context(), c, driver.WithLayer(calls.Layer()),
			storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		opts := []storage.UploadOption{
			storage.WithResume(filepath.Join(t.TempDir(), "journal")),
			storage.WithPartSize(partSize),
			storage.WithConcurrency(1),
		}

		_, err = b.Upload(t.Context(), "k", bytes.NewReader(content), append(opts, key)...)
		require.ErrorIs(t, err, storage.Unavailable, name)
		calls.Reset()
		_, err = b.Upload(t.Context(), "k", bytes.NewReader(content), append(opts, tt.again)...)
		require.NoError(t, err, name)
		require.Equal(t, tt.sent, calls.Count(faults.PutPart), name)

		got, _, err := storage.ReadAll(t.Context(), b, "k", tt.again)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(content, got), name)
	}
}

// If the response to an upload with a customer's key is lost, the engine finds the object by a HEAD
// with that key.
func TestUploadWithCustomerKeyReconciled(t *testing.T) {
	server, err := s3server.Start(s3server.Config{
		Strict:     true,
		Buckets:    []string{"photos"},
		Middleware: wiretest.OneRequestAConnection,
		TLS:        &tls.Config{},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("aws")
	b := openBucket(t, s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		HTTPClient:  server.Client(),
	})
	server.Inject(s3server.Fault{Operation: "PutObject", DropResponse: true, Times: 1})

	attrs, err := b.Upload(t.Context(), "k", strings.NewReader("hello"), s3.WithCustomerKey(customerKeyOf(1)),
		storage.IfAbsent())
	require.NoError(t, err, "HEAD with the key finds what was written")
	require.Equal(t, "AES256", attrs.Encryption.Algorithm)
}

// An archived object with a customer's key is restored.
func TestRestoreWithCustomerKey(t *testing.T) {
	s, certificate := startOwnServerTLS(t, s3server.Config{Strict: true})
	c := s.config(t, s.bucket(t, false))
	c.HTTPClient = newTrustingClient(t, certificate)
	b := openBucket(t, c)
	key := s3.WithCustomerKey(customerKeyOf(1))
	_, err := b.Upload(t.Context(), "k", strings.NewReader("hello"), key, storage.WithStorageClass("GLACIER"))
	require.NoError(t, err)

	require.ErrorIs(t, storage.Restore(t.Context(), b, "k"), storage.InvalidArgument)
	require.NoError(t, storage.Restore(t.Context(), b, "k", key))
	attrs, err := b.Attrs(t.Context(), "k", key)
	require.NoError(t, err)
	require.NotZero(t, attrs.Restore)
	require.NoError(t, storage.SetTags(t.Context(), b, "k", map[string]string{"a": "b"}), "tags need no key")
}

// With Config.KMSKey, uploads, copies, signed URLs and forms store objects that are encrypted with that key.
func TestKMSKeyOnServers(t *testing.T) {
	const arn = "arn:aws:kms:us-east-1:123456789012:key/1"
	for name, start := range map[string]func(t *testing.T) (s *testServer, key, shown string){
		"minio": func(t *testing.T) (*testServer, string, string) {
			key := os.Getenv("OMNIBUCKET_TEST_MINIO_KMS_KEY")
			return needServer(t, "minio"), key, "arn:aws:kms:" + key
		},
		"ours": func(t *testing.T) (*testServer, string, string) {
			server, err := s3server.Start(s3server.Config{
				Strict:     true,
				KMSKeys:    []string{arn},
				Middleware: wiretest.OneRequestAConnection,
			})
			require.NoError(t, err)
			t.Cleanup(server.Close)
			s := &testServer{
				name:     "aws",
				endpoint: server.URL,
				key:      s3server.DefaultAccessKeyID,
				secret:   s3server.DefaultSecretKey,
			}
			s.raw = s.clientOver(withoutKeepAlive())
			return s, arn, arn
		},
	} {
		for _, client := range []string{"by the raw client", "by the SDK"} {
			t.Run(name+", "+client, func(t *testing.T) {
				s, key, shownKey := start(t)
				c := s.config(t, s.bucket(t, false))
				bucket := openBucket(t, c)
				c.KMSKey = key
				c.BucketKey = true
				if client == "by the SDK" {
					c.HTTPClient = withoutKeepAlive()
				}
				b := openBucket(t, c)
				ctx := t.Context()
				check := func(key string, err error) {
					t.Helper()
					require.NoError(t, err)
					attrs, err := bucket.Attrs(ctx, key)
					require.NoError(t, err)
					require.Equal(t, storage.Encryption{Algorithm: "aws:kms", KeyID: shownKey},
						attrs.Encryption)
				}
				large := wiretest.Content(partSize+10, 1)

				attrs, err := b.Upload(ctx, "small", strings.NewReader("hello"))
				check("small", err)
				require.Equal(t, storage.Encryption{Algorithm: "aws:kms", KeyID: shownKey}, attrs.Encryption)

				_, err = b.Upload(ctx, "large", bytes.NewReader(large), storage.WithPartSize(partSize))
				check("large", err)
				_, err = storage.Copy(ctx, b, "copy", b, "small")
				check("copy", err)

				_, err = storage.Compose(ctx, b, "joined", []string{"large", "small"})
				check("joined", err)
				got, _, err := storage.ReadAll(ctx, b, "joined")
				require.NoError(t, err)
				require.True(t, bytes.Equal(append(slices.Clone(large), "hello"...), got))

				signedURL, err := b.SignedUploadURL(ctx, "signed", storage.WithSize(5))
				require.NoError(t, err)
				response := wiretest.NetHTTP(t, signedURL, "hello")
				require.Equal(t, http.StatusOK, response.Status, response.Body)
				check("signed", nil)

				form, err := storage.SignedUploadForm(ctx, b, "form", 0, 10)
				require.NoError(t, err)
				status, text := postForm(t, form, "hello")
				require.Equal(t, http.StatusNoContent, status, text)
				check("form", nil)

				_, err = bucket.Upload(ctx, "one", strings.NewReader("x"), s3.WithKMSKey(key),
					s3.WithKMSContext(map[string]string{"team": "a"}))
				check("one", err)
				_, err = bucket.Upload(ctx, "one", strings.NewReader("x"), s3.WithKMSKey("nobody"))
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, "KMS key")

				_, err = bucket.Upload(ctx, "new", strings.NewReader("x"), s3.WithKMSKey("nobody"),
					storage.IfAbsent())
				require.ErrorIs(t, err, storage.InvalidArgument)
				_, err = storage.Copy(ctx, bucket, "one", bucket, "small", s3.WithKMSKey("nobody"))
				require.ErrorIs(t, err, storage.InvalidArgument)
			})
		}
	}
}

// postForm posts a form as a browser does.
func postForm(t *testing.T, form *storage.SignedForm, content string) (status int, text string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		require.NoError(t, w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "name")
	require.NoError(t, err)
	_, err = io.WriteString(file, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	response, err := withoutKeepAlive().Post(form.URL, w.FormDataContentType(), &body)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(answer)
}

// An open upload that began with a customer's key continues only with the same key.
func TestBeginUploadWithCustomerKey(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	other := s3.WithCustomerKey(customerKeyOf(2))
	content := wiretest.Content(partSize+3, 5)
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := openBucket(t, c)
		u, err := storage.BeginUpload(t.Context(), b, "k", key, storage.IfAbsent())
		require.NoError(t, err)
		_, err = u.PutPart(t.Context(), 2, bytes.NewReader(content[partSize:]))
		require.NoError(t, err)

		for _, opts := range [][]storage.MultipartOption{nil, {other}} {
			_, err = storage.ContinueUpload(t.Context(), b, u.Token(), opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		}

		second, err := storage.ContinueUpload(t.Context(), b, u.Token(), key)
		require.NoError(t, err)
		_, err = second.PutPart(t.Context(), 1, bytes.NewReader(content[:partSize]))
		require.NoError(t, err)
		attrs, err := second.Complete(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, len(content), attrs.Size)

		_, err = u.Complete(t.Context())
		require.NoError(t, err, "HEAD with the key finds what was written")
		got, _, err := storage.ReadAll(t.Context(), b, "k", key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
	})
}
