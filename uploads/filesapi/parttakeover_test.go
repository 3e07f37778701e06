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

// If a call dies while it holds the claim to join, another call waits between one and two minutes, and then makes
// the file.
func TestTakeoverFromDeadCall(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		dead := f.mortal(t, &death{after: "Compose"})
		_, err := dead.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		require.ErrorIs(t, err, errDead)

		var delay time.Duration
		f.store.SetWait(func(_ context.Context, d time.Duration) error {
			delay += d
			return nil
		})
		r := f.send(t, "b", part(token, 2, 2))
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		require.GreaterOrEqual(t, delay, time.Minute)
		require.Less(t, delay, 2*time.Minute)
		requireConsistentAfterSweep(t, f)
	})
}

// If the call that holds the claim fails but is alive, other calls do not wait.
func TestTakeoverFromFailedCall(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		failing, _ := f.faulty(t, faults.Fail(faults.Compose).Nth(1), 1)
		_, err := failing.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)

		f.store.SetWait(func(context.Context, time.Duration) error { return errors.New("nobody waits") })
		require.Equal(t, "ab", readContent(t, f.store, f.send(t, "b", part(token, 2, 2)).ID))
	})
}

// While UploadPart waits for another call, it ends when its context ends.
func TestTakeoverWaitEndsWithContext(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		_, err := f.mortal(t, &death{after: "Compose"}).store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		require.ErrorIs(t, err, errDead)

		ctx, cancel := context.WithCancel(t.Context())
		f.store.SetWait(func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		})
		_, err = f.store.UploadPart(ctx, strings.NewReader("b"), part(token, 2, 2))
		require.Equal(t, uploads.Interrupted, uploads.CodeOf(err))
		require.ErrorIs(t, err, context.Canceled)
	})
}

// If a call loses the response to its record's creation, and the file is deleted, the next call with the token
// fails with Completed. The file stays deleted.
func TestTakeoverKeepsDeletedFileAway(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		dead := f.beside(t)
		records := &blindRecords{&failingRecords{Records: f.records, n: 1, lost: true}} // its Create
		s, err := filesapi.NewStore(dead.bucket, f.instead(records), filesapi.StoreConfig{})
		require.NoError(t, err)

		_, err = s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		requireRefused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
		ids := listIDs(t, f.store, uploads.Filter{}, 10)
		require.Len(t, ids, 1)
		require.NoError(t, f.store.Delete(t.Context(), ids[0]))

		_, err = f.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
		requireConsistent(t, f.bucket, f.records)
	})
}

// A slow call resumes after another call has made the file and the file was deleted. The slow call brings back
// neither the file nor its record.
func TestTakeoverThenSlowCallResumes(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		wakes := lateRecords{f.records, func() {
			r := f.send(t, "b", part(token, 2, 2)) // by another, which waited for a minute
			require.Equal(t, "ab", readContent(t, f.store, r.ID))
			require.NoError(t, f.store.Delete(t.Context(), r.ID))
		}}
		s, err := filesapi.NewStore(f.bucket, f.instead(wakes), filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)

		record, err := s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Nil(t, record)
		require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
		requireConsistent(t, f.bucket, f.records)
	})
}

// If a slow call resumes after its upload has expired, it makes the file if the joined bytes are still there, and
// otherwise fails.
func TestTakeoverAfterUploadExpired(t *testing.T) {
	for name, sweeps := range map[string]int{"the bytes are there": 0, "the bytes were swept": 1} {
		t.Run(name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			f.send(t, "a", part(token, 2, 1))
			wakes := lateRecords{f.records, func() {
				f.clock.Advance(25 * time.Hour)
				if sweeps > 0 {
					require.Equal(t, &uploads.SweepReport{Uploads: 1, Bytes: 1}, f.sweep(t))
					return
				}
				for _, key := range keysUnder(t, f.bucket, "files/parts/") {
					require.NoError(t, f.bucket.Remove(t.Context(), key))
				}
			}}
			s, err := filesapi.NewStore(f.bucket, f.instead(wakes), filesapi.StoreConfig{Now: f.clock.Now})
			require.NoError(t, err)
			r, err := s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
			if sweeps > 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, "ab", readContent(t, f.store, r.ID))
			}
			requireConsistent(t, f.bucket, f.records)
		})
	}
}

// If UploadPart loses the response to its record's creation, the next call with the token removes the parts and
// completes the state.
func TestTakeoverFinishesWork(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		dying := f.beside(t)
		s, err := filesapi.NewStore(dying.bucket, f.instead(&blindRecords{&failingRecords{Records: f.records, n: 1, lost: true}}), filesapi.StoreConfig{})
		require.NoError(t, err)

		_, err = s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		requireRefused(t, err, "", uploads.StoreFailed, storage.OutcomeUnknown)
		r := f.send(t, "b", part(token, 2, 2))
		require.Len(t, keysUnder(t, f.bucket, "files/parts/"), f.statesInBucket(), "what tells that the token was used")

		second, err := f.store.UploadPart(t.Context(), unread{t}, part(token, 2, 2))
		requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		require.Equal(t, r, second)
	})
}

// A slow call, whose claim another call has taken over, resumes after the file is made and a late part has
// arrived. There is still one whole file.
func TestTakeoverThenLatePart(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		for name, tidied := range map[string]bool{"its parts are there": false, "its parts are gone": true} {
			t.Run(name, func(t *testing.T) {
				f := o.open(t, filesapi.StoreConfig{})
				f.send(t, "a", part(token, 2, 1))
				slow, inside := newGate("A, sent again")
				var late, sleeping sync.WaitGroup
				records := make([]*filesapi.Record, 2)
				errs := make([]error, 2)
				late.Go(func() {
					records[0], errs[0] = f.store.UploadPart(t.Context(), slow, part(token, 2, 1))
				})
				<-inside

				asleep := newComposeGate()
				sleeper := f.beside(t, driver.WithLayer(asleep.layer))
				sleeping.Go(func() {
					records[1], errs[1] = sleeper.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
				})
				<-asleep.inside

				injector := faults.New()
				if !tidied {
					injector.Set(faults.Fail(faults.DeleteBatch | faults.Delete))
				}
				s := f.beside(t, driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
				r := s.send(t, "b", part(token, 2, 2))
				close(slow.open)
				late.Wait()
				close(asleep.open)
				sleeping.Wait()

				for i := range records {
					require.NoError(t, errs[i])
					require.Equal(t, r, records[i])
				}
				require.Equal(t, "ab", readContent(t, f.store, r.ID))
				require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
				requireConsistentAfterSweep(t, f)
			})
		}
	})
}

// A part may be replaced while the parts are joined.
func TestTakeoverPartReplacedDuringJoin(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 2, 1))
		slow, inside := newGate("A, sent again, ")
		impatient := f.beside(t)
		nobodyWaits := errors.New("nobody waits")
		impatient.store.SetWait(func(context.Context, time.Duration) error { return nobodyWaits })
		var late, joining sync.WaitGroup
		var failure, err error
		late.Go(func() {
			_, failure = impatient.store.UploadPart(t.Context(), slow, part(token, 2, 1))
		})
		<-inside
		gate := newComposeGate()
		joiner := f.beside(t, driver.WithLayer(gate.layer))
		var r *filesapi.Record
		joining.Go(func() {
			r, err = joiner.store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
		})
		<-gate.inside
		close(slow.open)

		late.Wait()
		require.ErrorIs(t, failure, nobodyWaits)
		close(gate.open)
		joining.Wait()
		require.NoError(t, err)
		require.Equal(t, "A, sent again, b", readContent(t, f.store, r.ID))
		requireConsistent(t, f.bucket, f.records)
	})
}

// A composeGate blocks the first Compose until it is opened.
type composeGate struct {
	inside, open chan struct{}
	once         sync.Once
}

func newComposeGate() *composeGate {
	return &composeGate{inside: make(chan struct{}), open: make(chan struct{})}
}

func (g *composeGate) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		if call == "Compose" {
			g.once.Do(func() {
				close(g.inside)
				<-g.open
			})
		}
		return next(ctx)
	})
}
