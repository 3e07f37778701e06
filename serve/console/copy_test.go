package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// A copy of an object or a folder leaves the source unchanged and replaces nothing.
func TestCopyToAnotherPlace(t *testing.T) {
	f := newFixture(t, console.Config{Write: true})
	f.put(t, "a/1", "one")
	f.put(t, "a/b/2", "two")
	f.put(t, "taken", "other")

	// Copy an object to a free key.
	status, answer := f.call(t, "POST", "copy", map[string]any{"from": "a/1", "to": "c/1"})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "one", f.content(t, "c/1"))
	require.Equal(t, "one", f.content(t, "a/1"))

	// A taken key is refused.
	status, _ = f.call(t, "POST", "copy", map[string]any{"from": "a/1", "to": "taken"})
	require.Equal(t, 412, status)
	require.Equal(t, "other", f.content(t, "taken"))

	// Copy a folder with its inner folders.
	status, answer = f.call(t, "POST", "copy", map[string]any{"from": "a/", "to": "d/"})
	require.Equal(t, 200, status, answer)
	require.EqualValues(t, 2, answer["moved"])
	require.Equal(t, "two", f.content(t, "d/b/2"))
	require.Equal(t, "two", f.content(t, "a/b/2"))

	// A copy into an existing folder needs the parameter "merge".
	status, _ = f.call(t, "POST", "copy", map[string]any{"from": "a/", "to": "c/"})
	require.Equal(t, 412, status, "the folder exists")
	status, answer = f.call(t, "POST", "copy", map[string]any{"from": "a/", "to": "c/", "merge": true})
	require.Equal(t, 200, status, answer)
	require.Equal(t, "two", f.content(t, "c/b/2"))
}

// Invalid copies are refused. Every copy is refused if the page may only read.
func TestCopyRefused(t *testing.T) {
	f := newFixture(t, console.Config{Write: true})
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
		t.Run(tt.name, func(t *testing.T) {
			status, answer := f.call(t, "POST", "copy", tt.document)
			require.Equal(t, tt.status, status, answer)
		})
	}

	// Without Write, the page may only read.
	readOnly := newFixture(t, console.Config{})
	status, _ := readOnly.call(t, "POST", "copy", map[string]any{"from": "a/1", "to": "b"})
	require.Equal(t, 403, status)
}

// An object or a folder can be copied to another bucket of the account, even under the same key.
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

	// Copy an object, and then its folder.
	status, answer := f.call(t, "POST", "copy", map[string]any{
		"from":     "a/1",
		"to":       "a/1",
		"toBucket": "archive",
	})
	require.Equal(t, 200, status, answer)
	status, answer = f.call(t, "POST", "copy", map[string]any{
		"from":     "a/",
		"to":       "b/",
		"toBucket": "archive",
	})
	require.Equal(t, 200, status, answer)

	// Look into the other bucket.
	f.bucket = archive
	require.Equal(t, "one", f.content(t, "a/1"))
	require.Equal(t, "one", f.content(t, "b/1"))
}
