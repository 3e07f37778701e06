package s3_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// RemoveAll reports the object that a batch could not delete, even if the server names its key
// wrongly or not at all.
func TestDeleteBatchReportsEachFailure(t *testing.T) {
	tests := []struct {
		name    string
		failed  string // the key of the failure in the response, or "" for none
		version string // the version of the failure in the response, or "" for none
	}{
		{name: "by its name", failed: "kept/1"},
		{name: "of the version null", failed: "kept/1", version: "null"},
		{name: "without its name"},
		{name: "without its prefix", failed: "1"},
		{name: "by its name, escaped", failed: "kept%2F1"},
		{name: "by another name", failed: "another", version: "v1"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server, err := s3server.Start(s3server.Config{Strict: true, Buckets: []string{"photos"}})
			require.NoError(t, err)
			t.Cleanup(server.Close)
			b, err := s3.Open(t.Context(), s3.Config{
				Bucket:      "photos",
				Endpoint:    server.URL,
				AccessKeyID: s3server.DefaultAccessKeyID,
				SecretKey:   s3server.DefaultSecretKey,
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			keys := []string{"a", "kept/1", "z"}
			for _, key := range keys {
				_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
				require.NoError(t, err)
			}

			// The server refuses to delete kept/1, in a batch and by a single DELETE. Deny returns the key and the
			// version in the response.
			server.Inject(s3server.Fault{
				Operation: "DeleteObjects",
				Deny: func(key, _ string) (failed, version string, isDenied bool) {
					return tt.failed, tt.version, key == "kept/1"
				},
			})
			server.Inject(s3server.Fault{Operation: "DeleteObject", Key: "kept/1", Error: "AccessDenied"})

			// The other objects are removed, and the error has the key of the one that remains.
			removed, err := storage.RemoveAll(t.Context(), b, slices.Values(keys))
			require.Equal(t, 2, removed)
			require.ErrorIs(t, err, storage.PermissionDenied)
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "kept/1", e.Key)

			exists, err := b.Exists(t.Context(), "kept/1")
			require.NoError(t, err)
			require.True(t, exists)
		})
	}
}
