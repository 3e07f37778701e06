package storagetest

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// A rangeRow is one range of the object "0123456789", and the bytes that a read of it returns.
type rangeRow struct {
	offset, length int64
	want           string
	start          int64        // offset that the Reader reports
	code           storage.Code // error of the read, or ""
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
		Name:        "ranges",
		Rule:        "R3",
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

// readRange reads one range with Download, and requires that the result is that of row. The object
// "empty" has no bytes, and any other has ten.
func readRange(t *T, b storage.Downloader, key string, row rangeRow, concurrency int) {
	t.Helper()
	reader, err := b.Download(t.Context(), key, storage.WithRange(row.offset, row.length),
		storage.WithConcurrency(concurrency))
	if row.code != "" {
		require.Equal(t, row.code, storage.CodeOf(err), "%s %+v: %v", key, row, err)
		return
	}
	require.NoError(t, err, "%s %+v", key, row)

	offset, length := reader.Range()
	require.Equal(t, row.start, offset, "%s %+v", key, row)
	require.Equal(t, int64(len(row.want)), length, "%s %+v", key, row)

	wantSize := int64(10)
	if key == "empty" {
		wantSize = 0
	}
	require.Equal(t, wantSize, reader.Attrs().Size, "Attrs must describe the whole object: %+v", row)
	require.Equal(t, key, reader.Attrs().Key)

	got, err := drain(t, reader)
	require.NoError(t, err, "%s %+v", key, row)
	require.Equal(t, row.want, got, "%s %+v", key, row)
}

var readRangesCases = []Case{
	{
		Name:        "ReadRanges reads each range as Download does",
		Rule:        "R8",
		Explanation: "alone and all together, in the order asked; a bad range is InvalidArgument before any request, one past the end RangeNotSatisfiable",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "0123456789")
			t.put(b, "empty", "")
			for key, rows := range map[string][]rangeRow{"a": rangeRows, "empty": emptyRangeRows} {
				var ranges []storage.Range
				var want []string
				for _, row := range rows {
					section := storage.Range{Offset: row.offset, Length: row.length}
					if row.code == "" {
						ranges = append(ranges, section)
						want = append(want, row.want)
					}
					readOneRange(t, b, key, row)
				}
				got, attrs, err := storage.ReadRanges(t.Context(), b, key, ranges)
				require.NoError(t, err)
				require.Equal(t, want, stringsOf(got))
				require.Equal(t, t.attrs(b, key), attrs)
			}
			t.requireNoRequests(func() {
				for _, opts := range [][]storage.DownloadOption{
					{storage.WithRange(1, 2)}, {storage.WithMaxGap(-1)}, {storage.WithConcurrency(0)}, {nil},
				} {
					_, _, err := storage.ReadRanges(
						t.Context(), b, "a", []storage.Range{{Offset: 0, Length: 1}},
						opts...)
					t.requireNothingDone(err, storage.InvalidArgument)
				}
			})
			_, _, err := storage.ReadRanges(t.Context(), b, "missing", []storage.Range{{Offset: 0, Length: 1}})
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name:        "ReadRanges without ranges describes the object",
		Rule:        "R8",
		Explanation: "no ranges, and ranges without bytes, return the attributes",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "0123456789")
			for _, ranges := range [][]storage.Range{nil, {{Offset: 3, Length: 0}, {Offset: 10, Length: 5}}} {
				got, attrs, err := storage.ReadRanges(t.Context(), b, "a", ranges)
				require.NoError(t, err)
				require.Len(t, got, len(ranges))
				require.Empty(t, strings.Join(stringsOf(got), ""))
				require.Equal(t, int64(10), attrs.Size)
			}
			_, _, err := storage.ReadRanges(t.Context(), b, "missing", nil)
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name:        "near ranges are one request",
		Rule:        "R8",
		Explanation: "ranges with gaps up to WithMaxGap are merged, wider ones are not, and overlapping bytes are requested once",
		run: func(t *T) {
			b := t.open()
			text := body(600_000, 1)
			t.put(b, "a", text)
			scattered := []storage.Range{
				{
					Offset: 300_000,
					Length: 10,
				}, {Offset: 0, Length: 100}, {Offset: 50, Length: 100}, {Offset: 1150, Length: 50},
			}
			for _, row := range []struct {
				name     string
				opts     []storage.DownloadOption
				ranges   []storage.Range
				requests int
			}{
				{"gaps of 1000 and 300,000", nil, scattered, 2},
				{"no gap", []storage.DownloadOption{storage.WithMaxGap(0)}, scattered, 3},
				{"any gap", []storage.DownloadOption{storage.WithMaxGap(1 << 62)}, scattered, 1},
				{"one at a time", []storage.DownloadOption{storage.WithMaxGap(999), storage.WithConcurrency(1)}, scattered, 3},
				{"the end alone", nil, []storage.Range{{Offset: -10, Length: -1}}, 1},
				{"the same range again", nil, []storage.Range{{Offset: 5, Length: 9}, {Offset: 5, Length: 9}, {Offset: 6, Length: 1}}, 1},
			} {
				n := t.faults.Count(faults.Get)
				got, _, err := storage.ReadRanges(t.Context(), b, "a", row.ranges, row.opts...)
				require.NoError(t, err, row.name)
				require.Equal(t, row.requests, t.faults.Count(faults.Get)-n, row.name)
				for i, section := range row.ranges {
					start := section.Offset
					if start < 0 {
						start += int64(len(text))
					}
					requireSame(t, text[start:start+int64(len(got[i]))], string(got[i]))
				}
			}
			got, _, err := storage.ReadRanges(t.Context(), b, "a",
				[]storage.Range{{Offset: 0, Length: 9}, {Offset: 3, Length: 3}})
			require.NoError(t, err)
			clear(got[0])
			require.Equal(t, text[3:6], string(got[1]), "results share no memory")
		},
	},
	{
		Name:        "ReadRanges reads one revision",
		Rule:        "R8",
		Explanation: "if the object is overwritten or removed between two requests, ReadRanges is Changed and returns nothing",
		run: func(t *T) {
			for name, change := range map[string]func(storage.Bucket){
				"overwritten": func(b storage.Bucket) {
					t.put(b, "a", body(10_000, 2))
				},
				"removed": func(b storage.Bucket) {
					require.NoError(t, b.Remove(t.Context(), "a"))
				},
			} {
				var other storage.Bucket
				b, other := t.openTwice(observe.BeforeCall("Get", 2, func() {
					change(other)
				}))
				t.put(b, "a", body(10_000, 1))
				_, _, err := storage.ReadRanges(
					t.Context(), b, "a", []storage.Range{{Offset: 0, Length: 10}, {Offset: 9_000, Length: 10}},
					storage.WithMaxGap(0), storage.WithConcurrency(1),
				)
				require.Equal(t, storage.Changed, storage.CodeOf(err), "%s: %v", name, err)
				require.Zero(t, t.faults.OpenBodies())
			}
		},
	},
}

// readOneRange reads one range with ReadRanges, and requires that the result is that of row, and
// that an invalid range makes no request.
func readOneRange(t *T, b storage.Downloader, key string, row rangeRow) {
	t.Helper()
	name := fmt.Sprintf("%s %+v", key, row)
	var got [][]byte
	var err error
	requests := t.countRequests(func() {
		got, _, err = storage.ReadRanges(t.Context(), b, key, []storage.Range{{Offset: row.offset, Length: row.length}})
	})
	if row.code == "" {
		require.NoError(t, err, name)
		require.Equal(t, []string{row.want}, stringsOf(got), name)
		return
	}

	if row.code == storage.InvalidArgument {
		require.Zero(t, requests, "this must make no request:\n%v", t.faults)
		t.requireNothingDone(err, row.code)
	}
	require.Equal(t, row.code, storage.CodeOf(err), "%s: %v", name, err)
}

// stringsOf returns the elements of data as strings.
func stringsOf(data [][]byte) []string {
	texts := make([]string, len(data))
	for i, text := range data {
		texts[i] = string(text)
	}
	return texts
}
