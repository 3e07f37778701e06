package filesapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// Sweep removes the parts of an upload when PartsTTL has passed since its last part came.
func TestPartsTTL(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		const partsTTL = 5 * time.Hour
		f := o.open(t, filesapi.StoreConfig{PartsTTL: partsTTL})
		f.sendPart(t, "a", part(1).of(3))
		f.clock.Advance(partsTTL - time.Second)
		f.sendPart(t, "b", part(2).of(3))

		// The second part has begun the time again.
		f.clock.Advance(partsTTL - time.Second)
		require.Equal(t, &uploads.SweepReport{}, f.sweep(t))

		// The time is over.
		f.clock.Advance(time.Second)
		require.Equal(t, &uploads.SweepReport{Uploads: 1}, f.sweep(t))
		require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))

		// The token can begin another upload, which has four parts.
		require.Nil(t, f.sendPart(t, "c", part(3).of(4)))
	})
}

// Sweep also removes idle uploads in a bucket without conditional removal.
func TestPartsTTLWithoutConditionalRemove(t *testing.T) {
	withoutRemoval := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalRemove}))
	f := newMemoryFixture(t, filesapi.StoreConfig{}, withoutRemoval)
	require.False(t, storage.Supports(f.bucket, storage.ConditionalRemove))
	f.sendPart(t, "a", part(1).of(2))
	f.clock.Advance(longIdle)
	require.Equal(t, &uploads.SweepReport{Uploads: 1}, f.sweep(t))
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}

// A token that has made a file can make another one when PartsTTL has passed, and not earlier.
func TestPartsTTLOfToken(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		const partsTTL = 5 * time.Hour
		f := o.open(t, filesapi.StoreConfig{PartsTTL: partsTTL})
		first := f.sendPart(t, "a", part(1).of(1))

		// Sweep keeps the used token, so it is refused.
		f.clock.Advance(partsTTL - time.Second)
		require.Equal(t, &uploads.SweepReport{}, f.sweep(t))
		_, err := f.store.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(1))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)

		// Sweep removes the used token, so it makes a second file.
		f.clock.Advance(time.Second)
		require.Equal(t, &uploads.SweepReport{Uploads: 1}, f.sweep(t))
		second := f.sendPart(t, "b", part(1).of(1))
		require.NotEqual(t, first.ID, second.ID)
		require.Equal(t, "a", readContent(t, f.store, first.ID))
	})
}

// callBefore runs f before the n-th call of a kind reaches the bucket.
// It counts the calls of that kind from 1, and runs f once.
func callBefore(kind string, n int, f func()) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == kind {
				n--
				if n == 0 {
					f()
				}
			}
			return next(ctx)
		})
	})
}

// refusingRecords is a database that fails its next calls of Create.
type refusingRecords struct {
	uploads.Records
	left int // calls of Create that fail
}

// Create fails r.left times, and then creates the record.
func (r *refusingRecords) Create(ctx context.Context, file *uploads.File) error {
	if r.left > 0 {
		r.left--
		return &storage.Error{Code: storage.Unavailable}
	}
	return r.Records.Create(ctx, file)
}

// If the record of a joined file could not be created, Sweep keeps the bytes until the upload expires, so that a late
// UploadPart can make the file.
func TestSweepKeepsBytesOfClaim(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// By default, PartsTTL and Grace are 24 hours.
		tests := []struct {
			name   string
			config filesapi.StoreConfig
			tries  int           // number of calls whose record cannot be created
			every  time.Duration // time after each call
		}{
			{
				name:  "a call every 13 hours continues the upload",
				tries: 3,
				every: 13 * time.Hour,
			},
			{
				name:   "PartsTTL is longer than Grace",
				config: filesapi.StoreConfig{PartsTTL: 7 * 24 * time.Hour},
				tries:  1,
				every:  25 * time.Hour,
			},
			{
				name:   "Grace is over at once",
				config: filesapi.StoreConfig{Grace: time.Nanosecond},
				tries:  2,
				every:  time.Hour,
			},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, tt.config)
				tt.config.Now = f.clock.Now
				refusing := &refusingRecords{Records: f.records, left: tt.tries}
				s, err := filesapi.NewStore(f.bucket, f.withStates(refusing), tt.config)
				require.NoError(t, err)
				f.sendPart(t, "a", part(1).of(2))

				// The record cannot be created, and Sweep removes nothing.
				for range tt.tries {
					_, err := s.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
					requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
					f.clock.Advance(tt.every)
					require.Equal(t, &uploads.SweepReport{}, f.sweep(t))
				}

				// A later call makes the file.
				record, err := s.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
				require.NoError(t, err)
				require.Equal(t, "ab", readContent(t, f.store, record.ID))
				requireRecordsMatchObjects(t, f.bucket, f.records)
			})
		}
	})
}

// Sweep keeps a temp file for TempAge after it was finished, even if the first call that made it has failed long before.
func TestSweepKeepsTempFileFinishedLate(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		tests := []struct {
			name           string
			failedInspects int // number of calls of Inspect that fail
			failedCreates  int // number of calls of Records.Create that fail
		}{
			{name: "the first inspection failed", failedInspects: 1},
			{name: "the first record was not created", failedCreates: 1},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				failures := tt.failedInspects
				inspect := func(context.Context, *filesapi.Record, *storage.ReaderAt) error {
					if failures > 0 {
						failures--
						return errors.New("the scanner is not there")
					}
					return nil
				}

				// The upload stays for two days, and a temp file for an hour.
				c := filesapi.StoreConfig{TempAge: time.Hour, PartsTTL: 48 * time.Hour, Inspect: inspect}
				f := o.open(t, c)
				c.Now = f.clock.Now
				refusing := &refusingRecords{Records: f.records, left: tt.failedCreates}

				s, err := filesapi.NewStore(f.bucket, f.withStates(refusing), c)
				require.NoError(t, err)

				// The first call fails, and a later one finishes the file.
				_, err = s.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(1))
				require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))
				f.clock.Advance(26 * time.Hour)
				f.sweep(t)
				record, err := s.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(1))
				require.NoError(t, err)

				// Sweep keeps the file as long as TempAge says.
				f.clock.Advance(59 * time.Minute)
				f.sweep(t)
				reader, _, err := s.DownloadTemp(t.Context(), record.ID)
				require.NoError(t, err)
				require.NoError(t, reader.Close())

				// After the upload has expired, Sweep removes it.
				f.clock.Advance(longIdle)
				f.sweep(t)
				require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
			})
		}
	})
}

// Sweep removes an expired upload together with the file that a killed process has joined from its parts.
func TestSweepRemovesBytesOfExpiredClaim(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))
		victim := f.openWithKiller(t, &killer{afterCall: "Compose"})
		_, err := victim.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
		require.ErrorIs(t, err, errDead)
		f.clock.Advance(longIdle)
		require.Equal(t, &uploads.SweepReport{Uploads: 1, Bytes: 1}, f.sweep(t))
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
		require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	})
}

// A killed process has joined the parts of a file. Sweep keeps these bytes if the client completes the upload during
// the Sweep.
func TestSweepWhileCallContinues(t *testing.T) {
	c := filesapi.StoreConfig{PartsTTL: 48 * time.Hour}
	f := newMemoryFixture(t, c)

	// One object will never have a record, and the joined object of the killed call has none yet.
	f.putObject(t, "files/client/"+uploads.NewID(f.clock.Now()))
	f.sendPart(t, "a", part(1).of(2))
	victim := f.openWithKiller(t, &killer{afterCall: "Compose"})
	_, err := victim.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	require.ErrorIs(t, err, errDead)
	f.clock.Advance(longIdle)

	// The client continues just before Sweep removes the bytes.
	var completed *filesapi.Record
	sweeping := f.openBeside(t, callBefore("Delete", 1, func() {
		completed = f.sendPart(t, "b", part(2).of(2))
	}))
	s, err := filesapi.NewStore(sweeping.bucket, f.records, c)
	require.NoError(t, err)
	report, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{Bytes: 1}, report)

	// The client has its file, and only the other object was removed.
	require.NotNil(t, completed)
	require.Equal(t, "ab", readContent(t, f.store, completed.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// A client sends a part before one of the steps of Sweep. The upload can be completed in each case: either Sweep keeps
// it, or the client sends the removed parts again.
func TestSweepDuringPart(t *testing.T) {
	tests := []struct {
		name     string
		call     string           // kind of the driver's call that makes the step
		number   int              // number of the call among those of its kind
		disabled storage.Features // features that the store lacks
		wantKept bool             // whether Sweep keeps the upload
	}{
		{name: "before Sweep reads the time", call: "Put", number: 1, wantKept: true},
		{name: "before Sweep asks whether the upload is in use", call: "Put", number: 2, wantKept: true},
		{name: "before Sweep aborts the upload", call: "Put", number: 3, wantKept: true},
		{name: "before Sweep lists the parts", call: "List", number: 3},
		{name: "before Sweep removes the parts", call: "Delete", number: 2},
		{name: "before Sweep removes the state", call: "Delete", number: 3},
		{
			name:     "before Sweep lists the parts, without conditional removal",
			call:     "List",
			number:   3,
			disabled: storage.ConditionalRemove,
		},
		{
			name:     "before Sweep removes the parts, without conditional removal",
			call:     "DeleteBatch",
			number:   1,
			disabled: storage.ConditionalRemove,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			f.sendPart(t, "a", part(1).of(3))
			f.clock.Advance(longIdle)

			// The client sends a part before the step.
			sent := 0
			sendSecondPart := callBefore(tt.call, tt.number, func() {
				sent++
				f.clock.Advance(time.Second)
				require.Nil(t, f.sendPart(t, "b", part(2).of(3)))
			})

			limits := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: tt.disabled}))
			sweeping := f.openBeside(t, sendSecondPart, limits)

			report, err := sweeping.store.Sweep(t.Context())

			require.NoError(t, err)
			require.Equal(t, 1, sent)
			if tt.wantKept {
				require.Equal(t, &uploads.SweepReport{}, report)
			} else {
				// Sweep has removed the first part, so it is sent again.
				require.Nil(t, f.sendPart(t, "a", part(1).of(3)))
			}

			// The last part completes the file.
			record := f.sendPart(t, "c", part(3).of(3))
			require.Equal(t, "abc", readContent(t, f.store, record.ID))
			requireRecordsMatchObjects(t, f.bucket, f.records)
		})
	}
}

// UploadPart does not report a part as stored if the upload has expired while the part arrived.
func TestSweepBeforePartArrives(t *testing.T) {
	tests := []struct {
		name   string
		part   int                            // number of the part that arrives, of 2
		expire func(t *testing.T, f *fixture) // removes the upload, or only a half of it
	}{
		{name: "the first part", part: 1, expire: sweepUpload},
		{name: "the last part", part: 2, expire: sweepUpload},
		{name: "the first part, and the sweep has died", part: 1, expire: sweepHalfOfUpload},
		{name: "the last part, and the sweep has died", part: 2, expire: sweepHalfOfUpload},
		{name: "the last part, and another upload has begun", part: 2, expire: sweepHalfAndBeginAgain},
	}
	runOnEachStore(t, func(t *testing.T, o opener) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, filesapi.StoreConfig{})
				f.sendPart(t, "a", part(1).of(2))

				// The part has begun to arrive.
				lateBody := newBlockedBody("late")
				late := f.startPart(t, lateBody, part(tt.part).of(2))
				lateBody.waitUntilRead()

				// The upload expires before the part has arrived.
				f.clock.Advance(longIdle)
				tt.expire(t, f)

				// The part arrives. Its call fails, and makes no file.
				lateBody.unblock()
				_, err := late.wait()
				requireRefused(t, err, "token", uploads.NotFound, storage.ObjectNotFound)
				require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

				// The part is removed at the latest by the second Sweep.
				for range 2 {
					f.clock.Advance(longIdle)
					f.sweep(t)
				}
				require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
			})
		}
	})
}

// sweepUpload runs a Sweep, which removes the upload.
func sweepUpload(t *testing.T, f *fixture) {
	require.Equal(t, &uploads.SweepReport{Uploads: 1}, f.sweep(t))
}

// sweepHalfOfUpload marks the upload as expired, but leaves its parts.
func sweepHalfOfUpload(t *testing.T, f *fixture) {
	failing, _ := f.openFaulty(t, faults.Fail(faults.Delete|faults.DeleteBatch), withoutRetry)
	_, err := failing.store.Sweep(t.Context())
	require.Error(t, err)
}

// sweepHalfAndBeginAgain marks the upload as expired, and begins another one with the same token.
func sweepHalfAndBeginAgain(t *testing.T, f *fixture) {
	sweepHalfOfUpload(t, f)
	f.sendPart(t, "another's", part(1).of(2))
}

// After a Sweep has died at any of its calls, the token can still make a file, from the parts that remain or from parts
// that are sent again.
func TestSweepDied(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// The Sweep dies at call 1, 2 and so on, until a Sweep ends before that call.
		for call, died := 1, true; died; call++ {
			// The upload is complete, but its parts could not be joined. Then it expires.
			f := o.open(t, filesapi.StoreConfig{})
			f.sendPart(t, "a", part(1).of(2))
			failing, _ := f.openFaulty(t, faults.Fail(faults.Compose), withoutRetry)
			_, err := failing.store.UploadPart(t.Context(), strings.NewReader("a"), part(2).of(2))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
			f.clock.Advance(longIdle)

			// A Sweep begins to remove the upload, and dies.
			sweepKiller := &killer{beforeCall: call}
			_, err = f.openWithKiller(t, sweepKiller).store.Sweep(t.Context())
			died = sweepKiller.dead
			require.Equal(t, died, err != nil)

			// The client sends both parts again, unless the first one completes the file.
			var record *filesapi.Record
			for number := 1; number <= 2 && record == nil; number++ {
				record, err = f.store.UploadPart(t.Context(), strings.NewReader("b"), part(number).of(2))
				require.NoError(t, err, "the sweep died before call %d", call)
			}
			require.NotNil(t, record)
			require.Contains(t, []string{"aa", "bb"}, readContent(t, f.store, record.ID))
			requireRecordsMatchObjects(t, f.bucket, f.records)
		}
	})
}
