package main

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func TestTwoColumnsTakeHardlyMoreThanAnIdealReader(t *testing.T) {
	for _, rows := range []int{500_000, 1_500_000} {
		var seen traffic
		b := memstore.New(storage.WithHook(seen.hook))
		attrs, err := upload(t.Context(), b, "table", rows)
		require.NoError(t, err)
		seen.reset()
		got, err := readColumns(t.Context(), b, "table", "distance", "fare")
		require.NoError(t, err)
		t.Logf("%d rows of %d bytes: %d requests, ideally %d; %d bytes, ideally %d",
			rows, attrs.Size, seen.requests.Load(), got.ideal.requests, seen.bytes.Load(), got.ideal.bytes)
		require.LessOrEqual(t, float64(seen.requests.Load()), 1.3*float64(got.ideal.requests))
		require.LessOrEqual(t, float64(seen.bytes.Load()), 1.3*float64(got.ideal.bytes))
		require.Less(t, got.ideal.bytes, attrs.Size/2, "the table has more columns")
		require.Equal(t, sums(rows), got.sums)
	}
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

func TestAColumnThatIsMissing(t *testing.T) {
	b := memstore.New()
	_, err := upload(t.Context(), b, "table", 10)
	require.NoError(t, err)
	_, err = readColumns(t.Context(), b, "table", "tip")
	require.ErrorContains(t, err, `no column "tip"`)
	_, err = readColumns(t.Context(), b, "missing", "fare")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "mem://parquet-example", 250_000, &out))
	require.Regexp(t, regexp.MustCompile(`(?s)uploaded 250000 rows, \d+ bytes.*read \d+ bytes by \d+ requests; an ideal reader: \d+ bytes by 7 requests`), out.String())
}
