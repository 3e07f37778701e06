package uploads_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// If a client completes an upload again after the first link has expired, it gets a new link.
func TestCompleteAgainReturnsFreshLink(t *testing.T) {
	countCalls := func(_ context.Context, f *uploads.File) error {
		f.Location = "https://app.example/" + f.Name
		return nil
	}
	data := content(100)
	tests := []struct {
		name     string
		complete func(s *sessionSite) (again func() string)
	}{
		{"S3 parts", func(s *sessionSite) func() string {
			u := s.beginMultipart(map[string]any{"filename": "file"})
			part := u.sendPart(1, data)
			return func() string {
				var result struct{ Location string }
				u.complete(part).json(s.t, &result)
				return result.Location
			}
		}},
		{"S3, other parts", func(s *sessionSite) func() string {
			u := s.beginMultipart(map[string]any{"filename": "file"})
			require.Equal(s.t, http.StatusOK, u.complete(u.sendPart(1, data)).StatusCode)
			return func() string {
				var refusal struct{ Location string }
				u.complete(sentPart{1, "other"}).json(s.t, &refusal)
				return refusal.Location
			}
		}},
		{"a ticket", func(s *sessionSite) func() string {
			ticket, err := s.handler.Sign(s.t.Context(), uploads.Request{Size: int64(len(data)), Name: "file"}, uploads.User{ID: alice})
			require.NoError(s.t, err)
			pending, err := url.Parse(ticket.Put.URL)
			require.NoError(s.t, err)
			_, err = s.bucket.Upload(s.t.Context(), pending.Path[1:], bytes.NewReader(data))
			require.NoError(s.t, err)
			return func() string {
				f, err := s.handler.Finish(s.t.Context(), ticket.Token, uploads.User{ID: alice})
				require.NoError(s.t, err)
				return f.Location
			}
		}},
		{"the draft", func(s *sessionSite) func() string {
			resp := s.draft("POST", "/tus/", bytes.NewReader(data))
			require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
			location := s.locationOf(resp, "/tus/")
			return func() string {
				var result struct{ Location string }
				s.draft("PATCH", location, http.NoBody, "Upload-Offset", size(data)).json(s.t, &result)
				return result.Location
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := func(callback func(context.Context, *uploads.File) error) *sessionSite {
					bucket := memstore.New(storage.WithSigningBaseURL("https://store.example"))
					return newSynctestSite(t, bucket, uploads.Config{Link: uploads.SignedLink, LinkTTL: time.Minute, ProxyParts: true, Stored: callback, Key: "{user}/{random}{ext}"})
				}
				repeat := tt.complete(open(nil))

				first := repeat()
				require.NotEmpty(t, first)
				time.Sleep(time.Hour)
				second := repeat()
				require.NotEqual(t, first, second)

				query, err := url.Parse(second)
				require.NoError(t, err)
				require.Contains(t, query.Path, "/alice/")

				repeat = tt.complete(open(countCalls))
				first = repeat()
				require.Equal(t, "https://app.example/file", first, "the application has set it")
				require.Equal(t, first, repeat())
			})
		})
	}
}
