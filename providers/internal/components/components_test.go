package components

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const prefix = "p/id/"

// The keys of the marker and of the parts sort in that order.
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

// Number returns the number of the part that a key names. It refuses any other key below the prefix,
// and keys outside of it.
func TestNumberOfAKey(t *testing.T) {
	for key, want := range map[string]int{
		Part(prefix, 1):        1,
		Part(prefix, 10_000):   10_000,
		Marker(prefix):         0,
		prefix:                 0,
		prefix + "1-000001":    0,
		prefix + "0-1":         0,
		prefix + "0-000000":    0,
		prefix + "0-+00001":    0,
		prefix + "0-00000a":    0,
		"q/" + Part(prefix, 1): 0,
	} {
		number, ok := Number(prefix, key)
		require.Equal(t, want > 0, ok, key)
		if ok {
			require.Equal(t, want, number, key)
		}
	}
}

// The metadata of a marker stores any key.
func TestMarkerMetadataKeepsKey(t *testing.T) {
	for _, key := range []string{"a", "users/ü 7/\U0001F600", strings.Repeat("k", 1024)} {
		require.Equal(t, key, Key(MarkerMetadata(key)))
	}
	require.Empty(t, Key(nil))
	require.Empty(t, Key(map[string]string{keyName: "!"}))
}
