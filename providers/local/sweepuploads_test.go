package local

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/staleuploadtest"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

// A setClock shows the time that was set.
type setClock struct{ time.Time }

// tweak makes a driver use the clock.
func (c *setClock) tweak(d *objectDriver) { d.bucket.Clock.Now = func() time.Time { return c.Time } }

// pass sets the clock forward.
func (c *setClock) pass(d time.Duration) { c.Time = c.Add(d) }

// atNoon returns a clock that stands still.
func atNoon() *setClock { return &setClock{time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)} }

// setLifecycle stores the lifecycle rules of the bucket.
func (bucket *testBucket) setLifecycle(rules ...storage.LifecycleRule) {
	bucket.t.Helper()
	live, err := bucket.driver.acquire(bucket.t.Context())
	require.NoError(bucket.t, err)
	defer bucket.driver.release(live)
	require.NoError(bucket.t,
		live.Settings.Save(context.Background(), bucketstore.BucketSettings{Lifecycle: rules}))
}

// partOf sends part 1 of an upload.
func (bucket *testBucket) partOf(key, upload string, body io.Reader) (driver.Part, error) {
	return bucket.driver.PutPart(bucket.t.Context(),
		&driver.PartRequest{Key: key, Upload: upload, Number: 1, Body: readOnce{body}, Size: -1})
}

// A readOnce satisfies io.ReadSeeker.
type readOnce struct{ io.Reader }

func (readOnce) Seek(int64, int) (int64, error) { return 0, nil }

// complete makes the object of an upload.
func (bucket *testBucket) complete(key, upload string, parts ...driver.Part) error {
	return errorOf(bucket.driver.CompleteParts(bucket.t.Context(),
		&driver.CompleteRequest{Put: &driver.PutRequest{Key: key}, Upload: upload, Parts: parts}))
}

// uploadDir returns the path of the directory of an upload.
func (bucket *testBucket) uploadDir(upload string) string {
	return filepath.Join(bucket.root, filepath.FromSlash(uploadPath(upload)))
}

// Opening a bucket and BeginParts discard the uploads that have become too old, and no others. Each case, such as "a
// week after its last part", says when the upload gets its last part and when it is swept.
func TestSweepDiscardsAbandonedUploads(t *testing.T) {
	sweeps := []struct {
		name string
		run  func(t *testing.T, bucket *testBucket, c *setClock)
	}{
		{
			name: "when opening",
			run: func(t *testing.T, bucket *testBucket, c *setClock) {
				reopenTestBucket(t, bucket.root, c.tweak)
			},
		},
		{
			name: "in BeginParts",
			run: func(t *testing.T, bucket *testBucket, _ *setClock) {
				upload := bucket.begin(&driver.PutRequest{Key: "k"})
				require.NoError(t, bucket.driver.AbortParts(t.Context(), "k", upload))
			},
		},
	}
	for _, tt := range staleuploadtest.Cases {
		for _, sweep := range sweeps {
			t.Run(tt.Name+" "+sweep.name, func(t *testing.T) {
				clock := atNoon()
				bucket := newTestBucket(t, clock.tweak)
				bucket.setLifecycle(staleuploadtest.Rules...)

				// Begin an upload. If it has a part, send that at the time tt.Part after the beginning.
				beginning := *clock
				upload := bucket.begin(&driver.PutRequest{Key: tt.Key})
				var parts []driver.Part
				if tt.Part != 0 {
					clock.pass(tt.Part)
					part, err := bucket.partOf(tt.Key, upload, strings.NewReader("x"))
					require.NoError(t, err)
					parts = append(parts, part)
				}

				// Sweep at the time tt.Sweep after the beginning.
				*clock = beginning
				clock.pass(tt.Sweep)
				sweep.run(t, bucket, clock)

				// An upload that was kept can be completed.
				if tt.Discarded {
					require.Empty(t, bucket.uploads())
				} else {
					require.NoError(t, bucket.complete(tt.Key, upload, parts...))
				}
			})
		}
	}
}

// PutPart and CompleteParts fail with ErrUpload if a sweep has removed the upload, and AbortParts succeeds.
func TestSweepDiscardedUploadUnknown(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)
	upload := bucket.begin(&driver.PutRequest{Key: "k"})
	part := bucket.part(upload, 1, "x")

	// More than a week later, another driver opens the bucket, and its sweep removes the upload.
	clock.pass(8 * day)
	reopenTestBucket(t, bucket.root, clock.tweak)

	_, err := bucket.partOf("k", upload, strings.NewReader("x"))
	require.Equal(t, error(bucketstore.ErrUpload), err)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, error(bucketstore.ErrUpload), bucket.complete("k", upload, part))
	require.NoError(t, bucket.driver.AbortParts(t.Context(), "k", upload))

	require.Empty(t, bucket.uploads())
	require.Empty(t, bucket.leftovers())
}

// A haltingDriver cancels the upload at its second part.
type haltingDriver struct {
	driver.Driver
	parts int
	halt  func()
}

// PutPart sends a part, unless it is the second one.
func (d *haltingDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.parts++
	if d.parts == 2 {
		d.halt()
		return driver.Part{}, storage.Canceled
	}
	return d.Driver.PutPart(ctx, r)
}

// Upload with WithResume begins a new upload if a sweep has removed the one that its journal, a file, names.
func TestWithResumeOfDiscardedUpload(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)

	// The driver of this bucket cancels ctx at the second part.
	ctx, cancel := context.WithCancel(t.Context())
	b := engine.New(bucket.driver, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &haltingDriver{Driver: d, halt: cancel}
	}))

	// upload sends three parts, one after the other.
	journal := filepath.Join(t.TempDir(), "upload")
	upload := func(ctx context.Context) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("aaaabbbbc"),
			storage.WithResume(journal),
			storage.WithPartSize(4),
			storage.WithConcurrency(1))
		return err
	}

	// The upload is canceled, and leaves its journal.
	require.ErrorIs(t, upload(ctx), storage.Canceled)
	require.FileExists(t, journal)
	require.Len(t, bucket.uploads(), 1)

	// More than a week later, another driver opens the bucket, and its sweep removes the upload.
	clock.pass(8 * day)
	reopenTestBucket(t, bucket.root, clock.tweak)
	require.Empty(t, bucket.uploads())

	// A new upload sends all parts.
	require.NoError(t, upload(t.Context()))
	require.Equal(t, "aaaabbbbc", bucket.get("k"))
	require.NoFileExists(t, journal)
}

// While a bucket is open, BeginParts removes old uploads at most once an hour.
func TestSweepOnceAnHour(t *testing.T) {
	const halfAnHour = 30 * time.Minute
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)
	begin := func() string { return bucket.begin(&driver.PutRequest{Key: "k"}) }

	// The second upload is half an hour younger than the first one.
	first := begin()
	clock.pass(halfAnHour)
	second := begin()

	// A week after the first upload, a sweep removes it.
	clock.pass(7*day - halfAnHour)
	begin()
	require.NoDirExists(t, bucket.uploadDir(first))

	// A week after the second upload, the last sweep was only half an hour ago.
	clock.pass(halfAnHour)
	begin()
	require.DirExists(t, bucket.uploadDir(second))

	// An hour after the last sweep, BeginParts sweeps again.
	clock.pass(halfAnHour)
	begin()
	require.NoDirExists(t, bucket.uploadDir(second))
}

// If the clock is set back after a sweep, the next sweep is not delayed until the old time.
func TestSweepClockWasAhead(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)

	// BeginParts sweeps while the clock is 100 days ahead, so that the last sweep seems to be in the future.
	clock.pass(100 * day)
	early := bucket.begin(&driver.PutRequest{Key: "k"})
	require.NoError(t, bucket.driver.AbortParts(t.Context(), "k", early))
	clock.pass(-100 * day)

	// After a week, an upload is abandoned, and the next BeginParts sweeps it.
	abandoned := bucket.begin(&driver.PutRequest{Key: "k"})
	clock.pass(7 * day)
	bucket.begin(&driver.PutRequest{Key: "k"})
	require.NoDirExists(t, bucket.uploadDir(abandoned))
}

// BeginParts discards an upload that is older than a lifecycle rule permits, also in a bucket of a service.
func TestSweepBucketOfService(t *testing.T) {
	clock := atNoon()
	root := t.TempDir()
	service, err := NewServiceDriver(root, Config{NoSync: true, Now: func() time.Time { return clock.Time }})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, service.Close())
	}()

	// The lifecycle of the bucket aborts uploads after a day.
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{
		Name:      "b",
		Lifecycle: &[]storage.LifecycleRule{{AbortUploadsAfterDays: 1}},
	})
	require.NoError(t, err)
	bucket := service.(*serviceDriver).bucket(t, "b", root)

	// Begin two uploads, a day apart.
	abandoned := bucket.begin(&driver.PutRequest{Key: "k"})
	clock.pass(day)
	bucket.begin(&driver.PutRequest{Key: "k"})

	// Only the second one is left.
	require.NoDirExists(t, bucket.uploadDir(abandoned))
	require.Len(t, bucket.uploads(), 1)
}

// Concurrent sweeps remove abandoned uploads and keep the others.
func TestSweepConcurrently(t *testing.T) {
	wineCannot(t, lockedStays)
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)

	// At the time of the sweep, 50 uploads are eight days old, which is too old, and one is two days old.
	for range 50 {
		abandoned := bucket.begin(&driver.PutRequest{Key: "k"})
		bucket.part(abandoned, 1, "x")
	}
	clock.pass(6 * day)
	recent := bucket.begin(&driver.PutRequest{Key: "k"})
	part := bucket.part(recent, 1, "kept")
	clock.pass(2 * day)

	// Each driver sweeps when it is opened.
	var sweeps sync.WaitGroup
	for range 4 {
		sweeps.Go(func() {
			reopenTestBucket(t, bucket.root, clock.tweak)
		})
	}
	sweeps.Wait()

	require.Equal(t, []string{bucket.uploadDir(recent)}, bucket.uploads())
	require.NoError(t, bucket.complete("k", recent, part))
	require.Equal(t, "kept", bucket.get("k"))
}

// If the settings cannot be read, a sweep ignores the lifecycle rules, and removes uploads after a week.
func TestSweepWithoutReadableSettings(t *testing.T) {
	clock := atNoon()
	bucket := newTestBucket(t, clock.tweak)

	// One upload is a week old at the sweep, and one is a day old.
	bucket.begin(&driver.PutRequest{Key: "k"})
	clock.pass(6 * day)
	recent := bucket.begin(&driver.PutRequest{Key: "k"})
	bucket.write(bucketdir.SettingsPath, `{"lifecycle": [{"AbortUploadsAfterDays": 1}], "created": false}`)
	clock.pass(day)

	reopenTestBucket(t, bucket.root, clock.tweak)
	require.Equal(t, []string{bucket.uploadDir(recent)}, bucket.uploads())
}
