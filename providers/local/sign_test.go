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

// URLs stay valid after the process ends, because the signing key is stored in the bucket's directory.
func TestSigningKeySurvivesProcess(t *testing.T) {
	root := t.TempDir()
	signedURL := signDownload(t, newSigningBucket(t, root))

	// A later process signs with the same key, and another directory has another key.
	require.Equal(t, signedURL, signDownload(t, newSigningBucket(t, root)))
	require.NotEqual(t, keyOf(t, signedURL), keyOf(t, signDownload(t, newSigningBucket(t, t.TempDir()))))

	// The handler accepts the signature, and then finds no object.
	require.Equal(t, http.StatusNotFound, status(newSigningBucket(t, root), signedURL))
}

// The signing key is stored in a file that only the owner may read, and no URL contains it.
func TestSigningKeyFilePrivate(t *testing.T) {
	root := t.TempDir()
	signedURL := signDownload(t, newSigningBucket(t, root))

	info, err := os.Stat(secretFile(root))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}

	// The file has the key in hexadecimal.
	text, err := os.ReadFile(secretFile(root))
	require.NoError(t, err)
	hexKey := strings.TrimSpace(string(text))
	key, err := hex.DecodeString(hexKey)
	require.NoError(t, err)
	require.Len(t, key, 32)
	require.NotContains(t, signedURL, hexKey)
}

// If several drivers of one directory sign their first URL at the same time, they create only one signing key.
func TestSigningKeyMadeOnce(t *testing.T) {
	root := t.TempDir()
	urls := make([]string, 8)
	var group sync.WaitGroup
	for i := range urls {
		bucket := newSigningBucket(t, root)
		group.Go(func() {
			if signedURL, err := bucket.SignedDownloadURL(t.Context(), "a"); err == nil {
				urls[i] = signedURL.URL
			}
		})
	}
	group.Wait()

	want := signDownload(t, newSigningBucket(t, root))
	for _, got := range urls {
		require.Equal(t, want, got)
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
	require.NoDirExists(t, filepath.Join(root, ".omnibucket"))
}

// A user rotates the signing key by adding a new first line to the key file. The new key signs, and the keys on the
// other lines still verify.
func TestSigningKeyRotated(t *testing.T) {
	root := t.TempDir()
	oldURL := signDownload(t, newSigningBucket(t, root))
	text, err := os.ReadFile(secretFile(root))
	require.NoError(t, err)
	rotated := append([]byte(hex.EncodeToString(secret(7))+"\n"), text...)
	require.NoError(t, os.WriteFile(secretFile(root), rotated, 0o600))

	// The key on the first line signs.
	bucket := newSigningBucket(t, root)
	withNewKey := newSigningBucket(t, t.TempDir(), secret(7))
	require.Equal(t, keyOf(t, signDownload(t, withNewKey)), keyOf(t, signDownload(t, bucket)))

	// The key on the second line verifies the old URL. The URL is valid, but there is no object.
	require.Equal(t, http.StatusNotFound, status(bucket, oldURL))

	// Without the second line, the URL is not valid any more.
	firstLine, _, _ := bytes.Cut(rotated, []byte("\n"))
	require.NoError(t, os.WriteFile(secretFile(root), append(firstLine, '\n'), 0o600))
	require.Equal(t, http.StatusForbidden, status(newSigningBucket(t, root), oldURL))
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
	// The keys are stored in hexadecimal. A key must have 32 bytes.
	goodKey := strings.Repeat("01", 32)
	tests := []struct {
		name    string
		content string // of the file of the key
	}{
		{name: "empty", content: ""},
		{name: "not hexadecimal", content: "TOPSECRET\n"},
		{name: "too short", content: "5EC2E7\n"},
		{name: "second key not hexadecimal", content: goodKey + "\nTOPSECRET\n"},
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

	// After a rotation, the new key is the first one, and signs.
	rotated := newSigningBucket(t, root, secret(2), secret(1))
	require.NotEqual(t, address, signDownload(t, rotated))

	// A bucket of a Service with the old key signs the same URL as the first bucket.
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

// A formatted Config does not show its signing keys.
func TestSigningKeysOfConfigAreRedacted(t *testing.T) {
	const keyByte = 'S'
	config := local.Config{SigningKeys: local.SigningKeys{secret(keyByte)}}
	for _, format := range []string{"%v", "%+v", "%#v", "%x"} {
		t.Run(format, func(t *testing.T) {
			text := fmt.Sprintf(format, config)
			require.Contains(t, text, "REDACTED")
			require.NotContains(t, text, fmt.Sprintf("%x", keyByte))
		})
	}
}

// The origin, which is the bucket as the handler of signed URLs sees it, returns the bucket's public access and CORS
// rules, and the revision of an object that everyone may read.
func TestOriginPublic(t *testing.T) {
	service, err := local.NewService(t.TempDir(), local.Config{NoSync: true}, storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	_, err = service.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	bucket, err := service.Bucket("bucket")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	origin := originOf(t, bucket)

	// The bucket is public, and has a CORS rule.
	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	_, err = service.UpdateBucket(t.Context(), "bucket", storage.WithPublicAccess(true), storage.WithCORS(rule))
	require.NoError(t, err)
	info, err := origin.BucketInfo(t.Context())
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)

	// Everyone may read only the first object.
	attrs, err := bucket.Upload(t.Context(), "public", strings.NewReader("x"), storage.WithPublicRead())
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "private", strings.NewReader("x"))
	require.NoError(t, err)

	tests := []struct {
		key  string
		want string // the revision, or "" if not everyone may read the object
	}{
		{key: "public", want: attrs.Revision},
		{key: "private", want: ""},
		{key: "missing", want: ""},
		{key: "../public", want: ""},
		{key: ".omnibucket/signing.key", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			revision, err := origin.PublicRevision(t.Context(), tt.key)
			require.NoError(t, err)
			require.Equal(t, tt.want, revision)
		})
	}
}

// DeleteBucket removes a bucket that has only a signing key.
func TestDeleteBucketWithSigningKey(t *testing.T) {
	service, err := local.NewService(t.TempDir(), local.Config{NoSync: true}, storage.WithSigningBaseURL(base))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	_, err = service.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	bucket, err := service.Bucket("bucket")
	require.NoError(t, err)

	// Signing a URL creates the key.
	_, err = bucket.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, storage.Close(bucket))

	require.NoError(t, service.DeleteBucket(t.Context(), "bucket"))
}
