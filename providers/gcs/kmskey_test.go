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
	s := startRuleServer(t)
	for name, c := range map[string]gcs.Config{
		"own requests":       {Endpoint: s.URL},
		"parallel composite": {Endpoint: s.URL, ParallelComposite: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.KMSKey, c.Bucket = key, s.bucket(ruleBucket{})
			b, err := gcs.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader("x"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "b", b, "a")
			require.NoError(t, err)
			_, err = storage.Compose(t.Context(), b, "c", []string{"a", "b"})
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "d", strings.NewReader(strings.Repeat("x", 9<<20)))
			require.NoError(t, err)

			for _, name := range []string{"a", "b", "c", "d"} {
				attrs, err := b.Attrs(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption, name)
				_, attrs, err = storage.ReadAll(t.Context(), b, name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption, name)
			}
		})
	}
}
