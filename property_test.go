package storage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMetadataValuesComeBackFromASCIIAsTheyWere(t *testing.T) {
	for _, value := range []string{
		"", "plain", "a b", "é", "日本語のとても長い値" + strings.Repeat("é", 200), "=?utf-8?q?not_mine?=", "=?", "a =? b", "é =?utf-8?q?x?= é", "\u200b", "=?\u200b",
		"tab is no\u00a0space", "emoji 🎉",
	} {
		t.Run(value, func(t *testing.T) {
			encoded := encodeMetadata(value)
			for _, c := range []byte(encoded) {
				require.True(t, c >= 0x20 && c < 0x7F, "%q is not ASCII", encoded)
			}
			require.Equal(t, value, decodeMetadata(encoded))
		})
	}
}

func TestMetadataIsFolded(t *testing.T) {
	folded, e := foldMetadata(map[string]string{"Color": "red", "color": "blue", "Size": "1"})
	require.Nil(t, e)
	require.Equal(t, map[string]string{"color": "blue", "size": "1"}, folded, "of two that fold together the one in lower case wins")
	_, e = foldMetadata(map[string]string{"Color": "red", "COLOR": "blue"})
	require.NotNil(t, e, "and there must be one")
}

func TestAMetadataKeyThatIsNotASCIIIsRefused(t *testing.T) {
	for _, key := range []string{"\u212Aey", "k\u0131nd", "cl\u00e9"} { // two of them fold to letters of ASCII
		_, e := foldMetadata(map[string]string{key: "v"})
		require.NotNil(t, e, "%q", key)
		require.Equal(t, InvalidArgument, e.Code)
	}
	require.Equal(t, map[string]string{"\u212aey": "theirs", "key": "v"},
		(&core{}).shown(map[string]string{"\u212Aey": "theirs", "KEY": "v"}), "nor does one of another tool hide ours")
}

func FuzzMetadataValue(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "=?utf-8?b?eA==?=", "=?x", "\u200b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !plainText(value) || strings.TrimSpace(value) != value {
			t.Skip("refused before it is encoded")
		}
		require.Equal(t, value, decodeMetadata(encodeMetadata(value)))
	})
}
