package words_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/words"
)

// Bytes writes a number of bytes with its unit.
func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		1:         "1 byte",
		1023:      "1023 bytes",
		1024:      "1 KiB",
		1536:      "1.5 KiB",
		1<<20 - 1: "1 MiB",
		10 << 20:  "10 MiB",
		5 << 40:   "5 TiB",
		5 << 50:   "5120 TiB",
	} {
		require.Equal(t, want, words.Bytes(n))
	}
}
