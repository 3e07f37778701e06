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
	for _, row := range []struct {
		name, items, prefixes string
		keys                  []string
		fails                 bool
	}{
		{"in order", `{"name":"a"},{"name":"c"},{"name":"e"}`, `"b/","d/"`, []string{"a", "b/", "c", "d/", "e"}, false},
		{"only prefixes", ``, `"b/","d/"`, []string{"b/", "d/"}, false},
		{"prefixes at the end", `{"name":"a"},{"name":"b"}`, `"x/","y/"`, []string{"a", "b", "x/", "y/"}, false},
		{"prefixes at the start", `{"name":"x"},{"name":"y"}`, `"a/","b/"`, []string{"a/", "b/", "x", "y"}, false},
		{"objects out of order", `{"name":"c"},{"name":"a"}`, ``, nil, true},
		{"prefixes out of order", `{"name":"a"}`, `"d/","b/"`, nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"kind":"storage#objects","items":[%s],"prefixes":[%s]}`, row.items, row.prefixes)
			}))
			t.Cleanup(server.Close)
			b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: server.URL})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			var keys []string
			var failure error
			for entry, err := range b.List(t.Context(), storage.WithDelimiter("/")) {
				failure = err
				if err == nil {
					keys = append(keys, entry.Key)
				}
			}
			require.Equal(t, row.keys, keys)
			if row.fails {
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
		_, _ = io.WriteString(w, `{"kind":"storage#objects","items":[{"name":"b","generation":"1"},{"name":"b","generation":"3"},{"name":"a","generation":"2"}]}`)
	}))
	t.Cleanup(server.Close)
	b, err := Open(context.Background(), Config{Bucket: "photos", Endpoint: server.URL}, storage.WithVersioning(true))
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
