package engine

import (
	"github.com/omnibucket/storage"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/metadata"
)

// EncodeMetadataValue makes a metadata value of any text, and DecodeMetadataValue returns the text.
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

// DecodeMetadataValue returns a value that it cannot decode as it is, because another tool may have stored it.
func TestMetadataOfOtherToolStays(t *testing.T) {
	for _, value := range []string{"100%", "%zz", "%20 is 5 %"} {
		require.Equal(t, value, storage.DecodeMetadataValue(value))
	}
}

// The error for a metadata value names the function that encodes it.
func TestMetadataErrorNamesEncodingFunction(t *testing.T) {
	for _, value := range []string{" leading.txt", "tab\t.txt", "caf\u00e9"[:4]} {
		_, e := foldMetadata(map[string]string{"name": value})
		require.NotNil(t, e, "%q", value)
		require.Equal(t, storage.InvalidArgument, e.Code)
		require.Contains(t, e.Hint, "storage.EncodeMetadataValue")
	}
}

// Metadata keys become lower case. If two keys become the same, the one in lower case wins. Without one, the
// metadata is refused.
func TestMetadataIsFolded(t *testing.T) {
	folded, e := foldMetadata(map[string]string{"Color": "red", "color": "blue", "Size": "1"})
	require.Nil(t, e)
	require.Equal(t, map[string]string{"color": "blue", "size": "1"}, folded)

	_, e = foldMetadata(map[string]string{"Color": "red", "COLOR": "blue"})
	require.NotNil(t, e, "neither key is in lower case")
}

// A metadata key that is not ASCII is refused.
func TestMetadataKeyMustBeASCII(t *testing.T) {
	for _, key := range []string{"\u212Aey", "k\u0131nd", "cl\u00e9"} { // two of them fold to letters of ASCII
		_, e := foldMetadata(map[string]string{key: "v"})
		require.NotNil(t, e, "%q", key)
		require.Equal(t, storage.InvalidArgument, e.Code)
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
