package transfer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// newBucketWithUploads returns a bucket with open uploads of one and of three days, in two prefixes.
func newBucketWithUploads(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	clock := start
	b := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time { return clock }}), opts...)
	uploads := []struct {
		name string
		days int // its age
	}{
		{name: "old", days: 3},
		{name: "new", days: 1},
	}
	for _, upload := range uploads {
		clock = start.AddDate(0, 0, -upload.days)
		for _, prefix := range []string{"incoming/", "other/"} {
			u, err := storage.BeginUpload(t.Context(), b, prefix+upload.name)
			require.NoError(t, err)
			_, err = u.PutPart(t.Context(), 1, strings.NewReader("part"))
			require.NoError(t, err)
		}
	}
	clock = start
	return b
}

// openUploads returns the sorted keys of the open uploads.
func openUploads(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	var keys []string
	for entry, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	slices.Sort(keys)
	return keys
}

// Expire aborts the open uploads that are older than the age of a rule for their prefix.
func TestExpireAbortsOldUploads(t *testing.T) {
	all := []string{"incoming/new", "incoming/old", "other/new", "other/old"}
	tests := []struct {
		name    string
		rules   []transfer.ExpireRule
		opts    []transfer.Option
		left    []string
		aborted int64
	}{
		{name: "only objects", rules: []transfer.ExpireRule{{Age: day}}, left: all},
		{
			name:    "all",
			rules:   []transfer.ExpireRule{{UploadsAge: 2 * day}},
			left:    []string{"incoming/new", "other/new"},
			aborted: 2,
		},
		{
			name:    "a prefix",
			rules:   []transfer.ExpireRule{{Prefix: "incoming/", UploadsAge: 2 * day}},
			left:    []string{"incoming/new", "other/new", "other/old"},
			aborted: 1,
		},
		{name: "exactly that age stays", rules: []transfer.ExpireRule{{UploadsAge: 3 * day}}, left: all},
		{
			name: "a dry run counts once",
			rules: []transfer.ExpireRule{
				{UploadsAge: 2 * day}, {Prefix: "incoming/", UploadsAge: time.Hour},
			},
			opts:    []transfer.Option{transfer.WithDryRun()},
			left:    all,
			aborted: 3,
		},
		{
			name:    "excluded names stay",
			rules:   []transfer.ExpireRule{{UploadsAge: time.Hour}},
			opts:    []transfer.Option{transfer.WithExclude("other/")},
			left:    []string{"other/new", "other/old"},
			aborted: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucketWithUploads(t)
			var aborted []string
			changes := transfer.WithChanges(func(c transfer.Change) {
				aborted = append(aborted, string(c.Action))
			})

			report, err := transfer.Expire(t.Context(), b, tt.rules, append(tt.opts, atStart(), changes)...)
			require.NoError(t, err)
			require.Equal(t, tt.aborted, report.Aborted)
			require.Zero(t, report.Deleted)
			require.Equal(t, slices.Repeat([]string{"aborted"}, int(tt.aborted)),
				append([]string{}, aborted...))
			require.Equal(t, tt.left, openUploads(t, b))
		})
	}
}

// Expire of a prefixed bucket aborts only the uploads below its prefix.
func TestExpireOfAPrefixedBucketAbortsOnlyItsUploads(t *testing.T) {
	b := newBucketWithUploads(t)
	report, err := transfer.Expire(t.Context(), storage.Prefixed(b, "incoming/"),
		[]transfer.ExpireRule{{UploadsAge: time.Hour}}, atStart())
	require.NoError(t, err)
	require.Equal(t, int64(2), report.Aborted)
	require.Regexp(t, "^2 uploads aborted in ", report.String())
	require.Equal(t, []string{"other/new", "other/old"}, openUploads(t, b))
}

// Expire counts the uploads that it cannot abort as failed. It fails if it cannot list them, or if ctx has ended.
func TestExpireOfUploadsReportsFailures(t *testing.T) {
	old := []transfer.ExpireRule{{UploadsAge: 2 * day}}
	inj := faults.New(faults.Fail(faults.AbortParts).WithError(storage.PermissionDenied).Nth(1))
	b := newBucketWithUploads(t, driver.WithLayer(inj.Layer()))
	report, err := transfer.Expire(t.Context(), b, old, atStart(), transfer.WithConcurrency(1))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Equal(t, []int64{1, 1}, []int64{report.Aborted, report.Failed})

	inj.Set(faults.Fail(faults.ListUploads).WithError(storage.PermissionDenied))
	report, err = transfer.Expire(t.Context(), b, old, atStart())
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Zero(t, report.Aborted+report.Failed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = transfer.Expire(ctx, b, old, atStart())
	require.ErrorIs(t, err, storage.Canceled)
}

// Expire refuses a rule for uploads with a negative age or with tags, which uploads do not have.
func TestExpireRefusesRulesForUploadsThatCannotHold(t *testing.T) {
	b := newBucketWithUploads(t)
	for _, rule := range []transfer.ExpireRule{
		{UploadsAge: -1},
		{UploadsAge: day, Tags: map[string]string{"a": "b"}},
	} {
		_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{rule}, atStart())
		require.ErrorIs(t, err, storage.InvalidArgument)
	}
	limited := newBucketWithUploads(t,
		driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ListedUploads})))
	_, err := transfer.Expire(t.Context(), limited, []transfer.ExpireRule{{UploadsAge: day}}, atStart())
	require.ErrorIs(t, err, storage.Unsupported)
	require.Len(t, openUploads(t, b), 4)
}
