package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// To read two columns of a table, readColumns needs at most 1.3 times the requests and bytes of an ideal reader, which
// knows in advance where the columns are.
func TestColumnsReadLittle(t *testing.T) {
	const maxOverhead = 1.3
	for _, rows := range []int{500_000, 1_500_000} {
		var counts traffic
		b := memstore.New(storage.WithHook(counts.hook))
		attrs, err := upload(t.Context(), b, "table", rows)
		require.NoError(t, err)

		// Count only what reading needs.
		counts.reset()
		got, err := readColumns(t.Context(), b, "table", "distance", "fare")
		require.NoError(t, err)
		require.Equal(t, sums(rows), got.sums)

		t.Logf("%d rows of %d bytes: %d requests, ideally %d; %d bytes, ideally %d",
			rows, attrs.Size, counts.requests.Load(), got.ideal.requests, counts.bytes.Load(), got.ideal.bytes)
		require.LessOrEqual(t, float64(counts.requests.Load()), maxOverhead*float64(got.ideal.requests))
		require.LessOrEqual(t, float64(counts.bytes.Load()), maxOverhead*float64(got.ideal.bytes))
		require.Less(t, got.ideal.bytes, attrs.Size/2, "the table has more columns")
	}
}

// If a library reads two columns through a ReaderAt, it needs at most 1.3 times the requests and bytes of an ideal
// reader, which knows in advance where the columns are.
func TestReaderAtOfALargeTable(t *testing.T) {
	const (
		rows        = 1_500_000
		maxOverhead = 1.3
	)
	columns := []string{"distance", "fare"}
	var counts traffic
	b := memstore.New(storage.WithHook(counts.hook))
	_, err := upload(t.Context(), b, "table", rows)
	require.NoError(t, err)

	// The result has the requests and bytes of an ideal reader.
	result, err := readColumns(t.Context(), b, "table", columns...)
	require.NoError(t, err)

	// Read the columns through a ReaderAt, and count only this.
	counts.reset()
	r, err := storage.NewReaderAt(t.Context(), b, "table")
	require.NoError(t, err)
	file, err := parquet.OpenFile(r, r.Size(), parquet.SkipMagicBytes(true), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	require.NoError(t, err)
	chunks, err := findChunks(file, columns)
	require.NoError(t, err)
	got := map[string]float64{}
	for _, c := range chunks {
		sum, err := sumPages(c.pages.Pages())
		require.NoError(t, err)
		got[c.column] += sum
	}
	require.NoError(t, r.Close())
	require.Equal(t, sums(rows), got)

	t.Logf("%d requests, ideally %d; %d bytes, ideally %d",
		counts.requests.Load(), result.ideal.requests, counts.bytes.Load(), result.ideal.bytes)
	require.LessOrEqual(t, float64(counts.requests.Load()), maxOverhead*float64(result.ideal.requests))
	require.LessOrEqual(t, float64(counts.bytes.Load()), maxOverhead*float64(result.ideal.bytes))
}

// A file of storage.FS is an io.ReaderAt, so that a library for Parquet can read it.
func TestFSFileIsRead(t *testing.T) {
	const rows = 1000
	b := memstore.New()
	_, err := upload(t.Context(), b, "tables/trips", rows)
	require.NoError(t, err)

	// Open the table as a file, and give it to the library.
	f, err := storage.FS(t.Context(), b).Open("tables/trips")
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	table, err := parquet.OpenFile(f.(io.ReaderAt), info.Size())
	require.NoError(t, err)

	// The library reads all rows.
	reader := parquet.NewGenericReader[trip](table)
	trips := make([]trip, rows)
	count, err := reader.Read(trips)
	require.True(t, err == nil || err == io.EOF, err)
	require.Equal(t, rows, count)
	require.NoError(t, reader.Close())

	// Their fares are those of upload.
	var fares float64
	for _, trip := range trips {
		fares += trip.Fare
	}
	require.Equal(t, sums(rows)["fare"], fares)
}

// sums adds up what upload writes.
func sums(rows int) map[string]float64 {
	all := map[string]float64{}
	random := rand.New(rand.NewPCG(1, 2))
	for range rows {
		random.Int64N(1 << 31)
		random.Int64()
		random.Int64N(7200)
		random.Float64()
		random.Float64()
		all["distance"] += float64(random.IntN(1000))
		all["fare"] += float64(random.IntN(5000))
	}
	return all
}

func TestColumnMissing(t *testing.T) {
	b := memstore.New()
	_, err := upload(t.Context(), b, "table", 10)
	require.NoError(t, err)
	_, err = readColumns(t.Context(), b, "table", "tip")
	require.ErrorContains(t, err, `no column "tip"`)
	_, err = readColumns(t.Context(), b, "missing", "fare")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

func TestRun(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://parquet-example", 250_000, &buf))
	require.Regexp(t, regexp.MustCompile(`(?s)uploaded 250000 rows, \d+ bytes.*read \d+ bytes by \d+ requests; an ideal reader: \d+ bytes by 7 requests`), buf.String())
}
