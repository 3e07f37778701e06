package engine

import (
	"github.com/omnibucket/storage"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/metadata"
)

// EncodeMetadataValue makes a metadata value of any text, from which DecodeMetadataValue returns the text.
func TestMetadataTakesAnyText(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		{name: "empty", text: "", want: ""},
		{name: "plain", text: "a b.txt", want: "a b.txt"},
		{name: "spaces at the ends", text: " a ", want: "%20a%20"},
		{name: "only a space", text: " ", want: "%20"},
		{name: "control character", text: "tab\t", want: "tab%09"},
		{name: "part of a character", text: "Gr\xc3", want: "Gr%C3"},
		{name: "percent sign", text: "100%", want: "100%25"},
		{name: "encoded word of MIME", text: "=?x?=", want: "=%3Fx?="},
		{name: "question mark", text: "?", want: "?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, storage.EncodeMetadataValue(tt.text))
			require.Equal(t, tt.text, storage.DecodeMetadataValue(tt.want))
		})
	}
}

// DecodeMetadataValue returns a value unchanged if it cannot decode it, because another tool may have stored it.
func TestMetadataOfOtherToolStays(t *testing.T) {
	for _, value := range []string{"100%", "%zz", "%20 is 5 %"} {
		require.Equal(t, value, storage.DecodeMetadataValue(value))
	}
}

// The error for a metadata value that stores do not keep names the function that encodes it.
func TestMetadataErrorNamesEncodingFunction(t *testing.T) {
	const partOfCharacter = "caf\xc3" // "café" without its last byte
	for _, value := range []string{" leading.txt", "tab\t.txt", partOfCharacter} {
		_, e := foldMetadata(map[string]string{"name": value})
		require.NotNil(t, e, "%q", value)
		require.Equal(t, storage.InvalidArgument, e.Code)
		require.Contains(t, e.Hint, "storage.EncodeMetadataValue")
	}
}

// Metadata keys become lower case, and if two keys become equal, the one in lower case wins.
func TestMetadataIsFolded(t *testing.T) {
	folded, e := foldMetadata(map[string]string{"Color": "red", "color": "blue", "Size": "1"})
	require.Nil(t, e)
	require.Equal(t, map[string]string{"color": "blue", "size": "1"}, folded)
}

// Metadata is refused if two keys become equal, and neither is in lower case.
func TestMetadataIsAmbiguous(t *testing.T) {
	_, e := foldMetadata(map[string]string{"Color": "red", "COLOR": "blue"})
	require.NotNil(t, e)
}

// A metadata key that is not ASCII is refused, even if it would fold to letters of ASCII.
func TestMetadataKeyMustBeASCII(t *testing.T) {
	tests := []struct {
		name string
		key  string
	}{
		{name: "Kelvin sign", key: "\u212Aey"},
		{name: "dotless i", key: "k\u0131nd"},
		{name: "letter with an accent", key: "cl\u00e9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, e := foldMetadata(map[string]string{tt.key: "v"})
			require.NotNil(t, e)
			require.Equal(t, storage.InvalidArgument, e.Code)
		})
	}
}

// EncodeMetadataValue makes a plain ASCII header value of any text, and DecodeMetadataValue returns the text.
func FuzzAnyTextIsAMetadataValue(f *testing.F) {
	for _, seed := range []string{"", " ", "\xff", "=?", "%", "a\tb", "\u00e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value := storage.EncodeMetadataValue(text)
		notASCII := strings.ContainsFunc(value, func(r rune) bool { return r >= 0x80 })
		require.True(t,
			!notASCII && headertext.Plain(value) && strings.TrimSpace(value) == value, "%q", value)
		require.Equal(t, value, metadata.EncodeValue(value), "it is stored as it is")
		require.Equal(t, text, storage.DecodeMetadataValue(value))
	})
}
