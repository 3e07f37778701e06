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
		name, items, prefixes string
		keys                  []string
		fails                 bool
	}{
		{
			name:     "in order",
			items:    `{"name":"a"},{"name":"c"},{"name":"e"}`,
			prefixes: `"b/","d/"`,
			keys:     []string{"a", "b/", "c", "d/", "e"},
		},
		{name: "only prefixes", items: ``, prefixes: `"b/","d/"`, keys: []string{"b/", "d/"}},
		{
			name:     "prefixes at the end",
			items:    `{"name":"a"},{"name":"b"}`,
			prefixes: `"x/","y/"`,
			keys:     []string{"a", "b", "x/", "y/"},
		},
		{
			name:     "prefixes at the start",
			items:    `{"name":"x"},{"name":"y"}`,
			prefixes: `"a/","b/"`,
			keys:     []string{"a/", "b/", "x", "y"},
		},
		{name: "objects out of order", items: `{"name":"c"},{"name":"a"}`, prefixes: ``, fails: true},
		{name: "prefixes out of order", items: `{"name":"a"}`, prefixes: `"d/","b/"`, fails: true},
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
			var failure error
			for entry, err := range bucket.List(t.Context(), storage.WithDelimiter("/")) {
				failure = err
				if err == nil {
					keys = append(keys, entry.Key)
				}
			}

			require.Equal(t, tt.keys, keys)
			if tt.fails {
				require.ErrorIs(t, failure, storage.Unsupported)
				return
			}
			require.NoError(t, failure)
		})
	}
}

// If a server lists versions out of key order, ListVersions fails with Unsupported instead of sorting the page.
func TestListVersionsOutOfOrder(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w,
			`{"kind":"storage#objects","items":[{"name":"b","generation":"1"},{"name":"b","generation":"3"},{"name":"a","generation":"2"}]}`)
	}))
	t.Cleanup(server.Close)
	b, err := Open(context.Background(), Config{
		Bucket:   "photos",
		Endpoint: server.URL,
	}, storage.WithVersioning(true))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	var versions []string
	for v, err := range storage.Versions(t.Context(), b) {
		if err != nil {
			require.ErrorIs(t, err, storage.Unsupported)
			break
		}
		versions = append(versions, v.Key+" "+v.Version)
	}
	require.Equal(t, []string{"b 3", "b 1"}, versions)
}
