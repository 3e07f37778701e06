package memstore

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// bodies returns readers of the content, which deliver it in different pieces.
func bodies(content string) map[string]io.Reader {
	return map[string]io.Reader{
		"at once": strings.NewReader(content),
		"in two parts": io.MultiReader(strings.NewReader(content[:len(content)/2]),
			strings.NewReader(content[len(content)/2:])),
	}
}

// overriding has a Read of its own, and all other methods of what it embeds.
type overriding struct{ *bytes.Reader }

func (overriding) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// readBody allocates at most a quarter more than the length of the body, and 8 bytes.
func TestReadBodyTakesLengthOfMemory(t *testing.T) {
	for _, length := range []int{0, 1, 1000, 1024, 1025, block, block + 1, 1 << 20} {
		for _, size := range []int64{-1, int64(length)} {
			content := strings.Repeat("x", length)
			for name, body := range bodies(content) {
				data, err := readBody(t.Context(), body, size)
				require.NoError(t, err)
				require.True(t, string(data) == content, "%d bytes %s", length, name)
				maxMemory := length + length/4 + 8
				require.LessOrEqual(t, cap(data), maxMemory, "%d bytes %s, size %d", length, name, size)
			}
		}
	}
}

// readBody fails with BodyFailed if the body has another size than declared.
func TestReadBodyOfOtherSize(t *testing.T) {
	for _, size := range []int64{0, 6, 8, exactSize + 1} {
		for name, body := range bodies("content") {
			_, err := readBody(t.Context(), body, size)
			require.ErrorIs(t, err, storage.BodyFailed, "%s, size %d", name, size)
		}
	}
}

// If a body embeds a known type and overrides Read, its bytes are read with Read.
func TestReadBodyOverridingRead(t *testing.T) {
	_, err := readBody(t.Context(), overriding{bytes.NewReader([]byte("content"))}, 7)
	require.ErrorIs(t, err, io.ErrClosedPipe)
}
