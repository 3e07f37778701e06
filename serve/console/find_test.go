package console_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/serve/console"
)

// A search finds a text anywhere in the names below a folder. It ignores the case of letters.
func TestFindInNames(t *testing.T) {
	f := newFixture(t, console.Config{})
	for _, key := range []string{"2026/Lake.jpg", "2026/june/at the lake.txt", "2026/hills.jpg", "lake.jpg"} {
		f.put(t, key, "x")
	}
	for _, tt := range []struct {
		prefix string
		text   string
		keys   []string
	}{
		{prefix: "", text: "lake", keys: []string{"2026/Lake.jpg", "2026/june/at the lake.txt", "lake.jpg"}},
		{prefix: "2026/", text: "LAKE", keys: []string{"2026/Lake.jpg", "2026/june/at the lake.txt"}},
		{prefix: "2026/", text: "2026", keys: []string{}},
		{prefix: "2026/", text: "june/at", keys: []string{"2026/june/at the lake.txt"}},
	} {
		t.Run(tt.text+" in "+tt.prefix, func(t *testing.T) {
			var found list
			f.get(t, "find", &found, "prefix", tt.prefix, "text", tt.text)
			require.Equal(t, tt.keys, found.keys())
			require.Empty(t, found.Next)
		})
	}
}

// A search reads at most 10,000 names for one response, and says where it continues.
func TestFindContinues(t *testing.T) {
	f := newFixture(t, console.Config{})
	for i := range 10_500 {
		f.put(t, fmt.Sprintf("%05d", i), "")
	}
	f.put(t, "a needle", "")

	// The needle is the last name. The first response has not reached it.
	var first, second list
	f.get(t, "find", &first, "text", "needle")
	require.Empty(t, first.Entries)
	require.NotEmpty(t, first.Next)

	// The second response continues, and ends the search.
	f.get(t, "find", &second, "text", "needle", "after", first.Next)
	require.Equal(t, []string{"a needle"}, second.keys())
	require.Empty(t, second.Next)
}

// The size of a folder counts the objects in it and in all folders below, but not the folders' own markers.
func TestFolderSize(t *testing.T) {
	f := newFixture(t, console.Config{})
	f.putMarker(t, "a/")
	f.put(t, "a/1", "12345")
	f.put(t, "a/b/2", "123")
	f.put(t, "ab", "1")

	var sum struct {
		Objects int
		Size    int64
		Partial bool
	}
	f.get(t, "size", &sum, "prefix", "a/")
	require.Equal(t, 2, sum.Objects)
	require.EqualValues(t, 8, sum.Size)
	require.False(t, sum.Partial)
}

// A list has the addresses of the pictures in it only if the page asks for thumbnails.
func TestListThumbnails(t *testing.T) {
	f := newFixture(t, console.Config{})
	f.put(t, "lake.png", "\x89PNG")
	f.put(t, "notes.txt", "text")
	var plain, pictures struct {
		Entries []struct{ Key, View string } // View is the address of a picture
	}

	f.get(t, "list", &plain)
	require.Empty(t, plain.Entries[0].View)

	f.get(t, "list", &pictures, "thumbnails", "1")
	require.Empty(t, pictures.Entries[1].View, "a text")
	w := f.visit("/" + pictures.Entries[0].View)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "image/png", w.Header().Get("Content-Type"))
	require.Equal(t, "\x89PNG", w.Body.String())
}
