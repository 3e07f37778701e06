package gcs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompositeUploadKeepsTheStorageClass(t *testing.T) {
	for _, class := range []string{"", "NEARLINE", "nearline", "Multi-Regional 2"} {
		name, err := parseCompositeUpload(newCompositeUpload(class))
		require.NoError(t, err, class)
		require.Equal(t, class, name.class)
	}
}
