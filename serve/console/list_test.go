package console_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve/console"
)

// A folder is listed in pages.
func TestListPages(t *testing.T) {
	f := start(t, console.Config{})
	for i := range 1500 {
		f.put(t, fmt.Sprintf("f/%04d", i), "x")
	}
	f.put(t, "f/sub/x", "x")
	f.put(t, "g", "x")
	listed := func(query ...string) list {
		var l list
		f.get(t, "list", &l, query...)
		return l
	}

	root := listed()
	require.Equal(t, []string{"f/", "g"}, root.keys())
	require.True(t, root.Entries[0].Folder)

	first := listed("prefix", "f/")
	require.Len(t, first.Entries, 1000)
	second := listed("prefix", "f/", "after", first.Next)
	require.Len(t, second.Entries, 501)
	require.Empty(t, second.Next)

	require.Equal(t, []string{"f/1490", "f/1491", "f/1492"},
		listed("prefix", "f/149", "limit", "3").keys(), "a search")
}

// For a missing bucket, each view of the API responds with 404.
func TestListMissingBucket(t *testing.T) {
	f := start(t, console.Config{})
	for _, view := range []string{"bucket", "list", "removed", "versions", "object", "text"} {
		w := f.send("GET", "/api/"+view+"?bucket=others&key=a", nil, nil)
		require.Equal(t, 404, w.Code, view)
		require.Contains(t, w.Body.String(), string(storage.BucketNotFound), view)
	}
}

// The list of removed objects has pages.
func TestListRemovedObjectsInPages(t *testing.T) {
	f := start(t, console.Config{}, storage.WithVersioning(true))
	for i := range 1200 {
		key := fmt.Sprintf("%04d", i)
		f.put(t, key, "x")
		if i%100 != 0 {
			require.NoError(t, f.bucket.Remove(t.Context(), key))
		}
	}

	var first, second list
	f.get(t, "removed", &first)
	require.Len(t, first.Entries, 1000)
	require.Equal(t, "0001", first.Entries[0].Key)

	f.get(t, "removed", &second, "after", first.Next)
	require.Len(t, second.Entries, 188)
	require.Empty(t, second.Next)
	require.False(t, second.Partial)
}

// The list of soft-deleted objects has pages.
func TestListSoftDeletedObjectsInPages(t *testing.T) {
	f := start(t, console.Config{}, storage.WithSoftDelete(time.Hour))
	for _, key := range []string{"a", "b", "c"} {
		f.put(t, key, "1")
		require.NoError(t, f.bucket.Remove(t.Context(), key))
	}
	f.put(t, "b", "written again")

	var all, rest list
	f.get(t, "removed", &all)
	require.Equal(t, []string{"a", "c"}, all.keys())

	f.get(t, "removed", &rest, "after", "a")
	require.Equal(t, []string{"c"}, rest.keys())
}

// The API tells the page whether the bucket has versions, and whether it can sign links.
func TestInfoHasFeatures(t *testing.T) {
	tests := []struct {
		name     string
		opts     []storage.OpenOption
		versions bool
		sign     bool
	}{
		{name: "neither"},
		{name: "versions", opts: []storage.OpenOption{storage.WithVersioning(true)}, versions: true},
		{name: "links", opts: []storage.OpenOption{storage.WithSigningBaseURL(origin)}, sign: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, console.Config{Write: true}, tt.opts...)
			var b struct {
				Write    bool
				Features struct{ Versions, Sign, Tags, Resume, Conditions bool }
			}
			f.get(t, "bucket", &b)
			require.True(t, b.Write)
			require.Equal(t, tt.versions, b.Features.Versions)
			require.Equal(t, tt.sign, b.Features.Sign)
			require.True(t, b.Features.Tags && b.Features.Resume && b.Features.Conditions)
		})
	}
}

// The routes of Config.API have the same guard as the page's own API.
func TestConfigAPIHasSameGuard(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.URL.Path))
	})
	f := start(t, console.Config{
		API:    api,
		Script: []byte("export {};"),
		Pages:  []console.Page{{Name: "more", Title: "More"}},
	})
	require.Equal(t, "/things", f.send("GET", "/api/x/things", nil, nil).Body.String())
	w := f.send("GET", "/api/x/things", nil, func(r *http.Request) {
		r.Header.Del("X-Console")
	})
	require.Equal(t, 403, w.Code)

	require.Equal(t, "export {};", f.send("GET", "/extra.js", nil, nil).Body.String())
	require.Contains(t, f.send("GET", "/api/info", nil, nil).Body.String(),
		`"pages":[{"name":"more","title":"More"}]`)
	require.Equal(t, 404, start(t, console.Config{}).send("GET", "/extra.js", nil, nil).Code)
}
