package filesapi_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// If a call dies while it has the claim to join the parts, another call waits between one and two
// minutes, and then makes the file.
func TestTakeoverFromDeadCall(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.dieAfterJoiningParts(t)

		// The waits of the other call take no time, but are added up.
		waited := time.Duration(0)
		f.store.SetWait(func(_ context.Context, d time.Duration) error {
			waited += d
			return nil
		})

		record := f.sendPart(t, "b", part(2).of(2))
		require.Equal(t, "ab", readContent(t, f.store, record.ID))
		require.GreaterOrEqual(t, waited, time.Minute)
		require.Less(t, waited, 2*time.Minute)
		requireRecordsMatchObjectsAfterSweep(t, f)
	})
}

// dieAfterJoiningParts sends both parts of the file "ab". The process of the last call is killed
// after it has joined the parts. Its claim therefore stays.
func (f *fixture) dieAfterJoiningParts(t *testing.T) {
	t.Helper()
	f.sendPart(t, "a", part(1).of(2))
	dead := f.openWithKiller(t, &killer{afterCall: "Compose"})
	_, err := dead.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	require.ErrorIs(t, err, errDead)
}

// After a call has failed to join the parts, the next call makes the file without waiting. It would have to wait only
// if the process of the first call had been killed.
func TestTakeoverFromFailedCall(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))
		failing, _ := f.openFaulty(t, faults.Fail(faults.Compose).Nth(1), withoutRetry)
		_, err := failing.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
		requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)

		// A wait would make the next call fail.
		f.store.SetWait(func(context.Context, time.Duration) error { return errors.New("the call waits") })
		record := f.sendPart(t, "b", part(2).of(2))
		require.Equal(t, "ab", readContent(t, f.store, record.ID))
	})
}

// UploadPart ends with its context, even while it waits for another call.
func TestTakeoverWaitEndsWithContext(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// The next call waits for a dead one, and is canceled meanwhile.
		f := o.open(t, filesapi.StoreConfig{})
		f.dieAfterJoiningParts(t)
		ctx, cancel := context.WithCancel(t.Context())
		f.store.SetWait(func(callCtx context.Context, _ time.Duration) error {
			cancel()
			return callCtx.Err()
		})

		_, err := f.store.UploadPart(ctx, strings.NewReader("b"), part(2).of(2))
		require.Equal(t, uploads.Interrupted, uploads.CodeOf(err))
		require.ErrorIs(t, err, context.Canceled)
	})
}

// The call that makes a file loses the response to the creation of its record, and fails. If the
// file is then deleted and the call is repeated, the file stays deleted.
func TestTakeoverKeepsDeletedFileAway(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// Both parts were sent, and the last call has returned an error.
		f := o.open(t, filesapi.StoreConfig{})
		f.loseResponseOfCreate(t)

		// The file was made nevertheless. Delete it.
		ids := listIDs(t, f.store, uploads.Filter{}, 10)
		require.Len(t, ids, 1)
		require.NoError(t, f.store.Delete(t.Context(), ids[0]))

		// The last part is sent again, and its call does not make the file again.
		_, err := f.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// loseResponseOfCreate sends both parts of the file "ab". The last call makes the file, but loses the response to the
// creation of its record, and cannot read the record either.
func (f *fixture) loseResponseOfCreate(t *testing.T) {
	t.Helper()
	f.sendPart(t, "a", part(1).of(2))
	const createCall = 1 // Create is the first call of the records
	records := &blindRecords{&failingRecords{Records: f.records, n: createCall, lost: true}}
	s, err := filesapi.NewStore(f.openBeside(t).bucket, f.withStates(records), filesapi.StoreConfig{})
	require.NoError(t, err)
	_, err = s.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	requireRefused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
}

// openSlowStore returns a store whose calls are slow. After a call has joined the parts,
// beforeRecord runs, and then the call creates the record of the file.
func (f *fixture) openSlowStore(t *testing.T, beforeRecord func()) *filesapi.Store {
	t.Helper()
	records := f.withStates(lateRecords{Records: f.records, beforeCreate: beforeRecord})
	slow, err := filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{Now: f.clock.Now})
	require.NoError(t, err)
	return slow
}

// While a call is slow, another call makes the file, and the file is deleted. When the slow call goes on, it fails, and
// the file does not come back.
func TestTakeoverThenSlowCallResumes(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))

		// When the slow call has joined the parts, another call makes the file, which is then deleted.
		makeAndDelete := func() {
			file := f.sendPart(t, "b", part(2).of(2))
			require.Equal(t, "ab", readContent(t, f.store, file.ID))
			require.NoError(t, f.store.Delete(t.Context(), file.ID))
		}
		slow := f.openSlowStore(t, makeAndDelete)

		// The slow call fails.
		record, err := slow.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Nil(t, record)
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// A slow call still makes the file if its upload has expired, provided that the joined bytes are
// still there.
func TestTakeoverAfterUploadExpired(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))

	// When the call has joined the parts, the upload expires. Its state and its parts are removed, but not the joined
	// bytes, which are under another prefix.
	expire := func() {
		f.clock.Advance(longIdle)
		for _, key := range keysUnder(t, f.bucket, "files/parts/") {
			require.NoError(t, f.bucket.Remove(t.Context(), key))
		}
	}
	slow := f.openSlowStore(t, expire)

	record, err := slow.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	require.NoError(t, err)
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// A slow call fails if Sweep has removed its upload and the joined bytes in the meantime.
func TestTakeoverAfterUploadSwept(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))
	sweepUpload := func() {
		f.clock.Advance(longIdle)
		require.Equal(t, &uploads.SweepReport{Uploads: 1, Bytes: 1}, f.sweep(t))
	}
	slow := f.openSlowStore(t, sweepUpload)

	_, err := slow.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	require.Error(t, err)
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// UploadPart loses the response to the creation of its record. The next call with the token
// finishes the work: it removes the parts, and marks the state as complete.
func TestTakeoverFinishesWork(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		// Both parts were sent, and the file was made, but the call has returned an error.
		f := o.open(t, filesapi.StoreConfig{})
		f.loseResponseOfCreate(t)

		// The last part is sent again, and its call removes the parts. If the bucket has the states of uploads, the
		// state stays.
		record := f.sendPart(t, "b", part(2).of(2))
		require.Len(t, keysUnder(t, f.bucket, "files/parts/"), f.statesInBucket(), "only the state may be left")

		// The state is complete, so a further call does not even read its body.
		repeated, err := f.store.UploadPart(t.Context(), unreadBody{t}, part(2).of(2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Equal(t, record, repeated)
	})
}

// While a slow call joins the parts, another call takes over its claim and makes the file. Then a
// part arrives late. All three calls return the same record of one whole file.
func TestTakeoverThenLatePart(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		tests := []struct {
			name         string
			partsRemoved bool // whether the parts are gone when the slow call resumes
		}{
			{name: "parts still stored", partsRemoved: false},
			{name: "parts removed", partsRemoved: true},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := o.open(t, filesapi.StoreConfig{})
				f.sendPart(t, "a", part(1).of(2))

				// The late call has begun to send the first part again.
				lateBody := newBlockedBody("A, sent again")
				late := f.startPart(t, lateBody, part(1).of(2))
				lateBody.waitUntilRead()

				// The slow call has claimed the upload, and is about to join the parts.
				join := newBlockedCompose()
				slowStore := f.openBeside(t, driver.WithLayer(join.layer))
				slow := slowStore.startPart(t, strings.NewReader("b"), part(2).of(2))
				join.waitUntilCalled()

				// A third call takes over the claim, and makes the file. It also removes the parts,
				// unless the test makes that fail.
				injector := faults.New()
				if !tt.partsRemoved {
					injector.Set(faults.Fail(faults.DeleteBatch | faults.Delete))
				}
				third := f.openBeside(t, driver.WithLayer(injector.Layer()), withoutRetry)
				record := third.sendPart(t, "b", part(2).of(2))

				// The late part arrives, and then the slow call goes on.
				lateBody.unblock()
				lateRecord, lateErr := late.wait()
				join.unblock()
				slowRecord, slowErr := slow.wait()

				// All calls return the one file.
				require.NoError(t, lateErr)
				require.Equal(t, record, lateRecord)
				require.NoError(t, slowErr)
				require.Equal(t, record, slowRecord)
				require.Equal(t, "ab", readContent(t, f.store, record.ID))
				require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
				requireRecordsMatchObjectsAfterSweep(t, f)
			})
		}
	})
}

// If a part is replaced just before the parts are joined, the file has the new content of the part.
func TestTakeoverPartReplacedDuringJoin(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(2))

		// The late call has begun to send the first part again. It does not wait for other calls.
		impatient := f.openBeside(t)
		errNoPatience := errors.New("no patience")
		impatient.store.SetWait(func(context.Context, time.Duration) error { return errNoPatience })
		lateBody := newBlockedBody("A, sent again, ")
		lateCall := impatient.startPart(t, lateBody, part(1).of(2))
		lateBody.waitUntilRead()

		// Another call completes the upload, and is about to join the parts.
		join := newBlockedCompose()
		joiningStore := f.openBeside(t, driver.WithLayer(join.layer))
		joiningCall := joiningStore.startPart(t, strings.NewReader("b"), part(2).of(2))
		join.waitUntilCalled()

		// The late part arrives. Its call fails, because it would have to wait for the join.
		lateBody.unblock()
		_, err := lateCall.wait()
		require.ErrorIs(t, err, errNoPatience)

		// Then the parts are joined, and the file has the late part.
		join.unblock()
		record, err := joiningCall.wait()
		require.NoError(t, err)
		require.Equal(t, "A, sent again, b", readContent(t, f.store, record.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// A blockedCompose makes the first Compose of a bucket wait for the call of unblock.
type blockedCompose struct {
	called    chan struct{} // is closed when the Compose waits
	unblocked chan struct{}
	once      sync.Once
}

func newBlockedCompose() *blockedCompose {
	return &blockedCompose{called: make(chan struct{}), unblocked: make(chan struct{})}
}

// layer is the layer of a bucket whose Compose is blocked.
func (b *blockedCompose) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		if call == "Compose" {
			b.once.Do(func() {
				close(b.called)
				<-b.unblocked
			})
		}
		return next(ctx)
	})
}

// waitUntilCalled waits until a call is about to compose.
func (b *blockedCompose) waitUntilCalled() { <-b.called }

func (b *blockedCompose) unblock() { close(b.unblocked) }
