package memstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

const restoreTime = 6 * time.Hour

// newArchivingBucket returns a bucket that archives objects of the class COLD, and restores them after restoreTime.
func newArchivingBucket(now *time.Time, opts ...storage.OpenOption) storage.Bucket {
	return engine.New(memstore.NewDriver(memstore.Config{
		Now:            func() time.Time { return *now },
		ArchiveClasses: []string{"DEEP", "COLD"},
		RestoreTime:    restoreTime,
	}), opts...)
}

// An archived object cannot be read or copied, except for the days after Restore has restored it.
func TestRestoreArchivedObject(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	b := newArchivingBucket(&now)
	_, err := b.Upload(t.Context(), "cold", strings.NewReader("text"), storage.WithStorageClass("COLD"),
		storage.WithTags(map[string]string{"k": "v"}))
	require.NoError(t, err)

	// requireArchived requires that reads and copies of the object fail, and that its attributes have this state.
	requireArchived := func(state storage.RestoreState) {
		t.Helper()
		_, _, err := storage.ReadAll(t.Context(), b, "cold")
		require.ErrorIs(t, err, storage.Archived)
		require.ErrorContains(t, err, "restore")

		_, err = storage.Copy(t.Context(), b, "copy", b, "cold")
		require.ErrorIs(t, err, storage.Archived)
		_, err = storage.Compose(t.Context(), b, "joined", []string{"cold"})
		require.ErrorIs(t, err, storage.Archived)

		attrs, err := b.Attrs(t.Context(), "cold")
		require.NoError(t, err)
		require.True(t, attrs.Archived)
		require.Equal(t, state, attrs.Restore)
		require.Equal(t, 1, attrs.TagCount)
	}
	requireArchived(storage.RestoreState{})

	// The object stays archived until restoreTime has passed, and a second Restore changes nothing.
	const firstDays = 2
	require.NoError(t, storage.Restore(t.Context(), b, "cold", storage.WithRestoreDays(firstDays)))
	restored := now.Add(restoreTime)
	requireArchived(storage.RestoreState{InProgress: true})

	// The second call comes an hour later.
	now = now.Add(time.Hour)
	require.NoError(t, storage.Restore(t.Context(), b, "cold"))
	now = restored.Add(-time.Nanosecond)
	requireArchived(storage.RestoreState{InProgress: true})

	// After restoreTime, the object can be read and copied for the requested days.
	now = restored
	text, attrs, err := storage.ReadAll(t.Context(), b, "cold")
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	require.Equal(t, storage.RestoreState{Until: now.AddDate(0, 0, firstDays)}, attrs.Restore)
	require.False(t, attrs.Archived)

	_, err = storage.Copy(t.Context(), b, "copy", b, "cold", storage.WithStorageClass("HOT"))
	require.NoError(t, err)
	_, _, err = storage.ReadAll(t.Context(), b, "copy")
	require.NoError(t, err)

	// Another Restore keeps it for longer, but not forever.
	const longerDays = 4
	require.NoError(t, storage.Restore(t.Context(), b, "cold", storage.WithRestoreDays(longerDays)))
	end := now.AddDate(0, 0, longerDays)
	now = end.AddDate(0, 0, -1)
	_, attrs, err = storage.ReadAll(t.Context(), b, "cold")
	require.NoError(t, err)
	require.Equal(t, storage.RestoreState{Until: end}, attrs.Restore)

	// After the last day, the object is archived again.
	now = end.AddDate(0, 0, 1)
	requireArchived(storage.RestoreState{})
}

// Objects without a storage class of Config.ArchiveClasses are not archived, and Restore does nothing.
func TestConfigArchiveClasses(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	b := newArchivingBucket(&now)
	_, err := b.Upload(t.Context(), "warm", strings.NewReader("x"), storage.WithStorageClass("WARM"))
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "plain", strings.NewReader("x"))
	require.NoError(t, err)

	for _, key := range []string{"warm", "plain"} {
		t.Run(key, func(t *testing.T) {
			require.NoError(t, storage.Restore(t.Context(), b, key))
			_, attrs, err := storage.ReadAll(t.Context(), b, key)
			require.NoError(t, err)
			require.Zero(t, attrs.Restore)
		})
	}
}
