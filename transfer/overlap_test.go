package transfer_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

func TestEndsInOneBucket(t *testing.T) {
	for name, c := range map[string]struct {
		dst, src string
		opts     []transfer.Option
		want     error
	}{
		"a part into the whole":        {"", "a/", nil, storage.InvalidArgument},
		"the whole into a part":        {"a/", "", nil, storage.InvalidArgument},
		"into itself":                  {"a/", "a/", nil, storage.InvalidArgument},
		"a part beside another":        {"b/", "a/", nil, nil},
		"with that part left out":      {"b/", "", []transfer.Option{transfer.WithExclude("b/")}, nil},
		"of names that begin alike":    {"a-old/", "a/", nil, nil},
		"also where nothing is copied": {"", "a/", []transfer.Option{transfer.WithDryRun()}, storage.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "a/key", strings.NewReader("content"))
			require.NoError(t, err)
			end := func(prefix string) transfer.End {
				if prefix == "" {
					return transfer.Bucket(b)
				}
				return transfer.Bucket(storage.Prefixed(b, prefix))
			}
			_, err = transfer.Sync(t.Context(), end(c.dst), end(c.src), append(c.opts, transfer.WithDelete())...)
			require.ErrorIs(t, err, c.want)
			there, err := b.Exists(t.Context(), "a/key")
			require.NoError(t, err)
			require.True(t, there)
		})
	}
}
