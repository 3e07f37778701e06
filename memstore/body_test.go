package memstore

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// bodies are those of the same content that are read in different ways.
func bodies(content string) map[string]io.Reader {
	return map[string]io.Reader{
		"read": strings.NewReader(content),
		"in two parts": io.MultiReader(strings.NewReader(content[:len(content)/2]),
			strings.NewReader(content[len(content)/2:])),
	}
}

// overriding has a Read of its own, and all other methods of what it embeds.
type overriding struct{ *bytes.Reader }

func (overriding) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Reading a body allocates at most a quarter more than its length.
func TestReadBodyTakesLengthOfMemory(t *testing.T) {
	for _, length := range []int{0, 1, 1000, 1024, 1025, block, block + 1, 1 << 20} {
		for _, size := range []int64{-1, int64(length)} {
			content := strings.Repeat("x", length)
			for name, body := range bodies(content) {
				data, err := readBody(t.Context(), body, size)
				require.NoError(t, err)
				require.True(t, string(data) == content, "%s, %d bytes", name, length)
				require.LessOrEqual(t, cap(data), length+length/4+8, "%s, %d bytes of size %d",
					name, length, size)
			}
		}
	}
}

// If the body has another size than declared, readBody fails with BodyFailed.
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
