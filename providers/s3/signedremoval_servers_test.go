package s3_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A client with a signed removal URL can remove only its object, even if an unsigned header asks
// MinIO for more.
func TestSignedRemoveURLRemovesOneObject(t *testing.T) {
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		_, b := s.createBucket(t, s.service(t), storage.WithVersioning(true))
		uploads := []string{"a", "a", "b/c"}
		for _, key := range uploads {
			_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
			require.NoError(t, err)
		}

		// The header asks MinIO to remove all versions of a key, and all keys below it.
		forceDelete := http.Header{"X-Minio-Force-Delete": {"true"}}
		for _, key := range []string{"a", "b", "b/"} {
			signedURL, err := storage.SignedRemoveURL(t.Context(), b, key)
			require.NoError(t, err)
			sendSignedRemove(t, signedURL, forceDelete)
		}

		// All versions are left. There may also be delete markers.
		versions := 0
		for _, err := range storage.Versions(t.Context(), b) {
			require.NoError(t, err)
			versions++
		}
		require.GreaterOrEqual(t, versions, len(uploads))

		// Without the header, the URL works.
		signedURL, err := storage.SignedRemoveURL(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, sendSignedRemove(t, signedURL, nil))
	})
}

// A client with a signed removal URL cannot bypass a governance lock with an unsigned header.
func TestSignedRemoveURLBypassesNoLock(t *testing.T) {
	runOnLockingServers(t, func(t *testing.T, s *testServer) {
		_, b := s.createBucket(t, s.service(t), storage.WithObjectLock())
		attrs, err := b.Upload(t.Context(), "a", strings.NewReader("x"),
			storage.WithRetention(time.Now().Add(time.Hour), storage.Governance))
		require.NoError(t, err)
		signedURL, err := storage.SignedRemoveURL(t.Context(), b, "a", storage.WithVersion(attrs.Version))
		require.NoError(t, err)

		// The server refuses the removal, with and without the header.
		bypass := http.Header{"X-Amz-Bypass-Governance-Retention": {"true"}}
		status := sendSignedRemove(t, signedURL, bypass)
		require.GreaterOrEqual(t, status, 400)
		status = sendSignedRemove(t, signedURL, nil)
		require.GreaterOrEqual(t, status, 400)
		_, err = b.Attrs(t.Context(), "a", storage.WithVersion(attrs.Version))
		require.NoError(t, err, "the version must still be there")

		// The owner of the bucket can bypass the lock.
		err = b.Remove(t.Context(), "a", storage.WithVersion(attrs.Version), storage.WithGovernanceBypass())
		require.NoError(t, err)
	})
}

// sendSignedRemove sends a signed removal with additional headers that are not signed, and returns
// the status of the response.
func sendSignedRemove(t *testing.T, signedURL *storage.SignedURL, unsigned http.Header) int {
	t.Helper()
	r, err := signedURL.Request(t.Context(), nil)
	require.NoError(t, err)
	maps.Copy(r.Header, unsigned)
	response, err := withoutKeepAlive().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
