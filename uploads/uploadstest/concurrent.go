package uploadstest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var concurrentCases = []testCase{
	{"one of several that create one ID succeeds", testConcurrentCreate},
	{"concurrent changes of a purpose are serialized", testConcurrentSetPurpose},
	{"setting a purpose during a removal does not restore the record", testSetPurposeDuringRemove},
	{"nothing happens if ctx has ended", testCanceledContext},
}

const racers = 16

// race calls the function do in n goroutines, which all start at the same moment.
func race(n int, do func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	group.Wait()
}

// testConcurrentCreate tests that exactly one of several concurrent calls of Create with the same ID
// succeeds, and that the record is the one of this call.
func testConcurrentCreate(t *testing.T, r uploads.Records) {
	id := uploads.NewID(day)
	errs := make([]error, racers)
	race(racers, func(i int) {
		file := newRecord(i)
		file.ID = id
		errs[i] = r.Create(t.Context(), file)
	})

	var winners []int
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, storage.PreconditionFailed)
			continue
		}
		winners = append(winners, i)
	}
	require.Len(t, winners, 1)
	got, err := r.Record(t.Context(), id)
	require.NoError(t, err)
	require.EqualValues(t, winners[0], got.Size)
}

// testConcurrentSetPurpose tests that concurrent calls of SetPurpose all succeed, and that the
// record has one of their purposes.
func testConcurrentSetPurpose(t *testing.T, r uploads.Records) {
	want := newRecord(1)
	create(t, r, want)
	errs := make([]error, racers)
	race(racers, func(i int) {
		var got *uploads.File
		purpose := fmt.Sprint("purpose-", i)
		got, errs[i] = r.SetPurpose(t.Context(), want.ID, purpose)
		if errs[i] == nil && got.Purpose != purpose {
			errs[i] = fmt.Errorf("returned %q", got.Purpose)
		}
	})
	for _, err := range errs {
		require.NoError(t, err)
	}

	got, err := r.Record(t.Context(), want.ID)
	require.NoError(t, err)
	require.Regexp(t, `^purpose-\d+$`, got.Purpose)
	want.Purpose = got.Purpose
	requireRecord(t, want, got)
}

// testSetPurposeDuringRemove tests that no call of SetPurpose brings back a record that is removed at
// the same time.
func testSetPurposeDuringRemove(t *testing.T, r uploads.Records) {
	for range 20 {
		file := newRecord(1)
		create(t, r, file)
		errs := make([]error, racers)
		race(racers, func(i int) {
			if i == 0 {
				errs[i] = r.Remove(t.Context(), file)
				return
			}
			_, errs[i] = r.SetPurpose(t.Context(), file.ID, fmt.Sprint("purpose-", i))
		})

		require.NoError(t, errs[0])
		for _, err := range errs[1:] {
			if err != nil {
				requireNotFound(t, err)
			}
		}
		_, err := r.Record(t.Context(), file.ID)
		requireNotFound(t, err)
	}
}

// testCanceledContext tests that every method fails with the error of a canceled context, and
// changes nothing.
func testCanceledContext(t *testing.T, r uploads.Records) {
	file := newRecord(1)
	create(t, r, file)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	require.ErrorIs(t, r.Create(ctx, newRecord(2)), context.Canceled)
	_, err := r.Record(ctx, file.ID)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.SetPurpose(ctx, file.ID, "late")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, r.Remove(ctx, file), context.Canceled)
	_, _, err = r.List(ctx, uploads.Filter{}, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = r.IDs(ctx, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Expired(ctx, day, 10)
	require.ErrorIs(t, err, context.Canceled)

	// There is still only the first record, unchanged.
	require.Equal(t, []string{file.ID}, listIDs(t, r, uploads.Filter{}, 10))
	got, err := r.Record(t.Context(), file.ID)
	require.NoError(t, err)
	requireRecord(t, file, got)
}
