package objectkey

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Hides returns true for keys of layers, unless the prefix of the listing names their folder.
func TestHidesUnlessNamed(t *testing.T) {
	tests := []struct {
		name   string
		key    string
		prefix string
		want   bool
	}{
		{name: "in a layer's folder", key: ".omnibucket-mirror/pair", prefix: "", want: true},
		{name: "the folder", key: ".omnibucket-mirror/", prefix: "", want: true},
		{name: "a layer's object", key: ".omnibucket-mirror-clock", prefix: "", want: true},
		{name: "the start of the folder's name", key: ".omnibucket-overlay/a", prefix: ".o", want: true},
		{
			name:   "the folder's name",
			key:    ".omnibucket-mirror/pair",
			prefix: ".omnibucket-mirror/",
			want:   false,
		},
		{name: "below another folder", key: "a/.omnibucket-mirror/pair", prefix: "", want: false},
		{name: "an object with the folder's name", key: ".omnibucket-mirror", prefix: "", want: false},
		{name: "no layer", key: ".omnibucket-x/pair", prefix: "", want: false},
		{name: "another key", key: "a", prefix: "", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Hides(tt.key, tt.prefix))
		})
	}
}

// Each marker of an overlay has a size that depends on its key, and random content.
func TestMarkerSize(t *testing.T) {
	sizes := map[int64]bool{}
	keys := []string{"", "a", "b", "a/b", strings.Repeat("k", 1024)}
	for _, key := range keys {
		require.Len(t, NewOverlayMarker(key), int(OverlayMarkerSize(key)))
		require.NotEqual(t, NewOverlayMarker(key), NewOverlayMarker(key))
		require.GreaterOrEqual(t, OverlayMarkerSize(key), int64(leastMarker))
		sizes[OverlayMarkerSize(key)] = true
	}
	require.Len(t, sizes, len(keys), "the sizes must differ")
}

// HasOverlayMarkerSize accepts only the size of the key's marker and that of markers of an earlier
// release.
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
