package words_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/words"
)

// WholeCharacters leaves out the bytes of characters that are cut off at the start or the end.
func TestWholeCharacters(t *testing.T) {
	tests := []struct {
		name     string
		data     string
		precedes bool // whether the text has bytes before data
		follows  bool // whether the text has bytes after data
		want     string
	}{
		{name: "nothing", precedes: true, follows: true, want: ""},
		{name: "a whole object", data: "aä€😀", want: "aä€😀"},
		{name: "a part at the end", data: "ab\xf0\x9f\x98", follows: true, want: "ab"},
		{name: "one byte of four at the end", data: "ab\xf0", follows: true, want: "ab"},
		{name: "a part at the start", data: "\x9f\x98\x80ab", precedes: true, follows: true, want: "ab"},
		{name: "parts at both ends", data: "\xacab\xe2\x82", precedes: true, follows: true, want: "ab"},
		{name: "a whole character at the end", data: "ab€", follows: true, want: "ab€"},
		{name: "only the middle of a character", data: "\x9f\x98", precedes: true, follows: true, want: ""},
		{name: "no text before", data: "\x9f\x98ab", follows: true, want: "\x9f\x98ab"},
		{name: "no text after", data: "ab\xf0\x9f", precedes: true, want: "ab\xf0\x9f"},
		{
			name:     "no text at all",
			data:     "\x80\x80\x80\x80\x80",
			precedes: true,
			follows:  true,
			want:     "\x80\x80",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end := words.WholeCharacters([]byte(tt.data), tt.precedes, tt.follows)
			require.Equal(t, tt.want, tt.data[start:end])
		})
	}
}

// Beginning returns the longest start of a text that fits the limit and splits no character.
func TestBeginning(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		limit int
		want  string
	}{
		{name: "a text that fits", text: "ab€", limit: 5, want: "ab€"},
		{name: "a text that is longer", text: "abc", limit: 2, want: "ab"},
		{name: "a character that does not fit", text: "ab€", limit: 4, want: "ab"},
		{name: "no character that fits", text: "😀", limit: 3, want: ""},
		{name: "nothing", text: "", limit: 0, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, words.Beginning(tt.text, tt.limit))
		})
	}
}
