package local

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// A listing with a delimiter shows exactly the folders in which a full listing finds objects.
//
// Names that begin with .omnibucket are reserved. The next character tells the kind of the name: "%" is an escaped
// name, and "=" is the alternate name of a file. "+" is a chunk, which is a directory with the rest of a long name.
func TestListFoldersAsWalk(t *testing.T) {
	// longName returns the name on disk of a segment with n bytes.
	longName := func(n int) string { return bucketdir.Escaped(strings.Repeat("x", n), bucketdir.MarkEscaped) }
	tests := []struct {
		name  string
		path  string // of a file in the folder g
		shown bool   // true if the file is an object
	}{
		{name: "a plain name", path: "file", shown: true},
		{name: "an escaped name", path: ".omnibucket%.omnibucketed", shown: true},
		{name: "an alternate name", path: ".omnibucket=file", shown: true},
		{name: "a long name", path: longName(300), shown: true},
		{name: "a name of three chunks", path: longName(700), shown: true},
		{name: "a folder with a long name", path: longName(256) + "/file", shown: true},
		{name: "a folder with a long name and a plain name in it", path: longName(300) + "/file", shown: true},
		{name: "a folder with a name of three chunks", path: longName(700) + "/file", shown: true},
		{name: "long folders in long folders", path: longName(300) + "/" + longName(300) + "/file", shown: true},
		{name: "only a reserved name", path: ".omnibucketed", shown: false},
		{name: "a malformed escaped name", path: ".omnibucket%%zz", shown: false},
		// The path of a long name ends with its last chunk. This file is beside that chunk.
		{name: "a plain name among the chunks of a long one", path: longName(300) + "/../file", shown: false},
		{name: "a folder with an alternate name", path: ".omnibucket=folder/file", shown: false},
		{name: "a chunk of the wrong length", path: ".omnibucket+short/.omnibucket%x/file", shown: false},
	}
	for _, tt := range tests {
		for _, disk := range disks {
			t.Run(tt.name+", "+disk.name, func(t *testing.T) {
				bucket := newTestBucket(t, disk.tweaks...)
				bucket.write("g/"+tt.path, "x")
				wantFolders := []string{}
				if tt.shown {
					wantFolders = append(wantFolders, "g/")
				}

				require.Len(t, bucket.keys(), len(wantFolders))
				require.ElementsMatch(t, wantFolders, bucket.list(driver.ListRequest{Delimiter: "/"}))
			})
		}
	}
}

// A bucket with noncurrent versions under long names is not empty.
func TestDeleteBucketWithLongVersions(t *testing.T) {
	service, root := newService(t)
	yes := true
	_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "one", Versioning: &yes})
	require.NoError(t, err)

	bucket := service.bucket(t, "one", root)
	require.True(t, bucket.driver.Describe().Versioned)
	key := "g/" + strings.Repeat("x", 300)
	bucket.put(key, "old")
	bucket.remove(key)
	require.Empty(t, bucket.keys())

	require.ErrorIs(t, service.DeleteBucket(t.Context(), "one"), storage.BucketNotEmpty)
}

// A folder that may not be read still appears in the listing of its parent.
func TestListUnreadableFolder(t *testing.T) {
	// Root may read each folder, so another user runs the test.
	if runUnprivileged(t) {
		return
	}

	bucket := newTestBucket(t)
	for _, path := range []string{"a", "lost+found/x", "z/y"} {
		bucket.write(path, "x")
	}
	const noAccess = 0 // the mode
	restoreAccess := forbidAccess(t, filepath.Join(bucket.root, "lost+found"), noAccess)
	defer restoreAccess()

	require.Equal(t, []string{"a", "lost+found/", "z/"}, bucket.list(driver.ListRequest{Delimiter: "/"}))

	// A listing that must look into the folder fails.
	for _, r := range []driver.ListRequest{
		{Limit: 10},
		{Limit: 10, Prefix: "lost+found/", Delimiter: "/"},
	} {
		_, err := bucket.driver.List(t.Context(), &r)
		require.ErrorIs(t, err, storage.PermissionDenied, "prefix %q", r.Prefix)
	}
}
