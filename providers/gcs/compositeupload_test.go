package gcs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of a composite upload contains the storage class of its object.
func TestCompositeUploadKeepsTheStorageClass(t *testing.T) {
	for _, class := range []string{"", "NEARLINE", "nearline", "Multi-Regional 2"} {
		t.Run(class, func(t *testing.T) {
			name, err := parseCompositeUpload(newCompositeUpload(class))
			require.NoError(t, err)
			require.Equal(t, class, name.class)
		})
	}
}

// AbortParts first ends the upload by removing its object "-begun". If that is refused, AbortParts
// removes nothing more.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	const upload = "o0123456789abcdef0123456789abcdef"
	listing := reply{Body: `{"kind":"storage#objects"}`}
	refusal := jsonError(403, "forbidden", "no")
	server := newCannedServer(t, listing, refusal)

	err := server.openDriver(t).AbortParts(t.Context(), "a", upload)
	require.Error(t, err)
	afterListing := server.Calls()[1:]
	require.Equal(t,
		[]string{"DELETE /storage/v1/b/photos/o/.omnibucket.%2Fparts%2F" + upload + "%2F-begun"},
		afterListing)
}
