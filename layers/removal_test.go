package layers_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// testStores are the stores "first", "second" and "third" of one account. Its methods open them as the sources and
// destinations of jobs, with and without layers.
type testStores struct {
	t       *testing.T
	account driver.ServiceDriver
	dir     string // of an account of directories, or ""
	server  *s3server.Server
	failing *faults.Injector // of what ends have as their primary store
	calls   atomic.Int64     // of this process
	dead    atomic.Int64     // the call at which this process is killed; 0 never

	versions bool             // the stores keep versions
	now      func() time.Time // of the stores that keep versions; or nil
}

var storeNames = []string{"first", "second", "third"}

// newTestStores returns three empty stores, which are in memory or directories.
func newTestStores(t *testing.T, kind string) *testStores {
	ts := &testStores{t: t, failing: faults.New()}
	ts.open(kind)
	return ts
}

// newVersionedStores returns three stores that keep versions. Their clock moves by a second at each
// reading, so no two versions have the same time.
func newVersionedStores(t *testing.T, kind string) *testStores {
	var seconds atomic.Int64
	ts := &testStores{t: t, failing: faults.New(), versions: true}
	ts.now = func() time.Time {
		return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds.Add(1)) * time.Second)
	}
	ts.open(kind)
	return ts
}

// open opens the stores.
func (ts *testStores) open(kind string) {
	t := ts.t
	if kind == "memory" {
		ts.account = memstore.NewServiceDriver(memstore.ServiceConfig{Now: ts.now})
	} else {
		ts.dir = t.TempDir()
		account, err := local.NewServiceDriver(ts.dir, local.Config{Now: ts.now})
		require.NoError(t, err)
		ts.account = account
	}
	t.Cleanup(func() { require.NoError(t, ts.account.Close()) })
	ts.server = newServer(t, ts.account, storeNames...)
}

// newServer starts a server of an account. It puts the server's credentials into the environment of
// the test.
func newServer(t *testing.T, account driver.ServiceDriver, buckets ...string) *s3server.Server {
	server := s3server.ForTest(t, s3server.Config{Service: account, Buckets: buckets})
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return server
}

// bucket opens a store with layers, of which the last is outermost.
func (ts *testStores) bucket(name string, layers ...driver.Layer) storage.Bucket {
	d, err := ts.account.Driver(name)
	require.NoError(ts.t, err)
	opts := []storage.OpenOption{
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(ts.dying()),
	}
	if ts.versions {
		opts = append(opts, storage.WithVersioning(true))
	}
	for _, l := range layers {
		opts = append(opts, driver.WithLayer(l))
	}
	b := engine.New(d, opts...)
	ts.t.Cleanup(func() {
		_ = storage.Close(b)
	})
	return b
}

// mirror returns a mirror of two stores.
func (ts *testStores) mirror(primary, second string) storage.Bucket {
	layer, err := mirror.New(ts.bucket(second), mirror.Config{})
	require.NoError(ts.t, err)
	return ts.bucket(primary, ts.failing.Layer(), layer)
}

// overlay returns an overlay of two stores.
func (ts *testStores) overlay(upper, old string) storage.Bucket {
	layer, err := overlay.New(ts.bucket(old), overlay.Config{})
	require.NoError(ts.t, err)
	return ts.bucket(upper, ts.failing.Layer(), layer)
}

// jobEnds has functions that open a source or destination of a job: a store, directly or by a wrapper, a server or
// a layer.
var jobEnds = map[string]func(ts *testStores) storage.Bucket{
	"first":  func(ts *testStores) storage.Bucket { return ts.bucket("first") },
	"second": func(ts *testStores) storage.Bucket { return ts.bucket("second") },
	"third":  func(ts *testStores) storage.Bucket { return ts.bucket("third") },
	"first by a wrapper": func(ts *testStores) storage.Bucket {
		return wrapped.Unknown(ts.t, ts.bucket("first"))
	},
	"first by a server":  func(ts *testStores) storage.Bucket { return ts.served("first") },
	"second by a server": func(ts *testStores) storage.Bucket { return ts.served("second") },
	"a folder of first": func(ts *testStores) storage.Bucket {
		return storage.Prefixed(ts.bucket("first"), "in/")
	},
	"a folder by a server": func(ts *testStores) storage.Bucket {
		return storage.Prefixed(ts.served("first"), "in/")
	},
	"a mirror": func(ts *testStores) storage.Bucket { return ts.mirror("first", "second") },
	"a folder of a mirror": func(ts *testStores) storage.Bucket {
		return storage.Prefixed(ts.mirror("first", "second"), "in/")
	},
	"the mirror turned around": func(ts *testStores) storage.Bucket { return ts.mirror("second", "first") },
	"an overlay":               func(ts *testStores) storage.Bucket { return ts.overlay("second", "first") },
	"a folder of an overlay": func(ts *testStores) storage.Bucket {
		return storage.Prefixed(ts.overlay("second", "first"), "in/")
	},
	"the overlay turned around": func(ts *testStores) storage.Bucket { return ts.overlay("first", "second") },
	"an overlay over a mirror": func(ts *testStores) storage.Bucket {
		layer, err := overlay.New(ts.bucket("third"), overlay.Config{})
		require.NoError(ts.t, err)
		second, err := mirror.New(ts.bucket("second"), mirror.Config{})
		require.NoError(ts.t, err)
		return ts.bucket("first", ts.failing.Layer(), second, layer)
	},
	"an overlay of an old mirror": func(ts *testStores) storage.Bucket {
		layer, err := overlay.New(ts.mirror("first", "second"), overlay.Config{})
		require.NoError(ts.t, err)
		return ts.bucket("third", layer)
	},
	"first with a cache": func(ts *testStores) storage.Bucket {
		return ts.bucket("first", newCache(ts.t, diskcache.Config{Unpinned: true}))
	},
}

// served returns a store as an S3 server shows it.
func (ts *testStores) served(name string) storage.Bucket {
	b, err := storage.Open(ts.t.Context(), ts.server.Address(name))
	require.NoError(ts.t, err)
	ts.t.Cleanup(func() {
		_ = storage.Close(b)
	})
	return b
}

// fill stores objects with different contents in the stores. Some objects have the same key in several stores, and some
// also the same content, so that jobs take them for copies.
func (ts *testStores) fill(mirrored bool) {
	for name, keys := range map[string][]string{
		"first":  {"a", "b", "in/a", "in/b", "in/in/a", "same"},
		"second": {"a", "c", "in/c", "same"},
		"third":  {"d", "in/a", "same"},
	} {
		if mirrored && name == "second" {
			continue // has what the primary has
		}
		for _, key := range keys {
			text := name + " " + key
			if key == "same" {
				text = key
			}
			_, err := ts.bucket(name).Upload(ts.t.Context(), key, strings.NewReader(text))
			require.NoError(ts.t, err)
		}
	}
	if mirrored {
		_, err := mirror.RepairAll(ts.t.Context(), ts.mirror("first", "second"))
		require.NoError(ts.t, err)
	}
}

// contents returns the contents of the objects that a bucket shows, by key. While no calls fail, a
// bucket shows all its objects.
func (ts *testStores) contents(b storage.Bucket) map[string]string {
	all := map[string]string{}
	for e, err := range b.List(ts.t.Context()) {
		require.NoError(ts.t, err)
		if strings.HasPrefix(e.Key, mirror.NotesPrefix) {
			continue
		}
		data, _, err := storage.ReadAll(ts.t.Context(), b, e.Key)
		require.NoError(ts.t, err)
		all[e.Key] = string(data)
	}
	return all
}

// stored returns all contents that any of the stores has, under whatever key.
func (ts *testStores) stored() map[string]bool {
	all := map[string]bool{}
	for _, name := range storeNames {
		for _, text := range ts.contents(ts.bucket(name)) {
			all[text] = true
		}
	}
	return all
}

// A removingJob is a job that removes objects, and a function that says what it must keep.
type removingJob struct {
	name string
	run  func(ctx context.Context, ts *testStores, dst, src storage.Bucket, opts ...transfer.Option) error
	// kept returns the contents that must still be in some store after the job. dst and src are the
	// contents that the destination and the source showed before the job.
	kept func(dst, src map[string]string) []string
}

// valuesOf returns the contents of several stores.
func valuesOf(all ...map[string]string) (values []string) {
	for _, m := range all {
		for _, v := range m {
			values = append(values, v)
		}
	}
	return values
}

// withoutReplaced returns those contents of dst that a job does not replace by contents of src.
func withoutReplaced(dst, src map[string]string) map[string]string {
	remaining := map[string]string{}
	for key, text := range dst {
		if _, ok := src[key]; !ok {
			remaining[key] = text
		}
	}
	return remaining
}

var removingJobs = []removingJob{
	{"move", func(ctx context.Context, _ *testStores, dst, src storage.Bucket, opts ...transfer.Option) error {
		_, err := transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src),
			append(opts, transfer.WithMove())...)
		return err
	}, func(dst, src map[string]string) []string { return valuesOf(src, withoutReplaced(dst, src)) }},
	{"delete", func(ctx context.Context, _ *testStores, dst, src storage.Bucket, opts ...transfer.Option) error {
		_, err := transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src),
			append(opts, transfer.WithDelete())...)
		return err
	}, func(_, src map[string]string) []string { return valuesOf(src) }},
	{"delete, with a source that is only read",
		func(ctx context.Context, _ *testStores, dst, src storage.Bucket, opts ...transfer.Option) error {
			_, err := transfer.Copy(ctx, dst, src, append(opts, transfer.WithDelete())...)
			return err
		}, func(_, src map[string]string) []string { return valuesOf(src) }},
	{"delete with a backup at the source's place",
		func(ctx context.Context, ts *testStores, dst, backup storage.Bucket, opts ...transfer.Option) error {
			_, err := transfer.Copy(ctx, dst, memstore.New(),
				append(opts, transfer.WithDelete(), transfer.WithEmptySource(),
					transfer.WithBackup(transfer.Bucket(backup)))...)
			return err
		}, func(dst, _ map[string]string) []string { return valuesOf(dst) }},
}

// listingFaults are the faults that listings of the primary stores have while the job runs.
var listingFaults = map[string][]faults.Rule{
	"whole":       nil,
	"fails once":  {faults.Fail(faults.List).Nth(1)},
	"fails later": {faults.Fail(faults.List).Nth(2)},
	"down":        {faults.Fail(faults.Reads | faults.Writes)},
}

// A removalRow is a case of the test: a job between two buckets or directories, while listings fail.
type removalRow struct {
	kind    string // of the stores
	job     removingJob
	dst     string // name in jobEnds
	src     string // likewise
	listing string // name in listingFaults
	rules   []faults.Rule
	number  int // its place in the table
}

func (r removalRow) String() string {
	return fmt.Sprintf("%s/%s/%s from %s/listing %s", r.kind, r.job.name, r.dst, r.src, r.listing)
}

// removalTable has a row for each job, each source and destination, and each way in which listings can fail over.
func removalTable() (rows []removalRow) {
	ends := slices.Sorted(maps.Keys(jobEnds))
	listings := slices.Sorted(maps.Keys(listingFaults))
	for _, kind := range []string{"memory", "directory"} {
		for _, job := range removingJobs {
			for _, dst := range ends {
				for _, src := range ends {
					for _, listing := range listings {
						if listing != "whole" && !hasFailover(dst+src) {
							continue
						}
						rows = append(rows, removalRow{
							kind:    kind,
							job:     job,
							dst:     dst,
							src:     src,
							listing: listing,
							rules:   listingFaults[listing],
							number:  len(rows),
						})
					}
				}
			}
		}
	}
	return rows
}

// hasFailover reports whether one of the named ends has a mirror or an overlay. These layers may read from their second
// store.
func hasFailover(ends string) bool {
	return strings.Contains(ends, "mirror") || strings.Contains(ends, "overlay")
}

// wholeTable says that a test plays each row of the table, as "make removals" does. Otherwise a
// test plays only some rows.
var wholeTable = os.Getenv("OMNIBUCKET_REMOVALS") == "all"

const sampledRows = 7

// No job that removes objects, such as a move, removes the last copy of one, whatever its source and destination are.
func TestJobsNeverRemoveTheLastCopy(t *testing.T) {
	testserver.Slow(t)

	// A row has a job, its source and destination, and the faults of listings. By default, only some rows are played.
	for _, row := range removalTable() {
		isSampled := row.number%sampledRows == 0
		if !wholeTable && !isSampled {
			continue
		}
		t.Run(row.String(), func(t *testing.T) {
			// requireKept runs the job, and requires that the stores still have what it must keep.
			ts := row.newFilledStores(t)
			failListings := func() {
				ts.failing.Set(row.rules...)
			}
			row.requireKept(ts, failListings)

			// The job has removed the objects with which it asks whether two ends have the same store.
			for text := range ts.stored() {
				require.NotContains(t, text, "omnibucket asked")
			}
		})
	}
}

// newFilledStores returns stores with objects. If the row has a mirror, its two stores are equal.
func (r removalRow) newFilledStores(t *testing.T) *testStores {
	ts := newTestStores(t, r.kind)
	ts.fill(strings.Contains(r.dst+r.src, "mirror"))
	return ts
}

// requireKept runs the job of a row, and requires that the stores still have the contents that the
// job must keep. Just before the job, it calls disturb, which makes some requests fail.
func (r removalRow) requireKept(ts *testStores, disturb func()) {
	dst := jobEnds[r.dst](ts)
	src := jobEnds[r.src](ts)
	kept := r.job.kept(ts.contents(dst), ts.contents(src))

	disturb()
	err := r.job.run(ts.t.Context(), ts, dst, src)
	ts.failing.Set()
	ts.dead.Store(0)

	stored := ts.stored()
	for _, text := range kept {
		require.True(ts.t, stored[text], "%q is lost; the job: %v", text, err)
	}
}

// A job that copies and removes objects may be killed at any call of a store, and then repeated. Neither run removes
// the last copy of an object, even if a store was restored from a snapshot in between.
func TestKilledJobsNeverRemoveTheLastCopy(t *testing.T) {
	testserver.Slow(t)
	const maxCalls = 60 // of a store before the job is killed
	rounds := 150
	if wholeTable {
		rounds = 5000
	}

	// A row has a kind of job, a source and a destination. Each round chooses a random row, and a
	// random call at which the job is killed.
	table := removalTable()
	random := rand.New(rand.NewPCG(20261128, 67))
	for round := range rounds {
		row := table[random.IntN(len(table))]
		lastCall := 1 + random.Int64N(maxCalls)
		isRestored := random.IntN(2) == 0
		name := fmt.Sprintf("%d/%s/killed at call %d, restored %v", round, row, lastCall, isRestored)
		t.Run(name, func(t *testing.T) {
			ts := row.newFilledStores(t)
			snapshot := ts.contents(ts.bucket("second"))

			// In the first run, all calls fail from one call on, as if the job were killed. requireKept runs the job,
			// and requires that the stores still have what it must keep.
			killJob := func() {
				ts.dead.Store(ts.calls.Load() + lastCall)
			}
			row.requireKept(ts, killJob)

			// In the second run, no call fails, but the second store may be as it was before the first run.
			if isRestored {
				ts.restore("second", snapshot)
			}
			disturbNothing := func() {}
			row.requireKept(ts, disturbNothing)
		})
	}
}

// restore replaces the objects of a store by those of a snapshot.
func (ts *testStores) restore(name string, snapshot map[string]string) {
	b := ts.bucket(name)
	_, err := storage.RemoveMatching(ts.t.Context(), b, nil)
	require.NoError(ts.t, err)
	for key, text := range snapshot {
		_, err := b.Upload(ts.t.Context(), key, strings.NewReader(text))
		require.NoError(ts.t, err)
	}
}

// dying returns a layer whose calls all fail after a number of calls, as if the process had been killed.
func (ts *testStores) dying() driver.Layer {
	return func(d driver.Driver) driver.Driver {
		return driver.Intercept(d,
			func(ctx context.Context, _ string, next func(context.Context) error) error {
				if dead, call := ts.dead.Load(), ts.calls.Add(1); dead > 0 && call >= dead {
					return storage.Unavailable
				}
				return next(ctx)
			})
	}
}
