package memory

import (
	"io"
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

// The store in memory keeps a long body of known size in several pieces.
func TestBlobOfLongBodyIsInPieces(t *testing.T) {
	for _, row := range []struct {
		name       string
		sent, size int64
		pieces     int
		code       string
		most       int64
	}{
		{name: "empty", pieces: 1},
		{name: "one piece", sent: pieceSize, size: pieceSize, pieces: 1},
		{name: "one byte more", sent: pieceSize + 1, size: pieceSize + 1, pieces: 2},
		{name: "two pieces", sent: 2 * pieceSize, size: 2 * pieceSize, pieces: 2},
		{name: "of unknown size", sent: 2*pieceSize + 1, size: -1, pieces: 1},
		{name: "it ends too early", sent: pieceSize, size: 2 * pieceSize, code: "IncompleteBody"},
		{name: "it is too long", sent: 2*pieceSize + 1, size: 2 * pieceSize, code: "IncompleteBody"},
		{name: "its size is too large", sent: 1, size: 3, most: 2, code: "XMinioStorageFull"},
		{name: "it becomes too large", sent: 3, size: -1, most: 2, code: "XMinioStorageFull"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &blobs{bytes: ledger{most: row.most}}
			text := strings.Repeat("0123456789abcdef", int(row.sent/16)+1)[:row.sent]
			src := textBody(text, row.size)
			pieces, err := b.put(src)
			if row.code != "" {
				require.True(t, s3error.Is(src.Blame(err), row.code), err)
				require.Zero(t, b.bytes.used)
				return
			}
			require.NoError(t, err)
			require.Len(t, pieces, row.pieces)
			require.Equal(t, row.sent, b.bytes.used)
			var back strings.Builder
			require.NoError(t, writeTo(&back, pieces))
			require.True(t, back.String() == text)
			b.release(pieces)
			require.Zero(t, b.bytes.used)
		})
	}
}
