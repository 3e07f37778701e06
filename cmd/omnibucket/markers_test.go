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

// newMarkedBox opens the bucket "box:" with these objects, as other tools store them: their keys may be any text.
func newMarkedBox(t *testing.T, s *shell, keys ...string) storage.Bucket {
	t.Helper()
	server := startS3Box(t, s, s3server.Config{})
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

// Consoles and rclone mark a folder by an empty object whose key ends in a slash. Commands handle such markers at
// every level.
func TestFolderMarkersAtEveryLevel(t *testing.T) {
	tree := []string{"a/b/c", "a/d", "a/empty/", "top/x"}
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"ls of a bucket", []string{"ls", "box:"}, "a/\ntop/\n"},
		{"ls of a folder", []string{"ls", "box:a"}, "a/b/\na/d\na/empty/\n"},
		{"ls of a folder, with a slash", []string{"ls", "box:a/"}, "a/b/\na/d\na/empty/\n"},
		{"ls of an empty folder", []string{"ls", "box:a/empty"}, ""},
		{"ls with a limit", []string{"ls", "--limit", "1", "box:a/"}, "a/b/\n"},
		{"ls after a key", []string{"ls", "--start-after", "a/b/", "box:a/"}, "a/d\na/empty/\n"},
		{"ls of wildcards", []string{"ls", "box:a/*"}, "a/b/\na/d\na/empty/\n"},
		{"ls of wildcards at any depth", []string{"ls", "box:**"}, "a/b/c\na/d\ntop/x\n"},
		{"ls -r shows every object", []string{"ls", "-r", "box:a"}, "a/\na/b/\na/b/c\na/d\na/empty/\n"},
		{"ls -r of wildcards", []string{"ls", "-r", "box:a/*"}, "a/b/c\na/d\n"},
		{"find", []string{"find", "box:"}, "a/b/c\na/d\ntop/x\n"},
		{"find in an empty folder", []string{"find", "box:a/empty"}, ""},
		{"tree", []string{"tree", "box:"},
			".\n├── a/\n│   ├── b/\n│   │   └── c\n│   ├── d\n│   └── empty/\n└── top/\n    └── x\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			newMarkedBox(t, s, tree...)
			require.Equal(t, row.want, s.ok(row.args...))
		})
	}
	for _, row := range []struct {
		name string
		args []string
		left []string // in the bucket, without the markers that the row need not name
	}{
		{"rm -r", []string{"rm", "-r", "box:a"}, []string{"top/", "top/x"}},
		{"rm -r of an empty folder", []string{"rm", "-r", "box:a/empty/"},
			[]string{"a/", "a/b/", "a/b/c", "a/d", "top/", "top/x"}},
		{"rm -r of wildcards", []string{"rm", "-r", "box:a/*"}, []string{"a/", "top/", "top/x"}},
		{"rm -r of everything", []string{"rm", "-r", "--all", "box:"}, nil},
		{"cp -r", []string{"cp", "-r", "box:a/", "box:new/"}, []string{
			"a/", "a/b/", "a/b/c", "a/d", "a/empty/", "new/b/c", "new/d", "top/", "top/x",
		}},
		{"mv -r", []string{"mv", "-r", "box:a/", "box:new/"},
			[]string{"a/", "a/b/", "a/empty/", "new/b/c", "new/d", "top/", "top/x"}},
		{"sync", []string{"sync", "--delete", "box:top/", "box:a/"},
			[]string{"a/", "a/b/", "a/empty/", "a/x", "top/", "top/x"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShell(t)
			b := newMarkedBox(t, s, tree...)
			s.exits(exitOK, row.args...)
			require.Equal(t, row.left, foldermarker.Keys(t, b))
		})
	}
}

// The completion of keys does not offer the object that marks the folder itself.
func TestCompletionLeavesOutTheMarkerOfTheFolder(t *testing.T) {
	s := newShell(t)
	newMarkedBox(t, s, "a/b/c", "a/d", "a/empty/")
	require.Equal(t, []string{"box:a/b/", "box:a/d", "box:a/empty/"}, s.completions("cat", "box:a/"))
}
