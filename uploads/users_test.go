package uploads_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A user ID must survive JSON and PostgreSQL unchanged, or it would become another user's ID. Other IDs are
// refused.
func TestUserIDIsCheckedEarly(t *testing.T) {
	begins := func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
		return &uploads.Target{Key: "files/a"}, nil
	}
	request := func(ctx context.Context, s *uploads.Service, path, body string, h headers) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
		for name, value := range h {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	tus := func(ctx context.Context, s *uploads.Service, _ uploads.User) int {
		return request(ctx, s, "/tus/", "", headers{"Tus-Resumable": "1.0.0", "Upload-Length": "3"})
	}
	parts := func(ctx context.Context, s *uploads.Service, _ uploads.User) int {
		return request(ctx, s, "/s3/multipart", "{}", headers{"Content-Type": "application/json"})
	}
	status := func(err error) int {
		if uploadErr, ok := err.(*uploads.Error); ok {
			return uploadErr.HTTPStatus()
		}
		return http.StatusOK
	}

	tests := []struct {
		name  string
		begin func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error)
		send  func(ctx context.Context, s *uploads.Service, user uploads.User) int
	}{
		{"Store", nil, func(ctx context.Context, s *uploads.Service, user uploads.User) int {
			_, err := s.Store(ctx, uploads.Upload{Body: strings.NewReader("x"), User: user})
			return status(err)
		}},
		{"a piece", nil, func(ctx context.Context, s *uploads.Service, user uploads.User) int {
			p := piece(1, 1, "x")
			p.User = user
			_, err := s.PutPiece(ctx, p)
			return status(err)
		}},
		{"a ticket", nil, func(ctx context.Context, s *uploads.Service, user uploads.User) int {
			_, err := s.Sign(ctx, uploads.Request{}, user)
			return status(err)
		}},
		{"tus", nil, tus}, {"tus, by Begin", begins, tus}, {"parts", nil, parts}, {"parts, by Begin", begins, parts},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, id := range []string{"a\x00b", "a\xffb", strings.Repeat("a", 2049)} {
				if len(id) > 2048 && tt.begin != nil {
					continue // records and Begin exclude one another
				}
				user := uploads.User{ID: id}
				bucket := memstore.New(storage.WithSigningBaseURL("https://store.example"))
				c := uploads.Config{
					Rules:     rules.Any(0),
					Begin:     tt.begin,
					Authorize: func(*http.Request) (uploads.User, error) { return user, nil },
				}
				if len(id) > 2048 {
					c.Records = uploads.BucketRecords(bucket)
				}
				s, err := uploads.New(bucket, c)
				require.NoError(t, err)

				require.Equal(t, http.StatusInternalServerError, tt.send(t.Context(), s, user), "%q", id)
				require.Empty(t, listKeys(t, bucket))
			}
		})
	}
}
