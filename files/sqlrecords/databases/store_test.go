package databases_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/recordstest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

func TestStore(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		for _, place := range []struct {
			name string
			open func(t *testing.T) storage.Bucket
		}{
			{"memory", func(*testing.T) storage.Bucket { return memstore.New() }},
			{"local", func(t *testing.T) storage.Bucket {
				b, err := local.Open(t.TempDir(), local.Config{NoSync: true})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
				return b
			}},
		} {
			t.Run(place.name, func(t *testing.T) {
				recordstest.RunStore(t, func(t *testing.T) *files.Store {
					records, _ := d.records(t)
					s, err := files.New(place.open(t), records, files.Config{})
					require.NoError(t, err)
					return s
				})
			})
		}
	})
}
