package s3_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
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

// startOwnServer starts an s3server with the profile "aws".
func startOwnServer(t *testing.T, c s3server.Config) *testServer {
	t.Helper()
	started, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(started.Close)
	return newOwnServer(started)
}

// newOwnServer returns a started s3server as a testServer with the profile "aws".
func newOwnServer(started *s3server.Server) *testServer {
	server := &testServer{
		name:     "aws",
		endpoint: started.URL,
		key:      s3server.DefaultAccessKeyID,
		secret:   s3server.DefaultSecretKey,
	}
	server.raw = server.clientOver(withoutKeepAlive())
	return server
}

// startOwnServerTLS starts an s3server with TLS and the profile "aws". It also returns the path of a file with
// the server's certificate.
func startOwnServerTLS(t *testing.T, c s3server.Config) (server *testServer, certificate string) {
	t.Helper()
	if c.Middleware == nil {
		c.Middleware = wiretest.OneRequestAConnection
	}
	c.TLS = &tls.Config{}
	started, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(started.Close)
	certificate = certificateFile(t, started.Certificate())
	server = &testServer{
		name:     "aws",
		endpoint: started.URL,
		key:      s3server.DefaultAccessKeyID,
		secret:   s3server.DefaultSecretKey,
	}
	server.raw = server.clientOver(newTrustingClient(t, certificate))
	return server, certificate
}

// certificateFile writes a certificate to a file, and returns its path.
func certificateFile(t *testing.T, certificate *x509.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600))
	return file
}

// trustCertificate makes the driver's own HTTP client trust a certificate.
func trustCertificate(t *testing.T, certificate *x509.Certificate) {
	t.Helper()
	t.Setenv("AWS_CA_BUNDLE", certificateFile(t, certificate))
}

// runOverTLS runs a test four times: with MinIO and with an s3server, and on each of them with the
// raw client and with the SDK. For the raw client, the Config has no HTTP client.
func runOverTLS(t *testing.T, test func(t *testing.T, s *testServer, c s3.Config)) {
	servers := []struct {
		name  string
		start func(t *testing.T) (s *testServer, certificate string)
	}{
		{
			name: "minio",
			start: func(t *testing.T) (*testServer, string) {
				s := needServer(t, "minio-tls")
				certificate := os.Getenv("OMNIBUCKET_TEST_MINIO_TLS_CA")
				s.name = "minio" // its profile
				s.raw = s.clientOver(newTrustingClient(t, certificate))
				return s, certificate
			},
		},
		{
			name: "ours",
			start: func(t *testing.T) (*testServer, string) {
				return startOwnServerTLS(t, s3server.Config{Strict: true})
			},
		},
	}
	for _, server := range servers {
		for _, client := range []string{"by the raw client", "by the SDK"} {
			t.Run(server.name+", "+client, func(t *testing.T) {
				s, certificate := server.start(t)
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

// customerKeyOf returns a key that consists of 32 times the byte c.
func customerKeyOf(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }

// An object with a customer's key can be read only with that key. The object was uploaded whole, in
// parts or as a stream. Without the key or with another one, the error names the option.
func TestWithCustomerKeyObjects(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	otherKey := s3.WithCustomerKey(customerKeyOf(2))
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := openBucket(t, c)
		ctx := t.Context()
		for name, content := range map[string][]byte{
			"small": wiretest.Content(1000, 1),
			"large": wiretest.Content(partSize+partSize/2, 2),
		} {
			// Upload the content from a file and from a stream.
			_, err := b.Upload(ctx, name, bytes.NewReader(content), key, storage.WithPartSize(partSize),
				storage.WithMetadata(map[string]string{"a": "b"}))
			require.NoError(t, err, name)
			stream := struct{ io.Reader }{bytes.NewReader(content)} // has no size
			_, err = b.Upload(ctx, name+" stream", stream, key, storage.WithPartSize(partSize),
				storage.IfAbsent())
			require.NoError(t, err, name)

			for _, name := range []string{name, name + " stream"} {
				// Read it with the key.
				got, attrs, err := storage.ReadAll(ctx, b, name, key)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))
				require.Equal(t, "AES256", attrs.Encryption.Algorithm)
				require.NotEmpty(t, attrs.Encryption.KeyID)
				require.Nil(t, attrs.MD5)

				_, err = b.Attrs(ctx, name, key)
				require.NoError(t, err)

				// Read it without a key, and with another one.
				requireKeyNeeded(t, b, name, otherKey)
			}
		}
	})
}

// requireKeyNeeded requires that reads of an object fail without a key and with otherKey. The
// errors of Attrs must say why.
func requireKeyNeeded(t *testing.T, b storage.Bucket, name string, otherKey s3.CustomerKeyOption) {
	t.Helper()
	for _, opts := range [][]storage.DownloadOption{nil, {otherKey}} {
		_, _, err := storage.ReadAll(t.Context(), b, name, opts...)
		refusals := []storage.Code{storage.InvalidArgument, storage.PermissionDenied}
		require.Contains(t, refusals, storage.CodeOf(err))
	}

	_, err := b.Attrs(t.Context(), name)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "s3.WithCustomerKey")
	_, err = b.Attrs(t.Context(), name, otherKey)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "another key")
}

// uploadWithKey opens the bucket of c, and uploads "small" and "large" with a customer's key.
func uploadWithKey(t *testing.T, c s3.Config, small, large []byte) storage.Bucket {
	t.Helper()
	b := openBucket(t, c)
	key := s3.WithCustomerKey(customerKeyOf(1))
	for name, content := range map[string][]byte{"small": small, "large": large} {
		_, err := b.Upload(t.Context(), name, bytes.NewReader(content), key, storage.WithPartSize(partSize))
		require.NoError(t, err)
	}
	return b
}

// An object with a customer's key is read with that key by WithRange, by a ReaderAt, and in parallel ranges.
func TestWithCustomerKeyRanges(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	large := wiretest.Content(partSize+partSize/2, 2)
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := uploadWithKey(t, c, nil, large)

		// WithRange selects a few bytes.
		const offset, length = 10, 20
		got, _, err := storage.ReadAll(t.Context(), b, "large", key, storage.WithRange(offset, length))
		require.NoError(t, err)
		require.Equal(t, large[offset:offset+length], got)

		// A ReaderAt reads in the second part of the object.
		r, err := storage.NewReaderAt(t.Context(), b, "large", key)
		require.NoError(t, err)
		_, err = r.ReadAt(got, partSize)
		require.NoError(t, err)
		require.Equal(t, large[partSize:partSize+length], got)
		require.NoError(t, r.Close())

		// ReadAll reads parallel ranges.
		got, _, err = storage.ReadAll(t.Context(), b, "large", key, storage.WithConcurrency(3))
		require.NoError(t, err)
		require.True(t, bytes.Equal(large, got))
	})
}

// A copy needs the key of its source. The copy itself can have another key or none. A removal needs
// no key.
func TestWithCustomerKeyCopies(t *testing.T) {
	otherKey := s3.WithCustomerKey(customerKeyOf(2))
	sourceKey := s3.WithSourceCustomerKey(customerKeyOf(1))
	small := wiretest.Content(1000, 1)
	large := wiretest.Content(partSize+partSize/2, 2)
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		// The objects "small" and "large" have the source key.
		b := uploadWithKey(t, c, small, large)
		ctx := t.Context()

		// Without the key of the source, a copy fails.
		_, err := storage.Copy(ctx, b, "copy", b, "small")
		require.ErrorIs(t, err, storage.InvalidArgument)

		// With only the key of the source, the copy has no key.
		_, err = storage.Copy(ctx, b, "copy", b, "small", sourceKey)
		require.NoError(t, err)
		got, _, err := storage.ReadAll(ctx, b, "copy")
		require.NoError(t, err)
		require.Equal(t, small, got)

		// The copy has another key than the source.
		_, err = storage.Copy(ctx, b, "copy", b, "small", sourceKey, otherKey)
		require.NoError(t, err)
		got, _, err = storage.ReadAll(ctx, b, "copy", otherKey)
		require.NoError(t, err)
		require.Equal(t, small, got)

		// The server joins the two sources. Only the last source may be smaller than a part. The
		// result has another key than the sources.
		_, err = storage.Compose(ctx, b, "joined", []string{"large", "small"}, sourceKey, otherKey)
		require.NoError(t, err)
		got, _, err = storage.ReadAll(ctx, b, "joined", otherKey)
		require.NoError(t, err)
		require.True(t, bytes.Equal(slices.Concat(large, small), got))

		// The server cannot join the sources in this order, so their content passes through this
		// process. The result has no key.
		_, err = storage.Compose(ctx, b, "streamed", []string{"small", "large"}, sourceKey)
		require.NoError(t, err)
		got, _, err = storage.ReadAll(ctx, b, "streamed")
		require.NoError(t, err)
		require.True(t, bytes.Equal(slices.Concat(small, large), got))

		// A copy onto itself changes the key of an object. Remove needs no key.
		_, err = storage.Copy(ctx, b, "small", b, "small", sourceKey, otherKey)
		require.NoError(t, err)
		_, err = b.Attrs(ctx, "small", otherKey)
		require.NoError(t, err)
		require.NoError(t, b.Remove(ctx, "joined"))
	})
}

// Signed URLs upload and download an object with a customer's key, and the server refuses a client
// that leaves out the key.
func TestWithCustomerKeySignedURLs(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := openBucket(t, c)
		client := newTrustingClient(t, os.Getenv("AWS_CA_BUNDLE"))

		// A client uploads the object by a signed URL, and sends the headers that belong to the
		// URL.
		const content = "hello"
		signedURL, err := b.SignedUploadURL(t.Context(), "signed", key, storage.WithSize(int64(len(content))))
		require.NoError(t, err)
		status, text := sendSigned(t, client, signedURL, content)
		require.Equal(t, http.StatusOK, status, text)

		// Another URL downloads it.
		signedURL, err = b.SignedDownloadURL(t.Context(), "signed", key)
		require.NoError(t, err)
		_, text = sendSigned(t, client, signedURL, "")
		require.Equal(t, content, text)

		// Without the header that has the key, the download is refused.
		delete(signedURL.Header, "X-Amz-Server-Side-Encryption-Customer-Key")
		status, _ = sendSigned(t, client, signedURL, "")
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, status)
	})
}

// sendSigned sends the request of a signed URL, and returns the status and the body of the response.
func sendSigned(t *testing.T, client *http.Client, signedURL *storage.SignedURL, body string) (int, string) {
	t.Helper()
	req, err := signedURL.Request(t.Context(), strings.NewReader(body))
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}

// If an interrupted upload with a customer's key is repeated, only the missing parts are sent. With another key, all
// parts are sent.
func TestWithCustomerKeyResume(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	otherKey := s3.WithCustomerKey(customerKeyOf(2))
	content := wiretest.Content(2*partSize+partSize/2, 3)
	tests := []struct {
		name      string
		key       s3.CustomerKeyOption // of the second call
		wantParts int                  // that the second call sends
	}{
		{name: "with the same key", key: key, wantParts: 2},
		{name: "with another key", key: otherKey, wantParts: 3},
	}
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
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

				// The second part fails.
				_, err = b.Upload(t.Context(), "k", bytes.NewReader(content), append(opts, key)...)
				require.ErrorIs(t, err, storage.Unavailable)

				// Repeat the upload.
				calls.Reset()
				_, err = b.Upload(t.Context(), "k", bytes.NewReader(content), append(opts, tt.key)...)
				require.NoError(t, err)
				require.Equal(t, tt.wantParts, calls.Count(faults.PutPart))

				got, _, err := storage.ReadAll(t.Context(), b, "k", tt.key)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content, got))
			})
		}
	})
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

	// The object is stored, although its response is dropped.
	key := s3.WithCustomerKey(customerKeyOf(1))
	attrs, err := b.Upload(t.Context(), "k", strings.NewReader("hello"), key, storage.IfAbsent())
	require.NoError(t, err)
	require.Equal(t, "AES256", attrs.Encryption.Algorithm)
}

// An archived object with a customer's key can be restored only with the key.
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
	require.NoError(t, storage.SetTags(t.Context(), b, "k", map[string]string{"a": "b"}), "tags must need no key")
}

// runWithKMS runs a test with MinIO and with an s3server that have a KMS. On each of them, it runs
// with the raw client and with the SDK. key is a key of the KMS, and shownKey is how attributes
// show it.
func runWithKMS(t *testing.T, test func(t *testing.T, c s3.Config, key, shownKey string)) {
	const arn = "arn:aws:kms:us-east-1:123456789012:key/1"
	for _, client := range []string{"by the raw client", "by the SDK"} {
		configure := func(t *testing.T, server *testServer) s3.Config {
			c := server.config(t, server.bucket(t, false))
			if client == "by the SDK" {
				c.HTTPClient = withoutKeepAlive()
			}
			return c
		}
		t.Run("minio, "+client, func(t *testing.T) {
			key := os.Getenv("OMNIBUCKET_TEST_MINIO_KMS_KEY")
			test(t, configure(t, needServer(t, "minio")), key, "arn:aws:kms:"+key)
		})
		t.Run("ours, "+client, func(t *testing.T) {
			server := startOwnServer(t, s3server.Config{
				Strict:     true,
				KMSKeys:    []string{arn},
				Middleware: wiretest.OneRequestAConnection,
			})
			test(t, configure(t, server), arn, arn)
		})
	}
}

// requireEncrypted requires that an object is encrypted with a KMS key.
func requireEncrypted(t *testing.T, b storage.Bucket, name, shownKey string) {
	t.Helper()
	attrs, err := b.Attrs(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, storage.Encryption{Algorithm: "aws:kms", KeyID: shownKey}, attrs.Encryption, name)
}

// With Config.KMSKey, uploads, copies, signed URLs and forms store objects that are encrypted with
// that key. The attributes name the key as shownKey.
func TestKMSKeyOnServers(t *testing.T) {
	runWithKMS(t, func(t *testing.T, c s3.Config, key, shownKey string) {
		c.KMSKey = key
		c.BucketKey = true
		b := openBucket(t, c)
		ctx := t.Context()
		large := wiretest.Content(partSize+10, 1)

		// Uploads.
		attrs, err := b.Upload(ctx, "small", strings.NewReader("hello"))
		require.NoError(t, err)
		require.Equal(t, storage.Encryption{Algorithm: "aws:kms", KeyID: shownKey}, attrs.Encryption)
		requireEncrypted(t, b, "small", shownKey)

		_, err = b.Upload(ctx, "large", bytes.NewReader(large), storage.WithPartSize(partSize))
		require.NoError(t, err)
		requireEncrypted(t, b, "large", shownKey)

		// Copies.
		_, err = storage.Copy(ctx, b, "copy", b, "small")
		require.NoError(t, err)
		requireEncrypted(t, b, "copy", shownKey)

		_, err = storage.Compose(ctx, b, "joined", []string{"large", "small"})
		require.NoError(t, err)
		requireEncrypted(t, b, "joined", shownKey)
		got, _, err := storage.ReadAll(ctx, b, "joined")
		require.NoError(t, err)
		require.True(t, bytes.Equal(slices.Concat(large, []byte("hello")), got))

		// A signed URL.
		signedURL, err := b.SignedUploadURL(ctx, "signed", storage.WithSize(5))
		require.NoError(t, err)
		response := wiretest.NetHTTP(t, signedURL, "hello")
		require.Equal(t, http.StatusOK, response.Status, response.Body)
		requireEncrypted(t, b, "signed", shownKey)

		// A form.
		form, err := storage.SignedUploadForm(ctx, b, "form", 0, 10)
		require.NoError(t, err)
		status, text := postForm(t, form, "hello")
		require.Equal(t, http.StatusNoContent, status, text)
		requireEncrypted(t, b, "form", shownKey)
	})
}

// Upload with WithKMSKey encrypts the object with that key. If the KMS does not have the key, uploads
// and copies fail with InvalidArgument.
func TestWithKMSKeyOnServers(t *testing.T) {
	runWithKMS(t, func(t *testing.T, c s3.Config, key, shownKey string) {
		b := openBucket(t, c)
		ctx := t.Context()
		_, err := b.Upload(ctx, "one", strings.NewReader("x"), s3.WithKMSKey(key),
			s3.WithKMSContext(map[string]string{"team": "a"}))
		require.NoError(t, err)
		requireEncrypted(t, b, "one", shownKey)

		// The KMS has no key of this name.
		unknown := s3.WithKMSKey("nobody")
		_, err = b.Upload(ctx, "one", strings.NewReader("x"), unknown)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.ErrorContains(t, err, "KMS key")
		_, err = b.Upload(ctx, "new", strings.NewReader("x"), unknown, storage.IfAbsent())
		require.ErrorIs(t, err, storage.InvalidArgument)

		_, err = storage.Copy(ctx, b, "copy", b, "one", unknown)
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}

// postForm posts a form as a browser does.
func postForm(t *testing.T, form *storage.SignedForm, content string) (status int, text string) {
	t.Helper()
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		require.NoError(t, writer.WriteField(name, value))
	}
	file, err := writer.CreateFormFile("file", "name")
	require.NoError(t, err)
	_, err = io.WriteString(file, content)
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	resp, err := withoutKeepAlive().Post(form.URL, writer.FormDataContentType(), &body)
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(data)
}

// ContinueUpload continues an upload that began with a customer's key only if it gets the same key.
func TestBeginUploadWithCustomerKey(t *testing.T) {
	key := s3.WithCustomerKey(customerKeyOf(1))
	otherKey := s3.WithCustomerKey(customerKeyOf(2))
	content := wiretest.Content(partSize+3, 5)
	runOverTLS(t, func(t *testing.T, _ *testServer, c s3.Config) {
		b := openBucket(t, c)
		upload, err := storage.BeginUpload(t.Context(), b, "k", key, storage.IfAbsent())
		require.NoError(t, err)

		// The second part is sent first.
		_, err = upload.PutPart(t.Context(), 2, bytes.NewReader(content[partSize:]))
		require.NoError(t, err)

		// The upload does not continue without the key, or with another one.
		for _, opts := range [][]storage.MultipartOption{nil, {otherKey}} {
			_, err = storage.ContinueUpload(t.Context(), b, upload.Token(), opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		}

		// With the key, the upload gets its first part, and is completed.
		continued, err := storage.ContinueUpload(t.Context(), b, upload.Token(), key)
		require.NoError(t, err)
		_, err = continued.PutPart(t.Context(), 1, bytes.NewReader(content[:partSize]))
		require.NoError(t, err)
		attrs, err := continued.Complete(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, len(content), attrs.Size)

		// A second call of Complete finds the object by a HEAD with the key.
		_, err = upload.Complete(t.Context())
		require.NoError(t, err)
		got, _, err := storage.ReadAll(t.Context(), b, "k", key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
	})
}
