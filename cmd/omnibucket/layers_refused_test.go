package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A location with a cache directory inside itself is refused, because the blocks of the cache would
// be files of the location.
func TestCacheInsideItsLocation(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "data")
	link := filepath.Join(top, "link")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "year"), 0o700))
	require.NoError(t, os.Symlink(data, link))

	// The cache of the location data: is the directory data/c, which its configuration names by the
	// link.
	inside := filepath.Join(data, "c")
	insideByLink := filepath.Join(link, "c")
	s, _ := newConfiguredShell(t, "locations:\n  data:\n    address: file://"+data+
		"\n    layers: [{diskcache: {dir: "+insideByLink+"}}]\n")

	tests := []struct {
		name string
		args []string
	}{
		{
			name: "the location is an address",
			args: []string{"serve", "--listing", "--cache", inside, "file://" + data},
		},
		{name: "the location is a path", args: []string{"serve", "--cache", inside, data}},
		{name: "the cache is named by a link", args: []string{"serve", "--cache", insideByLink, "file://" + data}},
		{name: "the location is named by a link", args: []string{"serve", "--cache", inside, "file://" + link}},
		{name: "the location is inside the cache", args: []string{"serve", "--cache", top, "file://" + data}},
		{name: "a gateway for a path", args: []string{"serve", "--s3", "--cache", inside, data}},
		{
			name: "a gateway for an address, with a cache named by a link",
			args: []string{"serve", "--s3", "--cache", filepath.Join(link, "year"), "file://" + data},
		},
		{name: "the cache is in the configuration", args: []string{"ls", "data:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := s.requireExit(exitUsage, tt.args...)
			require.Contains(t, stderr, "the directory of a cache must not overlap with that of the location")

			entries, err := os.ReadDir(data)
			require.NoError(t, err)
			require.Len(t, entries, 1, "must not make the directory of the cache")
		})
	}
}

// If two layers of a location name the same store, the location is refused. One layer could remove
// objects that the other layer has moved there.
func TestLayersNameDifferentStores(t *testing.T) {
	tests := []struct {
		name    string
		layers  string
		wantErr string // "" if the location is valid
	}{
		{name: "an overlay and a mirror", layers: "[{overlay: {old: a}}, {mirror: b}]", wantErr: ""},
		{name: "a mirror and an overlay", layers: "[{mirror: b}, {overlay: {old: a}}]", wantErr: ""},
		{
			name:    "a mirror of the old store",
			layers:  "[{overlay: {old: a}}, {mirror: a}]",
			wantErr: "must name different stores",
		},
		{
			name:    "a mirror of the old store, which has two names",
			layers:  "[{overlay: {old: a}}, {limit: {reads: 1000}}, {mirror: again}]",
			wantErr: "must name different stores",
		},
		{
			name:    "the second store is the old one",
			layers:  "[{mirror: a}, {overlay: {old: A}}]",
			wantErr: "must name different stores",
		},
		{
			name:    "overlay, mirror, overlay",
			layers:  "[{overlay: {old: a}}, {mirror: b}, {overlay: {old: c}}]",
			wantErr: "must have overlay only once",
		},
		{name: "two mirrors", layers: "[{mirror: a}, {mirror: b}]", wantErr: "must have mirror only once"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newDirectoryAddress(t)
			s, _ := newConfiguredShell(t, `locations:
  a: `+a+`
  again: `+a+`
  b: `+newDirectoryAddress(t)+`
  c: `+newDirectoryAddress(t)+`
  box:
    address: `+newDirectoryAddress(t)+`
    layers: `+tt.layers+`
`)
			if tt.wantErr == "" {
				s.put("box:x", "text")
				return
			}
			for _, args := range [][]string{{"ls", "box:"}, {"repair", "--all", "box:"}, {"finish", "box:"}} {
				_, stderr := s.requireExit(exitUsage, args...)
				require.Contains(t, stderr, tt.wantErr)
				require.Contains(t, stderr, "location box")
			}
		})
	}
}
