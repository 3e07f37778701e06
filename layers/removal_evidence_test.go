package layers_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// store puts an object into a store.
func (ts *testStores) store(name, key, text string) {
	_, err := ts.bucket(name).Upload(ts.t.Context(), key, strings.NewReader(text))
	require.NoError(ts.t, err)
}

// A job refuses a place for its backup that is its source or destination under another address. A
// backup there would replace files of the job, or save nothing.
func TestBackupMustBeOtherPlace(t *testing.T) {
	backups := map[string]string{
		"at the source's place":      "first",
		"at the destination's place": "third",
	}
	for name, backup := range backups {
		for job, opts := range map[string][]transfer.Option{
			"copy":   nil,
			"delete": {transfer.WithDelete()},
			"move":   {transfer.WithMove()},
		} {
			t.Run(job+", "+name, func(t *testing.T) {
				// The source and the destination are directories. ts.served opens one of them at another address.
				ts := newTestStores(t, "directory")
				ts.store("first", "a", "new")
				ts.store("third", "a", "old text")
				dst := transfer.Bucket(ts.bucket("third"))
				src := transfer.Bucket(ts.bucket("first"))
				backupEnd := transfer.Bucket(ts.served(backup))

				_, err := transfer.Sync(t.Context(), dst, src, append(opts, transfer.WithBackup(backupEnd))...)
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, "WithBackup")
				require.Equal(t, map[string]bool{"new": true, "old text": true}, ts.stored())
			})
		}
	}
}

// Sync refuses a backup that overlaps with the source or the destination. It accepts a backup that
// does not exist yet, even if a folder of the destination has the same files as the top of the
// source.
func TestBackupHasNoFoldersYet(t *testing.T) {
	// The source and the destination have these files. So the folder "old/" has the same file as
	// the top.
	keys := []string{"index.html", "old/index.html"}
	newFilledDir := func(t *testing.T, text string) string {
		t.Helper()
		dir := t.TempDir()
		for _, key := range keys {
			path := filepath.Join(dir, key)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		}
		return dir
	}
	syncWithBackup := func(t *testing.T, dst transfer.End, backup string) {
		t.Helper()
		src := transfer.Dir(newFilledDir(t, "new"))
		_, err := transfer.Sync(t.Context(), dst, src, transfer.WithDelete(), transfer.WithChecksum(),
			transfer.WithExclude("/backup/"), transfer.WithBackup(transfer.Dir(backup)))
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(backup, "old", "index.html"))
	}

	// In both cases, the backup is a directory that does not exist yet.
	t.Run("a directory elsewhere", func(t *testing.T) {
		b := wrapped.Unknown(t, memstore.New())
		for _, key := range keys {
			_, err := b.Upload(t.Context(), key, strings.NewReader("old text"))
			require.NoError(t, err)
		}
		syncWithBackup(t, transfer.Bucket(b), filepath.Join(t.TempDir(), "backup"))
	})

	t.Run("an excluded directory in the destination", func(t *testing.T) {
		dst := newFilledDir(t, "old")
		syncWithBackup(t, transfer.Dir(dst), filepath.Join(dst, "backup"))
	})
}

// A bucket may have several names, for example in Garage. A move from one name of a bucket to
// another one is refused.
func TestJobsKnowBucketByTwoNames(t *testing.T) {
	account := memstore.NewServiceDriver(memstore.ServiceConfig{})
	ts := &testStores{t: t, account: account, server: newServer(t, withAlias{account}, "first")}
	ts.store("first", "a", "a")

	_, err := transfer.Sync(t.Context(), transfer.Bucket(ts.served("alias")), transfer.Bucket(ts.served("first")),
		transfer.WithMove())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, "a", ts.contents(ts.bucket("first"))["a"])
}

type withAlias struct{ driver.ServiceDriver }

// Driver opens the bucket "first" under the name "alias", too.
func (s withAlias) Driver(name string) (driver.Driver, error) {
	if name == "alias" {
		name = "first"
	}
	return s.ServiceDriver.Driver(name)
}

// A job from a mirror to its second store is refused, because both ends are one place. A move would remove what it has
// copied, and a job with WithDelete would remove objects that the primary has lost.
func TestMirrorAndSecondStoreAreOnePlace(t *testing.T) {
	tests := []struct {
		name     string
		rules    []faults.Rule // for requests to the second store
		lostKey  string        // that the primary has lost; "" if it has all
		job      transfer.Option
		wantCode storage.Code // "" permits any error
		wantText string       // in the error
		wantHint string
	}{
		{
			name:  "the second store misses a write",
			rules: []faults.Rule{faults.Fail(faults.Put).Nth(1)},
			job:   transfer.WithMove(),
		},
		{
			name:  "the second store fails to return attributes once",
			rules: []faults.Rule{faults.Fail(faults.Head).Nth(1)},
			job:   transfer.WithMove(),
		},
		{
			name:     "the second store is down",
			rules:    []faults.Rule{faults.Fail(faults.Any)},
			job:      transfer.WithMove(),
			wantCode: storage.Unavailable,
			wantText: "it is not known whether the ends are two places",
			wantHint: "repeat the job when each store of both ends answers",
		},
		{
			name:    "the primary has lost an object",
			lostKey: "b",
			job:     transfer.WithDelete(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The stores "first" and "second" are equal at first. If tt.lostKey is set, the primary
			// then loses this object.
			ts := newTestStores(t, "memory")
			ts.store("first", "a", "a")
			ts.store("first", "b", "b")
			_, err := mirror.RepairAll(t.Context(), ts.mirror("first", "second"))
			require.NoError(t, err)
			if tt.lostKey != "" {
				require.NoError(t, ts.bucket("first").Remove(t.Context(), tt.lostKey))
			}

			// The source of the job is the mirror. The destination is a server of the mirror's
			// second store.
			inSecond := faults.New(tt.rules...)
			layer, err := mirror.New(ts.bucket("second", inSecond.Layer()), mirror.Config{})
			require.NoError(t, err)
			mirrored := ts.bucket("first", layer)
			_, err = transfer.Sync(t.Context(), transfer.Bucket(ts.served("second")), transfer.Bucket(mirrored), tt.job)
			require.Error(t, err)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, storage.CodeOf(err))
			}
			require.ErrorContains(t, err, tt.wantText)
			require.ErrorContains(t, err, tt.wantHint)

			// The job has removed nothing. When the second store works again, it has all objects.
			inSecond.Set()
			_, err = mirror.Repair(t.Context(), ts.mirror("first", "second"))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "a", "b": "b"}, ts.contents(ts.bucket("second")))
		})
	}
}

// To find out whether two buckets are nested, a job writes a small object and removes it again. The
// job runs even if a store refuses these requests.
func TestQuestionNeedsNoMoreThanJob(t *testing.T) {
	failing := func(call faults.Calls, err error) []faults.Rule {
		return []faults.Rule{faults.Fail(call).WithError(err)}
	}
	tests := []struct {
		name               string
		srcRules, dstRules []faults.Rule
	}{
		{name: "the source is on a read-only disk", srcRules: failing(faults.Put, errOf(syscall.EROFS))},
		{name: "the source is full", srcRules: failing(faults.Put, errOf(syscall.ENOSPC))},
		{name: "the destination permits no removals", dstRules: failing(faults.Delete, storage.PermissionDenied)},
		{name: "the destination is locked", dstRules: failing(faults.Delete, storage.Locked)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ts := newTestStores(t, "memory")
			ts.store("first", "index.html", "text")
			ts.store("first", "old/index.html", "text")
			ts.store("second", "index.html", "text")
			src := ts.bucket("first", faults.New(tt.srcRules...).Layer())
			dst := ts.bucket("second", faults.New(tt.dstRules...).Layer())

			// The function Unknown hides where a bucket is. So the job must write the small object
			// to find out.
			_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
				transfer.Bucket(wrapped.Unknown(t, src)), transfer.WithMove())
			require.NoError(t, err)
			require.Empty(t, ts.contents(ts.bucket("first")))
		})
	}
}

func errOf(err error) error { return &storage.Error{Code: storage.Internal, Err: err} }

// A job removes the small object with which it looks for nested buckets, even if the response to its
// write is lost.
func TestQuestionLeavesNoObject(t *testing.T) {
	ts := newTestStores(t, "memory")
	ts.store("first", "a", "a")
	dropFirstResponse := faults.New(faults.DropResponse(faults.Put).Nth(1)).Layer()
	dst := ts.bucket("second", dropFirstResponse)

	_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
		transfer.Bucket(ts.bucket("first")), transfer.WithMove())
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Empty(t, ts.contents(ts.bucket("second")))
}

// The source of a job with shards is a folder of the destination. WithDelete removes no objects of
// the source, although their keys in the destination belong to another shard.
func TestShardOfNestedSourceRemovesNothing(t *testing.T) {
	const shards = 2
	for shard := range shards {
		t.Run(fmt.Sprintf("shard %d", shard), func(t *testing.T) {
			ts := newTestStores(t, "directory")
			ts.store("first", "z/a", "a")
			ts.store("first", "z/b", "b")
			src := storage.Prefixed(wrapped.Unknown(t, ts.bucket("first")), "z/")

			// One shard has the keys below "m", and the other one has the rest.
			_, err := transfer.Sync(t.Context(), transfer.Bucket(ts.served("first")), transfer.Bucket(src),
				transfer.WithDelete(), transfer.WithShard(shard, shards), transfer.WithShardBounds("m"))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, map[string]bool{"a": true, "b": true}, ts.stored())
		})
	}
}

// A job between an overlay and its old store is refused, even under another address, and even if an
// end is only a folder. To find this out, the job stores a small test object in the overlay, and
// looks for it in the old store.
func TestOverlayAndOldStoreAreOnePlace(t *testing.T) {
	// Some jobs use only the folder "a/". The key "a/a/f1" is that of "a/f1" in this folder.
	keys := []string{"a/f1", "a/f2", "f1", "a/a/f1"}
	prefixes := map[string]struct{ dst, src string }{
		"the old store":             {dst: "", src: ""},
		"a folder of the old store": {dst: "", src: "a/"},
		"into a folder of both":     {dst: "a/", src: ""},
		"the same folder":           {dst: "a/", src: "a/"},
	}
	jobs := map[string][]transfer.Option{
		"delete": {transfer.WithDelete()},
		"move":   {transfer.WithMove()},
	}
	modes := []struct {
		keepOld bool
		want    storage.Code
	}{
		{keepOld: false, want: storage.InvalidArgument},
		{keepOld: true, want: storage.PermissionDenied}, // the job cannot store its test object
	}
	for name, tt := range prefixes {
		for job, opts := range jobs {
			for _, mode := range modes {
				t.Run(fmt.Sprintf("%s, %s, KeepOld %v", job, name, mode.keepOld), func(t *testing.T) {
					old := memstore.New()
					for _, key := range keys {
						_, err := old.Upload(t.Context(), key, strings.NewReader("text of "+key))
						require.NoError(t, err)
					}
					layer, err := overlay.New(old, overlay.Config{KeepOld: mode.keepOld})
					require.NoError(t, err)
					// Only the test object shows that both ends use the same store.
					dst := wrapped.Unknown(t, memstore.New(driver.WithLayer(layer)))
					src := newRefusingUploads(t, old)

					_, err = transfer.Sync(t.Context(), transfer.Bucket(prefixed(dst, tt.dst)),
						transfer.Bucket(prefixed(src, tt.src)), opts...)
					require.Equal(t, mode.want, storage.CodeOf(err), "%v", err)
					for _, key := range keys {
						exists, err := old.Exists(t.Context(), key)
						require.NoError(t, err)
						require.True(t, exists, key)
					}
				})
			}
		}
	}
}

// A refusing Core refuses all uploads.
type refusing struct{ storage.Core }

func (refusing) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, &storage.Error{Code: storage.PermissionDenied}
}

// newRefusingUploads returns the bucket b under another address. The returned bucket refuses all
// uploads.
func newRefusingUploads(t *testing.T, b storage.Bucket) storage.Bucket {
	t.Helper()
	return wrapped.Bucket(t, wrapped.Unknown(t, b), func(c storage.Core) storage.Core { return refusing{c} })
}

// prefixed returns a view of a bucket, or the bucket if the prefix is "".
func prefixed(b storage.Bucket, prefix string) storage.Bucket {
	if prefix == "" {
		return b
	}
	return storage.Prefixed(b, prefix)
}

// One end of a job is a server of a bucket with a layer, and the other end is the second store of
// that layer. The job is refused. It stores a small test object to find this out, and the layer
// recognizes that object by its key.
func TestServedLayerAndSecondStoreAreOnePlace(t *testing.T) {
	// With each of these jobs, objects would be removed.
	keys := []string{"a/f1", "a/f2", "f1", "a/a/f1"}
	jobs := map[string][]transfer.Option{
		"delete": {transfer.WithDelete()},
		"move":   {transfer.WithMove()},
	}
	newLayers := map[string]func(second storage.Bucket) (driver.Layer, error){
		"overlay": func(second storage.Bucket) (driver.Layer, error) {
			return overlay.New(second, overlay.Config{})
		},
		"mirror": func(second storage.Bucket) (driver.Layer, error) {
			return mirror.New(second, mirror.Config{})
		},
	}
	prefixes := map[string]struct{ dst, src string }{
		"the same folder":       {dst: "a/", src: "a/"},
		"from a folder of both": {dst: "", src: "a/"},
		"into a folder of both": {dst: "a/", src: ""},
	}
	for name, tt := range prefixes {
		for kind, newLayer := range newLayers {
			for job, opts := range jobs {
				t.Run(fmt.Sprintf("%s, %s, %s", kind, job, name), func(t *testing.T) {
					second := memstore.New()
					layer, err := newLayer(second)
					require.NoError(t, err)
					served := memstore.New(driver.WithLayer(layer))

					// An overlay reads the objects of its second store, and a mirror writes to both.
					filled := served
					if kind == "overlay" {
						filled = second
					}
					for _, key := range keys {
						_, err := filled.Upload(t.Context(), key, strings.NewReader("text of "+key))
						require.NoError(t, err)
					}

					// Over a server, the layer does not learn from the context that an object is the test object.
					dst := wrapped.Bucket(t, wrapped.Unknown(t, served), func(c storage.Core) storage.Core {
						return server{c}
					})

					// The source accepts no uploads. So the test object can only go to the
					// destination.
					src := newRefusingUploads(t, second)

					_, err = transfer.Sync(t.Context(), transfer.Bucket(prefixed(dst, tt.dst)),
						transfer.Bucket(prefixed(src, tt.src)), opts...)
					require.ErrorIs(t, err, storage.InvalidArgument)

					// The second store still has the objects that it had before the job.
					var remaining []string
					for entry, err := range second.List(t.Context()) {
						require.NoError(t, err)
						remaining = append(remaining, entry.Key)
					}
					require.ElementsMatch(t, keys, remaining, "the test object is removed again")
				})
			}
		}
	}
}

// server is a Core that does not pass on the values of a context.
type server struct{ storage.Core }

func (s server) Upload(
	_ context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	return s.Core.Upload(context.Background(), key, body, o)
}

func (s server) Attrs(_ context.Context, key string, o *storage.DownloadOptions) (*storage.Attrs, error) {
	return s.Core.Attrs(context.Background(), key, o)
}

func (s server) Remove(_ context.Context, key string, o *storage.RemoveOptions) error {
	return s.Core.Remove(context.Background(), key, o)
}

// A job compares two stores by a test object. Remove removes this object from the new store of an
// overlay, even if the old store refuses writes.
func TestQuestionOnlyInNewStoreIsRemoved(t *testing.T) {
	// The old store refuses writes.
	refuseWrites := func(ctx context.Context, call string, next func(context.Context) error) error {
		if call == "Delete" || call == "Put" {
			return storage.PermissionDenied
		}
		return next(ctx)
	}
	old := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, refuseWrites)
	}))

	layer, err := overlay.New(old, overlay.Config{})
	require.NoError(t, err)
	newDriver := memstore.NewDriver(memstore.Config{})
	newStore := engine.New(newDriver)
	overlaid := engine.New(newDriver, driver.WithLayer(layer))

	// A killed job has left its test object in the new store.
	key := evidence.NewKey("a/")
	_, err = newStore.Upload(t.Context(), key, strings.NewReader(evidence.Text))
	require.NoError(t, err)

	require.NoError(t, overlaid.Remove(t.Context(), key))
	exists, err := newStore.Exists(t.Context(), key)
	require.NoError(t, err)
	require.False(t, exists)
}
