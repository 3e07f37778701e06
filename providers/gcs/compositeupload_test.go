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

// AbortParts ends the upload before it removes the parts.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	server := newStandIn(t, reply{Body: `{"kind":"storage#objects"}`}, failing(403, "forbidden", "no"))
	require.Error(t, server.on(t).AbortParts(t.Context(), "a", "o0123456789abcdef0123456789abcdef"))
	require.Equal(t, []string{"DELETE /storage/v1/b/photos/o/.omnibucket.%2Fparts%2Fo0123456789abcdef0123456789abcdef%2F-begun"}, server.server.Calls()[1:])
}
