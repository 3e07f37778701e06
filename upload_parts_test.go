package storage_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Parts that come one after the other are large: each waits for a response.
func TestSequentialPartsInPlaceAreLarge(t *testing.T) {
	injected := faults.New()
	limits := faults.Limits{Disable: storage.StreamingPut, Sequential: true, MaxPutSize: 5 << 20, MinPartSize: 5 << 20}
	b := memstore.New(storage.WithLayer(faults.WithLimits(limits)), storage.WithLayer(injected.Layer()))
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 64<<20)))
	require.NoError(t, err)
	require.Equal(t, 1, injected.Count(faults.PutPart), "the last part comes with CompleteParts")
}
