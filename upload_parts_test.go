package storage_test

import (
	"bytes"
	"io"
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

// A store may take a body of unknown size, but not of any size.
func TestAStreamThatMayBeTooLongForOnePutGoesInParts(t *testing.T) {
	const most, part = 100 << 10, 64 << 10
	for _, row := range []struct {
		name        string
		bytes       int
		opts        []storage.UploadOption
		puts, parts int
	}{
		{"a stream that is longer", 20 * part, nil, 0, 1},
		{"a stream of several parts", 11 << 20, nil, 0, 3},
		{"a stream that is short", most, nil, 1, 0},
		{"a declared size that is longer", 20 * part, []storage.UploadOption{storage.WithSize(20 * part)}, 0, 1},
		{"a declared size that fits", most, []storage.UploadOption{storage.WithSize(most)}, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			injected := faults.New()
			limits := faults.Limits{MaxPutSize: most, MinPartSize: part}
			b := memstore.New(storage.WithLayer(faults.WithLimits(limits)), storage.WithLayer(injected.Layer()))
			body := bytes.Repeat([]byte("x"), row.bytes)
			_, err := b.Upload(t.Context(), "k", struct{ io.Reader }{bytes.NewReader(body)}, row.opts...)
			require.NoError(t, err)
			require.Equal(t, row.puts, injected.Count(faults.Put))
			require.Equal(t, row.parts, injected.Count(faults.PutPart))
			got, _, err := storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, got))
		})
	}
}
