package iceberg

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// A folder marker is an empty object that consoles, rclone and Hadoop's S3A store for a folder. In a tree with such
// markers, files are walked and removed, and a marker does not count as a file.
func TestCatalogWithFolderMarkers(t *testing.T) {
	const root = "s3://lake"
	const sales = root + "/sales"
	b, put := foldermarker.New(t) // put stores an object of each key, even if it is a marker
	keys := []string{
		"sales/data/1.parquet",
		"sales/empty/",
		"sales/metadata/v1.json",
		"other/x",
		// Each of these keys has a folder with an empty name, which a walk leaves out.
		"sales/data//nameless",
		"/",
	}
	put(keys...)
	put(foldermarker.Of(keys...)...) // the markers of all their folders
	o := New(t.Context(), b, root)

	// A walk returns each folder once, with or without files in it.
	require.Equal(t, []string{
		sales,
		sales + "/data",
		sales + "/data/1.parquet",
		sales + "/empty",
		sales + "/metadata",
		sales + "/metadata/v1.json",
	}, walk(t, o, sales))
	// The first location is that of the root, and the last ones are those of the sales.
	locations := walk(t, o, root+"/")
	require.Equal(t, []string{root + "/other", root + "/other/x"}, locations[1:3])

	// Remove refuses a folder with a file, and removes one that has only its marker.
	require.ErrorIs(t, o.Remove(sales+"/metadata"), syscall.ENOTEMPTY)
	require.NoError(t, o.Remove(sales+"/metadata/v1.json"))
	require.NoError(t, o.Remove(sales+"/metadata"))
	require.NoError(t, o.Remove(sales+"/empty"))
	require.NoError(t, o.RemoveAll(sales))

	// All other objects are still there.
	require.Equal(t, []string{"/", "other/", "other/x"}, foldermarker.Keys(t, b))
}
