package rawclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// sumOfHello is the CRC32C of "hello" in base64.
const sumOfHello = "mnG7TA=="

// newSumOfHello returns a pointer to sumOfHello, as the checksum of a trailer.
func newSumOfHello() *string { return new(sumOfHello) }

// NewTrailed returns a body with the bytes of its source in the chunk format of HTTP. Go's reader
// of chunks can decode this format. A trailer with the checksum of the bytes follows.
func TestTrailed(t *testing.T) {
	// Some of the bodies end just before, at, or after the end of a chunk.
	for _, size := range []int{1, 8191, trailedChunk - 1, trailedChunk, trailedChunk + 1, 3*trailedChunk + 5} {
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for name, src := range map[string]io.Reader{
			"whole":                       bytes.NewReader(want),
			"by halves":                   iotest.HalfReader(bytes.NewReader(want)),
			"its end with the last bytes": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
				// NewTrailed does not compute the checksum, so the checksum of "hello" can be used
				// for any content.
				trailed := NewTrailed(src, int64(size), newSumOfHello)
				length := trailed.length()

				// The struct hides all methods but Read.
				body, err := io.ReadAll(struct{ io.Reader }{trailed})
				require.NoError(t, err)
				require.Len(t, body, int(length))

				// Go's reader of chunks ends before the trailer.
				data, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, data), "the content must be the same")

				// The last chunk, which is empty, is followed by the trailer.
				end := "\r\n0\r\nx-amz-checksum-crc32c:" + sumOfHello + "\r\n\r\n"
				require.True(t, bytes.HasSuffix(body, []byte(end)), "the trailer must be the same")
			})
		}
	}
}

// A body with a trailer can be read byte by byte.
func TestTrailedSmallReads(t *testing.T) {
	const text = "hello"
	trailed := NewTrailed(strings.NewReader(text), int64(len(text)), newSumOfHello)

	body, err := io.ReadAll(iotest.OneByteReader(trailed))
	require.NoError(t, err)
	require.Equal(t, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n", string(body))
}

// If the source fails or ends early, or if there is no checksum at its end, the body fails before the trailer.
func TestTrailedEndsEarly(t *testing.T) {
	const size = int64(len("hello"))
	tests := map[string]struct {
		src  io.Reader
		sum  *string
		want error // nil for any error
	}{
		"the source is too short": {
			src:  strings.NewReader("hell"),
			sum:  newSumOfHello(),
			want: io.ErrUnexpectedEOF,
		},
		"the source fails after its first byte": {
			src:  iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("hello"))),
			sum:  newSumOfHello(),
			want: iotest.ErrTimeout,
		},
		"the checksum is missing at the end": {
			src: strings.NewReader("hello"),
		},
		"the source fails at once": {
			src:  iotest.ErrReader(io.ErrClosedPipe),
			sum:  newSumOfHello(),
			want: io.ErrClosedPipe,
		},
		"the source makes no progress": {
			src:  iotest.ErrReader(io.ErrNoProgress),
			sum:  newSumOfHello(),
			want: io.ErrNoProgress,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body, err := io.ReadAll(NewTrailed(tt.src, size, func() *string { return tt.sum }))
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			require.NotContains(t, string(body), "x-amz-checksum")
		})
	}
}

// The declared length of a body with a trailer is right for a part of 5 GiB, the largest part that
// S3 accepts.
func TestTrailedLargeLength(t *testing.T) {
	const size = 5 << 30
	const maxFraming = 64 << 10
	trailed := NewTrailed(endless{}, size, newSumOfHello)
	length := trailed.length()

	// Read the body to its end. With this size of the buffer, no read ends at the end of a chunk.
	total := int64(0)
	buf := make([]byte, 1<<20+7)
	for {
		n, err := trailed.Read(buf)
		total += int64(n)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}

	require.Equal(t, length, total)
	framing := length - size // the bytes of the chunk format and of the trailer
	require.Less(t, framing, int64(maxFraming))
}

// An endless reader leaves the buffer as it is, and never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
