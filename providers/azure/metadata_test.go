package azure

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

// Each metadata name is sent as a C# identifier, as Azure requires, and read back unchanged.
func TestMetadataNamesRoundTripAsIdentifiers(t *testing.T) {
	identifier := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	names := []string{
		"a", "a1", "a-b", "a_b", "a--b", "a-", "a_-", "a-_", "a_x", "a_x002d_b", "a_x002d-", "a_x005f_", "a-x002d_",
		"a_x00", "a_x-x_", "x_x_x", "a__x002d__", "a-x005f-x002d-",
	}
	originals := map[string]string{} // by the escaped name
	for _, name := range names {
		escaped := metadataNames.Escape(name)
		require.Regexp(t, identifier, escaped, name)
		require.Equal(t, name, metadataNames.Unescape(escaped))
		require.NotContains(t, originals, escaped)
		originals[escaped] = name

		// The name is a part of a header's name, and a reader of the header may change its case.
		header := http.CanonicalHeaderKey("X-Ms-Meta-" + escaped)
		require.Equal(t, name, metadataNames.Unescape(strings.TrimPrefix(header, "X-Ms-Meta-")))
	}
	require.Equal(t, "color_x002D_of", metadataNames.Escape("color-of"))
	require.Equal(t, "plain_name", metadataNames.Escape("plain_name"))
}

// Metadata names that other tools have stored are read in lower case, and without unescaping.
func TestMetadataNamesOfOthers(t *testing.T) {
	for foreign, want := range map[string]string{
		"Color": "color", "my_xray": "my_xray", "a_x0041_": "a_x0041_", "_x00": "_x00", "_x002d": "_x002d",
	} {
		require.Equal(t, want, metadataNames.Unescape(foreign))
	}
}

// The checksum in metadata counts only if the object still has the size that is stored with it.
func TestChecksumOfMetadataSize(t *testing.T) {
	const text, sum, size = "0000ab01-12", 0xab01, 12
	require.Equal(t, text, encodeChecksum(sum, size))
	require.Equal(t, storage.CRC32C{Sum: sum, Known: true}, parseChecksum(text, size))

	// Another tool may write other content, and keep the metadata.
	require.False(t, parseChecksum(text, size+1).Known)
	for _, foreign := range []string{"", "12", "0000ab01", "zzzzzzzz-12", "1234567890-12", "-12"} {
		require.False(t, parseChecksum(foreign, size).Known, foreign)
	}
}
