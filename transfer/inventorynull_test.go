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

// S3 names a version "null" if it is written while versioning is off. So the "null" version of an inventory may
// have been replaced since.
func TestInventoryVersionNameUsedAgain(t *testing.T) {
	type world struct {
		*testing.T
		b       storage.Bucket
		keep    func(bool)
		minutes *atomic.Int64 // of the store's clock
	}
	put := func(w world, content string) {
		w.minutes.Add(1)
		put(w.T, w.b, "a", content)
	}
	remove := func(w world, opts ...storage.RemoveOption) {
		w.minutes.Add(1)
		require.NoError(w.T, w.b.Remove(w.Context(), "a", opts...))
	}
	tests := map[string]struct {
		before, since    func(w world)
		early            bool // what happened since is old, too
		deleted, changed int64
		want             []string // contents of the versions, the newest first
	}{
		"nothing happened since": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since:   func(world) {},
			deleted: 1,
			want:    []string{"2"},
		},
		"it is current, because the newer one was removed": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				remove(w, storage.WithVersion(currentVersion(w.T, w.b)))
			},
			changed: 1,
			want:    []string{"1"},
		},
		"it is current, because it was written again": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				w.keep(false)
				put(w, "3")
			},
			changed: 1,
			want:    []string{"3", "2"},
		},
		"it was written again, and replaced": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				w.keep(false)
				put(w, "1")
				w.keep(true)
				put(w, "4")
			},
			changed: 1,
			want:    []string{"4", "1", "2"},
		},
		"it was written again, and replaced long ago": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				w.keep(false)
				put(w, "1")
				w.keep(true)
				put(w, "4")
			},
			early:   true,
			changed: 1,
			want:    []string{"4", "1", "2"},
		},
		"it was current for a while": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				remove(w, storage.WithVersion(currentVersion(w.T, w.b)))
				put(w, "3")
			},
			changed: 1,
			want:    []string{"3", "1"},
		},
		"it was removed": {
			before: func(w world) {
				put(w, "1")
				w.keep(true)
				put(w, "2")
			},
			since: func(w world) {
				remove(w, storage.WithVersion("null"))
			},
			changed: 1,
			want:    []string{"2"},
		},
		"a delete marker that is alone": {
			before: func(w world) {
				put(w, "1")
				w.keep(false)
				remove(w)
			},
			since:   func(world) {},
			deleted: 1,
		},
		"a delete marker in place of one that was alone": {
			before: func(w world) {
				put(w, "1")
				w.keep(false)
				remove(w)
			},
			since: func(w world) {
				w.keep(true)
				put(w, "2")
				w.keep(false)
				remove(w)
			},
			changed: 1,
			want:    []string{"", "2"},
		},
		"an object in place of a delete marker": {
			before: func(w world) {
				put(w, "1")
				w.keep(false)
				remove(w)
			},
			since: func(w world) {
				put(w, "2")
			},
			changed: 1,
			want:    []string{"2"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var minutes atomic.Int64
			minutes.Store(-14)
			account, b := newUnversionedBucket(t, s3server.Config{Now: func() time.Time {
				return time.Now().Add(time.Duration(minutes.Load()) * time.Minute)
			}})
			w := world{t, b, func(enabled bool) {
				_, err := account.UpdateBucket(t.Context(), "photos", storage.WithVersioning(enabled))
				require.NoError(t, err)
			}, &minutes}
			put(w, "0")
			put(w, "0")
			tt.before(w)
			reports := memstore.New()
			newVersionReport(t, b).write(t, reports)
			i := openInventory(t, b, reports)
			if !tt.early {
				minutes.Store(0)
			}
			tt.since(w)
			current := transfer.WithNow(func() time.Time { return time.Now().Add(10 * time.Minute) })
			report, err := transfer.Expire(t.Context(), b,
				[]transfer.ExpireRule{{OldVersionsAge: 11 * time.Minute}}, current, transfer.WithInventory(i))
			require.NoError(t, err)

			require.Equal(t, tt.want, versionContents(t, b))
			require.Equal(t, tt.deleted, report.Deleted)
			require.Equal(t, tt.changed, report.Changed)
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

// versionContents returns the contents of all versions, the newest first: "" is that of a delete marker.
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
