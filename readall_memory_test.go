package storage

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// readClaimed returns all bytes, even if they exceed the memory that it allocates first.
func TestReadClaimedReturnsAllBytes(t *testing.T) {
	const (
		firstAllocation = 1000
		maxLength       = 3 * firstAllocation
	)
	content := make([]byte, maxLength)
	_, _ = numbers{}.ReadAt(content, 0)

	for length := range int64(maxLength) {
		got, err := readClaimed(bytes.NewReader(content), length, firstAllocation)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content[:length], got), "%d bytes", length)
	}
}

// ReadRanges returns all bytes of its ranges, even if they exceed its first allocation and the size of one request.
func TestReadRangesReturnsAllBytes(t *testing.T) {
	const size = 10_500

	// numbers is the content of the object, too.
	content := make([]byte, size)
	_, _ = numbers{}.ReadAt(content, 0)

	// Each range is {offset, length}. A length below 0 means the rest of the object, and an offset
	// below 0 counts from the end.
	tests := []struct {
		name   string
		ranges []Range
	}{
		{name: "whole object", ranges: []Range{{0, size}}},
		{name: "whole object without its size", ranges: []Range{{0, -1}}},
		{name: "overlapping", ranges: []Range{{0, size}, {100, 9000}, {500, -1}, {9000, 1500}, {-1, -1}}},
		{name: "with gaps", ranges: []Range{{0, 900}, {1000, 900}, {2500, 4000}, {9000, 10}, {9100, 5}}},
		{name: "empty", ranges: []Range{{100, 0}, {0, 0}}},
		{name: "one within another", ranges: []Range{{2000, 1000}, {0, size}}},
		{name: "equal", ranges: []Range{{0, size}, {0, size}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A rangesRead is one call of ReadRanges. Its limits are much smaller than the object.
			r := &rangesRead{from: &generatedObject{size: size}, key: "k", ranges: tt.ranges}
			require.Nil(t, r.init(nil))
			r.claimed = 1000 // bytes allocated at first
			r.limit = 300    // bytes of one request
			r.gap = 50       // bytes that a request may skip
			require.NoError(t, r.run(t.Context(), nil))

			// Each result has the bytes of its range.
			require.Len(t, r.results, len(tt.ranges))
			for i, byteRange := range tt.ranges {
				// Span resolves a length below 0 and an offset from the end.
				var req DownloadOptions
				WithRange(byteRange.Offset, byteRange.Length).applyDownload(&req)
				start, end, err := req.Span(size)
				require.NoError(t, err)
				require.True(t, bytes.Equal(content[start:end], r.results[i]), "range %d", i)
			}
		})
	}
}
