package transfer_test

import (
	"context"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newAgedBucket returns a bucket with objects that are one, ten and a hundred days old at the time
// start. Each of the prefixes temp/ and temporary/ has one object of each age. The function open
// opens the bucket with a clock.
func newAgedBucket(t *testing.T, open func(now func() time.Time) storage.Bucket) storage.Bucket {
	t.Helper()
	objects := []struct {
		name string
		days int
	}{
		// The oldest object is written first, because a clock only goes forward.
		{name: "ancient", days: 100},
		{name: "old", days: 10},
		{name: "new", days: 1},
	}

	clock := start
	b := open(func() time.Time { return clock })
	for _, object := range objects {
		clock = start.AddDate(0, 0, -object.days)
		for _, prefix := range []string{"temp/", "temporary/"} {
			_, err := b.Upload(t.Context(), prefix+object.name, file("12345"))
			require.NoError(t, err)
		}
	}
	clock = start
	return b
}

// newBucketWithClock opens a bucket in memory with a clock.
func newBucketWithClock(now func() time.Time) storage.Bucket {
	return engine.New(memstore.NewDriver(memstore.Config{Now: now}))
}

func atStart() transfer.Option { return transfer.WithNow(func() time.Time { return start }) }

const day = 24 * time.Hour

// Expire removes the objects that are older than the age of a rule for their prefix. In this test, a new object is
// one day old, an old one ten days, and an ancient one a hundred days.
func TestExpire(t *testing.T) {
	const objectSize = 5
	all := []string{
		"temp/ancient", "temp/new", "temp/old", "temporary/ancient", "temporary/new", "temporary/old",
	}
	tests := []struct {
		name        string
		rules       []transfer.ExpireRule
		opts        []transfer.Option
		wantLeft    []string
		wantDeleted int64
	}{
		{name: "no rule", wantLeft: all},
		{
			name:        "a folder",
			rules:       []transfer.ExpireRule{{Prefix: "temp/", Age: 7 * day}},
			wantLeft:    []string{"temp/new", "temporary/ancient", "temporary/new", "temporary/old"},
			wantDeleted: 2,
		},
		{
			name:        "a prefix that ends in a segment",
			rules:       []transfer.ExpireRule{{Prefix: "temp", Age: 50 * day}},
			wantLeft:    []string{"temp/new", "temp/old", "temporary/new", "temporary/old"},
			wantDeleted: 2,
		},
		{
			name:        "exactly that age stays",
			rules:       []transfer.ExpireRule{{Age: 10 * day}},
			wantLeft:    []string{"temp/new", "temp/old", "temporary/new", "temporary/old"},
			wantDeleted: 2,
		},
		{
			name:        "several rules",
			rules:       []transfer.ExpireRule{{Age: 50 * day}, {Prefix: "temp/", Age: 7 * day}},
			wantLeft:    []string{"temp/new", "temporary/new", "temporary/old"},
			wantDeleted: 3,
		},
		{
			name:        "a dry run counts once",
			rules:       []transfer.ExpireRule{{Age: 50 * day}, {Prefix: "temp/", Age: 7 * day}},
			opts:        []transfer.Option{transfer.WithDryRun()},
			wantLeft:    all,
			wantDeleted: 3,
		},
		{
			name:        "excluded names stay",
			rules:       []transfer.ExpireRule{{Age: 7 * day}},
			opts:        []transfer.Option{transfer.WithExclude("*/ancient")},
			wantLeft:    []string{"temp/ancient", "temp/new", "temporary/ancient", "temporary/new"},
			wantDeleted: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, open := range map[string]func(now func() time.Time) storage.Bucket{
				"memory": newBucketWithClock,
				"local": func(now func() time.Time) storage.Bucket {
					b, err := local.Open(t.TempDir(), local.Config{NoSync: true, Now: now})
					require.NoError(t, err)
					t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
					return b
				},
			} {
				b := newAgedBucket(t, open)
				report, err := transfer.Expire(t.Context(), b, tt.rules, append(tt.opts, atStart())...)
				require.NoError(t, err, name)
				require.Equal(t, tt.wantDeleted, report.Deleted, name)
				require.Equal(t, objectSize*tt.wantDeleted, report.DeletedBytes, name)
				require.ElementsMatch(t, tt.wantLeft, keysOf(contents(t, b)), name)
			}
		})
	}
}

// Expire removes objects in batches of a thousand.
func TestExpireRemovesInBatches(t *testing.T) {
	const objects, batches = 2500, 3
	var recorder calls
	b := newFilledBucket(t, numberedKeys(objects), recorder.layer())
	inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })

	report, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{Age: day}}, inTwoDays)
	require.NoError(t, err)
	require.EqualValues(t, objects, report.Deleted)
	require.Equal(t, batches, recorder.count("DeleteBatch"))
	require.Zero(t, recorder.count("Delete"))
}

// Expire refuses a rule without an age, or with a negative one, before it removes anything.
func TestExpireRefusesRulesWithoutAnAge(t *testing.T) {
	b := newFilledBucket(t, []string{"a"})
	valid := transfer.ExpireRule{Age: day}
	for name, invalid := range map[string]transfer.ExpireRule{
		"no age":                      {},
		"a negative age":              {Age: -time.Second},
		"a negative age of a version": {OldVersionsAge: -1},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{valid, invalid})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Zero(t, report.Deleted)
		})
	}
}

// Expire continues with the other objects if it cannot remove one.
func TestExpireContinuesAfterFailures(t *testing.T) {
	lockB := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return lockingDriver{d, "b"}
	})
	b := newFilledBucket(t, []string{"a", "b", "c"}, lockB)
	inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })

	report, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{Age: day}}, inTwoDays)
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, int64(2), report.Deleted)
	require.Equal(t, "b", report.Failures[0].Key)
}

// Expire ends if it cannot list the objects, or if ctx is done.
func TestExpireEndsAfterAFailedListing(t *testing.T) {
	rules := []transfer.ExpireRule{{Age: day}}
	inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })

	t.Run("the listing fails", func(t *testing.T) {
		injector := faults.New(faults.Fail(faults.List).WithError(storage.PermissionDenied))
		b := memstore.New(driver.WithLayer(injector.Layer()))
		_, err := transfer.Expire(t.Context(), b, rules, inTwoDays)
		require.ErrorIs(t, err, storage.PermissionDenied)
	})

	t.Run("ctx is done", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := transfer.Expire(ctx, newFilledBucket(t, []string{"a"}), rules, inTwoDays)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Some stores do not apply the lifecycle rules of a bucket themselves. Expire applies these rules
// to the objects and old versions there.
func TestExpireRules(t *testing.T) {
	clock := start
	now := func() time.Time { return clock }
	localService, err := local.NewService(t.TempDir(), local.Config{NoSync: true, Now: now})
	require.NoError(t, err)

	for name, service := range map[string]storage.Service{
		"memory": memstore.NewService(memstore.ServiceConfig{Now: now}),
		"local":  localService,
	} {
		t.Run(name, func(t *testing.T) {
			// The bucket has three lifecycle rules. ExpireRules leaves out the rule for uploads,
			// because such stores drop old uploads themselves.
			clock = start.AddDate(0, 0, -40)
			lifecycle := storage.WithLifecycle(
				storage.LifecycleRule{ID: "temp", Prefix: "temp/", ExpireAfterDays: 7},
				storage.LifecycleRule{ID: "history", ExpireOldVersionsAfterDays: 30},
				storage.LifecycleRule{ID: "stale", AbortUploadsAfterDays: 1},
			)
			_, err := service.CreateBucket(t.Context(), "bucket", storage.WithVersioning(true), lifecycle)
			require.NoError(t, err)
			b, err := service.Bucket("bucket")
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()

			putDaysAgo := func(days int, key, text string) {
				clock = start.AddDate(0, 0, -days)
				put(t, b, key, text)
			}
			putDaysAgo(40, "kept", "first") // replaced 35 days ago
			putDaysAgo(40, "temp/old", "x")
			putDaysAgo(35, "kept", "second") // replaced 20 days ago
			putDaysAgo(20, "kept", "third")
			putDaysAgo(1, "temp/new", "x")
			clock = start

			info, err := service.BucketInfo(t.Context(), "bucket")
			require.NoError(t, err)
			rules := transfer.ExpireRules(info.Lifecycle...)
			require.Len(t, rules, 2)

			// "temp/old" and the first version of "kept" are removed.
			dry, err := transfer.Expire(t.Context(), b, rules, transfer.WithDryRun(), atStart())
			require.NoError(t, err)
			report, err := transfer.Expire(t.Context(), b, rules, atStart())
			require.NoError(t, err)

			require.Equal(t, int64(2), report.Deleted)
			require.Equal(t, dry.Deleted, report.Deleted)
			require.Equal(t, map[string]string{"kept": "third", "temp/new": "x"}, contents(t, b))

			// The first version of "kept" is gone, because it was replaced too long ago.
			var versions []string
			for v, err := range storage.Versions(t.Context(), b, storage.WithPrefix("kept")) {
				require.NoError(t, err)
				data, _, err := storage.ReadAll(t.Context(), b, v.Key, storage.WithVersion(v.Version))
				require.NoError(t, err)
				versions = append(versions, string(data))
			}
			require.Equal(t, []string{"third", "second"}, versions)
		})
	}
}

// Expire removes the old versions of an object that was removed, and then its delete marker.
func TestExpireVersionsOfRemovedObjects(t *testing.T) {
	tests := []struct {
		name string
		open func(t *testing.T, now func() time.Time) storage.Bucket
	}{
		{
			name: "memory",
			open: func(_ *testing.T, now func() time.Time) storage.Bucket {
				return engine.New(memstore.NewDriver(memstore.Config{Versioned: true, Now: now}))
			},
		},
		{
			name: "local",
			open: func(t *testing.T, now func() time.Time) storage.Bucket {
				config := local.Config{NoSync: true, Now: now}
				b, err := local.Open(t.TempDir(), config, storage.WithVersioning(true))
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
				return b
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The object was written twice, 40 days before the time start, and is removed at the time start.
			clock := start.AddDate(0, 0, -40)
			b := tt.open(t, func() time.Time { return clock })
			put(t, b, "k", "first")
			put(t, b, "k", "second")
			clock = start
			require.NoError(t, b.Remove(t.Context(), "k"))

			// expireAt calls Expire with a rule that removes old versions after 7 days. It returns
			// how many versions Expire has removed.
			expireAt := func(now time.Time) int64 {
				rules := []transfer.ExpireRule{{OldVersionsAge: 7 * day}}
				report, err := transfer.Expire(t.Context(), b, rules,
					transfer.WithNow(func() time.Time { return now }))
				require.NoError(t, err)
				return report.Deleted
			}

			require.Equal(t, int64(1), expireAt(start.Add(6*day)), "the first version, which was replaced long ago")
			require.Equal(t, int64(1), expireAt(start.Add(8*day)), "the second version, which was removed 8 days ago")
			require.Equal(t, int64(1), expireAt(start.Add(8*day)), "the delete marker, below which no version is left")

			for v, err := range storage.Versions(t.Context(), b) {
				require.NoError(t, err)
				require.Fail(t, "a version is left", "%v", v)
			}
		})
	}
}

// If Expire is canceled while it removes a version, its report counts that version neither as
// deleted nor as failed.
func TestExpireIsCanceledDuringTheRemovalOfAVersion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancelInRemoval := func(ctx context.Context, call string, next func(context.Context) error) error {
		if call != "Delete" && call != "DeleteBatch" {
			return next(ctx)
		}
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	memory := memstore.NewDriver(memstore.Config{Versioned: true})
	b := engine.New(memory, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, cancelInRemoval)
	}))
	put(t, b, "k", "first")
	put(t, b, "k", "second")

	inTwoDays := transfer.WithNow(func() time.Time { return time.Now().Add(2 * day) })
	report, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{OldVersionsAge: day}}, inTwoDays)
	require.ErrorIs(t, err, storage.Canceled)
	require.Zero(t, report.Deleted)
	require.Zero(t, report.Failed)
}

// A nameless bucket lists an old version of "k" without the name of the version.
type nameless struct{ storage.Core }

// Versions yields one version, which was replaced 40 days before start.
func (nameless) Versions(context.Context, *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return func(yield func(storage.VersionEntry, error) bool) {
		replaced := start.AddDate(0, 0, -40)
		yield(storage.VersionEntry{
			ListEntry:       storage.ListEntry{Key: "k", Modified: replaced},
			NoncurrentSince: replaced,
		}, nil)
	}
}

// If an old version has no name, Expire does not remove the current object in its place.
func TestExpireOldVersionWithoutAName(t *testing.T) {
	b := memstore.New(storage.WithVersioning(true))
	put(t, b, "k", "current")
	src := wrapped.Bucket(t, b, func(c storage.Core) storage.Core { return nameless{c} })

	report, err := transfer.Expire(t.Context(), src, []transfer.ExpireRule{{OldVersionsAge: day}}, atStart())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.EqualValues(t, 1, report.Failed)

	exists, err := b.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.True(t, exists)
}

// Expire refuses a rule for old versions if the bucket keeps no versions.
func TestExpireOldVersionsNeedsVersions(t *testing.T) {
	_, err := transfer.Expire(t.Context(), memstore.New(), []transfer.ExpireRule{{OldVersionsAge: day}})
	require.ErrorIs(t, err, storage.Unsupported)
}

// An age in days is limited to the longest duration, because people write "never" as a large number of days.
func TestExpireAgeInDaysIsLimited(t *testing.T) {
	const longest = 106_751 // days in the longest time.Duration
	// In nanoseconds, this number of days is too large for 64 bits. It overflows to a duration of
	// minutes.
	const overflowInMinutes = 2*longest + 2
	tests := []struct {
		name       string
		days, want int
	}{
		{name: "the longest", days: longest, want: longest},
		{name: "one more", days: longest + 1, want: longest},
		{name: "as many as overflow to minutes", days: overflowInMinutes, want: longest},
		{name: "the largest number", days: math.MaxInt32, want: longest},
		{name: "the largest number of this machine", days: math.MaxInt, want: longest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := transfer.ExpireRules(storage.LifecycleRule{
				Prefix:                     "a",
				ExpireAfterDays:            tt.days,
				ExpireOldVersionsAfterDays: tt.days,
			})
			age := time.Duration(tt.want) * day
			require.Equal(t, []transfer.ExpireRule{{Prefix: "a", Age: age, OldVersionsAge: age}}, rules)

			// A rule with this age removes no object of the bucket.
			b := newAgedBucket(t, func(now func() time.Time) storage.Bucket {
				service := memstore.NewService(memstore.ServiceConfig{Now: now})
				_, err := service.CreateBucket(t.Context(), "bucket")
				require.NoError(t, err)
				b, err := service.Bucket("bucket")
				require.NoError(t, err)
				return b
			})
			rules = transfer.ExpireRules(storage.LifecycleRule{ExpireAfterDays: tt.days})
			report, err := transfer.Expire(t.Context(), b, rules, atStart())
			require.NoError(t, err)
			require.Zero(t, report.Deleted)
		})
	}

	t.Run("a negative number stays negative", func(t *testing.T) {
		rules := transfer.ExpireRules(storage.LifecycleRule{
			ExpireAfterDays:            -overflowInMinutes,
			ExpireOldVersionsAfterDays: 1,
		})
		_, err := transfer.Expire(t.Context(), memstore.New(), rules)
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}

// Expire computes ages by the clock of the store, because the clock of this machine may be days
// wrong. To read the store's clock leaves no object there.
func TestExpireCountsByTheClockOfTheStore(t *testing.T) {
	tests := []struct {
		name        string
		ahead       time.Duration // of the store's clock
		opts        []transfer.Option
		versioning  bool
		wantRemoved bool // whether Expire takes the new object for one that is older than a day
	}{
		{name: "both clocks agree"},
		{name: "this machine is two days ahead", ahead: -2 * day},
		{name: "in a bucket that keeps versions", ahead: -2 * day, versioning: true},
		{
			name:        "WithNow sets another clock",
			ahead:       -2 * day,
			opts:        []transfer.Option{transfer.WithNow(time.Now)},
			wantRemoved: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := memstore.NewDriver(memstore.Config{Now: func() time.Time {
				return time.Now().Add(tt.ahead)
			}})
			b := engine.New(d, storage.WithVersioning(tt.versioning))
			put(t, b, "temp/k", "precious")
			rules := []transfer.ExpireRule{{Prefix: "temp/", Age: day}}
			if tt.versioning {
				rules[0].OldVersionsAge = day
			}

			_, err := transfer.Expire(t.Context(), b, rules, tt.opts...)
			require.NoError(t, err)
			want := map[string]string{"temp/k": "precious"}
			if tt.wantRemoved {
				want = map[string]string{}
			}
			require.Equal(t, want, contents(t, b))
		})
	}
}

// newBucketDenyingPuts returns a bucket that has the object "k" and denies further writes.
func newBucketDenyingPuts(t *testing.T) storage.Bucket {
	t.Helper()
	d := memstore.NewDriver(memstore.Config{})
	put(t, engine.New(d), "k", "precious")
	denied := faults.New(faults.Fail(faults.Put).WithError(storage.PermissionDenied))
	return engine.New(d, driver.WithLayer(denied.Layer()))
}

// To learn the time of the store, Expire writes an object and looks at its time. If Expire has no
// permission to write, it removes nothing, and its error mentions WithNow.
func TestExpireNeedsTheClockOfTheStore(t *testing.T) {
	b := newBucketDenyingPuts(t)

	_, err := transfer.Expire(t.Context(), b, []transfer.ExpireRule{{Age: time.Nanosecond}})
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "WithNow")
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, b))
}

// The report of Expire never mentions transfers. If Expire removed nothing, the report does not say
// that nothing was transferred.
func TestExpireReportsOnlyRemovals(t *testing.T) {
	report, err := transfer.Expire(t.Context(), memstore.New(), []transfer.ExpireRule{{Age: time.Hour}})
	require.NoError(t, err)
	require.Regexp(t, `^0 deleted in `, report.String())
}

// Expire without rules succeeds, and writes nothing to the bucket.
func TestExpireWithoutRules(t *testing.T) {
	b := newBucketDenyingPuts(t)

	report, err := transfer.Expire(t.Context(), b, transfer.ExpireRules())
	require.NoError(t, err)
	require.Zero(t, report.Deleted)
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, b))
}
