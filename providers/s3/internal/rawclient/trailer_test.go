package rawclient

import (
	"bytes"
	"io"
	"net/http/httputil"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// A body with a trailer uses the chunk format of HTTP, so Go's chunked reader decodes it and leaves
// the trailer.
func TestTrailed(t *testing.T) {
	const sum = "mnG7TA=="
	newTrailer := func() *string {
		s := sum
		return &s
	}
	for _, size := range []int{1, 8191, trailedChunk - 1, trailedChunk, trailedChunk + 1, 3*trailedChunk + 5} {
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for name, src := range map[string]io.Reader{
			"whole":                       bytes.NewReader(want),
			"by halves":                   iotest.HalfReader(bytes.NewReader(want)),
			"its end with the last bytes": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			trailed := NewTrailed(src, int64(size), newTrailer)
			length := trailed.length()

			body, err := io.ReadAll(struct{ io.Reader }{trailed})
			require.NoError(t, err, name)
			require.Len(t, body, int(length), name)

			data, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(want, data), name)
			require.True(t, bytes.HasSuffix(body, []byte("\r\n0\r\nx-amz-checksum-crc32c:"+sum+"\r\n\r\n")),
				name)
		}
	}
}

// Each read of a body with a trailer may be small.
func TestTrailedSmallReads(t *testing.T) {
	newTrailer := func() *string {
		s := "mnG7TA=="
		return &s
	}
	body, err := io.ReadAll(iotest.OneByteReader(NewTrailed(bytes.NewReader([]byte("hello")), 5, newTrailer)))
	require.NoError(t, err)
	require.Equal(t, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n", string(body))
}

// A body with a trailer fails if its source ends early.
func TestTrailedEndsEarly(t *testing.T) {
	sum := "mnG7TA=="
	tests := map[string]struct {
		from io.Reader
		sum  *string
		want error
	}{
		"it is too short": {
			from: bytes.NewReader([]byte("hell")),
			sum:  &sum,
			want: io.ErrUnexpectedEOF,
		},
		"it fails": {
			from: iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader([]byte("hello")))),
			sum:  &sum,
			want: iotest.ErrTimeout,
		},
		"it has no checksum when it has ended": {from: bytes.NewReader([]byte("hello"))},
		"it fails in place of its last bytes": {
			from: iotest.ErrReader(io.ErrClosedPipe),
			sum:  &sum,
			want: io.ErrClosedPipe,
		},
		"nothing is read before the first chunk": {
			from: iotest.ErrReader(io.ErrNoProgress),
			sum:  &sum,
			want: io.ErrNoProgress,
		},
	}
	for name, tt := range tests {
		body, err := io.ReadAll(NewTrailed(tt.from, 5, func() *string { return tt.sum }))
		require.Error(t, err, name)
		if tt.want != nil {
			require.ErrorIs(t, err, tt.want, name)
		}
		require.NotContains(t, string(body), "x-amz-checksum", name)
	}
}

// The declared length of a body with a trailer is right for a part of 5 GiB, the largest that S3 accepts.
func TestTrailedLargeLength(t *testing.T) {
	newTrailer := func() *string {
		s := "mnG7TA=="
		return &s
	}
	const size = 5 << 30
	trailed := NewTrailed(endless{}, size, newTrailer)
	length := trailed.length()
	total := int64(0)
	buffer := make([]byte, 1<<20+7)
	for {
		n, err := trailed.Read(buffer)
		total += int64(n)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}

	require.Equal(t, length, total)
	require.Less(t, length-size, int64(64<<10), "frames")
}

// endless reads whatever is in the buffer.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
