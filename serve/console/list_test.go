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

// A folder is listed in pages of 1,000 entries, or fewer if the request says so.
func TestListPages(t *testing.T) {
	f := newFixture(t, console.Config{})
	for i := range 1500 {
		f.put(t, fmt.Sprintf("f/%04d", i), "x")
	}
	f.put(t, "f/sub/x", "x")
	f.put(t, "g", "x")
	listPage := func(query ...string) list {
		var l list
		f.get(t, "list", &l, query...)
		return l
	}

	// At the root, the folder is one entry.
	root := listPage()
	require.Equal(t, []string{"f/", "g"}, root.keys())
	require.True(t, root.Entries[0].Folder)

	// The folder has 1500 objects and an inner folder.
	first := listPage("prefix", "f/")
	require.Len(t, first.Entries, 1000)
	second := listPage("prefix", "f/", "after", first.Next)
	require.Len(t, second.Entries, 501)
	require.Empty(t, second.Next)

	// The request may ask for fewer entries.
	limited := listPage("prefix", "f/149", "limit", "3")
	require.Equal(t, []string{"f/1490", "f/1491", "f/1492"}, limited.keys())
}

// For a missing bucket, every view of the API responds with 404.
func TestListMissingBucket(t *testing.T) {
	f := newFixture(t, console.Config{})
	for _, view := range []string{"bucket", "list", "removed", "versions", "object", "text"} {
		w := f.visit("/api/" + view + "?bucket=others&key=a")
		require.Equal(t, 404, w.Code, view)
		require.Contains(t, w.Body.String(), string(storage.BucketNotFound), view)
	}
}

// The page lists the objects that were removed, 1,000 at a time.
func TestListRemovedObjectsInPages(t *testing.T) {
	f := newFixture(t, console.Config{}, storage.WithVersioning(true))

	// Store 1,200 objects, and remove all except for each hundredth one. So 1,188 are removed.
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

// A page of soft-deleted objects begins after a given key, and leaves out objects that exist again.
func TestListSoftDeletedObjectsInPages(t *testing.T) {
	f := newFixture(t, console.Config{}, storage.WithSoftDelete(time.Hour))
	for _, key := range []string{"a", "b", "c"} {
		f.put(t, key, "1")
		require.NoError(t, f.bucket.Remove(t.Context(), key))
	}
	f.put(t, "b", "written again")

	var all, afterA list
	f.get(t, "removed", &all)
	require.Equal(t, []string{"a", "c"}, all.keys())

	f.get(t, "removed", &afterA, "after", "a")
	require.Equal(t, []string{"c"}, afterA.keys())
}

// The API tells the page which features the bucket has, such as versions and signed links.
func TestInfoHasFeatures(t *testing.T) {
	tests := []struct {
		name         string
		opts         []storage.OpenOption
		wantVersions bool
		wantSign     bool
	}{
		{name: "neither"},
		{name: "versions", opts: []storage.OpenOption{storage.WithVersioning(true)}, wantVersions: true},
		{name: "links", opts: []storage.OpenOption{storage.WithSigningBaseURL(origin)}, wantSign: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, console.Config{Write: true}, tt.opts...)
			var b struct {
				Write    bool
				Features struct{ Versions, Sign, Tags, Resume, Conditions bool }
			}
			f.get(t, "bucket", &b)
			require.True(t, b.Write)
			require.Equal(t, tt.wantVersions, b.Features.Versions)
			require.Equal(t, tt.wantSign, b.Features.Sign)
			require.True(t, b.Features.Tags)
			require.True(t, b.Features.Resume)
			require.True(t, b.Features.Conditions)
		})
	}
}

// A Config can add routes, a script and pages. The added routes have the same guard as the page's
// own API.
func TestConfigAPIHasSameGuard(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.URL.Path))
	})
	f := newFixture(t, console.Config{
		API:    api,
		Script: []byte("export {};"),
		Pages:  []console.Page{{Name: "more", Title: "More"}},
	})

	// The function visit sends the header X-Console, because the guard demands it.
	require.Equal(t, "/things", f.visit("/api/x/things").Body.String())
	w := f.visit("/api/x/things", func(r *http.Request) {
		r.Header.Del("X-Console")
	})
	require.Equal(t, 403, w.Code)

	// The page also has the script and the pages of the Config.
	require.Equal(t, "export {};", f.visit("/extra.js").Body.String())
	require.Contains(t, f.visit("/api/info").Body.String(),
		`"pages":[{"name":"more","title":"More"}]`)

	withoutScript := newFixture(t, console.Config{})
	require.Equal(t, 404, withoutScript.visit("/extra.js").Code)
}
