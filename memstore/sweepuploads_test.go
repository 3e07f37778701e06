package memstore_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/staleuploadtest"
	"github.com/omnibucket/storage/memstore"
)

const (
	day      = 24 * time.Hour
	staleAge = 7 * day // age at which a sweep removes an upload
)

// A testClock shows the time that was set. If at is not nil, the next reading of the clock calls it.
type testClock struct {
	now time.Time
	at  func()
}

func newClock() *testClock { return &testClock{now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)} }

// Now returns the time of the clock. Before its first return, it calls the function at.
func (c *testClock) Now() time.Time {
	if run := c.at; run != nil {
		c.at = nil
		run()
	}
	return c.now
}

func (c *testClock) advance(d time.Duration) { c.now = c.now.Add(d) }

// sweepUploads begins an upload, which discards expired ones, and aborts it.
func sweepUploads(t *testing.T, d driver.Driver) {
	t.Helper()
	require.NoError(t, d.AbortParts(t.Context(), "sweep", beginUpload(t, d, "sweep")))
}

// completeUpload makes an object of the parts of an upload.
func completeUpload(t *testing.T, d driver.Driver, key, upload string, parts ...driver.Part) error {
	t.Helper()
	_, err := d.CompleteParts(t.Context(),
		&driver.CompleteRequest{Put: &driver.PutRequest{Key: key}, Upload: upload, Parts: parts})
	return err
}

// A sweep removes an abandoned upload at the age that the bucket's lifecycle rules say, or at the age of a week.
func TestSweepDiscardsAbandonedUploads(t *testing.T) {
	for _, tt := range staleuploadtest.Cases {
		t.Run(tt.Name, func(t *testing.T) {
			clock := newClock()
			s := memstore.NewServiceDriver(memstore.ServiceConfig{Now: clock.Now})
			request := &driver.BucketRequest{Name: "b", Lifecycle: &staleuploadtest.Rules}
			_, err := s.CreateBucket(t.Context(), request)
			require.NoError(t, err)
			d, err := s.Driver("b")
			require.NoError(t, err)

			// Begin an upload, and send a part at the age tt.Part, unless that is 0.
			start := clock.now
			upload := beginUpload(t, d, tt.Key)
			var parts []driver.Part
			if tt.Part != 0 {
				clock.advance(tt.Part)
				parts = append(parts, putPart(t, d, tt.Key, upload, 1, "x"))
			}

			// Sweep at the age tt.Sweep.
			clock.now = start.Add(tt.Sweep)
			sweepUploads(t, d)

			// Only an upload that the sweep has kept can be completed.
			err = completeUpload(t, d, tt.Key, upload, parts...)
			if tt.Discarded {
				require.ErrorIs(t, err, storage.ObjectNotFound)
				return
			}
			require.NoError(t, err)
		})
	}
}

// After a sweep has removed an upload, calls with it fail as with an unknown upload.
func TestSweepForgetsDiscardedUpload(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "x")

	// The sweep removes the upload.
	clock.advance(staleAge)
	sweepUploads(t, d)

	// PutPart and CompleteParts fail. AbortParts succeeds, because there is nothing to abort.
	_, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("x"), Size: 1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.ErrorContains(t, err, upload)
	require.ErrorIs(t, completeUpload(t, d, "k", upload, part), storage.ObjectNotFound)
	require.NoError(t, d.AbortParts(t.Context(), "k", upload))
}

// A haltingDriver cancels the upload at its second part.
type haltingDriver struct {
	driver.Driver
	parts int
	halt  func()
}

func (d *haltingDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.parts++
	if d.parts == 2 {
		d.halt()
		return driver.Part{}, storage.Canceled
	}
	return d.Driver.PutPart(ctx, r)
}

// If a sweep has removed the upload that a WithResume file names, the next Upload starts over.
func TestSweepDiscardedUploadStartsOver(t *testing.T) {
	// The driver cancels the first upload at its second part.
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	canceledCtx, cancel := context.WithCancel(t.Context())
	b := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &haltingDriver{Driver: d, halt: cancel}
	}))

	// The journal is the file that names the upload.
	journal := filepath.Join(t.TempDir(), "upload")
	upload := func(ctx context.Context) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("aaaabbbbc"), storage.WithResume(journal),
			storage.WithPartSize(4), storage.WithConcurrency(1))
		return err
	}
	require.ErrorIs(t, upload(canceledCtx), storage.Canceled)
	require.FileExists(t, journal)

	clock.advance(staleAge + day)
	sweepUploads(t, d)

	require.NoError(t, upload(t.Context()))
	require.Equal(t, "aaaabbbbc", get(t, d, "k", ""))
	require.NoFileExists(t, journal)
}

// A bucket sweeps its uploads at most once an hour.
func TestSweepOnceAnHour(t *testing.T) {
	const halfHour = 30 * time.Minute
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	beginUpload(t, d, "first")
	clock.advance(halfHour)
	upload := beginUpload(t, d, "k")

	// There is a sweep when the first upload has become stale. The second one becomes stale half an hour later.
	clock.advance(staleAge - halfHour)
	sweepUploads(t, d)

	// Half an hour later, it is too early for another sweep, so the second upload stays.
	clock.advance(halfHour)
	sweepUploads(t, d)
	part := putPart(t, d, "k", upload, 1, "x")

	// A later sweep removes it.
	clock.advance(staleAge)
	sweepUploads(t, d)
	require.ErrorIs(t, completeUpload(t, d, "k", upload, part), storage.ObjectNotFound)
}

// Setting the clock back after a sweep does not delay the next sweep.
func TestSweepAfterClockWasAhead(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	clock.advance(100 * day)
	sweepUploads(t, d)
	clock.advance(-100 * day)

	upload := beginUpload(t, d, "k")
	clock.advance(staleAge)
	sweepUploads(t, d)
	require.ErrorIs(t, completeUpload(t, d, "k", upload), storage.ObjectNotFound)
}

// A sweep keeps an upload while a call stores a part of it or completes it, however long the call takes.
func TestSweepKeepsUploadInProgress(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	upload := beginUpload(t, d, "k")
	advance := func() {
		clock.advance(staleAge + day)
		sweepUploads(t, d)
	}

	// The end of the body advances the clock, so a sweep runs while PutPart reads it.
	body := &seekable{Reader: &endHookBody{Reader: strings.NewReader("x"), atEnd: advance}}
	part, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: body, Size: 1})
	require.NoError(t, err)

	// The next reading of the clock advances it. That is in CompleteParts, after it has joined the parts and before it
	// stores the object.
	clock.at = advance
	require.NoError(t, completeUpload(t, d, "k", upload, part))
	require.Nil(t, clock.at, "the clock was read")
	require.Equal(t, "x", get(t, d, "k", ""))
}

// A sweep removes an upload whose last calls have failed, because only a successful call counts as progress.
func TestSweepDiscardsUploadOfFailedCalls(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	put(t, d, "k", "old")
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "x")

	// The body of a second part fails after the first of four bytes.
	_, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 2,
		Body:   &seekable{failingBody("b", errBroken)},
		Size:   4,
	})
	require.ErrorIs(t, err, errBroken)

	// The condition of the completion does not hold, because the key has an object.
	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}},
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.ErrorIs(t, err, storage.PreconditionFailed)

	// The age of the upload counts from its first part, so that the sweep removes it.
	clock.advance(staleAge)
	sweepUploads(t, d)
	require.ErrorIs(t, completeUpload(t, d, "k", upload, part), storage.ObjectNotFound)
}
