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

// A listed driver counts the entries that a store returns in listings.
type listed struct {
	driver.Driver
	entries *int
}

// List counts the entries that the store returns.
func (l listed) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := l.Driver.List(ctx, r)
	if err == nil {
		*l.entries += len(page.Entries)
	}
	return page, err
}

// countEntries returns an option for a bucket. With it, the number of entries that the bucket lists
// is added to *entries.
func countEntries(entries *int) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return listed{Driver: d, entries: entries} })
}

// With WithPrefix, Sync lists only the keys with this prefix, at both ends.
func TestWithPrefixListsOnlyItsKeys(t *testing.T) {
	var srcEntries, dstEntries int
	src := newFilledBucket(t, []string{"a/1", "a/2", "b", "b/1", "b2/1", "c"}, countEntries(&srcEntries))
	dst := newFilledBucket(t, []string{"a/old", "b3", "c/old"}, countEntries(&dstEntries))

	report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
		transfer.WithPrefix("b"), transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 3, report.Transferred)
	require.EqualValues(t, 1, report.Deleted)
	require.Equal(t, 3, srcEntries)
	require.Equal(t, 1, dstEntries)
	require.Equal(t, []string{"a/old", "b", "b/1", "b2/1", "c/old"}, remainingKeys(t, dst))
}

// With WithPrefix, Upload reads only the directories with this prefix.
func TestWithPrefixReadsNoOtherDirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a/1": "", "b/x1": "", "b/x/2": "", "b/y": "", "bb": ""})
	// To follow these links is an error.
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "a", "link")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	b := newFilledBucket(t, nil)

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithPrefix("b/x"), transfer.WithLinks())
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Transferred)
	require.Equal(t, []string{"b/x/2", "b/x1"}, remainingKeys(t, b))
}
