package serve_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A PUT at the signed URL of a part stores only that part, and only if the body has the signed
// size.
func TestSignedPartIsStoredAsSigned(t *testing.T) {
	s := newSite(t)
	u, err := storage.BeginUpload(t.Context(), s.bucket, "a b/100%.bin", storage.WithUncheckedParts())
	require.NoError(t, err)
	signedURL, err := u.SignPart(t.Context(), 1, storage.WithSize(4))
	require.NoError(t, err)
	putPart := func(text string, header ...string) (status int, etag string) {
		w := s.request("PUT", signedURL.URL, strings.NewReader(text), header...)
		return w.Code, w.Header().Get("ETag")
	}

	tests := []struct {
		name       string
		text       string
		header     []string
		wantStatus int
	}{
		{name: "too long", text: "12345", wantStatus: 413},
		{name: "too short", text: "123", wantStatus: 400},
		{name: "a range", text: "1234", header: []string{"Content-Range", "bytes 0-3/8"}, wantStatus: 400},
		{name: "a condition", text: "1234", header: []string{"If-None-Match", "*"}, wantStatus: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _ := putPart(tt.text, tt.header...)
			require.Equal(t, tt.wantStatus, status)
		})
	}

	// No refused part was stored.
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)

	// A part of the signed size is stored, whatever its type.
	status, etag := putPart("text", "Content-Type", "image/png")
	require.Equal(t, 200, status)
	parts, err = u.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, etag, parts[0].ETag)

	// The URL permits nothing else.
	require.Equal(t, 403, s.request("GET", signedURL.URL, nil).Code)
	require.Equal(t, 403, s.request("GET", s.publicURL("a b/100%.bin"), nil).Code, "there is no object yet")

	// After the end of the upload, the URL is useless.
	require.NoError(t, u.Abort(t.Context()))
	status, _ = putPart("text")
	require.Equal(t, 404, status)
	_, err = s.bucket.Attrs(t.Context(), "a b/100%.bin")
	require.ErrorIs(t, err, storage.ObjectNotFound, "a part is no object")
}
