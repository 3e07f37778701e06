package uploadstest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var concurrentCases = []testCase{
	{"one of several that create one ID succeeds", oneCreator},
	{"concurrent changes of a purpose are serialized", purposesAtOnce},
	{"setting a purpose during a removal does not restore the record", purposeAgainstRemoval},
	{"nothing happens if ctx has ended", contextDone},
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

// oneCreator tests that exactly one of several calls of Create with the same ID succeeds, and that
// this call has made the record.
func oneCreator(t *testing.T, r uploads.Records) {
	id := uploads.NewID(day)
	var winners atomic.Int64
	errs := make([]error, racers)
	race(racers, func(i int) {
		one := record(i)
		one.ID = id
		errs[i] = r.Create(t.Context(), one)
		if errs[i] == nil {
			winners.Store(int64(i))
		}
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, storage.PreconditionFailed)
	}
	require.Equal(t, 1, won)
	got, err := r.Record(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, winners.Load(), got.Size, "the winner's")
}

// purposesAtOnce tests that several calls of SetPurpose at the same time all succeed, and that the
// record has one of their purposes.
func purposesAtOnce(t *testing.T, r uploads.Records) {
	want := record(1)
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
	same(t, want, got)
}

// purposeAgainstRemoval tests that no call of SetPurpose brings back a record that is removed at
// the same time.
func purposeAgainstRemoval(t *testing.T, r uploads.Records) {
	for range 20 {
		one := record(1)
		create(t, r, one)
		errs := make([]error, racers)
		race(racers, func(i int) {
			if i == 0 {
				errs[i] = r.Remove(t.Context(), one)
				return
			}
			_, errs[i] = r.SetPurpose(t.Context(), one.ID, fmt.Sprint("purpose-", i))
		})
		require.NoError(t, errs[0])
		for _, err := range errs[1:] {
			if err != nil {
				absent(t, err)
			}
		}
		_, err := r.Record(t.Context(), one.ID)
		absent(t, err)
	}
}

// contextDone tests that every method fails with the error of its context after the context has
// ended, and changes nothing.
func contextDone(t *testing.T, r uploads.Records) {
	one := record(1)
	create(t, r, one)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	require.ErrorIs(t, r.Create(ctx, record(2)), context.Canceled)
	_, err := r.Record(ctx, one.ID)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.SetPurpose(ctx, one.ID, "late")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, r.Remove(ctx, one), context.Canceled)
	_, _, err = r.List(ctx, uploads.Filter{}, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = r.IDs(ctx, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Expired(ctx, day, 10)
	require.ErrorIs(t, err, context.Canceled)

	// There is still only the first record, unchanged.
	require.Equal(t, []string{one.ID}, all(t, r, uploads.Filter{}, 10))
	got, err := r.Record(t.Context(), one.ID)
	require.NoError(t, err)
	same(t, one, got)
}
