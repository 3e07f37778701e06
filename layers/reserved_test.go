package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
)

// The layers' constants for reserved prefixes are equal to those that jobs know. They are written out twice, so
// that "go doc" shows them.
func TestJobsKnowThePrefixesOfLayers(t *testing.T) {
	require.Equal(t, objectkey.MirrorPrefix, mirror.NotesPrefix)
	require.Equal(t, objectkey.OverlayPrefix, overlay.TombstonesPrefix)
}
