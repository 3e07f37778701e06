package local_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
)

const base = "https://files.example.com/b"

func noon() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func secret(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func secretFile(root string) string { return filepath.Join(root, ".omnibucket", "signing.key") }

// newSigningBucket opens a bucket that signs, with a clock that stands still.
func newSigningBucket(t *testing.T, root string, keys ...[]byte) storage.Bucket {
	t.Helper()
	b, err := local.Open(root, local.Config{NoSync: true, Now: noon, SigningKeys: keys},
		storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// originOf returns the bucket as the handler of signed URLs sees it.
func originOf(t *testing.T, b storage.Bucket) signedurl.ServedBucket {
	t.Helper()
	o, ok := signedurl.OriginOf(b)
	require.True(t, ok)
	return o
}

// signDownload returns a signed address of "a".
func signDownload(t *testing.T, b storage.Bucket) string {
	t.Helper()
	signedURL, err := b.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, noon().Add(time.Hour), signedURL.ExpiresAt)
	return signedURL.URL
}

// URLs stay valid after the process ends, because the signing key is stored in the bucket.
func TestSigningKeySurvivesProcess(t *testing.T) {
	root := t.TempDir()
	first := signDownload(t, newSigningBucket(t, root))
	require.Equal(t, first, signDownload(t, newSigningBucket(t, root)))
	require.NotEqual(t, keyOf(t, first), keyOf(t, signDownload(t, newSigningBucket(t, t.TempDir()))))
	require.Equal(t, http.StatusNotFound, status(newSigningBucket(t, root), first),
		"valid, but there is no object")

	info, err := os.Stat(secretFile(root))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	text, err := os.ReadFile(secretFile(root))
	require.NoError(t, err)

	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Len(t, key, 32)
	require.NotContains(t, first, strings.TrimSpace(string(text)))
}

// If several drivers of one directory sign first at the same time, they make one signing key. Drivers exclude each
// other as processes do.
func TestSigningKeyMadeOnce(t *testing.T) {
	root := t.TempDir()
	addresses := make([]string, 8)
	var group sync.WaitGroup
	for i := range addresses {
		b := newSigningBucket(t, root)
		group.Go(func() {
			if signedURL, err := b.SignedDownloadURL(t.Context(), "a"); err == nil {
				addresses[i] = signedURL.URL
			}
		})
	}
	group.Wait()

	for _, address := range addresses {
		require.Equal(t, signDownload(t, newSigningBucket(t, root)), address)
	}

	leftovers, err := filepath.Glob(filepath.Join(root, ".omnibucket", "tmp", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)
}

// Verifying a URL makes no signing key.
func TestVerifyingKeysMakesNoKey(t *testing.T) {
	root := t.TempDir()
	keys, err := originOf(t, newSigningBucket(t, root)).VerifyingKeys(t.Context())
	require.NoError(t, err)
	require.True(t, keys.Empty())
	require.NoDirExists(t, filepath.Join(root, ".omnibucket"), "reading a bucket must not change it")
}

// A user rotates the signing key by adding a line to its file.
func TestSigningKeyRotated(t *testing.T) {
	root := t.TempDir()
	old := signDownload(t, newSigningBucket(t, root))
	text, err := os.ReadFile(secretFile(root))
	require.NoError(t, err)
	rotated := append([]byte(hex.EncodeToString(secret(7))+"\n"), text...)
	require.NoError(t, os.WriteFile(secretFile(root), rotated, 0o600))

	// The first line signs.
	b := newSigningBucket(t, root)
	withNewKey := newSigningBucket(t, t.TempDir(), secret(7))
	require.Equal(t, keyOf(t, signDownload(t, withNewKey)), keyOf(t, signDownload(t, b)))

	// The second line verifies, until it is removed.
	require.Equal(t, http.StatusNotFound, status(b, old), "valid, but there is no object")
	firstLine, _, _ := bytes.Cut(rotated, []byte("\n"))
	require.NoError(t, os.WriteFile(secretFile(root), append(firstLine, '\n'), 0o600))
	require.Equal(t, http.StatusForbidden, status(newSigningBucket(t, root), old))
}

// keyOf returns the id of the key that signed.
func keyOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query().Get("ob-key")
}

// status returns the status of the handler's response.
func status(b storage.Bucket, address string) int {
	w := httptest.NewRecorder()
	serve.NewHandler(b).ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
	return w.Code
}

// If the signing key is damaged, the error does not show it.
func TestSigningKeyDamaged(t *testing.T) {
	tests := []struct{ name, content string }{
		{name: "empty", content: ""},
		{name: "not hexadecimal", content: "TOPSECRET\n"},
		{name: "too short", content: "5EC2E7\n"},
		{name: "a second line", content: hex.EncodeToString(secret(1)) + "\nTOPSECRET\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Dir(secretFile(root)), 0o777))
			require.NoError(t, os.WriteFile(secretFile(root), []byte(tt.content), 0o600))

			_, err := newSigningBucket(t, root).SignedDownloadURL(t.Context(), "a")
			require.ErrorIs(t, err, storage.Internal)
			require.ErrorContains(t, err, "signing.key")
			for _, part := range []string{"TOPSECRET", "5EC2E7", "0101"} {
				require.NotContains(t, err.Error(), part)
			}
		})
	}
}

// With Config.SigningKeys, the first key signs, and the directory gets no key file. Buckets of a Service sign with the
// same keys.
func TestSigningKeysOfConfig(t *testing.T) {
	root := t.TempDir()
	bucket := newSigningBucket(t, root, secret(1))
	address := signDownload(t, bucket)
	require.NoFileExists(t, secretFile(root))

	rotated := newSigningBucket(t, root, secret(2), secret(1))
	require.NotEqual(t, address, signDownload(t, rotated))

	service, err := local.NewService(filepath.Dir(root),
		local.Config{Now: noon, SigningKeys: local.SigningKeys{secret(1)}}, storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	managed, err := service.Bucket(filepath.Base(root))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(managed)) })
	require.Equal(t, address, signDownload(t, managed))
}

// Open and NewService refuse a key that is too short, and do not show it.
func TestSigningKeysOfConfigRefused(t *testing.T) {
	config := local.Config{SigningKeys: local.SigningKeys{[]byte("TOPSECRET")}}
	_, err := local.Open(t.TempDir(), config)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "TOPSECRET")

	_, err = local.NewService(t.TempDir(), config)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "TOPSECRET")
}

// A Config shows no signing key as text. 53 is the byte of the key in hexadecimal form.
func TestSigningKeysOfConfigAreRedacted(t *testing.T) {
	config := local.Config{SigningKeys: local.SigningKeys{secret('S')}}
	for _, format := range []string{"%v", "%+v", "%#v", "%x"} {
		text := fmt.Sprintf(format, config)
		require.Contains(t, text, "REDACTED")
		require.NotContains(t, text, "53")
	}
}

// The origin's BucketInfo reports whether the bucket is public, and its CORS rules. PublicRevision returns the revision
// of an object that everyone may read, and "" for others.
func TestOriginPublic(t *testing.T) {
	s, err := local.NewService(t.TempDir(), local.Config{NoSync: true}, storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	b, err := s.Bucket("bucket")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	o := originOf(t, b)

	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	_, err = s.UpdateBucket(t.Context(), "bucket", storage.WithPublicAccess(true), storage.WithCORS(rule))
	require.NoError(t, err)
	info, err := o.BucketInfo(t.Context())
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)

	attrs, err := b.Upload(t.Context(), "shown", strings.NewReader("x"), storage.WithPublicRead())
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "hidden", strings.NewReader("x"))
	require.NoError(t, err)
	tests := []struct{ key, want string }{
		{key: "shown", want: attrs.Revision},
		{key: "hidden", want: ""},
		{key: "missing", want: ""},
		{key: "../shown", want: ""},
		{key: ".omnibucket/signing.key", want: ""},
	}
	for _, tt := range tests {
		revision, err := o.PublicRevision(t.Context(), tt.key)
		require.NoError(t, err, tt.key)
		require.Equal(t, tt.want, revision, tt.key)
	}
}

// DeleteBucket removes a bucket that has only a signing key.
func TestDeleteBucketWithSigningKey(t *testing.T) {
	s, err := local.NewService(t.TempDir(), local.Config{NoSync: true}, storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	b, err := s.Bucket("bucket")
	require.NoError(t, err)
	_, err = b.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))
	require.NoError(t, s.DeleteBucket(t.Context(), "bucket"))
}
