package gcs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of a composite upload contains the storage class of its object.
func TestCompositeUploadKeepsTheStorageClass(t *testing.T) {
	for _, class := range []string{"", "NEARLINE", "nearline", "Multi-Regional 2"} {
		name, err := parseCompositeUpload(newCompositeUpload(class))
		require.NoError(t, err, class)
		require.Equal(t, class, name.class)
	}
}

// AbortParts ends the upload before it removes the parts.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	server := newCannedServer(t, reply{Body: `{"kind":"storage#objects"}`}, jsonError(403, "forbidden", "no"))
	require.Error(t, server.openDriver(t).AbortParts(t.Context(), "a", "o0123456789abcdef0123456789abcdef"))
	require.Equal(t,
		[]string{"DELETE /storage/v1/b/photos/o/.omnibucket.%2Fparts%2Fo0123456789abcdef0123456789abcdef%2F-begun"},
		server.Calls()[1:])
}
