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

// An askedStore records the methods that the server calls. Calls of Bucket in a row count once, because the server
// keeps the bucket for them.
type askedStore struct {
	state.Store
	calls []string
}

func (s *askedStore) Bucket(ctx context.Context, name string) (*state.Bucket, error) {
	if len(s.calls) == 0 || s.calls[len(s.calls)-1] != "Bucket" {
		s.calls = append(s.calls, "Bucket")
	}
	return s.Store.Bucket(ctx, name)
}

func (s *askedStore) Find(ctx context.Context, name state.VersionName) (*state.Version, string, error) {
	s.calls = append(s.calls, "Find")
	return s.Store.Find(ctx, name)
}

func (s *askedStore) Put(ctx context.Context, w *state.Write, b *state.Body) (*state.Version, string, error) {
	s.calls = append(s.calls, "Put")
	return s.Store.Put(ctx, w, b)
}

// A request asks the store for the bucket and the object only once, because for a gateway each call may be a request to
// the provider.
func TestRequestAsksStoreOnce(t *testing.T) {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
		`"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::photos/*"}]}`

	// Everybody may read and write the bucket, which is also a website.
	h := New(Config{})
	require.NoError(t, h.SetUpBucket(t.Context(), BucketSetup{Name: "photos", Policy: []byte(policy)}))
	require.NoError(t, h.server.Store.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
		b.Website = &website.Configuration{IndexDocument: &struct{ Suffix xmldoc.Text }{"index.html"}}
		return nil
	}))

	// From here, record the calls of the store.
	store := &askedStore{Store: h.server.Store}
	h.server.Store = store

	tests := []struct {
		name        string
		method, url string
		want        []string
	}{
		{name: "PutObject", method: "PUT", url: "http://localhost/photos/k", want: []string{"Bucket", "Put"}},
		{
			name:   "page of a website",
			method: "GET",
			url:    "http://photos.s3-website.localhost/k",
			want:   []string{"Bucket", "Find"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store.calls = nil
			w := httptest.NewRecorder()

			h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.url, strings.NewReader("content")))

			require.Equal(t, 200, w.Code, w.Body)
			require.Equal(t, tt.want, store.calls)
		})
	}
}
