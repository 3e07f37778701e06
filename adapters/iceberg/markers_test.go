package iceberg

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// Consoles, rclone and Hadoop's S3A mark each folder by an object whose key ends in a slash.
func TestCatalogWithFolderMarkers(t *testing.T) {
	const table = "s3://lake/sales/"
	b, plant := foldermarker.New(t)
	tree := []string{
		"sales/data/1.parquet", "sales/empty/", "sales/metadata/v1.json", "sales/data//nameless",
		"/", "other/x",
	}
	plant(tree...)
	plant(foldermarker.Of(tree...)...)
	o := New(t.Context(), b, "s3://lake")

	require.Equal(t, []string{
		table + "data", table + "data/1.parquet", table + "empty", table + "metadata", table + "metadata/v1.json",
	}, walk(t, o, "s3://lake/sales")[1:])
	require.Equal(t, []string{"s3://lake/other", "s3://lake/other/x"}, walk(t, o, "s3://lake/")[1:3])

	require.ErrorIs(t, o.Remove("s3://lake/sales/metadata"), syscall.ENOTEMPTY)
	require.NoError(t, o.Remove("s3://lake/sales/metadata/v1.json"))
	require.NoError(t, o.Remove("s3://lake/sales/metadata"), "a marker is no file in it")
	require.NoError(t, o.Remove("s3://lake/sales/empty"))
	require.NoError(t, o.RemoveAll("s3://lake/sales"))
	require.Equal(t, []string{"/", "other/", "other/x"}, foldermarker.Keys(t, b))
}
