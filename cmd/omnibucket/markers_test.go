package main

import (
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// newBoxWithFolderMarkers opens the bucket "box:" with these objects and the markers of their
// folders. The objects are stored as other tools store them, so their keys may be any text.
func newBoxWithFolderMarkers(t *testing.T, s *shell, keys ...string) storage.Bucket {
	t.Helper()
	server := s.startS3Location("box", s3server.Config{})
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:    "photos",
		Endpoint:  server.URL,
		Region:    s3server.DefaultRegion,
		PathStyle: new(true),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	for _, key := range append(keys, foldermarker.Of(keys...)...) {
		_, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: new("photos"), Key: new(key)})
		require.NoError(t, err)
	}
	return b
}

// Consoles and rclone create an empty object as the marker of a folder. Listings show such a folder
// as a folder.
func TestFolderMarkersInListings(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "ls of a bucket", args: []string{"ls", "box:"}, want: "a/\ntop/\n"},
		{name: "ls of a folder", args: []string{"ls", "box:a"}, want: "a/b/\na/d\na/empty/\n"},
		{name: "ls of a folder, with a slash", args: []string{"ls", "box:a/"}, want: "a/b/\na/d\na/empty/\n"},
		{name: "ls of an empty folder", args: []string{"ls", "box:a/empty"}, want: ""},
		{name: "ls with a limit", args: []string{"ls", "--limit", "1", "box:a/"}, want: "a/b/\n"},
		{
			name: "ls after a key",
			args: []string{"ls", "--start-after", "a/b/", "box:a/"},
			want: "a/d\na/empty/\n",
		},
		{name: "ls of wildcards", args: []string{"ls", "box:a/*"}, want: "a/b/\na/d\na/empty/\n"},
		{name: "ls of wildcards at any depth", args: []string{"ls", "box:**"}, want: "a/b/c\na/d\ntop/x\n"},
		{
			name: "ls -r shows every object",
			args: []string{"ls", "-r", "box:a"},
			want: "a/\na/b/\na/b/c\na/d\na/empty/\n",
		},
		{name: "ls -r of wildcards", args: []string{"ls", "-r", "box:a/*"}, want: "a/b/c\na/d\n"},
		{name: "find", args: []string{"find", "box:"}, want: "a/b/c\na/d\ntop/x\n"},
		{name: "find in an empty folder", args: []string{"find", "box:a/empty"}, want: ""},
		{
			name: "tree",
			args: []string{"tree", "box:"},
			want: ".\n├── a/\n│   ├── b/\n│   │   └── c\n│   ├── d\n│   └── empty/\n└── top/\n    └── x\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			// Each folder of these keys has a marker.
			newBoxWithFolderMarkers(t, s, "a/b/c", "a/d", "a/empty/", "top/x")
			require.Equal(t, tt.want, s.run(tt.args...))
		})
	}
}

// rm -r removes the markers of the folders that it removes. cp, mv and sync neither copy nor remove markers.
func TestFolderMarkersAtEveryLevel(t *testing.T) {
	tests := []struct {
		name     string
		args     []string
		wantKeys []string // all keys in the bucket after the command
	}{
		{name: "rm -r", args: []string{"rm", "-r", "box:a"}, wantKeys: []string{"top/", "top/x"}},
		{
			name:     "rm -r of an empty folder",
			args:     []string{"rm", "-r", "box:a/empty/"},
			wantKeys: []string{"a/", "a/b/", "a/b/c", "a/d", "top/", "top/x"},
		},
		{
			name:     "rm -r of wildcards",
			args:     []string{"rm", "-r", "box:a/*"},
			wantKeys: []string{"a/", "top/", "top/x"},
		},
		{name: "rm -r of everything", args: []string{"rm", "-r", "--all", "box:"}, wantKeys: nil},
		{
			name:     "cp -r",
			args:     []string{"cp", "-r", "box:a/", "box:new/"},
			wantKeys: []string{"a/", "a/b/", "a/b/c", "a/d", "a/empty/", "new/b/c", "new/d", "top/", "top/x"},
		},
		{
			name:     "mv -r",
			args:     []string{"mv", "-r", "box:a/", "box:new/"},
			wantKeys: []string{"a/", "a/b/", "a/empty/", "new/b/c", "new/d", "top/", "top/x"},
		},
		{
			name:     "sync",
			args:     []string{"sync", "--delete", "box:top/", "box:a/"},
			wantKeys: []string{"a/", "a/b/", "a/empty/", "a/x", "top/", "top/x"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShell(t)
			// Each folder of these keys has a marker.
			b := newBoxWithFolderMarkers(t, s, "a/b/c", "a/d", "a/empty/", "top/x")
			s.requireExit(exitOK, tt.args...)
			require.Equal(t, tt.wantKeys, foldermarker.Keys(t, b))
		})
	}
}

// The completion of keys in a folder does not offer the marker of that folder.
func TestCompletionLeavesOutTheMarkerOfTheFolder(t *testing.T) {
	s := newShell(t)
	newBoxWithFolderMarkers(t, s, "a/b/c", "a/d", "a/empty/")
	require.Equal(t, []string{"box:a/b/", "box:a/d", "box:a/empty/"}, s.completions("cat", "box:a/"))
}
