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

// A download fails if the driver reports a negative size of the object.
func TestDownloadRefusesNegativeSize(t *testing.T) {
	b := engine.New(shrunken{memstore.NewDriver(memstore.Config{})})
	tests := []struct {
		name string
		opts []storage.DownloadOption
	}{
		{name: "whole object"},
		{name: "last bytes", opts: []storage.DownloadOption{storage.WithRange(-10, -1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.Download(t.Context(), "key", tt.opts...)
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}
