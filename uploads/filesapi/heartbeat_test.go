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

// A longJoin is a call of UploadPart that joins two parts. The join ends only when the test calls
// the method end.
type longJoin struct {
	fixture *fixture
	call    *partCall
	compose *blockedCompose
	beats   chan time.Duration // the call renews its claim after each receive, which returns its interval
	renewed time.Duration      // how long the claim was renewed, from the start of the join
}

// startLongJoin returns a longJoin that has begun to join the parts.
func startLongJoin(t *testing.T, f *fixture) *longJoin {
	t.Helper()
	f.sendPart(t, "a", part(1).of(2))

	j := &longJoin{compose: newBlockedCompose(), beats: make(chan time.Duration)}
	j.fixture = f.openBeside(t, driver.WithLayer(j.compose.layer))
	j.fixture.store.SetPulse(func(ctx context.Context, d time.Duration) error {
		select {
		case j.beats <- d:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})

	j.call = j.fixture.startPart(t, strings.NewReader("b"), part(2).of(2))
	j.compose.waitUntilCalled()
	return j
}

// renewFor lets the call renew its claim as often as in a join that has taken this time.
func (j *longJoin) renewFor(t *testing.T, taken time.Duration) {
	t.Helper()
	for j.renewed < taken {
		interval := <-j.beats
		require.LessOrEqual(t, interval, 20*time.Second)
		j.renewed += interval
	}
}

// end lets the join end, and returns the record of the file.
func (j *longJoin) end(t *testing.T) *filesapi.Record {
	t.Helper()
	j.compose.unblock()
	record, err := j.call.wait()
	require.NoError(t, err)
	return record
}

// While one call of UploadPart joins the parts, another call waits, even for ten minutes, and does
// not join the parts itself. It waits because the first call renews its claim.
func TestJoinOutlastsOtherCalls(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, o opener) {
		f := o.open(t, filesapi.StoreConfig{})

		// One call is joining the parts. It ends after ten minutes.
		const joinTakes = 10 * time.Minute
		join := startLongJoin(t, f)
		var joined *filesapi.Record
		endJoin := sync.OnceFunc(func() {
			joined = join.end(t)
		})

		// Another call waits. Its waits take no real time, but count as passed. During each wait,
		// the first call renews its claim as often as it would in real time.
		calls := faults.New()
		other := f.openBeside(t, driver.WithLayer(calls.Layer()))
		waited := time.Duration(0)
		other.store.SetWait(func(ctx context.Context, d time.Duration) error {
			waited += d
			if waited < joinTakes {
				join.renewFor(t, waited)
				return nil
			}
			endJoin()
			return ctx.Err()
		})
		record := other.sendPart(t, "b", part(2).of(2))

		// The other call has waited, has joined nothing, and returns the same file.
		require.GreaterOrEqual(t, waited, joinTakes)
		require.Zero(t, calls.Count(faults.Compose))
		require.Equal(t, joined, record)
		require.Equal(t, "ab", readContent(t, f.store, record.ID))
		requireRecordsMatchObjects(t, f.bucket, f.records)
	})
}

// After a call has joined the parts and was killed, the next call uses the joined bytes. It does
// not join the parts again.
func TestJoinFindsBytesOfDeadCall(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.dieAfterJoiningParts(t)

	calls := faults.New()
	s := f.openBeside(t, driver.WithLayer(calls.Layer()))
	record := s.sendPart(t, "b", part(2).of(2))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	require.Zero(t, calls.Count(faults.Compose))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Two calls of UploadPart that join the same parts at the same time make one file. The call that finishes first does
// not wait for the other one.
func TestJoinLostClaim(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})

	// The first call does not renew its claim while it joins the parts, so the second one takes the claim over and
	// joins them, too.
	first := startLongJoin(t, f)
	secondJoin := newBlockedCompose()
	secondStore := f.openBeside(t, driver.WithLayer(secondJoin.layer))
	second := secondStore.startPart(t, strings.NewReader("b"), part(2).of(2))
	secondJoin.waitUntilCalled()

	// The first call ends while the second one is still joining the parts.
	first.fixture.store.SetWait(func(context.Context, time.Duration) error {
		t.Error("the first call waits for the second one")
		return context.Canceled
	})
	firstRecord := first.end(t)
	secondJoin.unblock()
	secondRecord, err := second.wait()
	require.NoError(t, err)

	// Both calls return the one file.
	require.Equal(t, firstRecord, secondRecord)
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
	requireRecordsMatchObjects(t, f.bucket, f.records)
}
