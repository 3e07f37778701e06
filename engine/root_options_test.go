package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A call uses no options of earlier calls, although options come from a pool. If it did, its own condition would be a
// second one, which is refused.
func TestOptionsOfEarlierCalls(t *testing.T) {
	b := memstore.New()
	ctx := t.Context()

	// upload stores an object, and returns the condition that it is still the same.
	upload := func(key string) storage.RevisionOption {
		attrs, err := b.Upload(ctx, key, strings.NewReader("content"))
		require.NoError(t, err)
		return storage.IfRevision(attrs.Revision)
	}
	tests := []struct {
		name string
		call func(condition storage.RevisionOption) error
	}{
		{
			name: "Upload",
			call: func(condition storage.RevisionOption) error {
				return errorOf(b.Upload(ctx, "key", strings.NewReader("x"), condition))
			},
		},
		{
			name: "Download",
			call: func(condition storage.RevisionOption) error {
				reader, err := b.Download(ctx, "key", condition)
				if err != nil {
					return err
				}
				return reader.Close()
			},
		},
		{
			name: "Attrs",
			call: func(condition storage.RevisionOption) error {
				return errorOf(b.Attrs(ctx, "key", condition))
			},
		},
		{
			name: "Copy",
			call: func(condition storage.RevisionOption) error {
				return errorOf(storage.Copy(ctx, b, "key", b, "source", condition))
			},
		},
		{
			name: "Remove",
			call: func(condition storage.RevisionOption) error {
				return b.Remove(ctx, "key", condition)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upload("source")

			// Each call has the condition of the object that was stored just before.
			const calls = 10
			for range calls {
				condition := upload("key")
				require.NoError(t, tt.call(condition))
			}
		})
	}
}
