package storagetest

import (
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A rangeRow is one range of "0123456789".
type rangeRow struct {
	offset, length int64
	want           string
	at             int64
	code           storage.Code
}

var rangeRows = []rangeRow{
	{0, -1, "0123456789", 0, ""},
	{0, 10, "0123456789", 0, ""},
	{0, 1, "0", 0, ""},
	{9, 1, "9", 9, ""},
	{3, 4, "3456", 3, ""},
	{3, -1, "3456789", 3, ""},
	{0, 100, "0123456789", 0, ""},
	{8, 100, "89", 8, ""},
	{3, 1<<63 - 1, "3456789", 3, ""},
	{0, 0, "", 0, ""},
	{5, 0, "", 5, ""},
	{10, 0, "", 10, ""},
	{10, -1, "", 10, ""},
	{10, 5, "", 10, ""},
	{11, 0, "", 0, storage.RangeNotSatisfiable},
	{11, 1, "", 0, storage.RangeNotSatisfiable},
	{11, -1, "", 0, storage.RangeNotSatisfiable},
	{1 << 40, 1, "", 0, storage.RangeNotSatisfiable},
	{1<<63 - 1, -1, "", 0, storage.RangeNotSatisfiable},
	{1<<63 - 1, 1<<63 - 1, "", 0, storage.RangeNotSatisfiable},
	{-1, -1, "9", 9, ""},
	{-10, -1, "0123456789", 0, ""},
	{-11, -1, "0123456789", 0, ""},
	{-1 << 63, -1, "0123456789", 0, ""},
	{-1, 0, "", 0, storage.InvalidArgument},
	{-1, 1, "", 0, storage.InvalidArgument},
}

var emptyRangeRows = []rangeRow{
	{0, -1, "", 0, ""},
	{0, 0, "", 0, ""},
	{0, 10, "", 0, ""},
	{-5, -1, "", 0, ""},
	{1, 0, "", 0, storage.RangeNotSatisfiable},
	{1, -1, "", 0, storage.RangeNotSatisfiable},
	{1, 1, "", 0, storage.RangeNotSatisfiable},
}

var rangeCases = []Case{
	{
		Name: "ranges", Rule: "R3",
		Explanation: "the end is clamped. An offset at the end reads nothing, one past the end is RangeNotSatisfiable, and a negative one means the last bytes",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "0123456789")
			t.put(b, "empty", "")
			for _, concurrency := range []int{1, 3} {
				for _, row := range rangeRows {
					readRange(t, b, "a", row, concurrency)
				}
				for _, row := range emptyRangeRows {
					readRange(t, b, "empty", row, concurrency)
				}
			}
		},
	},
}

func readRange(t *T, b storage.Downloader, key string, row rangeRow, concurrency int) {
	t.Helper()
	reader, err := b.Download(t.Context(), key, storage.WithRange(row.offset, row.length), storage.WithConcurrency(concurrency))
	if row.code != "" {
		require.Equal(t, row.code, storage.CodeOf(err), "%s %+v: %v", key, row, err)
		return
	}
	require.NoError(t, err, "%s %+v", key, row)
	offset, length := reader.Range()
	require.Equal(t, []int64{row.at, int64(len(row.want))}, []int64{offset, length}, "%s %+v", key, row)
	whole := int64(10)
	if key == "empty" {
		whole = 0
	}
	require.Equal(t, whole, reader.Attrs().Size, "Attrs must describe the whole object: %+v", row)
	require.Equal(t, key, reader.Attrs().Key)
	got, err := drain(t, reader)
	require.NoError(t, err, "%s %+v", key, row)
	require.Equal(t, row.want, got, "%s %+v", key, row)
}
