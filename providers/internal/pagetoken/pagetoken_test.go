package pagetoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// Parse returns both strings that Encode was given.
func TestEncodeKeepsBothTexts(t *testing.T) {
	for _, texts := range [][2]string{{"", ""}, {"a", ""}, {"", "b"}, {"a.b", "c.\x00\n"}} {
		first, second, err := pagetoken.Parse(pagetoken.Encode(texts[0], texts[1]))
		require.NoError(t, err)
		require.Equal(t, texts, [2]string{first, second})
	}
}

// Parse takes an empty token for the start of the listing.
func TestParseEmpty(t *testing.T) {
	first, second, err := pagetoken.Parse("")
	require.NoError(t, err)
	require.Empty(t, first+second)
}

// Parse refuses a string that Encode did not return.
func TestParseInvalid(t *testing.T) {
	for _, text := range []string{"YQ", "a.b.c", "?.YQ", "YQ.?"} {
		_, _, err := pagetoken.Parse(text)
		require.ErrorIs(t, err, storage.InvalidArgument, text)
	}
}
