package console_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/serve/console"
)

var writable = console.Config{Write: true}

// keys returns the keys of the bucket.
func (f *fixture) keys(t *testing.T) []string {
	t.Helper()
	keys := []string{}
	for e, err := range f.bucket.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	return keys
}

// Renaming never replaces another object or folder.
func TestRenameReplacesNothing(t *testing.T) {
	before := []string{"a", "b", "f/1", "f/2/3", "g/1"}
	tests := []struct {
		name, source, target string
		wantStatus           int
		wantKeys             []string // afterwards
	}{
		{
			name:       "an object",
			source:     "a",
			target:     "z",
			wantStatus: 200,
			wantKeys:   []string{"b", "f/1", "f/2/3", "g/1", "z"},
		},
		{name: "an object to a taken name", source: "a", target: "b", wantStatus: 412, wantKeys: before},
		{name: "a missing object", source: "none", target: "z", wantStatus: 404, wantKeys: before},
		{name: "an object to an invalid name", source: "a", target: "../x", wantStatus: 400, wantKeys: before},
		{
			name:       "a folder",
			source:     "f/",
			target:     "h/",
			wantStatus: 200,
			wantKeys:   []string{"a", "b", "g/1", "h/1", "h/2/3"},
		},
		{name: "a folder to an existing folder", source: "f/", target: "g/", wantStatus: 412, wantKeys: before},
		{name: "a folder into itself", source: "f/", target: "f/x/", wantStatus: 400, wantKeys: before},
		{name: "a folder to its parent", source: "f/2/", target: "f/", wantStatus: 400, wantKeys: before},
		{name: "a folder to the name of an object", source: "f/", target: "x", wantStatus: 400, wantKeys: before},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, writable)
			for _, key := range before {
				f.put(t, key, key)
			}
			status, answer := f.call(t, "POST", "move", map[string]any{"from": tt.source, "to": tt.target})
			require.Equal(t, tt.wantStatus, status, answer)
			require.Equal(t, tt.wantKeys, f.keys(t))
		})
	}
}

// A removal keeps an object that was replaced after the page listed it. A removal never removes a
// whole bucket.
func TestRemoveOnlyWhatWasShown(t *testing.T) {
	f := newFixture(t, writable)
	for _, key := range []string{"a", "b", "f/1", "f/2/3", "fx"} {
		f.put(t, key, key)
	}

	// The page lists the object a. Then another object replaces it.
	var shown list
	f.get(t, "list", &shown)
	shownRevision := shown.Entries[0].Revision
	f.put(t, "a", "replaced")

	// Remove the replaced object, another object, and a folder with two objects.
	status, answer := f.call(t, "POST", "remove", map[string]any{
		"objects": []map[string]any{{"key": "a", "revision": shownRevision}, {"key": "b"}},
		"folders": []string{"f/"},
	})
	require.Equal(t, 200, status)

	// The object b and the two objects in the folder are removed. The replaced object stays.
	require.EqualValues(t, 3, answer["removed"])
	failures := answer["failed"].([]any)
	require.Len(t, failures, 1)
	require.Equal(t, string(storage.PreconditionFailed), failures[0].(map[string]any)["code"])
	require.Equal(t, []string{"a", "fx"}, f.keys(t))

	// The folder "" would be the whole bucket. Without a slash, "f" would also select "fx".
	for _, folder := range []string{"", "f"} {
		status, _ = f.call(t, "POST", "remove", map[string]any{"folders": []string{folder}})
		require.Equal(t, 400, status, "folder %q", folder)
	}
	require.Equal(t, []string{"a", "fx"}, f.keys(t))
}

// The page can restore a removed object of a versioned bucket, and any older version of an object.
func TestRestoreRemovedObjects(t *testing.T) {
	f := newFixture(t, writable, storage.WithVersioning(true))
	f.put(t, "a", "1")
	f.put(t, "a", "2")
	f.put(t, "a/b", "other")
	f.put(t, "kept", "x")
	status, _ := f.call(t, "POST", "remove", map[string]any{"objects": []map[string]any{{"key": "a"}}})
	require.Equal(t, 200, status)

	// The page shows only the removed object.
	var l list
	f.get(t, "removed", &l)
	require.Equal(t, []string{"a"}, l.keys())

	// A request without a version restores the newest version.
	status, answer := f.call(t, "POST", "restore", map[string]any{"key": "a"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "2", f.content(t, "a"))

	// A second request finds no removed object.
	status, _ = f.call(t, "POST", "restore", map[string]any{"key": "a"})
	require.Equal(t, 404, status)

	// A request with a version restores this version. Other objects are unchanged.
	var v struct {
		Versions []struct {
			Version         string
			Current, Marker bool
		}
	}
	f.get(t, "versions", &v, "key", "a")
	require.True(t, v.Versions[0].Current)
	oldest := v.Versions[len(v.Versions)-1].Version
	status, answer = f.call(t, "POST", "restore", map[string]any{"key": "a", "version": oldest})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "1", f.content(t, "a"))
	require.Equal(t, "other", f.content(t, "a/b"))
}

// New tags of an object replace all earlier ones.
func TestTagsAreReplaced(t *testing.T) {
	f := newFixture(t, writable)
	f.put(t, "a", "x", storage.WithTags(map[string]string{"old": "1"}))
	require.Equal(t, [][2]string{{"old", "1"}}, f.object(t, "a").Tags)

	status, answer := f.call(t, "PUT", "tags", map[string]any{
		"key":  "a",
		"tags": map[string]string{"new": "value"},
	})
	require.Equal(t, 200, status, answer)
	require.Equal(t, [][2]string{{"new", "value"}}, f.object(t, "a").Tags)
}

// An upload replaces an object only if the request says so.
func TestUploadReplacesOnlyIfTold(t *testing.T) {
	f := newFixture(t, writable)
	upload := func(target string) int {
		return f.send("PUT", "/api/upload?bucket=photos&"+target, []byte("new"), nil).Code
	}

	require.Equal(t, 200, upload("key=a.txt&type=text/plain"))
	require.Equal(t, 412, upload("key=a.txt"), "the object exists")
	require.Equal(t, 200, upload("key=a.txt&replace=1"))

	// Invalid keys are refused.
	require.Equal(t, 400, upload("key=../a"))
	require.Equal(t, 400, upload("key="))
	require.Equal(t, []string{"a.txt"}, f.keys(t))
}

// An upload that is cut off in the middle stores nothing.
func TestUploadCutOffStoresNothing(t *testing.T) {
	f := newFixture(t, writable)
	w := f.send("PUT", "/api/upload?bucket=photos&key=a", []byte("half"), func(r *http.Request) {
		r.ContentLength = 8
	})
	require.NotEqual(t, 200, w.Code)
	require.Empty(t, f.keys(t))
}

// The page makes links that open an object for a given time of up to seven days. Without a signing base URL, it
// responds with 501.
func TestLinkLifetime(t *testing.T) {
	const maxSeconds = 7 * 24 * 3600
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	drv := memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }})
	f := newFixtureOf(t, engine.New(drv, storage.WithSigningBaseURL(origin+"/.signed/")), console.Config{})
	f.put(t, "a", "x")

	objects := serve.NewHandler(f.bucket)
	open := func(link string) int {
		w := httptest.NewRecorder()
		objects.ServeHTTP(w, httptest.NewRequest("GET", link, nil))
		return w.Code
	}

	for _, seconds := range []int{1, 3600, maxSeconds} {
		end := now.Add(time.Duration(seconds) * time.Second)
		status, answer := f.call(t, "POST", "link", map[string]any{"key": "a", "seconds": seconds})
		require.Equal(t, 200, status, answer)
		link := answer["url"].(string)
		require.Contains(t, link, origin+"/.signed/")
		require.Equal(t, true, answer["local"])
		require.Equal(t, end.Format(time.RFC3339), answer["expires"])

		// The link is valid until its end. The test moves the clock of the store there.
		now = end.Add(-time.Nanosecond)
		require.Equal(t, 200, open(link))
		now = end
		require.Equal(t, 403, open(link))
	}

	// Other lifetimes are refused.
	for _, seconds := range []int{0, -1, maxSeconds + 1} {
		status, answer := f.call(t, "POST", "link", map[string]any{"key": "a", "seconds": seconds})
		require.Equal(t, 400, status, answer)
	}

	// A bucket without a signing base URL cannot make links.
	withoutSigning := newFixture(t, console.Config{})
	withoutSigning.put(t, "a", "x")
	status, _ := withoutSigning.call(t, "POST", "link", map[string]any{"key": "a", "seconds": 60})
	require.Equal(t, 501, status)
}

// A moved folder keeps its marker, and the markers of the folders below it.
func TestMoveFolderWithMarkers(t *testing.T) {
	f := newFixture(t, writable)
	for _, key := range []string{"m/", "m/sub/", "m/empty/"} {
		f.putMarker(t, key)
	}
	f.put(t, "m/sub/z", "z")

	status, answer := f.call(t, "POST", "move", map[string]any{"from": "m/", "to": "n/"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, []string{"n/", "n/empty/", "n/sub/", "n/sub/z"}, f.keys(t))
}

// A folder is moved into an existing folder only with "merge". Then objects whose names are taken
// there stay where they are.
func TestMoveFolderIntoExistingOne(t *testing.T) {
	f := newFixture(t, writable)
	f.put(t, "old/a", "a")
	f.put(t, "old/b", "mine")
	f.put(t, "new/b", "of another")

	// Without "merge", the move fails.
	status, _ := f.call(t, "POST", "move", map[string]any{"from": "old/", "to": "new/"})
	require.Equal(t, 412, status)

	// With "merge", the object a is moved. The object b stays, because its name is taken.
	status, answer := f.call(t, "POST", "move", map[string]any{"from": "old/", "to": "new/", "merge": true})
	require.Equal(t, 200, status, answer)
	require.EqualValues(t, 1, answer["moved"])
	require.Len(t, answer["failed"], 1)

	require.Equal(t, []string{"new/a", "new/b", "old/b"}, f.keys(t))
	require.Equal(t, "of another", f.content(t, "new/b"))
	require.Equal(t, "mine", f.content(t, "old/b"))
}

// An object that was replaced after the page listed it cannot be renamed.
func TestRenameOfReplacedObject(t *testing.T) {
	f := newFixture(t, writable)
	f.put(t, "a", "1")
	revision := f.object(t, "a").Revision
	f.put(t, "a", "2")

	status, _ := f.call(t, "POST", "move", map[string]any{"from": "a", "to": "b", "revision": revision})
	require.Equal(t, 409, status)
	require.Equal(t, []string{"a"}, f.keys(t))
}
