package metadata

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestMetadataValuesSurviveTheirEncoding(t *testing.T) {
	for _, value := range []string{
		"", "plain", "a b", "é", "日本語のとても長い値" + strings.Repeat("é", 200), "=?utf-8?q?not_mine?=", "=?", "a =? b", "é =?utf-8?q?x?= é", "\u200b", "=?\u200b",
		"tab is no\u00a0space", "emoji 🎉",
	} {
		t.Run(value, func(t *testing.T) {
			encoded := EncodeValue(value)
			for _, c := range []byte(encoded) {
				require.True(t, c >= 0x20 && c < 0x7F, "%q is not ASCII", encoded)
			}
			require.Equal(t, value, decodeValue(encoded))
		})
	}
}

func FuzzMetadataValue(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "=?utf-8?b?eA==?=", "=?x", "\u200b"} {
		f.Add(seed)
	}
	control := func(r rune) bool { return r < 0x20 || r == 0x7F }
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) || strings.ContainsFunc(value, control) || strings.TrimSpace(value) != value {
			t.Skip("refused before it is encoded")
		}
		require.Equal(t, value, decodeValue(EncodeValue(value)))
	})
}
