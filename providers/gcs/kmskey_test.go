package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// Attrs of an object with a KMS key name the key.
func TestWithKMSKeyObjects(t *testing.T) {
	const key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
	server := startRuleServer(t)
	for name, c := range map[string]gcs.Config{
		"own requests":       {Endpoint: server.URL},
		"parallel composite": {Endpoint: server.URL, ParallelComposite: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.KMSKey, c.Bucket = key, server.bucket(ruleBucket{})
			bucket, err := gcs.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), "a", strings.NewReader("x"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a")
			require.NoError(t, err)
			_, err = storage.Compose(t.Context(), bucket, "c", []string{"a", "b"})
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), "d", strings.NewReader(strings.Repeat("x", 9<<20)))
			require.NoError(t, err)

			for _, name := range []string{"a", "b", "c", "d"} {
				attrs, err := bucket.Attrs(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption,
					name)
				_, attrs, err = storage.ReadAll(t.Context(), bucket, name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption,
					name)
			}
		})
	}
}
