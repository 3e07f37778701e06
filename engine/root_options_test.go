package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A call never uses options of an earlier call. If it did, its own condition would be a second one and be refused.
func TestOptionsOfEarlierCalls(t *testing.T) {
	b := memstore.New()
	ctx := t.Context()
	upload := func(key string) storage.RevisionOption {
		a, err := b.Upload(ctx, key, strings.NewReader("content"))
		require.NoError(t, err)
		return storage.IfRevision(a.Revision)
	}
	tests := []struct {
		name string
		call func(condition storage.RevisionOption) error
	}{
		{
			name: "Upload",
			call: func(condition storage.RevisionOption) error {
				_, err := b.Upload(ctx, "key", strings.NewReader("x"), condition)
				return err
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
				_, err := b.Attrs(ctx, "key", condition)
				return err
			},
		},
		{
			name: "Copy",
			call: func(condition storage.RevisionOption) error {
				_, err := storage.Copy(ctx, b, "key", b, "source", condition)
				return err
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
			for range 10 { // calls take their options from a pool
				require.NoError(t, tt.call(upload("key")))
			}
		})
	}
}
