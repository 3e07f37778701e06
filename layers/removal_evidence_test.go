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
func (w *testStores) store(name, key, text string) {
	_, err := w.bucket(name).Upload(w.t.Context(), key, strings.NewReader(text))
	require.NoError(w.t, err)
}

// A job refuses a backup that is its source or destination by another address. The backup would replace files of
// the job, or save nothing.
func TestBackupMustBeOtherPlace(t *testing.T) {
	for name, backup := range map[string]string{"at the source's place": "first",
		"at the destination's place": "third"} {
		for job, opts := range map[string][]transfer.Option{
			"copy":   nil,
			"delete": {transfer.WithDelete()},
			"move":   {transfer.WithMove()},
		} {
			t.Run(job+", "+name, func(t *testing.T) {
				w := newTestStores(t, "directory")
				w.store("first", "a", "new")
				w.store("third", "a", "old text")
				_, err := transfer.Sync(t.Context(), transfer.Bucket(w.bucket("third")),
					transfer.Bucket(w.bucket("first")),
					append(opts, transfer.WithBackup(transfer.Bucket(w.served(backup))))...)
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, "WithBackup")
				require.Equal(t, map[string]bool{"new": true, "old text": true}, w.stored())
			})
		}
	}
}

// A backup without folders is accepted, even if the destination has a folder that looks like the destination's
// top.
func TestBackupHasNoFoldersYet(t *testing.T) {
	for name, excluded := range map[string]bool{"a directory beside": false,
		"an excluded directory in the destination": true} {
		t.Run(name, func(t *testing.T) {
			src := t.TempDir()
			dst := t.TempDir()
			backup := filepath.Join(dst, "backup")
			var to storage.ReadWriter
			if !excluded {
				backup = filepath.Join(t.TempDir(), "backup")
				to = wrapped.Unknown(t, memstore.New())
			}
			for _, key := range []string{"index.html", "old/index.html"} {
				for _, dir := range []string{src, dst} {
					require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, key)), 0o777))
					require.NoError(t,
						os.WriteFile(filepath.Join(dir, key), []byte(filepath.Base(dir)), 0o666))
				}
				if to != nil {
					_, err := to.Upload(t.Context(), key, strings.NewReader("old text"))
					require.NoError(t, err)
				}
			}

			end := transfer.Dir(dst)
			if to != nil {
				end = transfer.Bucket(to)
			}

			_, err := transfer.Sync(t.Context(), end, transfer.Dir(src), transfer.WithDelete(), transfer.WithChecksum(),
				transfer.WithExclude("/backup/"), transfer.WithBackup(transfer.Dir(backup)))
			require.NoError(t, err)
			require.FileExists(t, filepath.Join(backup, "old", "index.html"))
		})
	}
}

// If one bucket has two names in an account, as with Garage, a move from one name to the other is refused.
func TestJobsKnowBucketByTwoNames(t *testing.T) {
	stores := memstore.NewServiceDriver(memstore.ServiceConfig{})
	w := &testStores{t: t, account: stores, server: newServer(t, withAlias{stores}, "first")}
	w.store("first", "a", "a")
	_, err := transfer.Sync(t.Context(), transfer.Bucket(w.served("alias")), transfer.Bucket(w.served("first")),
		transfer.WithMove())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, "a", w.contents(w.bucket("first"))["a"])
}

type withAlias struct{ driver.ServiceDriver }

// Driver returns the driver of the bucket first also for the name alias.
func (s withAlias) Driver(name string) (driver.Driver, error) {
	if name == "alias" {
		name = "first"
	}
	return s.ServiceDriver.Driver(name)
}

// A job from a mirror to its second store is refused, even if the second store misses a write or the primary has
// lost an object.
func TestMirrorAndSecondStoreAreOnePlace(t *testing.T) {
	tests := []struct {
		name     string
		fault    []faults.Rule // of the second store
		lost     string        // by the primary
		job      transfer.Option
		wantCode storage.Code // "" permits any error
		wantText string       // in the error
		wantHint string
	}{
		{
			name:  "a write is missed",
			fault: []faults.Rule{faults.Fail(faults.Put).Nth(1)},
			job:   transfer.WithMove(),
		},
		{
			name:  "a look is missed",
			fault: []faults.Rule{faults.Fail(faults.Head).Nth(1)},
			job:   transfer.WithMove(),
		},
		{
			name:     "it is down",
			fault:    []faults.Rule{faults.Fail(faults.Any)},
			job:      transfer.WithMove(),
			wantCode: storage.Unavailable,
			wantText: "it is not known whether the ends are two places",
			wantHint: "repeat the job when each store of both ends answers",
		},
		{
			name: "the primary lost a file",
			lost: "b",
			job:  transfer.WithDelete(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newTestStores(t, "memory")
			w.store("first", "a", "a")
			w.store("first", "b", "b")
			_, err := mirror.RepairAll(t.Context(), w.mirror("first", "second"))
			require.NoError(t, err)
			if tt.lost != "" {
				require.NoError(t, w.bucket("first").Remove(t.Context(), tt.lost))
			}
			second := faults.New(tt.fault...)
			layer, err := mirror.New(w.bucket("second", second.Layer()), mirror.Config{})
			require.NoError(t, err)

			_, err = transfer.Sync(t.Context(), transfer.Bucket(w.served("second")),
				transfer.Bucket(w.bucket("first", layer)), tt.job)
			require.Error(t, err)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, storage.CodeOf(err))
			}
			require.ErrorContains(t, err, tt.wantText)
			require.ErrorContains(t, err, tt.wantHint)

			second.Set()
			_, err = mirror.Repair(t.Context(), w.mirror("first", "second"))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "a", "b": "b"}, w.contents(w.bucket("second")))
		})
	}
}

// To find nested buckets, a job writes and removes a small object. If a store refuses what the job itself does not
// need there, the job still runs.
func TestQuestionNeedsNoMoreThanJob(t *testing.T) {
	refuses := func(call faults.Calls, err error) []faults.Rule {
		return []faults.Rule{faults.Fail(call).WithError(err)}
	}
	tests := map[string]struct{ source, destination []faults.Rule }{
		"the source is on a disk that is only read": {source: refuses(faults.Put, errOf(syscall.EROFS))},
		"the source is full":                        {source: refuses(faults.Put, errOf(syscall.ENOSPC))},
		"nothing may be removed from an archive": {destination: refuses(faults.Delete,
			storage.PermissionDenied)},
		"an archive is locked": {destination: refuses(faults.Delete, storage.Locked)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newTestStores(t, "memory")
			w.store("first", "index.html", "text")
			w.store("first", "old/index.html", "text")
			w.store("second", "index.html", "text")
			src := w.bucket("first", faults.New(tt.source...).Layer())
			dst := w.bucket("second", faults.New(tt.destination...).Layer())

			_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
				transfer.Bucket(wrapped.Unknown(t, src)), transfer.WithMove())
			require.NoError(t, err)
			require.Empty(t, w.contents(w.bucket("first")))
		})
	}
}

func errOf(err error) error { return &storage.Error{Code: storage.Internal, Err: err} }

// A job writes a small object to find nested buckets. If the response to that write is lost, the object is
// removed.
func TestQuestionLeavesNoObject(t *testing.T) {
	w := newTestStores(t, "memory")
	w.store("first", "a", "a")
	dst := w.bucket("second", faults.New(faults.DropResponse(faults.Put).Nth(1)).Layer())
	_, err := transfer.Sync(t.Context(), transfer.Bucket(wrapped.Unknown(t, dst)),
		transfer.Bucket(w.bucket("first")), transfer.WithMove())
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.Empty(t, w.contents(w.bucket("second")))
}

// If the source is a folder of the destination, its keys are in other shards there. A shard with WithDelete still
// removes none of them.
func TestShardOfNestedSourceRemovesNothing(t *testing.T) {
	for shard := range 2 {
		w := newTestStores(t, "directory")
		w.store("first", "z/a", "a")
		w.store("first", "z/b", "b")
		src := storage.Prefixed(wrapped.Unknown(t, w.bucket("first")), "z/")
		_, _ = transfer.Sync(t.Context(), transfer.Bucket(w.served("first")), transfer.Bucket(src),
			transfer.WithDelete(), transfer.WithShard(shard, 2), transfer.WithShardBounds("m"))
		require.Equal(t, map[string]bool{"a": true, "b": true}, w.stored(), "shard %d", shard)
	}
}

// A job between an overlay and its old store, or a folder of that, is refused, also by another address.
func TestOverlayAndOldStoreAreOnePlace(t *testing.T) {
	tests := map[string]struct{ dst, src string }{
		"the old store":             {"", ""},
		"a folder of the old store": {"", "a/"},
		"into a folder of both":     {"a/", ""},
		"the same folder":           {"a/", "a/"},
	}
	for name, tt := range tests {
		for job, opts := range map[string][]transfer.Option{
			"delete": {transfer.WithDelete()},
			"move":   {transfer.WithMove()},
		} {
			for _, keep := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, KeepOld %v", job, name, keep), func(t *testing.T) {
					old := memstore.New()
					for _, key := range []string{"a/f1", "a/f2", "f1", "a/a/f1"} {
						_, err := old.Upload(t.Context(), key, strings.NewReader("text of "+key))
						require.NoError(t, err)
					}
					layer, err := overlay.New(old, overlay.Config{KeepOld: keep})
					require.NoError(t, err)
					dst := wrapped.Unknown(t, memstore.New(driver.WithLayer(layer)))
					src := newRefusingUploads(t, old)
					_, err = transfer.Sync(t.Context(), transfer.Bucket(prefixed(dst, tt.dst)),
						transfer.Bucket(prefixed(src, tt.src)), opts...)
					want := storage.InvalidArgument
					if keep {
						want = storage.PermissionDenied // nothing can be stored to ask
					}

					require.Equal(t, want, storage.CodeOf(err), "%v", err)
					for _, key := range []string{"a/f1", "a/f2", "f1", "a/a/f1"} {
						exists, err := old.Exists(t.Context(), key)
						require.NoError(t, err)
						require.True(t, exists, key)
					}
				})
			}
		}
	}
}

// refusing is a Core that takes no files.
type refusing struct{ storage.Core }

func (refusing) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, &storage.Error{Code: storage.PermissionDenied}
}

// newRefusingUploads returns a bucket of another address, to which nothing can be written.
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

// If a server is in front of a layer, a job between the server and one of the layer's stores is refused. The layer
// recognizes the job's small test object by its key.
func TestServedLayerAndSecondStoreAreOnePlace(t *testing.T) {
	keys := []string{"a/f1", "a/f2", "f1", "a/a/f1"}
	layers := map[string]func(other storage.Bucket) (driver.Layer, error){
		"overlay": func(other storage.Bucket) (driver.Layer, error) {
			return overlay.New(other, overlay.Config{})
		},
		"mirror": func(other storage.Bucket) (driver.Layer, error) {
			return mirror.New(other, mirror.Config{})
		},
	}
	tests := map[string]struct{ dst, src string }{
		"the same folder":       {"a/", "a/"},
		"from a folder of both": {"", "a/"},
		"into a folder of both": {"a/", ""},
	}
	for name, tt := range tests {
		for kind, layerOn := range layers {
			for job, opts := range map[string][]transfer.Option{
				"delete": {transfer.WithDelete()},
				"move":   {transfer.WithMove()},
			} {
				t.Run(fmt.Sprintf("%s, %s, %s", kind, job, name), func(t *testing.T) {
					second := memstore.New()
					layer, err := layerOn(second)
					require.NoError(t, err)
					served := memstore.New(driver.WithLayer(layer))
					for _, key := range keys {
						b := map[string]storage.Bucket{"overlay": second, "mirror": served}[kind]
						_, err := b.Upload(t.Context(), key, strings.NewReader("text of "+key))
						require.NoError(t, err)
					}
					dst := wrapped.Bucket(t, wrapped.Unknown(t, served), func(c storage.Core) storage.Core {
						return server{c}
					})
					src := newRefusingUploads(t, second)

					_, err = transfer.Sync(t.Context(), transfer.Bucket(prefixed(dst, tt.dst)),
						transfer.Bucket(prefixed(src, tt.src)), opts...)
					require.ErrorIs(t, err, storage.InvalidArgument)

					var leftovers []string
					for e, err := range second.List(t.Context()) {
						require.NoError(t, err)
						leftovers = append(leftovers, e.Key)
					}
					require.ElementsMatch(t, keys, leftovers, "nor is a question left")
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

// A killed job may leave its small test object in the new store of an overlay. Remove works for it, even if the
// old store refuses writes.
func TestQuestionOnlyInNewStoreIsRemoved(t *testing.T) {
	fresh := memstore.NewDriver(memstore.Config{})
	old := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d,
			func(ctx context.Context, call string, next func(context.Context) error) error {
				if call == "Delete" || call == "Put" {
					return storage.PermissionDenied
				}
				return next(ctx)
			})
	}))
	layer, err := overlay.New(old, overlay.Config{})
	require.NoError(t, err)
	key := evidence.NewKey("a/")
	_, err = engine.New(fresh).Upload(t.Context(), key, strings.NewReader(evidence.Text))
	require.NoError(t, err)
	require.NoError(t, engine.New(fresh, driver.WithLayer(layer)).Remove(t.Context(), key))

	exists, err := engine.New(fresh).Exists(t.Context(), key)
	require.NoError(t, err)
	require.False(t, exists)
}
