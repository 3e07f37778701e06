package storage

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// If the length exceeds the memory that is allocated at first, readClaimed and ReadRanges still return all bytes.
func TestReadClaimedReturnsAllBytes(t *testing.T) {
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
			object := &generatedObject{size: total}
			r := &rangesRead{from: object, key: "k", ranges: ranges}
			require.Nil(t, r.init(nil))

			r.claimed = claimed
			r.limit = 300
			r.gap = 50
			require.NoError(t, r.run(t.Context(), nil))
			require.Len(t, r.results, len(ranges))

			for i, one := range ranges {
				var req DownloadOptions
				WithRange(one.Offset, one.Length).applyDownload(&req)
				start, end, err := req.Span(total)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want[start:end], r.results[i]), "range %d", i)
			}
		})
	}
}
