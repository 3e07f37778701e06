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

const day = 24 * time.Hour

// A testClock shows the time that was set. If at is not nil, the next reading of the clock calls it.
type testClock struct {
	now time.Time
	at  func()
}

func newClock() *testClock { return &testClock{now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)} }

// Now returns the time of the clock. It first calls at, once.
func (c *testClock) Now() time.Time {
	if run := c.at; run != nil {
		c.at = nil
		run()
	}
	return c.now
}

func (c *testClock) advance(d time.Duration) { c.now = c.now.Add(d) }

// sweep begins an upload, which discards expired ones, and aborts it.
func sweep(t *testing.T, d driver.Driver) {
	t.Helper()
	require.NoError(t, d.AbortParts(t.Context(), "sweep", beginUpload(t, d, "sweep")))
}

// complete makes an object of parts.
func complete(t *testing.T, d driver.Driver, key, upload string, parts ...driver.Part) error {
	t.Helper()
	_, err := d.CompleteParts(t.Context(),
		&driver.CompleteRequest{Put: &driver.PutRequest{Key: key}, Upload: upload, Parts: parts})
	return err
}

// A sweep removes abandoned uploads as the bucket's lifecycle rules say.
func TestSweepDiscardsAbandonedUploads(t *testing.T) {
	for _, row := range staleuploadtest.Cases {
		t.Run(row.Name, func(t *testing.T) {
			clock := newClock()
			s := memstore.NewServiceDriver(memstore.ServiceConfig{Now: clock.Now})
			_, err := s.CreateBucket(t.Context(),
				&driver.BucketRequest{Name: "b", Lifecycle: &staleuploadtest.Rules})
			require.NoError(t, err)
			d, err := s.Driver("b")
			require.NoError(t, err)

			start := clock.now
			upload := beginUpload(t, d, row.Key)
			var parts []driver.Part
			if row.Part != 0 {
				clock.advance(row.Part)
				parts = append(parts, putPart(t, d, row.Key, upload, 1, "x"))
			}
			clock.now = start.Add(row.Sweep)
			sweep(t, d)

			err = complete(t, d, row.Key, upload, parts...)
			if row.Discarded {
				require.ErrorIs(t, err, storage.ObjectNotFound)
				return
			}
			require.NoError(t, err)
		})
	}
}

// Calls with an upload that a sweep has removed fail as for an unknown upload.
func TestSweepForgetsDiscardedUpload(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "x")
	clock.advance(7 * day)
	sweep(t, d)

	_, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("x"), Size: 1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.ErrorContains(t, err, upload)
	require.ErrorIs(t, complete(t, d, "k", upload, part), storage.ObjectNotFound)
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

// If a sweep has removed the upload of a WithResume file, the upload starts again.
func TestSweepDiscardedUploadStartsOver(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	ctx, cancel := context.WithCancel(t.Context())
	b := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return &haltingDriver{Driver: d, halt: cancel}
	}))
	journal := filepath.Join(t.TempDir(), "upload")

	upload := func(ctx context.Context) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("aaaabbbbc"), storage.WithResume(journal),
			storage.WithPartSize(4), storage.WithConcurrency(1))
		return err
	}
	require.ErrorIs(t, upload(ctx), storage.Canceled)
	require.FileExists(t, journal)

	clock.advance(8 * day)
	sweep(t, d)
	require.NoError(t, upload(t.Context()))
	require.Equal(t, "aaaabbbbc", get(t, d, "k", ""))
	require.NoFileExists(t, journal)
}

// Uploads are swept once an hour.
func TestSweepOnceAnHour(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	beginUpload(t, d, "k")
	clock.advance(30 * time.Minute)
	upload := beginUpload(t, d, "k")
	clock.advance(7*day - 30*time.Minute)
	sweep(t, d)
	clock.advance(30 * time.Minute)
	sweep(t, d)
	part := putPart(t, d, "k", upload, 1, "the last sweep was half an hour ago")
	clock.advance(7 * day)
	sweep(t, d)

	require.ErrorIs(t, complete(t, d, "k", upload, part), storage.ObjectNotFound)
}

// If the clock was ahead and is set back, the next sweep is not delayed.
func TestSweepAfterClockWasAhead(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	clock.advance(100 * day)
	sweep(t, d)
	clock.advance(-100 * day)
	upload := beginUpload(t, d, "k")
	clock.advance(7 * day)
	sweep(t, d)

	require.ErrorIs(t, complete(t, d, "k", upload), storage.ObjectNotFound)
}

// A sweep keeps an upload in progress.
func TestSweepKeepsUploadInProgress(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	upload := beginUpload(t, d, "k")
	advance := func() {
		clock.advance(8 * day)
		sweep(t, d)
	}
	body := &seekable{&endHookBody{strings.NewReader("x"), advance}}
	part, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: body, Size: 1})
	require.NoError(t, err, "the part takes eight days")

	clock.at = advance // the clock is read after the parts are joined and before the object is stored
	require.NoError(t, complete(t, d, "k", upload, part), "the completion takes eight days")
	require.Nil(t, clock.at)
	require.Equal(t, "x", get(t, d, "k", ""))
}

// A sweep removes an upload whose calls have all failed.
func TestSweepDiscardsUploadOfFailedCalls(t *testing.T) {
	clock := newClock()
	d := memstore.NewDriver(memstore.Config{Now: clock.Now})
	put(t, d, "k", "old")
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "x")

	_, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 2,
		Body:   &seekable{&endHookBody{Reader: failingBody("b", errBroken)}},
		Size:   4,
	})
	require.ErrorIs(t, err, errBroken)
	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}},
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.ErrorIs(t, err, storage.PreconditionFailed)

	clock.advance(7 * day)
	sweep(t, d)
	require.ErrorIs(t, complete(t, d, "k", upload, part), storage.ObjectNotFound)
}
