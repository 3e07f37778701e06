package engine_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A shrunken driver says that its object has less than no bytes.
type shrunken struct{ driver.Driver }

func (shrunken) Get(context.Context, *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	return &storage.Attrs{Size: -1, Revision: "1"}, io.NopCloser(strings.NewReader("x")), nil
}

// A download fails if the driver returns a negative size.
func TestDownloadRefusesNegativeSize(t *testing.T) {
	b := engine.New(shrunken{memstore.NewDriver(memstore.Config{})})
	for name, opts := range map[string][]storage.DownloadOption{
		"whole":          nil,
		"the last bytes": {storage.WithRange(-10, -1)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Download(t.Context(), "key", opts...)
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}
