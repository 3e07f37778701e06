package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
)

// Jobs and layers both know the prefixes that layers reserve. The constants of the layers are equal
// to those of the jobs. They are written out twice, so that "go doc" shows them.
func TestJobsKnowThePrefixesOfLayers(t *testing.T) {
	require.Equal(t, objectkey.MirrorPrefix, mirror.NotesPrefix)
	require.Equal(t, objectkey.OverlayPrefix, overlay.TombstonesPrefix)
}
