package words_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/words"
)

// Bytes returns a number of bytes with a unit.
func TestBytes(t *testing.T) {
	tests := []struct {
		bytes int64
		want  string
	}{
		{bytes: 1, want: "1 byte"},
		{bytes: 1023, want: "1023 bytes"},
		{bytes: 1024, want: "1 KiB"},
		{bytes: 1536, want: "1.5 KiB"},
		{bytes: 1<<20 - 1, want: "1 MiB"},
		{bytes: 10 << 20, want: "10 MiB"},
		{bytes: 5 << 40, want: "5 TiB"},
		{bytes: 5 << 50, want: "5120 TiB"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			require.Equal(t, tt.want, words.Bytes(tt.bytes))
		})
	}
}
