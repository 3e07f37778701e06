package memory

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// textBody is a body whose announced size may be wrong.
func textBody(text string, size int64) *state.Body {
	d := checksum.NewDigest(checksum.Default, false)
	b := &state.Body{From: io.TeeReader(strings.NewReader(text), d), Size: size, Digest: d}
	b.Check = func() error {
		if size >= 0 && d.Size != size {
			return s3error.New("IncompleteBody")
		}
		return nil
	}
	return b
}

// The store in memory keeps a long body in pieces if the body's size is announced. It counts the
// bytes that it holds.
func TestBlobOfLongBodyIsInPieces(t *testing.T) {
	tests := []struct {
		name       string
		sent       int64  // bytes in the body
		announced  int64  // bytes that the sender announces, or -1 if the size is unknown
		limit      int64  // bytes that the store may hold, or 0 if there is no limit
		wantPieces int    // pieces that the store keeps
		wantCode   string // of the error, or ""
	}{
		{name: "empty", wantPieces: 1},
		{name: "one piece", sent: pieceSize, announced: pieceSize, wantPieces: 1},
		{name: "one piece and a byte", sent: pieceSize + 1, announced: pieceSize + 1, wantPieces: 2},
		{name: "two pieces", sent: 2 * pieceSize, announced: 2 * pieceSize, wantPieces: 2},
		{name: "unknown size", sent: 2*pieceSize + 1, announced: -1, wantPieces: 1},
		{name: "body shorter than announced", sent: pieceSize, announced: 2 * pieceSize, wantCode: "IncompleteBody"},
		{
			name:      "body longer than announced",
			sent:      2*pieceSize + 1,
			announced: 2 * pieceSize,
			wantCode:  "IncompleteBody",
		},
		{name: "announced size above the limit", sent: 1, announced: 3, limit: 2, wantCode: "XMinioStorageFull"},
		{name: "unknown size above the limit", sent: 3, announced: -1, limit: 2, wantCode: "XMinioStorageFull"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &blobs{bytes: ledger{limit: tt.limit}}

			// The sender sends the bytes of the text. Their number may differ from the announced
			// one.
			text := strings.Repeat("0123456789abcdef", int(tt.sent/16)+1)[:tt.sent]
			src := textBody(text, tt.announced)

			pieces, err := b.put(src)
			if tt.wantCode != "" {
				// After a failure, no memory counts as used.
				require.True(t, s3error.Is(src.Cause(err), tt.wantCode), err)
				require.Zero(t, b.bytes.used)
				return
			}
			require.NoError(t, err)
			require.Len(t, pieces, tt.wantPieces)
			require.Equal(t, tt.sent, b.bytes.used)

			// Together, the pieces have the whole text.
			var got strings.Builder
			require.NoError(t, writeTo(&got, pieces))
			require.True(t, got.String() == text)

			b.release(pieces)
			require.Zero(t, b.bytes.used)
		})
	}
}

// The memory of a long body is freed when the body is released, even if the caller still has its pieces.
func TestBlobReleaseFreesMemory(t *testing.T) {
	const size = 2 * freeSize // after a release of freeSize bytes, memory is freed at once
	inUse := func() int64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}

	// The garbage of earlier tests must not be collected between two measurements.
	runtime.GC()
	before := inUse()

	b := &blobs{}
	body := &state.Body{
		From:   io.LimitReader(zeros{}, size),
		Size:   size,
		Digest: checksum.NewDigest(checksum.Default, false),
		Check:  func() error { return nil },
	}

	// While the body is stored, most of its bytes are in use.
	pieces, err := b.put(body)
	require.NoError(t, err)
	require.Greater(t, inUse(), before+size/2)

	// After the release, few of these bytes are in use, although the caller still has the pieces
	// until KeepAlive.
	b.release(pieces)
	require.Less(t, inUse(), before+size/4)
	runtime.KeepAlive(pieces)
}

// zeros is an endless reader of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
