package metadata

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// An encoded value has only ASCII characters, and decodes to the original.
func TestMetadataValuesSurviveTheirEncoding(t *testing.T) {
	values := []string{
		"",
		"plain",
		"a b",
		"é",
		"日本語のとても長い値" + strings.Repeat("é", 200),
		"=?utf-8?q?not_mine?=",
		"=?",
		"a =? b",
		"é =?utf-8?q?x?= é",
		"\u200b",
		"=?\u200b",
		"tab is no\u00a0space",
		"emoji 🎉",
	}
	for _, value := range values {
		t.Run(value, func(t *testing.T) {
			encoded := EncodeValue(value)
			for _, c := range []byte(encoded) {
				require.True(t, c >= 0x20 && c < 0x7F, "%q is not ASCII", encoded)
			}
			require.Equal(t, value, decodeValue(encoded))
		})
	}
}

// FuzzMetadataValue encodes and decodes any value that metadata may have.
func FuzzMetadataValue(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "=?utf-8?b?eA==?=", "=?x", "\u200b"} {
		f.Add(seed)
	}
	isControl := func(r rune) bool { return r < 0x20 || r == 0x7F }
	f.Fuzz(func(t *testing.T, value string) {
		valid := utf8.ValidString(value) &&
			!strings.ContainsFunc(value, isControl) &&
			strings.TrimSpace(value) == value
		if !valid {
			t.Skip("refused before it is encoded")
		}
		require.Equal(t, value, decodeValue(EncodeValue(value)))
	})
}
