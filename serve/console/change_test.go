package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve/console"
)

var writing = console.Config{Write: true}

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
	for _, row := range []struct {
		name, from, to string
		status         int
		keys           []string
	}{
		{"an object", "a", "z", 200, []string{"b", "f/1", "f/2/3", "g/1", "z"}},
		{"to a name that another has", "a", "b", 412, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"an object that is gone", "none", "z", 404, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"a folder", "f/", "h/", 200, []string{"a", "b", "g/1", "h/1", "h/2/3"}},
		{"a folder to one that exists", "f/", "g/", 412, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"a folder into itself", "f/", "f/x/", 400, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"a folder to its parent", "f/2/", "f/", 400, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"a folder to an object", "f/", "x", 400, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
		{"to a name that no object can have", "a", "../x", 400, []string{"a", "b", "f/1", "f/2/3", "g/1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := start(t, writing)
			for _, key := range []string{"a", "b", "f/1", "f/2/3", "g/1"} {
				f.put(t, key, key)
			}
			status, answer := f.post(t, "POST", "move", map[string]any{"from": row.from, "to": row.to})
			require.Equal(t, row.status, status, answer)
			require.Equal(t, row.keys, f.keys(t))
		})
	}
}

// Remove leaves an object that has been replaced since the page listed it.
func TestRemoveOnlyWhatWasShown(t *testing.T) {
	f := start(t, writing)
	for _, key := range []string{"a", "b", "f/1", "f/2/3", "fx"} {
		f.put(t, key, key)
	}
	var l list
	f.get(t, "list", &l)
	revision := l.Entries[0].Revision
	f.put(t, "a", "written again by another")

	status, answer := f.post(t, "POST", "remove", map[string]any{
		"objects": []map[string]any{{"key": "a", "revision": revision}, {"key": "b"}},
		"folders": []string{"f/"},
	})
	require.Equal(t, 200, status)
	require.EqualValues(t, 3, answer["removed"])
	failed := answer["failed"].([]any)
	require.Len(t, failed, 1)
	require.Equal(t, string(storage.PreconditionFailed), failed[0].(map[string]any)["code"])
	require.Equal(t, []string{"a", "fx"}, f.keys(t))

	status, _ = f.post(t, "POST", "remove", map[string]any{"folders": []string{""}})
	require.Equal(t, 400, status, "not the whole bucket")
	status, _ = f.post(t, "POST", "remove", map[string]any{"folders": []string{"f"}})
	require.Equal(t, 400, status, "not what only begins like the folder")
	require.Equal(t, []string{"a", "fx"}, f.keys(t))
}

// The page can restore removed objects of a versioned bucket.
func TestRestoreRemovedObjects(t *testing.T) {
	f := start(t, writing, storage.WithVersioning(true))
	f.put(t, "a", "1")
	f.put(t, "a", "2")
	f.put(t, "a/b", "other")
	f.put(t, "kept", "x")
	status, _ := f.post(t, "POST", "remove", map[string]any{"objects": []map[string]any{{"key": "a"}}})
	require.Equal(t, 200, status)

	var l list
	f.get(t, "removed", &l)
	require.Equal(t, []string{"a"}, l.keys())
	status, answer := f.post(t, "POST", "restore", map[string]any{"key": "a"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "2", f.read(t, "a"))
	status, _ = f.post(t, "POST", "restore", map[string]any{"key": "a"})
	require.Equal(t, 404, status, "it exists")

	var v struct {
		Versions []struct {
			Version         string
			Current, Marker bool
		}
	}
	f.get(t, "versions", &v, "key", "a")
	require.True(t, v.Versions[0].Current)
	oldest := v.Versions[len(v.Versions)-1].Version
	status, answer = f.post(t, "POST", "restore", map[string]any{"key": "a", "version": oldest})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "1", f.read(t, "a"))
	require.Equal(t, "other", f.read(t, "a/b"))
}

// The tags that are sent replace all tags of the object.
func TestTagsAreReplaced(t *testing.T) {
	f := start(t, writing)
	f.put(t, "a", "x", storage.WithTags(map[string]string{"old": "1"}))
	require.Equal(t, [][2]string{{"old", "1"}}, f.object(t, "a").Tags)
	status, answer := f.post(t, "PUT", "tags", map[string]any{"key": "a", "tags": map[string]string{"new": "value"}})
	require.Equal(t, 200, status, answer)
	require.Equal(t, [][2]string{{"new", "value"}}, f.object(t, "a").Tags)
}

// An upload by the page replaces an object only if the request asks for that.
func TestUploadReplacesOnlyIfTold(t *testing.T) {
	f := start(t, writing)
	upload := func(target string) int {
		return f.send("PUT", "/api/upload?bucket=photos&"+target, []byte("new"), nil).Code
	}
	require.Equal(t, 200, upload("key=a.txt&type=text/plain"))
	require.Equal(t, 412, upload("key=a.txt"))
	require.Equal(t, 200, upload("key=a.txt&replace=1"))
	require.Equal(t, 400, upload("key=../a"))
	require.Equal(t, 400, upload("key="))
	require.Equal(t, []string{"a.txt"}, f.keys(t))
}

// An upload that is cut off stores nothing.
func TestUploadCutOffStoresNothing(t *testing.T) {
	f := start(t, writing)
	w := f.send("PUT", "/api/upload?bucket=photos&key=a", []byte("half"), func(r *http.Request) {
		r.ContentLength = 8
	})
	require.NotEqual(t, 200, w.Code)
	require.Empty(t, f.keys(t))
}

// The page makes a link for a time of at most seven days, and refuses other times. Without a signing base URL, the
// response is 501.
func TestLinkLifetime(t *testing.T) {
	f := start(t, console.Config{}, storage.WithSigningBaseURL(origin+"/.signed/"))
	f.put(t, "a", "x")
	for _, row := range []struct{ seconds, status int }{{3600, 200}, {0, 400}, {-1, 400}, {7*24*3600 + 1, 400}} {
		status, answer := f.post(t, "POST", "link", map[string]any{"key": "a", "seconds": row.seconds})
		require.Equal(t, row.status, status, answer)
		if row.status == 200 {
			require.Contains(t, answer["url"], origin+"/.signed/")
			require.Equal(t, true, answer["local"], "nobody else can open it")
		}
	}
	unsigned := start(t, console.Config{})
	unsigned.put(t, "a", "x")
	status, _ := unsigned.post(t, "POST", "link", map[string]any{"key": "a", "seconds": 60})
	require.Equal(t, 501, status)
}

// A folder is moved with its markers.
func TestMoveFolderWithMarkers(t *testing.T) {
	f := start(t, writing)
	for _, key := range []string{"m/", "m/sub/", "m/empty/"} {
		f.marker(t, key)
	}
	f.put(t, "m/sub/z", "z")
	status, answer := f.post(t, "POST", "move", map[string]any{"from": "m/", "to": "n/"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, []string{"n/", "n/empty/", "n/sub/", "n/sub/z"}, f.keys(t))
}

// If the target folder exists, the request needs "merge". It then moves the objects whose names are free, and
// reports the others as failed.
func TestMoveFolderIntoExistingOne(t *testing.T) {
	f := start(t, writing)
	f.put(t, "old/a", "a")
	f.put(t, "old/b", "mine")
	f.put(t, "new/b", "of another")
	status, _ := f.post(t, "POST", "move", map[string]any{"from": "old/", "to": "new/"})
	require.Equal(t, 412, status)
	status, answer := f.post(t, "POST", "move", map[string]any{"from": "old/", "to": "new/", "merge": true})
	require.Equal(t, 200, status, answer)
	require.EqualValues(t, 1, answer["moved"])
	require.Len(t, answer["failed"], 1)
	require.Equal(t, []string{"new/a", "new/b", "old/b"}, f.keys(t))
	require.Equal(t, "of another", f.read(t, "new/b"))
	require.Equal(t, "mine", f.read(t, "old/b"))
}

// If an object has been replaced since the page listed it, renaming it fails.
func TestRenameOfReplacedObject(t *testing.T) {
	f := start(t, writing)
	f.put(t, "a", "1")
	revision := f.object(t, "a").Revision
	f.put(t, "a", "2")
	status, _ := f.post(t, "POST", "move", map[string]any{"from": "a", "to": "b", "revision": revision})
	require.Equal(t, 409, status)
	require.Equal(t, []string{"a"}, f.keys(t))
}
