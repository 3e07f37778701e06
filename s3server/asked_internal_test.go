package s3server

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/website"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// An askedStore keeps what it was asked, without what it was asked again in a row.
type askedStore struct {
	state.Store
	asked []string
}

func (s *askedStore) Bucket(ctx context.Context, name string) (*state.Bucket, error) {
	if n := len(s.asked); n == 0 || s.asked[n-1] != "Bucket" {
		s.asked = append(s.asked, "Bucket")
	}
	return s.Store.Bucket(ctx, name)
}

func (s *askedStore) Find(ctx context.Context, name state.VersionName) (*state.Version, string, error) {
	s.asked = append(s.asked, "Find")
	return s.Store.Find(ctx, name)
}

func (s *askedStore) Put(ctx context.Context, w *state.Write, b *state.Body) (*state.Version, string, error) {
	s.asked = append(s.asked, "Put")
	return s.Store.Put(ctx, w, b)
}

// One request asks the store for each fact at most once. Behind a gateway, each question may be a request to the
// provider.
func TestRequestAsksStoreOnce(t *testing.T) {
	h := New(Config{})
	require.NoError(t, h.SetUpBucket(t.Context(), BucketSetup{Name: "photos", Policy: []byte(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::photos/*"}]}`,
	)}))
	require.NoError(t, h.server.Store.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
		b.Website = &website.Configuration{IndexDocument: &struct{ Suffix xmldoc.Text }{"index.html"}}
		return nil
	}))
	store := &askedStore{Store: h.server.Store}
	h.server.Store = store

	tests := []struct {
		method, url string
		status      int
		asked       []string
	}{
		{method: "PUT", url: "http://localhost/photos/k", status: 200, asked: []string{"Bucket", "Put"}},
		{
			method: "GET",
			url:    "http://photos.s3-website.localhost/k",
			status: 200,
			asked:  []string{"Bucket", "Find"},
		},
	}
	for _, tt := range tests {
		store.asked = nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.url, strings.NewReader("content")))
		require.Equal(t, tt.status, w.Code, w.Body)
		require.Equal(t, tt.asked, store.asked, tt.url)
	}
}
