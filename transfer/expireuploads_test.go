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
	// The new uploads are one day old, and the old ones three days.
	all := []string{"incoming/new", "incoming/old", "other/new", "other/old"}
	tests := []struct {
		name        string
		rules       []transfer.ExpireRule
		opts        []transfer.Option
		wantLeft    []string
		wantAborted int
	}{
		{name: "only objects", rules: []transfer.ExpireRule{{Age: day}}, wantLeft: all},
		{
			name:        "all",
			rules:       []transfer.ExpireRule{{UploadsAge: 2 * day}},
			wantLeft:    []string{"incoming/new", "other/new"},
			wantAborted: 2,
		},
		{
			name:        "a prefix",
			rules:       []transfer.ExpireRule{{Prefix: "incoming/", UploadsAge: 2 * day}},
			wantLeft:    []string{"incoming/new", "other/new", "other/old"},
			wantAborted: 1,
		},
		{name: "exactly that age stays", rules: []transfer.ExpireRule{{UploadsAge: 3 * day}}, wantLeft: all},
		{
			name: "a dry run counts an upload of two rules once",
			rules: []transfer.ExpireRule{
				{UploadsAge: 2 * day},
				{Prefix: "incoming/", UploadsAge: time.Hour},
			},
			opts:        []transfer.Option{transfer.WithDryRun()},
			wantLeft:    all,
			wantAborted: 3,
		},
		{
			name:        "excluded names stay",
			rules:       []transfer.ExpireRule{{UploadsAge: time.Hour}},
			opts:        []transfer.Option{transfer.WithExclude("other/")},
			wantLeft:    []string{"other/new", "other/old"},
			wantAborted: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucketWithUploads(t)
			changes := 0
			countChanges := transfer.WithChanges(func(c transfer.Change) {
				require.Equal(t, transfer.Aborted, c.Action)
				changes++
			})

			report, err := transfer.Expire(t.Context(), b, tt.rules, append(tt.opts, atStart(), countChanges)...)
			require.NoError(t, err)

			require.EqualValues(t, tt.wantAborted, report.Aborted)
			require.Zero(t, report.Deleted)
			require.Equal(t, tt.wantAborted, changes)
			require.Equal(t, tt.wantLeft, openUploads(t, b))
		})
	}
}

// Expire of a prefixed bucket aborts only the uploads below its prefix.
func TestExpireOfAPrefixedBucketAbortsOnlyItsUploads(t *testing.T) {
	b := newBucketWithUploads(t)
	incoming := storage.Prefixed(b, "incoming/")

	report, err := transfer.Expire(t.Context(), incoming, []transfer.ExpireRule{{UploadsAge: time.Hour}}, atStart())
	require.NoError(t, err)
	require.Equal(t, int64(2), report.Aborted)
	require.Regexp(t, "^2 uploads aborted in ", report.String())
	require.Equal(t, []string{"other/new", "other/old"}, openUploads(t, b))
}

// Expire counts the uploads that it cannot abort as failed. It fails if it cannot list them, or if ctx is done.
func TestExpireOfUploadsReportsFailures(t *testing.T) {
	rules := []transfer.ExpireRule{{UploadsAge: 2 * day}}

	t.Run("an upload cannot be aborted", func(t *testing.T) {
		// The rule selects two uploads, of which the first one cannot be aborted.
		injector := faults.New(faults.Fail(faults.AbortParts).WithError(storage.PermissionDenied).Nth(1))
		b := newBucketWithUploads(t, driver.WithLayer(injector.Layer()))
		report, err := transfer.Expire(t.Context(), b, rules, atStart(), transfer.WithConcurrency(1))
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Equal(t, int64(1), report.Aborted)
		require.Equal(t, int64(1), report.Failed)
	})

	t.Run("uploads cannot be listed", func(t *testing.T) {
		injector := faults.New(faults.Fail(faults.ListUploads).WithError(storage.PermissionDenied))
		b := newBucketWithUploads(t, driver.WithLayer(injector.Layer()))
		report, err := transfer.Expire(t.Context(), b, rules, atStart())
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Zero(t, report.Aborted)
		require.Zero(t, report.Failed)
	})

	t.Run("ctx is done", func(t *testing.T) {
		b := newBucketWithUploads(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := transfer.Expire(ctx, b, rules, atStart())
		require.ErrorIs(t, err, storage.Canceled)
	})
}

// A rule for uploads must not have a negative age. It must not have tags either, because uploads
// have none. Expire fails for such a rule, and for a bucket that cannot list uploads.
func TestExpireRefusesRulesForUploadsThatCannotHold(t *testing.T) {
	noListing := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ListedUploads}))
	tests := []struct {
		name string
		opts []storage.OpenOption
		rule transfer.ExpireRule
		want error
	}{
		{name: "a negative age", rule: transfer.ExpireRule{UploadsAge: -1}, want: storage.InvalidArgument},
		{
			name: "tags",
			rule: transfer.ExpireRule{UploadsAge: day, Tags: map[string]string{"a": "b"}},
			want: storage.InvalidArgument,
		},
		{
			name: "a bucket that cannot list uploads",
			opts: []storage.OpenOption{noListing},
			rule: transfer.ExpireRule{UploadsAge: day},
			want: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucketWithUploads(t, tt.opts...)
			report, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{tt.rule}, atStart())
			require.ErrorIs(t, err, tt.want)
			require.Zero(t, report.Aborted)
			if storage.Supports(b, storage.ListedUploads) {
				require.Len(t, openUploads(t, b), 4, "all uploads of newBucketWithUploads")
			}
		})
	}
}
