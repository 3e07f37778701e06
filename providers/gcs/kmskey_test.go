package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// Attrs and reads of an object name the KMS key with which it was encrypted, however it was written.
func TestWithKMSKeyObjects(t *testing.T) {
	const key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
	server := startRuleServer(t)
	tests := []struct {
		name              string
		parallelComposite bool
	}{
		{name: "own requests", parallelComposite: false},
		{name: "parallel composite", parallelComposite: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket, err := gcs.Open(t.Context(), gcs.Config{
				Bucket:            server.bucket(ruleBucket{}),
				Endpoint:          server.URL,
				ParallelComposite: tt.parallelComposite,
				KMSKey:            key,
			})
			require.NoError(t, err)

			// Each of these objects is written in a different way.
			_, err = bucket.Upload(t.Context(), "small", strings.NewReader("x"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), bucket, "copied", bucket, "small")
			require.NoError(t, err)
			_, err = storage.Compose(t.Context(), bucket, "composed", []string{"small", "copied"})
			require.NoError(t, err)
			const twoRequests = 9 << 20 // bytes; one request has at most 8 MiB
			_, err = bucket.Upload(t.Context(), "in parts", strings.NewReader(strings.Repeat("x", twoRequests)))
			require.NoError(t, err)

			want := storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}
			for _, name := range []string{"small", "copied", "composed", "in parts"} {
				attrs, err := bucket.Attrs(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, want, attrs.Encryption, name)

				_, attrs, err = storage.ReadAll(t.Context(), bucket, name)
				require.NoError(t, err)
				require.Equal(t, want, attrs.Encryption, name)
			}
		})
	}
}
