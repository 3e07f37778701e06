package components

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const prefix = "p/id/"

// The key of the marker sorts before those of the parts, which sort by their numbers.
func TestMarkerBeforeParts(t *testing.T) {
	keys := []string{
		Marker(prefix),
		Part(prefix, 1),
		Part(prefix, 2),
		Part(prefix, 10),
		Part(prefix, 999_999),
	}
	require.True(t, slices.IsSorted(keys), keys)
	for _, key := range keys {
		require.True(t, strings.HasPrefix(key, prefix))
	}
}

// Number returns the number of the part that a key names, and refuses all other keys.
func TestNumberOfAKey(t *testing.T) {
	for _, want := range []int{1, 10_000} {
		number, ok := Number(prefix, Part(prefix, want))
		require.True(t, ok)
		require.Equal(t, want, number)
	}

	tests := []struct {
		name string
		key  string
	}{
		{name: "the marker", key: Marker(prefix)},
		{name: "only the prefix", key: prefix},
		{name: "not a part", key: prefix + "1-000001"},
		{name: "too few digits", key: prefix + "0-1"},
		{name: "the number 0", key: prefix + "0-000000"},
		{name: "a sign", key: prefix + "0-+00001"},
		{name: "a letter", key: prefix + "0-00000a"},
		{name: "outside of the prefix", key: "q/" + Part(prefix, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ok := Number(prefix, tt.key)
			require.False(t, ok)
		})
	}
}

// Key returns the key that MarkerMetadata has stored, whatever its characters are, and "" for other metadata.
func TestMarkerMetadataKeepsKey(t *testing.T) {
	const emoji = "\U0001F600"
	for _, key := range []string{"a", "users/ü 7/" + emoji, strings.Repeat("k", 1024)} {
		require.Equal(t, key, Key(MarkerMetadata(key)))
	}

	require.Empty(t, Key(nil))
	require.Empty(t, Key(map[string]string{keyName: "!"}))
}
