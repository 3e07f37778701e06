package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A call through Prefixed makes one allocation more than one of the whole bucket: the text of the whole key.
func TestAPrefixCostsOneAllocation(t *testing.T) {
	const prefix, key, content = "pre/fix/", "key", "some content"
	ctx := t.Context()
	for _, row := range []struct {
		name    string
		whole   float64 // allocations of a call of the whole bucket, with the whole key
		call    func(b storage.Bucket, key string) error
		missing bool // the call is made of a key without an object
	}{
		{"Attrs", 2, func(b storage.Bucket, key string) error { return lastError(b.Attrs(ctx, key)) }, false},
		{"Exists", 2, func(b storage.Bucket, key string) error { return lastError(b.Exists(ctx, key)) }, false},
		{"Exists, of nothing", 4, func(b storage.Bucket, key string) error { return lastError(b.Exists(ctx, key)) }, true},
		{"Upload", 8, func(b storage.Bucket, key string) error {
			return lastError(b.Upload(ctx, key, strings.NewReader(content)))
		}, false},
		{"ReadAll", 4, func(b storage.Bucket, key string) error {
			_, _, err := storage.ReadAll(ctx, b, key)
			return err
		}, false},
		{"Remove", 1, func(b storage.Bucket, key string) error { return b.Remove(ctx, key) }, true},
		{"List", 10, func(b storage.Bucket, key string) error {
			for _, err := range b.List(ctx, storage.WithPrefix(key)) {
				if err != nil {
					return err
				}
			}
			return nil
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := memstore.New()
			if !row.missing {
				_, err := b.Upload(ctx, prefix+key, strings.NewReader(content))
				require.NoError(t, err)
			}
			allocations := func(b storage.Bucket, key string) float64 {
				return testing.AllocsPerRun(1000, func() {
					if err := row.call(b, key); err != nil {
						t.Error(err)
					}
				})
			}
			whole := allocations(b, prefix+key)
			require.LessOrEqual(t, whole, row.whole)
			require.LessOrEqual(t, allocations(storage.Prefixed(b, prefix), key), row.whole+1)
		})
	}
}

func lastError[T any](_ T, err error) error { return err }
