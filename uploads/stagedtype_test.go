package uploads_test

import (
	"bytes"
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

// A sender may guess the key where content waits for judgement. A browser that opens that key never runs the
// content.
func TestStagedContentHasInertType(t *testing.T) {
	page := []byte("<html><script>alert(1)</script></html>")
	tests := []struct {
		name string
		send func(s *sessionSite)
	}{
		{"parts", func(s *sessionSite) {
			u := s.beginMultipart(map[string]any{"filename": "file"})
			require.Equal(s.t, http.StatusOK, u.complete(u.sendPart(1, page)).StatusCode)
		}},
		{"one request", func(s *sessionSite) {
			var upload struct{ URL string }
			s.get(alice, "/s3/params?filename=file").json(s.t, &upload)
			require.Equal(s.t, http.StatusOK, s.putTo(upload.URL, page).StatusCode)
		}},
		{"tus", func(s *sessionSite) {
			s.patch(s.create("Upload-Length", size(page)), 0, page, int64(len(page)))
		}},
		{"a piece of tus", func(s *sessionSite) {
			s.patch(s.create("Upload-Length", size(page), "Upload-Concat", "partial"), 0, page, int64(len(page)))
		}},
		{"tus in parts", func(s *sessionSite) {
			long := append(bytes.Clone(page), content(2*part)...)
			s.patch(s.create("Upload-Length", size(long)), 0, long, int64(len(long)))
		}},
		{"pieces", func(s *sessionSite) {
			_, err := s.handler.PutPiece(s.t.Context(), uploads.Piece{
				Token:  "token",
				Count:  1,
				Number: 1,
				Body:   bytes.NewReader(page),
				User:   uploads.User{ID: alice},
				Name:   "page.html",
				Target: &uploads.Target{ContentType: "text/html"},
			})
			require.NoError(s.t, err)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := engine.New(memstore.NewDriver(memstore.Config{}))
			var pendingKeys []string
			look := func(ctx context.Context) {
				for entry, err := range bucket.List(ctx, storage.WithPrefix(uploads.DefaultPrefix)) {
					require.NoError(t, err)
					if strings.Contains(entry.Key, "/content") {
						attrs, err := bucket.Attrs(ctx, entry.Key)
						require.NoError(t, err)
						pendingKeys = append(pendingKeys, attrs.ContentType)
					}
				}
			}
			tt.send(newSessionSite(t, bucket, uploads.Config{
				Rules: rules.Any(0),
				Inspect: func(ctx context.Context, _ *uploads.File, _ *storage.ReaderAt) error {
					look(ctx)
					return nil
				},
			}))
			if len(pendingKeys) == 0 { // a piece waits until it is joined
				look(t.Context())
			}

			require.Equal(t, []string{"application/octet-stream"}, pendingKeys)
		})
	}
}
