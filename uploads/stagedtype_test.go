package uploads_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// stagedPage is a file that runs a script if a browser takes it for a page.
const stagedPage = "<html><script>alert(1)</script></html>"

// While content waits under a temporary key to be inspected, it has a type that browsers do not run. The sender may
// guess the key, and make somebody open it.
func TestStagedContentHasInertType(t *testing.T) {
	tests := []struct {
		name string
		send func(s *sessionSite)
	}{
		{name: "parts", send: sendPageInParts},
		{name: "one request", send: sendPageInSingleRequest},
		{name: "tus", send: sendPageByTus},
		{name: "tus in parts", send: sendLongPageByTus},
		{name: "pieces", send: sendPageAsPiece},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Inspect is called while the content waits.
			bucket := engine.New(memstore.NewDriver(memstore.Config{}))
			var types []string
			tt.send(newSessionSite(t, bucket, uploads.Config{
				Rules: rules.Any(0),
				Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
					types = append(types, stagedTypes(t, bucket)...)
					return nil
				},
			}))
			require.Equal(t, []string{"application/octet-stream"}, types)
		})
	}
}

// A piece of a tus upload that waits until it is joined has a type that browsers do not run.
func TestStagedPieceOfTusHasInertType(t *testing.T) {
	bucket := engine.New(memstore.NewDriver(memstore.Config{}))
	s := newSessionSite(t, bucket, uploads.Config{Rules: rules.Any(0)})
	location := s.create("Upload-Length", size([]byte(stagedPage)), "Upload-Concat", "partial")
	s.patch(location, 0, []byte(stagedPage), int64(len(stagedPage)))
	require.Equal(t, []string{"application/octet-stream"}, stagedTypes(t, bucket))
}

// stagedTypes returns the content types of what waits in the bucket.
func stagedTypes(t *testing.T, bucket storage.Bucket) (types []string) {
	t.Helper()
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix(uploads.DefaultPrefix)) {
		require.NoError(t, err)
		if strings.Contains(entry.Key, "/content") {
			attrs, err := bucket.Attrs(t.Context(), entry.Key)
			require.NoError(t, err)
			types = append(types, attrs.ContentType)
		}
	}
	return types
}

func sendPageInParts(s *sessionSite) {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, []byte(stagedPage))
	require.Equal(s.t, http.StatusOK, u.complete(part).StatusCode)
}

func sendPageInSingleRequest(s *sessionSite) {
	resp := s.putTo(s.signPut(), []byte(stagedPage))
	require.Equal(s.t, http.StatusOK, resp.StatusCode)
}

func sendPageByTus(s *sessionSite) {
	location := s.create("Upload-Length", size([]byte(stagedPage)))
	s.patch(location, 0, []byte(stagedPage), int64(len(stagedPage)))
}

// sendLongPageByTus sends a page that takes several parts of the store.
func sendLongPageByTus(s *sessionSite) {
	long := append([]byte(stagedPage), content(2*part)...)
	location := s.create("Upload-Length", size(long))
	s.patch(location, 0, long, int64(len(long)))
}

// sendPageAsPiece sends the page as the only piece of a file, and asks for the type of pages.
func sendPageAsPiece(s *sessionSite) {
	p := piece(1).of(1, stagedPage)
	p.Name = "page.html"
	p.Type = ""
	p.Target = &uploads.Target{ContentType: "text/html"}
	_, err := s.handler.PutPiece(s.t.Context(), p)
	require.NoError(s.t, err)
}
