package objectkey

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Hides returns true for keys of layers, unless the prefix of the listing names their folder.
func TestHidesUnlessNamed(t *testing.T) {
	tests := []struct {
		key, prefix string
		hidden      bool
	}{
		{key: ".omnibucket-mirror/pair", prefix: "", hidden: true},
		{key: ".omnibucket-mirror/", prefix: "", hidden: true},
		{key: ".omnibucket-mirror-clock", prefix: "", hidden: true},
		{key: ".omnibucket-overlay/a", prefix: ".o", hidden: true},
		{key: ".omnibucket-mirror/pair", prefix: ".omnibucket-mirror/", hidden: false},
		{key: "a/.omnibucket-mirror/pair", prefix: "", hidden: false},
		{key: ".omnibucket-mirror", prefix: "", hidden: false},
		{key: ".omnibucket-x/pair", prefix: "", hidden: false},
		{key: "a", prefix: "", hidden: false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.hidden, Hides(tt.key, tt.prefix), tt)
	}
}

// Each marker of the overlay layer has a size that depends on its key, and random content.
func TestMarkerSize(t *testing.T) {
	sizes := map[int64]bool{}
	for _, key := range []string{"", "a", "b", "a/b", strings.Repeat("k", 1024)} {
		require.Len(t, NewOverlayMarker(key), int(OverlayMarkerSize(key)))
		require.NotEqual(t, NewOverlayMarker(key), NewOverlayMarker(key))
		require.GreaterOrEqual(t, OverlayMarkerSize(key), int64(leastMarker))
		sizes[OverlayMarkerSize(key)] = true
	}
	require.Len(t, sizes, 5)
}

// HasOverlayMarkerSize accepts only the size of the key's marker, or that of a marker of an earlier release.
func TestHasMarkerSize(t *testing.T) {
	for _, key := range []string{"", "a", "a/b"} {
		size := OverlayMarkerSize(key)
		require.True(t, HasOverlayMarkerSize(key, size), key)
		require.True(t, HasOverlayMarkerSize(key, formerMarker), key)
		for _, other := range []int64{-1, 0, leastMarker - 1, size - 1, size + 1, leastMarker + markerSizes} {
			require.False(t, HasOverlayMarkerSize(key, other), "%q of %d bytes", key, other)
		}
	}
}
