package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// A copy of an object or a folder leaves the source as it is, and replaces nothing.
func TestCopyToAnotherPlace(t *testing.T) {
	f := start(t, console.Config{Write: true})
	f.put(t, "a/1", "one")
	f.put(t, "a/b/2", "two")
	f.put(t, "taken", "other")

	status, answer := f.post(t, "POST", "copy", map[string]any{"from": "a/1", "to": "c/1"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "one", f.read(t, "c/1"))
	require.Equal(t, "one", f.read(t, "a/1"))

	status, _ = f.post(t, "POST", "copy", map[string]any{"from": "a/1", "to": "taken"})
	require.Equal(t, 412, status)
	require.Equal(t, "other", f.read(t, "taken"))

	status, answer = f.post(t, "POST", "copy", map[string]any{"from": "a/", "to": "d/"})
	require.Equal(t, 200, status, answer)
	require.EqualValues(t, 2, answer["moved"])
	require.Equal(t, "two", f.read(t, "d/b/2"))
	require.Equal(t, "two", f.read(t, "a/b/2"))

	status, _ = f.post(t, "POST", "copy", map[string]any{"from": "a/", "to": "c/"})
	require.Equal(t, 412, status, "the folder exists")

	status, answer = f.post(t, "POST", "copy", map[string]any{"from": "a/", "to": "c/", "merge": true})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "two", f.read(t, "c/b/2"))
}

// Copies that make no sense are refused, and so are all copies if the page may only read.
func TestCopyRefused(t *testing.T) {
	f := start(t, console.Config{Write: true})
	f.put(t, "a/1", "one")
	for _, tt := range []struct {
		name     string
		document map[string]any
		status   int
	}{
		{name: "a folder into itself", document: map[string]any{"from": "a/", "to": "a/b/"}, status: 400},
		{name: "a folder to an object", document: map[string]any{"from": "a/", "to": "b"}, status: 400},
		{
			name:     "an object that has changed",
			document: map[string]any{"from": "a/1", "to": "b", "revision": "other"},
			status:   409,
		},
		{
			name:     "to a missing bucket",
			document: map[string]any{"from": "a/1", "to": "b", "toBucket": "none"},
			status:   404,
		},
	} {
		status, answer := f.post(t, "POST", "copy", tt.document)
		require.Equal(t, tt.status, status, "%s: %v", tt.name, answer)
	}
	status, _ := start(t, console.Config{}).post(t, "POST", "copy", map[string]any{"from": "a/1", "to": "b"})
	require.Equal(t, 403, status)
}

// An object or a folder of an account can be copied to another of its buckets, under the same key, too.
func TestCopyToAnotherBucket(t *testing.T) {
	service := memstore.NewService(memstore.ServiceConfig{})
	for _, name := range []string{"photos", "archive"} {
		_, err := service.CreateBucket(t.Context(), name)
		require.NoError(t, err)
	}
	photos, err := service.Bucket("photos")
	require.NoError(t, err)
	archive, err := service.Bucket("archive")
	require.NoError(t, err)
	page, err := console.New(console.Account(service), console.Config{Write: true})
	require.NoError(t, err)
	f := &fixture{bucket: photos, page: page}
	f.put(t, "a/1", "one")

	status, answer := f.post(t, "POST", "copy", map[string]any{
		"from":     "a/1",
		"to":       "a/1",
		"toBucket": "archive",
	})
	require.Equal(t, 200, status, answer)
	status, answer = f.post(t, "POST", "copy", map[string]any{
		"from":     "a/",
		"to":       "b/",
		"toBucket": "archive",
	})
	require.Equal(t, 200, status, answer)

	f.bucket = archive
	require.Equal(t, "one", f.read(t, "a/1"))
	require.Equal(t, "one", f.read(t, "b/1"))
}
