package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func TestTheHintOfVersionsNeedsAStoreThatHasThem(t *testing.T) {
	for name, row := range map[string]struct {
		bucket storage.Bucket
		hint   string
	}{
		"opened without":  {memstore.New(), "if the bucket keeps versions, open it with WithVersions or versions=true"},
		"a store without": {memoryWithout(storage.Versioning), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range storage.Versions(t.Context(), row.bucket) {
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, storage.Unsupported, e.Code)
				require.Equal(t, row.hint, e.Hint)
			}
		})
	}
}
