package layerkeys

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysOfLayersAreHiddenUnlessTheyAreNamed(t *testing.T) {
	for _, row := range []struct {
		key, prefix string
		hidden      bool
	}{
		{".omnibucket-mirror/pair", "", true},
		{".omnibucket-mirror/", "", true},
		{".omnibucket-mirror-clock", "", true},
		{".omnibucket-overlay/a", ".o", true},
		{".omnibucket-mirror/pair", ".omnibucket-mirror/", false},
		{"a/.omnibucket-mirror/pair", "", false},
		{".omnibucket-mirror", "", false},
		{".omnibucket-x/pair", "", false},
		{"a", "", false},
	} {
		require.Equal(t, row.hidden, Hides(row.key, row.prefix), row)
	}
}

func TestMarkersHaveOneSize(t *testing.T) {
	require.EqualValues(t, 72, MarkerSize)
	require.Len(t, NewMarker(), 72)
	require.NotEqual(t, NewMarker(), NewMarker())
}
