package words_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/words"
)

// WholeCharacters leaves out the bytes of characters that are cut off at the start or the end.
func TestWholeCharacters(t *testing.T) {
	for _, row := range []struct {
		name              string
		data              string
		precedes, follows bool
		want              string
	}{
		{"nothing", "", true, true, ""},
		{"a whole object", "aä€😀", false, false, "aä€😀"},
		{"a part at the end", "ab\xf0\x9f\x98", false, true, "ab"},
		{"one byte of four at the end", "ab\xf0", false, true, "ab"},
		{"a part at the start", "\x9f\x98\x80ab", true, true, "ab"},
		{"parts at both ends", "\xacab\xe2\x82", true, true, "ab"},
		{"a whole character at the end", "ab€", false, true, "ab€"},
		{"only the middle of a character", "\x9f\x98", true, true, ""},
		{"no text before", "\x9f\x98ab", false, true, "\x9f\x98ab"},
		{"no text after", "ab\xf0\x9f", true, false, "ab\xf0\x9f"},
		{"no text at all", "\x80\x80\x80\x80\x80", true, true, "\x80\x80"},
	} {
		start, end := words.WholeCharacters([]byte(row.data), row.precedes, row.follows)
		require.Equal(t, row.want, row.data[start:end], row.name)
	}
}
