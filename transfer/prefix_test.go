package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/transfer"
)

// listed counts the entries that a store sends.
type listed struct {
	driver.Driver
	entries *int
}

func (l listed) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := l.Driver.List(ctx, r)
	if err == nil {
		*l.entries += len(page.Entries)
	}
	return page, err
}

func countEntries(entries *int) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return listed{d, entries} })
}

// With WithPrefix, a job lists only the keys with this prefix.
func TestWithPrefixListsOnlyItsKeys(t *testing.T) {
	var ofSource, ofDestination int
	src := newFilledBucket(t, []string{"a/1", "a/2", "b", "b/1", "b2/1", "c"}, countEntries(&ofSource))
	dst := newFilledBucket(t, []string{"a/old", "b3", "c/old"}, countEntries(&ofDestination))

	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
		transfer.WithPrefix("b"), transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 3, report.Transferred)
	require.EqualValues(t, 1, report.Deleted)
	require.Equal(t, 3, ofSource)
	require.Equal(t, 1, ofDestination)
	require.Equal(t, []string{"a/old", "b", "b/1", "b2/1", "c/old"}, remainingKeys(t, dst))
}

// With WithPrefix, a job reads only the directories of this prefix.
func TestWithPrefixReadsNoOtherDirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a/1": "", "b/x1": "", "b/x/2": "", "b/y": "", "bb": ""})
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "a", "link"))) // it would fail
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	b := newFilledBucket(t, nil)

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithPrefix("b/x"), transfer.WithLinks())
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Transferred)
	require.Equal(t, []string{"b/x/2", "b/x1"}, remainingKeys(t, b))
}
