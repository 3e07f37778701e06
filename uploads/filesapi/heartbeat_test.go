package filesapi_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A longJoin is a call of UploadPart that joins two parts. It ends only when the test calls end.
type longJoin struct {
	fixture *fixture
	compose *composeGate
	beats   chan time.Duration // the call renews its claim after each receive, which returns its interval
	calls   sync.WaitGroup
	record  *filesapi.Record
	err     error
}

// startLongJoin returns a longJoin that has reached the join.
func startLongJoin(t *testing.T, f *fixture) *longJoin {
	t.Helper()
	f.sendPart(t, "a", partOptions(token, 2, 1))

	j := &longJoin{compose: newComposeGate(), beats: make(chan time.Duration)}
	j.fixture = f.openBeside(t, driver.WithLayer(j.compose.layer))
	j.fixture.store.SetPulse(func(ctx context.Context, d time.Duration) error {
		select {
		case j.beats <- d:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})

	j.calls.Go(func() {
		j.record, j.err = j.fixture.store.UploadPart(t.Context(), strings.NewReader("b"), partOptions(token, 2, 2))
	})
	<-j.compose.inside
	return j
}

// end lets the join end, and returns the record of the file.
func (j *longJoin) end(t *testing.T) *filesapi.Record {
	t.Helper()
	close(j.compose.open)
	j.calls.Wait()
	require.NoError(t, j.err)
	return j.record
}

// While one UploadPart call joins the parts, other calls wait for it, even for ten minutes, and do not join the
// parts themselves.
func TestJoinOutlastsOtherCalls(t *testing.T) {
	runOnEach(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})

		// One call is joining the parts, and another one sends the last part.
		join := startLongJoin(t, f)
		calls := faults.New()
		other := f.openBeside(t, driver.WithLayer(calls.Layer()))

		// While the other call waits, let the join renew its claim as often as it would in that time.
		const joinTakes = 10 * time.Minute
		var waited, renewed time.Duration
		other.store.SetWait(func(ctx context.Context, d time.Duration) error {
			waited += d
			if waited >= joinTakes {
				if join.record == nil {
					join.end(t)
				}
				return ctx.Err()
			}
			for renewed < waited {
				interval := <-join.beats
				require.LessOrEqual(t, interval, 20*time.Second)
				renewed += interval
			}
			return nil
		})

		// The other call has waited, has joined nothing, and returns the same file.
		record := other.sendPart(t, "b", partOptions(token, 2, 2))
		require.GreaterOrEqual(t, waited, joinTakes)
		require.Zero(t, calls.Count(faults.Compose))
		require.Equal(t, join.record, record)
		require.Equal(t, "ab", readContent(t, f.store, record.ID))
		requireConsistent(t, f.bucket, f.records)
	})
}

// After a call has died with the parts joined, the next UploadPart uses the joined bytes, and does not join them again.
func TestJoinFindsBytesOfDeadCall(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", partOptions(token, 2, 1))

	dead := f.openWithKiller(t, &killer{after: "Compose"})
	_, err := dead.store.UploadPart(t.Context(), strings.NewReader("b"), partOptions(token, 2, 2))
	require.ErrorIs(t, err, errDead)

	calls := faults.New()
	s := f.openBeside(t, driver.WithLayer(calls.Layer()))
	require.Equal(t, "ab", readContent(t, f.store, s.sendPart(t, "b", partOptions(token, 2, 2)).ID))
	require.Zero(t, calls.Count(faults.Compose))
	requireConsistent(t, f.bucket, f.records)
}

// If two UploadPart calls join the same parts at the same time, they make one file. The call that finishes first
// does not wait for the other.
func TestJoinLostClaim(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	first := startLongJoin(t, f)

	// The second call waits for the first, and then joins the parts itself.
	secondJoin := newComposeGate()
	second := f.openBeside(t, driver.WithLayer(secondJoin.layer))
	var running sync.WaitGroup
	var record *filesapi.Record
	var err error
	running.Go(func() {
		record, err = second.store.UploadPart(t.Context(), strings.NewReader("b"), partOptions(token, 2, 2))
	})
	<-secondJoin.inside

	// The first call ends first.
	first.fixture.store.SetWait(func(context.Context, time.Duration) error {
		t.Error("it waits")
		return context.Canceled
	})
	r := first.end(t)
	close(secondJoin.open)

	// Both calls return the one file.
	running.Wait()
	require.NoError(t, err)
	require.Equal(t, r, record)
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
	requireConsistent(t, f.bucket, f.records)
}
