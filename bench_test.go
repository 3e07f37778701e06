package storage_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkUpload1KiB measures uploads to the memory driver of a body that can seek.
func BenchmarkUpload1KiB(b *testing.B) {
	bucket := memstore.New()
	data := make([]byte, 1<<10)
	body := bytes.NewReader(data)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(data)
		_, err := bucket.Upload(b.Context(), "key.bin", body)
		require.NoError(b, err)
	}
}

// BenchmarkUpload1KiBOfUnknownLength uploads a stream to memory.
func BenchmarkUpload1KiBOfUnknownLength(b *testing.B) {
	bucket := memstore.New()
	data := strings.Repeat("x", 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		_, err := bucket.Upload(b.Context(), "key.bin", io.MultiReader(strings.NewReader(data)))
		require.NoError(b, err)
	}
}

// BenchmarkReadAll1KiB reads an object from memory.
func BenchmarkReadAll1KiB(b *testing.B) {
	bucket := memstore.New()
	data := make([]byte, 1<<10)
	_, err := bucket.Upload(b.Context(), "key.bin", bytes.NewReader(data))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := storage.ReadAll(b.Context(), bucket, "key.bin")
		require.NoError(b, err)
	}
}

// BenchmarkAttrs reads the attributes of an object in memory.
func BenchmarkAttrs(b *testing.B) {
	bucket := memstore.New()
	_, err := bucket.Upload(b.Context(), "key.bin", strings.NewReader("x"))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := bucket.Attrs(b.Context(), "key.bin")
		require.NoError(b, err)
	}
}
