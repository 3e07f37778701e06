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
	for name, call := range map[string]func(storage.RevisionOption) error{
		"Upload": func(condition storage.RevisionOption) error {
			_, err := b.Upload(ctx, "key", strings.NewReader("x"), condition)
			return err
		},
		"Download": func(condition storage.RevisionOption) error {
			r, err := b.Download(ctx, "key", condition)
			if err == nil {
				err = r.Close()
			}
			return err
		},
		"Attrs": func(condition storage.RevisionOption) error {
			_, err := b.Attrs(ctx, "key", condition)
			return err
		},
		"Copy": func(condition storage.RevisionOption) error {
			_, err := storage.Copy(ctx, b, "key", b, "source", condition)
			return err
		},
		"Remove": func(condition storage.RevisionOption) error { return b.Remove(ctx, "key", condition) },
	} {
		t.Run(name, func(t *testing.T) {
			upload("source")
			for range 10 {
				require.NoError(t, call(upload("key")))
			}
		})
	}
}
