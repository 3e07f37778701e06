package pagetoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// Parse returns the two strings that Encode has encoded.
func TestEncodeKeepsBothTexts(t *testing.T) {
	tests := []struct {
		name   string
		first  string
		second string
	}{
		{name: "both empty", first: "", second: ""},
		{name: "only the first", first: "a", second: ""},
		{name: "only the second", first: "", second: "b"},
		{name: "special characters", first: "a.b", second: "c.\x00\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, second, err := pagetoken.Parse(pagetoken.Encode(tt.first, tt.second))
			require.NoError(t, err)
			require.Equal(t, tt.first, first)
			require.Equal(t, tt.second, second)
		})
	}
}

// Parse takes an empty token for the start of the listing.
func TestParseEmpty(t *testing.T) {
	first, second, err := pagetoken.Parse("")
	require.NoError(t, err)
	require.Empty(t, first+second)
}

// Parse refuses a string that Encode cannot have returned.
func TestParseInvalid(t *testing.T) {
	for _, token := range []string{"YQ", "a.b.c", "?.YQ", "YQ.?"} {
		t.Run(token, func(t *testing.T) {
			_, _, err := pagetoken.Parse(token)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}
