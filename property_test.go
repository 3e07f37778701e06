package storage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMetadataValuesSurviveTheirEncoding(t *testing.T) {
	for _, value := range []string{
		"", "plain", "a b", "é", "日本語のとても長い値" + strings.Repeat("é", 200), "=?utf-8?q?not_mine?=", "=?", "a =? b", "é =?utf-8?q?x?= é", "\u200b", "=?\u200b",
		"tab is no\u00a0space", "emoji 🎉",
	} {
		t.Run(value, func(t *testing.T) {
			encoded := encodeValue(value)
			for _, c := range []byte(encoded) {
				require.True(t, c >= 0x20 && c < 0x7F, "%q is not ASCII", encoded)
			}
			require.Equal(t, value, decodeValue(encoded))
		})
	}
}

func TestAnyTextIsAMetadataValue(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"a b.txt":             "a b.txt",
		" a ":                 "%20a%20",
		" ":                   "%20",
		"tab\t":               "tab%09",
		"Gr\u00f6\u00dfe"[:3]: "Gr%C3",
		"100%":                "100%25",
		"=?x?=":               "=%3Fx?=",
		"?":                   "?",
	} {
		require.Equal(t, want, EncodeMetadataValue(text))
		require.Equal(t, text, DecodeMetadataValue(want))
	}
	for _, value := range []string{"100%", "%zz", "%20 is 5 %"} {
		require.Equal(t, value, DecodeMetadataValue(value), "another tool's")
	}
}

func TestARefusedMetadataValueNamesTheFunctionThatEncodesIt(t *testing.T) {
	for _, value := range []string{" leading.txt", "tab\t.txt", "caf\u00e9"[:4]} {
		_, e := foldMetadata(map[string]string{"name": value})
		require.NotNil(t, e, "%q", value)
		require.Equal(t, InvalidArgument, e.Code)
		require.Contains(t, e.Hint, "storage.EncodeMetadataValue")
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
		(&core{}).decodeMetadata(map[string]string{"\u212Aey": "theirs", "KEY": "v"}), "nor does one of another tool hide ours")
}

func FuzzMetadataValue(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "=?utf-8?b?eA==?=", "=?x", "\u200b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !plainText(value) || strings.TrimSpace(value) != value {
			t.Skip("refused before it is encoded")
		}
		require.Equal(t, value, decodeValue(encodeValue(value)))
	})
}

func FuzzAnyTextIsAMetadataValue(f *testing.F) {
	for _, seed := range []string{"", " ", "\xff", "=?", "%", "a\tb", "\u00e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value := EncodeMetadataValue(text)
		require.True(t, isASCII(value) && plainText(value) && strings.TrimSpace(value) == value, "%q", value)
		require.Equal(t, value, encodeValue(value), "it is stored as it is")
		require.Equal(t, text, DecodeMetadataValue(value))
	})
}
