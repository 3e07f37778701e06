package memstore

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABodyTakesItsLengthOfMemory(t *testing.T) {
	for _, length := range []int{0, 1, 1000, 1024, 1025, block, block + 1, 1 << 20} {
		for _, size := range []int64{-1, int64(length)} {
			data, err := readBody(t.Context(), bytes.NewReader(make([]byte, length)), size)
			require.NoError(t, err)
			require.Len(t, data, length)
			require.LessOrEqual(t, cap(data), length+length/4+8, "%d bytes of size %d", length, size)
		}
	}
}
