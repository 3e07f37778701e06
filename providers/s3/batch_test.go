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

// The error of RemoveAll has the key of the object that a batch cannot delete. This holds even if
// the server's response has a wrong key or none.
func TestDeleteBatchReportsEachFailure(t *testing.T) {
	tests := []struct {
		name            string
		responseKey     string // of the failed object in the response; "": no key
		responseVersion string // "": no version
	}{
		{name: "right key", responseKey: "kept/1"},
		{name: "right key and the version null", responseKey: "kept/1", responseVersion: "null"},
		{name: "no key"},
		{name: "key without its folder", responseKey: "1"},
		{name: "escaped key", responseKey: "kept%2F1"},
		{name: "wrong key and version", responseKey: "another", responseVersion: "v1"},
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

			// The server refuses to delete kept/1, in a batch and by a single DELETE.
			server.Inject(s3server.Fault{
				Operation: "DeleteObjects",
				Deny: func(key, _ string) (responseKey, responseVersion string, isDenied bool) {
					return tt.responseKey, tt.responseVersion, key == "kept/1"
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
