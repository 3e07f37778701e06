package transfer_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

// A nullStore is a bucket of S3 whose versioning is switched on and off. Its clock moves by a minute at each change of
// the object "a".
type nullStore struct {
	*testing.T
	account storage.Service
	b       storage.Bucket
	minutes *atomic.Int64 // of the store's clock, from the time of this machine
}

// setVersioning switches versioning on or off. Without it, S3 names a version "null".
func (s nullStore) setVersioning(enabled bool) {
	_, err := s.account.UpdateBucket(s.Context(), "photos", storage.WithVersioning(enabled))
	require.NoError(s.T, err)
}

func (s nullStore) put(content string) {
	s.minutes.Add(1)
	put(s.T, s.b, "a", content)
}

func (s nullStore) remove(opts ...storage.RemoveOption) {
	s.minutes.Add(1)
	require.NoError(s.T, s.b.Remove(s.Context(), "a", opts...))
}

// removeCurrent removes the current version, so that the one before it is current again.
func (s nullStore) removeCurrent() { s.remove(storage.WithVersion(currentVersion(s.T, s.b))) }

// S3 names a version "null" if it is written while versioning is off. The next such version
// replaces it. So the "null" version that an inventory lists may have been replaced by another one
// since. Expire does not remove the new one.
func TestInventoryVersionNameUsedAgain(t *testing.T) {
	// The object has two versions. The old one is named "null".
	nullIsOld := func(s nullStore) {
		s.put("1")
		s.setVersioning(true)
		s.put("2")
	}
	// The object has only a delete marker, which is named "null".
	onlyMarker := func(s nullStore) {
		s.put("1")
		s.setVersioning(false)
		s.remove()
	}
	replaceNullAgain := func(s nullStore) {
		s.setVersioning(false)
		s.put("1")
		s.setVersioning(true)
		s.put("4")
	}

	tests := []struct {
		name          string
		before        func(s nullStore) // before the inventory is taken
		since         func(s nullStore) // after that
		isSinceOld    bool              // the changes since then are old enough to expire, too
		wantDeleted   int64
		wantChanged   int64
		wantRemaining []string // contents of the versions, the newest first; "" is a delete marker
	}{
		{
			name:          "nothing happened",
			before:        nullIsOld,
			since:         func(nullStore) {},
			wantDeleted:   1,
			wantRemaining: []string{"2"},
		},
		{
			name:          "null is current, because the newer version was removed",
			before:        nullIsOld,
			since:         func(s nullStore) { s.removeCurrent() },
			wantChanged:   1,
			wantRemaining: []string{"1"},
		},
		{
			name:   "null is current, because it was written again",
			before: nullIsOld,
			since: func(s nullStore) {
				s.setVersioning(false)
				s.put("3")
			},
			wantChanged:   1,
			wantRemaining: []string{"3", "2"},
		},
		{
			name:          "null was written again, and replaced",
			before:        nullIsOld,
			since:         replaceNullAgain,
			wantChanged:   1,
			wantRemaining: []string{"4", "1", "2"},
		},
		{
			name:          "null was written again, and replaced long ago",
			before:        nullIsOld,
			since:         replaceNullAgain,
			isSinceOld:    true,
			wantChanged:   1,
			wantRemaining: []string{"4", "1", "2"},
		},
		{
			name:   "null was current for a while",
			before: nullIsOld,
			since: func(s nullStore) {
				s.removeCurrent()
				s.put("3")
			},
			wantChanged:   1,
			wantRemaining: []string{"3", "1"},
		},
		{
			name:          "null was removed",
			before:        nullIsOld,
			since:         func(s nullStore) { s.remove(storage.WithVersion("null")) },
			wantChanged:   1,
			wantRemaining: []string{"2"},
		},
		{
			name:        "null is a delete marker without versions",
			before:      onlyMarker,
			since:       func(nullStore) {},
			wantDeleted: 1,
		},
		{
			name:   "null is a delete marker that was replaced by another one",
			before: onlyMarker,
			since: func(s nullStore) {
				s.setVersioning(true)
				s.put("2")
				s.setVersioning(false)
				s.remove()
			},
			wantChanged:   1,
			wantRemaining: []string{"", "2"},
		},
		{
			name:          "null is a delete marker that was replaced by an object",
			before:        onlyMarker,
			since:         func(s nullStore) { s.put("2") },
			wantChanged:   1,
			wantRemaining: []string{"2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Expire runs as if at the time expireAt from now, and removes old versions that are
			// older than age. So it removes those that were replaced more than a minute ago.
			const age, expireAt = 11 * time.Minute, 10 * time.Minute
			const longAgo = -14 // minutes

			var minutes atomic.Int64
			minutes.Store(longAgo)
			account, b := newUnversionedBucket(t, s3server.Config{Now: func() time.Time {
				return time.Now().Add(time.Duration(minutes.Load()) * time.Minute)
			}})
			s := nullStore{T: t, account: account, b: b, minutes: &minutes}

			// Without versioning, the second write replaces the first one. The inventory is taken
			// after the changes that tt.before makes.
			s.put("0")
			s.put("0")
			tt.before(s)
			reports := memstore.New()
			newVersionReport(t, b).write(t, reports)
			inventory := openInventory(t, b, reports)

			// Later changes follow.
			if !tt.isSinceOld {
				minutes.Store(0)
			}
			tt.since(s)

			later := transfer.WithNow(func() time.Time { return time.Now().Add(expireAt) })
			rules := []transfer.ExpireRule{{OldVersionsAge: age}}
			report, err := transfer.Expire(t.Context(), b, rules, later, transfer.WithInventory(inventory))
			require.NoError(t, err)
			require.Equal(t, tt.wantRemaining, versionContents(t, b))
			require.Equal(t, tt.wantDeleted, report.Deleted)
			require.Equal(t, tt.wantChanged, report.Changed)
		})
	}
}

// currentVersion returns the current version of "a".
func currentVersion(t *testing.T, b storage.Bucket) string {
	t.Helper()
	attrs, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	return attrs.Version
}

// versionContents returns the contents of all versions, the newest first. For a delete marker, the
// content is "".
func versionContents(t *testing.T, b storage.Bucket) (contents []string) {
	t.Helper()
	for v, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
		content := []byte(nil)
		if !v.IsDeleteMarker {
			content, _, err = storage.ReadAll(t.Context(), b, v.Key, storage.WithVersion(v.Version))
			require.NoError(t, err)
		}
		contents = append(contents, string(content))
	}
	return contents
}
