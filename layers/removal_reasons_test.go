package layers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// A storedText is the text that a store has under a key: that of the object, or of one of its
// versions.
type storedText struct{ store, key, text string }

// everything returns the contents of all stores, and for each whether it is the current version. It leaves out the
// objects that layers use themselves.
func (ts *testStores) everything() map[storedText]bool {
	all := map[storedText]bool{}
	for _, name := range storeNames {
		b := ts.bucket(name)
		addVersion := func(key string, current bool, opts ...storage.DownloadOption) {
			data, _, err := storage.ReadAll(ts.t.Context(), b, key, opts...)
			require.NoError(ts.t, err, key)
			if !objectkey.IsOfLayer(key) && !strings.HasPrefix(string(data), "An overlay moves") {
				text := storedText{name, key, string(data)}
				all[text] = all[text] || current
			}
		}
		if !ts.versions {
			for e, err := range b.List(ts.t.Context()) {
				require.NoError(ts.t, err)
				addVersion(e.Key, true)
			}
			continue
		}
		for v, err := range storage.Versions(ts.t.Context(), b) {
			require.NoError(ts.t, err)
			if !v.IsDeleteMarker {
				addVersion(v.Key, v.Current, storage.WithVersion(v.Version))
			}
		}
	}
	return all
}

// A reasonKind says which kind of stores a reason to remove objects needs.
type reasonKind int

const (
	plain     reasonKind = iota
	versioned            // stores that keep versions
	inStores             // directories, of which one is named where it is refused
)

// A reasonToRemove is a reason why objects are removed from one bucket, without a second bucket as a source.
type reasonToRemove struct {
	name string
	kind reasonKind
	// prepare stores the objects that will be removed, and returns the call that removes them.
	prepare func(ts *testStores, b storage.Bucket) removalCall
}

// A removalCall is a call that removes objects, with a model of what it may remove.
type removalCall struct {
	run func(ctx context.Context) error
	may func(of storedText, current bool) bool // whether something may disappear; nil never
	// done checks that a successful call has removed what it should. It gets what the bucket shows
	// after the call. It is nil if that does not suffice for the check.
	done func(shown map[string]string)
}

var reasonsToRemove = []reasonToRemove{
	{"restore", versioned, func(ts *testStores, b storage.Bucket) removalCall {
		t := ts.now()
		contents := ts.contents(b)
		ts.change(b)
		return removalCall{
			run: func(ctx context.Context) error {
				_, err := transfer.RestoreAt(ctx, b, t, transfer.WithDelete())
				return err
			},
			done: func(current map[string]string) {
				require.Equal(ts.t, contents, current)
			},
		}
	}},
	{"undelete", versioned, func(ts *testStores, b storage.Bucket) removalCall {
		was := ts.contents(b)
		ts.change(b)
		maps.Copy(was, ts.contents(b))
		return removalCall{
			run: func(ctx context.Context) error {
				_, err := transfer.Undelete(ctx, b)
				return err
			},
			done: func(current map[string]string) {
				require.Equal(ts.t, was, current)
			},
		}
	}},
	{"expire old versions", versioned, func(ts *testStores, b storage.Bucket) removalCall {
		ts.change(b)
		contents := ts.contents(b)
		return removalCall{
			run: func(ctx context.Context) error {
				_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{OldVersionsAge: time.Hour}},
					transfer.WithNow(func() time.Time { return ts.now().AddDate(1, 0, 0) }))
				return err
			},
			may: func(_ storedText, current bool) bool { return !current },
			done: func(current map[string]string) {
				require.Equal(ts.t, contents, current)
			},
		}
	}},
	{
		"evict to a directory beside the stores", plain,
		evicting(func(ts *testStores) string { return ts.t.TempDir() }),
	},
	{"evict to a store's own directory", inStores, evicting(func(ts *testStores) string {
		return filepath.Join(ts.dir, "first")
	})},
	{"evict to a folder of a store", inStores, evicting(func(ts *testStores) string {
		return filepath.Join(ts.dir, "first", "in")
	})},
	{"evict to the directory of all stores", inStores, evicting(func(ts *testStores) string { return ts.dir })},
	{"trim a log", plain, func(ts *testStores, b storage.Bucket) removalCall {
		log, err := commit.New(b, "log/")
		if errors.Is(err, storage.Unsupported) { // b is of a user's own type, which tells no features
			return removalCall{run: func(context.Context) error { return err }}
		}
		require.NoError(ts.t, err)
		for range 6 {
			_, err := log.Append(ts.t.Context(), func(last int64) ([]byte, error) {
				return fmt.Append(nil, "entry ", last+1), nil
			})
			require.NoError(ts.t, err)
		}
		require.NoError(ts.t, log.Trim(ts.t.Context(), 3)) // the next call removes up to here
		return removalCall{
			run: func(ctx context.Context) error { return log.Trim(ctx, 5) },
			may: func(text storedText, _ bool) bool {
				_, name, ofLog := strings.Cut(text.key, "log/")
				return ofLog && (name == "trimmed" || name <= fmt.Sprintf("%020d", 3))
			},
			done: func(map[string]string) {
				require.Equal(ts.t, []int64{4, 5, 6}, ts.entriesFrom(log, 4))
			},
		}
	}},
	{"end a journal", plain, func(ts *testStores, b storage.Bucket) removalCall {
		journals := ts.bucket("third")
		return removalCall{
			run: func(ctx context.Context) error {
				_, err := transfer.Sync(ctx, transfer.Bucket(memstore.New()), transfer.Bucket(b),
					transfer.WithJournal(journals, "journals/a"))
				return err
			},
			may: func(text storedText, _ bool) bool { return text.key == "journals/a" },
		}
	}},
}

// entriesFrom returns the numbers of the entries of a log, beginning with the given number.
func (ts *testStores) entriesFrom(log *commit.Log, number int64) (numbers []int64) {
	for e, err := range log.From(ts.t.Context(), number) {
		require.NoError(ts.t, err)
		numbers = append(numbers, e.Number)
	}
	return numbers
}

// change replaces an object of a bucket, removes one, and adds one.
func (ts *testStores) change(b storage.Bucket) {
	for _, key := range []string{"a", "later"} {
		_, err := b.Upload(ts.t.Context(), key, strings.NewReader("changed "+key))
		require.NoError(ts.t, err)
	}
	for _, key := range []string{"b", "c", "in/a", "same"} {
		require.NoError(ts.t, b.Remove(ts.t.Context(), key))
	}
}

// evicting returns a call that reads a bucket through a cache that has room for only one block.
func evicting(dirOf func(ts *testStores) string) func(ts *testStores, b storage.Bucket) removalCall {
	return func(ts *testStores, b storage.Bucket) removalCall {
		return removalCall{run: func(ctx context.Context) error {
			cache, err := diskcache.Open(dirOf(ts), diskcache.Config{MaxBytes: 1, Unpinned: true})
			if err != nil {
				return err
			}
			cached := ts.bucket("first", cache.Layer())
			var errs []error
			for range 2 {
				errs = append(errs, readEach(ctx, cached), readEach(ctx, b))
			}
			errs = append(errs, storage.Close(cached), cache.Close())
			return errors.Join(errs...)
		}}
	}
}

// readEach reads all objects of a bucket. It continues after failures.
func readEach(ctx context.Context, b storage.Bucket) error {
	var errs []error
	for entry, err := range b.List(ctx) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_, _, err = storage.ReadAll(ctx, b, entry.Key)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// A reasonRow is a case of the test: why objects are removed, from which bucket, and how listings fail meanwhile.
type reasonRow struct {
	kind, end, listing string
	reason             reasonToRemove
	rules              []faults.Rule
}

func (r reasonRow) String() string {
	return fmt.Sprintf("%s/%s/%s/listing %s", r.kind, r.reason.name, r.end, r.listing)
}

// reasonTable has a row for each reason, each bucket and each way in which listings can fail over.
func reasonTable() (rows []reasonRow) {
	for _, kind := range []string{"memory", "directory"} {
		for _, reason := range reasonsToRemove {
			if kind == "memory" && reason.kind == inStores {
				continue
			}
			for _, end := range slices.Sorted(maps.Keys(jobEnds)) {
				for _, listing := range slices.Sorted(maps.Keys(listingFaults)) {
					if listing != "whole" && !hasFailover(end) {
						continue
					}
					rows = append(rows, reasonRow{
						kind:    kind,
						end:     end,
						listing: listing,
						reason:  reason,
						rules:   listingFaults[listing],
					})
				}
			}
		}
	}
	return rows
}

// newReason makes the stores of a row, and returns them with the bucket and the call.
func (r reasonRow) newReason(t *testing.T) (*testStores, storage.Bucket, removalCall) {
	ts := newTestStores
	if r.reason.kind == versioned {
		ts = newVersionedStores
	}
	state := ts(t, r.kind)
	state.fill(strings.Contains(r.end, "mirror"))
	b := jobEnds[r.end](state)
	return state, b, r.reason.prepare(state, b)
}

// requirePermitted calls disturb, which makes some requests fail, and then call.run, which removes
// objects from b. Each object that disappears must be one that call.may permits. It returns the
// error of call.run.
func (ts *testStores) requirePermitted(b storage.Bucket, call removalCall, disturb func()) error {
	textsBefore := ts.everything()
	disturb()
	err := call.run(ts.t.Context())
	ts.failing.Set()
	ts.dead.Store(0)
	textsAfter := ts.everything()
	for text, current := range textsBefore {
		if _, exists := textsAfter[text]; exists {
			continue
		}
		isPermitted := call.may != nil && call.may(text, current)
		require.True(ts.t, isPermitted, "something is lost: %q; the call: %v", text, err)
	}

	if err == nil && call.done != nil {
		call.done(ts.contents(b))
	}
	return err
}

// For each function that removes objects from one bucket, a model says which objects may disappear.
// No function removes any other object. A function that is killed and then repeated removes the
// rest.
func TestReasonsNeverRemoveMore(t *testing.T) {
	testserver.Slow(t)
	const maxCalls = 40 // of a store before the function is killed
	random := rand.New(rand.NewPCG(20261128, 68))

	for i, row := range reasonTable() {
		// Choose a random number of calls for each row of the table, even for those that are skipped. So a row always
		// gets the same number.
		callsBefore := random.Int64N(maxCalls)
		isSampled := i%sampledRows == 0
		if !wholeTable && !isSampled {
			continue
		}
		// The function may fail. requirePermitted checks what has disappeared.
		t.Run(row.String(), func(t *testing.T) {
			ts, b, call := row.newReason(t)
			failListings := func() {
				ts.failing.Set(row.rules...)
			}
			_ = ts.requirePermitted(b, call, failListings)
		})

		t.Run(fmt.Sprintf("%s/killed at call %d", row, callsBefore), func(t *testing.T) {
			ts, b, call := row.newReason(t)

			// In the first run, all calls of a store fail from one call on, as if the function were killed.
			killLater := func() {
				ts.dead.Store(ts.calls.Load() + callsBefore + 1)
			}
			_ = ts.requirePermitted(b, call, killLater)

			// In the second run, no call fails.
			disturbNothing := func() {}
			_ = ts.requirePermitted(b, call, disturbNothing)
		})
	}
}

// For each function that removes objects from one bucket, removalCall.done checks what it has
// removed. If no request fails, the function removes all that it should.
func TestReasonsRemove(t *testing.T) {
	for _, reason := range reasonsToRemove {
		for _, kind := range []string{"memory", "directory"} {
			if kind == "memory" && reason.kind == inStores {
				continue // a store in memory has no directory
			}
			t.Run(reason.name+"/"+kind, func(t *testing.T) {
				// The function removes objects of the store "first", which has no layers. requirePermitted calls it,
				// and checks what has disappeared.
				ts, b, call := reasonRow{kind: kind, end: "first", reason: reason}.newReason(t)
				disturbNothing := func() {}
				err := ts.requirePermitted(b, call, disturbNothing)

				// For the kind inStores, the directory of a cache is in that of a store, or
				// contains it. Such a cache is refused.
				if reason.kind == inStores {
					require.ErrorIs(t, err, storage.InvalidArgument)
					return
				}
				require.NoError(t, err)
			})
		}
	}
}
