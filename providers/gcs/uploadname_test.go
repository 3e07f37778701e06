package gcs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUploadNamesTellTheClassAsItWasGiven(t *testing.T) {
	for _, class := range []string{"", "NEARLINE", "nearline", "Multi-Regional 2"} {
		name, err := readUploadName(newUploadName(class))
		require.NoError(t, err, class)
		require.Equal(t, class, name.class)
	}
}
