package gcs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// If a server lists keys out of order, List fails. Sorting each page would leave out keys of the next one.
func TestListOutOfOrder(t *testing.T) {
	tests := []struct {
		name     string
		items    string // JSON of the objects of the page
		prefixes string // JSON of its common prefixes
		want     []string
		wantErr  error
	}{
		{
			name:     "in order",
			items:    `{"name":"a"},{"name":"c"},{"name":"e"}`,
			prefixes: `"b/","d/"`,
			want:     []string{"a", "b/", "c", "d/", "e"},
		},
		{name: "only prefixes", items: ``, prefixes: `"b/","d/"`, want: []string{"b/", "d/"}},
		{
			name:     "prefixes at the end",
			items:    `{"name":"a"},{"name":"b"}`,
			prefixes: `"x/","y/"`,
			want:     []string{"a", "b", "x/", "y/"},
		},
		{
			name:     "prefixes at the start",
			items:    `{"name":"x"},{"name":"y"}`,
			prefixes: `"a/","b/"`,
			want:     []string{"a/", "b/", "x", "y"},
		},
		{
			name:    "objects out of order",
			items:   `{"name":"c"},{"name":"a"}`,
			wantErr: storage.Unsupported,
		},
		{
			name:     "prefixes out of order",
			items:    `{"name":"a"}`,
			prefixes: `"d/","b/"`,
			wantErr:  storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"kind":"storage#objects","items":[%s],"prefixes":[%s]}`, tt.items,
					tt.prefixes)
			}))
			t.Cleanup(server.Close)
			bucket, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: server.URL})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

			var keys []string
			var listErr error
			for entry, err := range bucket.List(t.Context(), storage.WithDelimiter("/")) {
				listErr = err
				if err == nil {
					keys = append(keys, entry.Key)
				}
			}
			require.Equal(t, tt.want, keys)
			require.ErrorIs(t, listErr, tt.wantErr)
		})
	}
}

// If a server lists versions out of key order, a listing of versions fails with Unsupported at the
// first version that is out of order.
func TestListVersionsOutOfOrder(t *testing.T) {
	// The key "a" comes after "b", out of order.
	const listing = `{"kind":"storage#objects","items":[` +
		`{"name":"b","generation":"1"},{"name":"b","generation":"3"},{"name":"a","generation":"2"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, listing)
	}))
	t.Cleanup(server.Close)
	config := Config{Bucket: "photos", Endpoint: server.URL}
	bucket, err := Open(context.Background(), config, storage.WithVersioning(true))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	var versions []string
	for v, err := range storage.Versions(t.Context(), bucket) {
		if err != nil {
			require.ErrorIs(t, err, storage.Unsupported)
			break
		}
		versions = append(versions, v.Key+" "+v.Version)
	}
	require.Equal(t, []string{"b 3", "b 1"}, versions)
}
