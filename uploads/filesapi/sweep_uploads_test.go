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

		// The second part has started the time again.
		f.clock.Advance(partsTTL - time.Second)
		require.Equal(t, &uploads.SweepReport{}, f.sweep(t))

		// Now PartsTTL has passed since the second part came.
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

		// Sweep removes the used token. The client can then make a second file with it.
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

// refusingRecords is a database whose next calls of Create fail.
type refusingRecords struct {
	uploads.Records
	failures int // calls of Create that fail from now on
}

// Create fails r.failures times, and then creates the record.
func (r *refusingRecords) Create(ctx context.Context, file *uploads.File) error {
	if r.failures > 0 {
		r.failures--
		return &storage.Error{Code: storage.Unavailable}
	}
	return r.Records.Create(ctx, file)
}

// If a call has joined the parts, but could not create the record, Sweep keeps the joined bytes
// until the upload expires. A later call then creates the record for these bytes.
func TestSweepKeepsBytesOfClaim(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// By default, PartsTTL and Grace are 24 hours.
		tests := []struct {
			name        string
			config      filesapi.StoreConfig
			failedCalls int           // number of calls whose record cannot be created
			interval    time.Duration // time after each call
		}{
			{
				name:        "several calls, together longer than PartsTTL",
				failedCalls: 3,
				interval:    13 * time.Hour,
			},
			{
				name:        "PartsTTL is longer than Grace",
				config:      filesapi.StoreConfig{PartsTTL: 7 * 24 * time.Hour},
				failedCalls: 1,
				interval:    25 * time.Hour,
			},
			{
				name:        "Grace is over at once",
				config:      filesapi.StoreConfig{Grace: time.Nanosecond},
				failedCalls: 2,
				interval:    time.Hour,
			},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, tt.config)
				config := tt.config
				config.Now = f.clock.Now

				// The first calls of Create of the records fail.
				refusing := &refusingRecords{Records: f.records, failures: tt.failedCalls}
				s, err := filesapi.NewStore(f.bucket, f.withStates(refusing), config)
				require.NoError(t, err)
				f.sendPart(t, "a", part(1).of(2))

				// The last part is sent several times. Each time, the call joins the parts, but
				// fails, and Sweep removes nothing.
				for range tt.failedCalls {
					_, err := s.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
					requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
					f.clock.Advance(tt.interval)
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

// The age of a temp file counts from the moment at which the file was finished. It does so even if
// an earlier call has failed to finish the file long before.
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
				// Inspect fails as often as the test says, and so does Create of the records.
				failures := tt.failedInspects
				inspect := func(context.Context, *filesapi.Record, *storage.ReaderAt) error {
					if failures > 0 {
						failures--
						return errors.New("the scanner is not there")
					}
					return nil
				}

				const (
					tempAge  = time.Hour
					partsTTL = 48 * time.Hour
				)
				c := filesapi.StoreConfig{TempAge: tempAge, PartsTTL: partsTTL, Inspect: inspect}
				f := o.open(t, c)
				c.Now = f.clock.Now
				refusing := &refusingRecords{Records: f.records, failures: tt.failedCreates}
				s, err := filesapi.NewStore(f.bucket, f.withStates(refusing), c)
				require.NoError(t, err)

				// The first call with the only part fails.
				_, err = s.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(1))
				require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))

				// A later call finishes the file. At that time, the part is older than TempAge and
				// younger than PartsTTL.
				const longerThanTempAge = 26 * time.Hour
				f.clock.Advance(longerThanTempAge)
				f.sweep(t)
				record, err := s.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(1))
				require.NoError(t, err)

				// Sweep keeps the file until it has the age of TempAge.
				f.clock.Advance(tempAge - time.Minute)
				f.sweep(t)
				reader, _, err := s.DownloadTemp(t.Context(), record.ID)
				require.NoError(t, err)
				require.NoError(t, reader.Close())

				// Sweep removes the file when it is older.
				f.clock.Advance(longIdle)
				f.sweep(t)
				require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
			})
		}
	})
}

// A process was killed after it had joined the parts of a file. When the upload expires, Sweep removes the joined
// bytes, too.
func TestSweepRemovesBytesOfExpiredClaim(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.dieAfterJoiningParts(t)
		f.clock.Advance(longIdle)
		require.Equal(t, &uploads.SweepReport{Uploads: 1, Bytes: 1}, f.sweep(t))
		require.Empty(t, keysUnder(t, f.bucket, "files/client/"))
		require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	})
}

// A process was killed after it had joined the parts of a file, and before it created the record. Sweep keeps the
// joined bytes if the client completes the upload during the Sweep.
func TestSweepWhileCallContinues(t *testing.T) {
	c := filesapi.StoreConfig{PartsTTL: 48 * time.Hour}
	f := newMemoryFixture(t, c)

	// Two objects have no record. The first one never gets a record. The second one was joined by
	// the killed call, and may still get one.
	f.putObject(t, "files/client/"+uploads.NewID(f.clock.Now()))
	f.dieAfterJoiningParts(t)
	f.clock.Advance(longIdle)

	// Just before Sweep removes the first object, the client sends the last part again. That
	// completes the file.
	const firstDelete = 1
	var completed *filesapi.Record
	sweeping := f.openBeside(t, callBefore("Delete", firstDelete, func() {
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

// A client sends a part during Sweep, just before one of its steps. The upload can be completed in each case: either
// Sweep keeps it, or the client sends the removed parts again.
func TestSweepDuringPart(t *testing.T) {
	tests := []struct {
		name     string
		call     string           // kind of the call to the store that makes the step
		number   int              // number of the call among those of its kind, from 1
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

			// The client sends the second part just before the step.
			sent := 0
			sendBeforeStep := callBefore(tt.call, tt.number, func() {
				sent++
				f.clock.Advance(time.Second)
				require.Nil(t, f.sendPart(t, "b", part(2).of(3)))
			})

			// Sweep the expired upload.
			limits := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: tt.disabled}))
			sweeping := f.openBeside(t, sendBeforeStep, limits)
			report, err := sweeping.store.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, sent, "Sweep has no such step")

			// Either the upload was kept, or Sweep has removed the first part, and the client sends it again.
			if tt.wantKept {
				require.Equal(t, &uploads.SweepReport{}, report)
			} else {
				require.Nil(t, f.sendPart(t, "a", part(1).of(3)))
			}

			// The last part completes the file.
			record := f.sendPart(t, "c", part(3).of(3))
			require.Equal(t, "abc", readContent(t, f.store, record.ID))
			requireRecordsMatchObjects(t, f.bucket, f.records)
		})
	}
}

// UploadPart fails with NotFound if Sweep removes the upload while the part arrives.
func TestSweepBeforePartArrives(t *testing.T) {
	tests := []struct {
		name   string
		part   int                            // number of the part that arrives, of 2
		expire func(t *testing.T, f *fixture) // removes the upload, at least in part
	}{
		{name: "part 1, swept", part: 1, expire: sweepUpload},
		{name: "part 2, swept", part: 2, expire: sweepUpload},
		{name: "part 1, sweep failed halfway", part: 1, expire: failSweepHalfway},
		{name: "part 2, sweep failed halfway", part: 2, expire: failSweepHalfway},
		{name: "part 2, sweep failed halfway, token used again", part: 2, expire: failSweepHalfwayAndBeginAgain},
	}
	runOnEachStore(t, func(t *testing.T, o opener) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, filesapi.StoreConfig{})
				f.sendPart(t, "a", part(1).of(2))

				// The part begins to arrive.
				lateBody := newBlockedBody("late")
				late := f.startPart(t, lateBody, part(tt.part).of(2))
				lateBody.waitUntilRead()

				// The upload expires.
				f.clock.Advance(longIdle)
				tt.expire(t, f)

				// The rest of the part arrives. Its call fails, and makes no file.
				lateBody.unblock()
				_, err := late.wait()
				requireRefused(t, err, "token", uploads.NotFound, storage.ObjectNotFound)
				require.Empty(t, keysUnder(t, f.bucket, "files/client/"))

				// The part that arrived late is removed by the next Sweep, or by the one after that.
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

// failSweepHalfway runs a Sweep that marks the upload as expired, but then fails to remove the
// parts of the upload.
func failSweepHalfway(t *testing.T, f *fixture) {
	failing, _ := f.openFaulty(t, faults.Fail(faults.Delete|faults.DeleteBatch), withoutRetry)
	_, err := failing.store.Sweep(t.Context())
	require.Error(t, err)
}

// failSweepHalfwayAndBeginAgain runs failSweepHalfway, and then begins another upload with the same
// token.
func failSweepHalfwayAndBeginAgain(t *testing.T, f *fixture) {
	failSweepHalfway(t, f)
	f.sendPart(t, "another's", part(1).of(2))
}

// A Sweep is killed while it removes an expired upload in parts. Then the client can still complete the upload, with
// the parts that remain or with parts that it sends again.
func TestSweepDied(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// Kill the Sweep before call 1, in the next round before call 2, and so on. The last Sweep
		// makes fewer calls, and ends.
		for call, killed := 1, true; killed; call++ {
			// Both parts have arrived, but the store could not join them. Then the upload expires.
			f := o.open(t, filesapi.StoreConfig{})
			f.sendPart(t, "a", part(1).of(2))
			failing, _ := f.openFaulty(t, faults.Fail(faults.Compose), withoutRetry)
			_, err := failing.store.UploadPart(t.Context(), strings.NewReader("a"), part(2).of(2))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
			f.clock.Advance(longIdle)

			// A Sweep begins to remove the upload, and is killed.
			sweepKiller := &killer{beforeCall: call}
			_, err = f.openWithKiller(t, sweepKiller).store.Sweep(t.Context())
			killed = sweepKiller.dead
			require.Equal(t, killed, err != nil)

			// The client sends the first part again, which completes the file unless Sweep has removed the second part.
			record, err := f.store.UploadPart(t.Context(), strings.NewReader("b"), part(1).of(2))
			require.NoError(t, err, "killed before call %d", call)
			if record == nil {
				record = f.sendPart(t, "b", part(2).of(2))
			}
			require.NotNil(t, record)
			require.Contains(t, []string{"aa", "bb"}, readContent(t, f.store, record.ID))
			requireRecordsMatchObjects(t, f.bucket, f.records)
		}
	})
}
