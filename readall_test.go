package storage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/stretchr/testify/require"
)

// A oneObject driver has one object; its attributes say what the test wants.
type oneObject struct {
	Driver
	attrs Attrs
	data  []byte
}

func (*oneObject) Describe() Description {
	return Description{Provider: "one", Bucket: "b", Features: OrderedListing, Local: true}
}

func (d *oneObject) Get(context.Context, *GetRequest) (*Attrs, io.ReadCloser, error) {
	attrs := d.attrs
	return &attrs, io.NopCloser(bytes.NewReader(d.data)), nil
}

func (d *oneObject) Head(context.Context, *GetRequest) (*Attrs, error) {
	attrs := d.attrs
	return &attrs, nil
}

func holding(text string) *oneObject {
	sum := crc32c.Sum([]byte(text))
	return &oneObject{attrs: Attrs{Size: int64(len(text)), CRC32C: KnownCRC32C(sum)}, data: []byte(text)}
}

func TestReadAllIsADownloadToHooks(t *testing.T) {
	var seen Operation
	var ended Outcome
	b := New(holding("text"), WithHook(func(ctx context.Context, op Operation) (context.Context, func(Outcome), error) {
		seen = op
		return ctx, func(out Outcome) { ended = out }, nil
	}))
	data, attrs, err := ReadAll(t.Context(), b, "key")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.Equal(t, "key", attrs.Key)
	require.Equal(t, Operation{Name: "Download", Provider: "one", Bucket: "b", Key: "key"}, seen)
	require.Equal(t, Outcome{Bytes: 4, Requests: 1}, ended)
}

func TestReadAllNeedsThePermissionToDownload(t *testing.T) {
	_, _, err := ReadAll(t.Context(), Ref[AttrsReader](New(holding("text"))).(Downloader), "key")
	require.Equal(t, PermissionDenied, CodeOf(err))
}

func TestReadAllVerifiesTheBytes(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want Code
	}{
		"other bytes":               {"test", ChecksumMismatch},
		"fewer bytes":               {"tex", Unavailable},
		"no bytes":                  {"", Unavailable},
		"the same":                  {"text", ""},
		"more bytes, past the size": {"texture", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := holding("text")
			d.data = []byte(c.sent)
			data, _, err := ReadAll(t.Context(), New(d, WithRetry(RetryPolicy{Attempts: 1})), "key")
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "text", string(data))
				return
			}
			require.Equal(t, c.want, CodeOf(err))
			require.ErrorContains(t, err, `Download`)
			require.ErrorContains(t, err, `"key"`)
			require.Nil(t, data)
		})
	}
}

// A size may be anything that a server says.
func TestASizeThatIsOnlyClaimedTakesNoMemory(t *testing.T) {
	for _, size := range []int64{claimedBytes + 1, 1 << 62} {
		d := holding("text")
		d.attrs = Attrs{Size: size, Revision: "1"}
		b := New(d, WithRetry(RetryPolicy{Attempts: 1}))
		for name, ranges := range map[string][]Range{
			"ReadAll":              nil,
			"all":                  {{0, -1}},
			"the last bytes":       {{-size, -1}},
			"past the end":         {{0, math.MaxInt64}},
			"all and a part of it": {{0, -1}, {0, 1}},
			"the end":              {{size - 10, 100}},
			"long ranges":          {{0, size / 2}, {size / 2, size / 2}},
		} {
			t.Run(fmt.Sprint(name, " of ", size), func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var err error
				if ranges == nil {
					_, _, err = ReadAll(t.Context(), b, "key")
				} else {
					_, _, err = ReadRanges(t.Context(), b, "key", ranges)
				}
				runtime.ReadMemStats(&after)
				require.ErrorAs(t, err, new(*Error))
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*claimedBytes))
			})
		}
	}
}

func TestMemoryFollowsTheBytesThatCome(t *testing.T) {
	const claimed, total = 1000, 10_500
	want := make([]byte, total)
	_, _ = numbers{}.ReadAt(want, 0)
	for length := range int64(3 * claimed) {
		data, err := readClaimed(bytes.NewReader(want), length, claimed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want[:length], data))
	}
	for name, ranges := range map[string][]Range{
		"one":             {{0, total}},
		"the only range":  {{0, -1}},
		"overlapping":     {{0, total}, {100, 9000}, {500, -1}, {9000, 1500}, {-1, -1}},
		"with gaps":       {{0, 900}, {1000, 900}, {2500, 4000}, {9000, 10}, {9100, 5}},
		"without a byte":  {{100, 0}, {0, 0}},
		"one in another":  {{2000, 1000}, {0, total}},
		"the same, twice": {{0, total}, {0, total}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &generated{size: total}
			r := &rangesRead{from: g, key: "k", ranges: ranges}
			require.Nil(t, r.init(nil))
			r.claimed, r.limit, r.gap = claimed, 300, 50
			require.NoError(t, r.run(t.Context(), nil))
			require.Len(t, r.results, len(ranges))
			for i, one := range ranges {
				var req DownloadOptions
				WithRange(one.Offset, one.Length).applyDownload(&req)
				from, to, err := req.Span(total)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want[from:to], r.results[i]), "range %d", i)
			}
		})
	}
}
