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

// A long join has a Compose that blocks, and sends a heartbeat whenever the test
// says.
type longJoin struct {
	fixture *fixture
	compose *composeGate
	beats   chan time.Duration // a heartbeat is due for each receive
	calls   sync.WaitGroup
	record  *filesapi.Record
	err     error
}

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
		j := startLongJoin(t, f)
		const long = 10 * time.Minute
		var delay, beaten time.Duration
		calls := faults.New()
		other := f.openBeside(t, driver.WithLayer(calls.Layer()))
		other.store.SetWait(func(ctx context.Context, d time.Duration) error {
			delay += d
			if delay >= long {
				if j.record == nil {
					j.end(t)
				}
				return ctx.Err()
			}
			for beaten < delay {
				every := <-j.beats
				require.LessOrEqual(t, every, 20*time.Second)
				beaten += every
			}
			return nil
		})

		r := other.sendPart(t, "b", partOptions(token, 2, 2))
		require.GreaterOrEqual(t, delay, long)
		require.Zero(t, calls.Count(faults.Compose))
		require.Equal(t, j.record, r)
		require.Equal(t, "ab", readContent(t, f.store, r.ID))
		requireConsistent(t, f.bucket, f.records)
	})
}

// If a call died after it joined the parts, the next UploadPart uses the joined bytes and does not join again.
func TestJoinFindsBytesOfDeadCall(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", partOptions(token, 2, 1))

	_, err := f.openWithKiller(t, &killer{after: "Compose"}).store.UploadPart(t.Context(), strings.NewReader("b"), partOptions(token, 2, 2))
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
	second := newComposeGate()
	taker := f.openBeside(t, driver.WithLayer(second.layer))
	var takers sync.WaitGroup
	var record *filesapi.Record
	var err error
	takers.Go(func() {
		record, err = taker.store.UploadPart(t.Context(), strings.NewReader("b"), partOptions(token, 2, 2))
	})
	<-second.inside // it has waited for a minute
	first.fixture.store.SetWait(func(context.Context, time.Duration) error {
		t.Error("it waits")
		return context.Canceled
	})
	r := first.end(t)
	close(second.open)

	takers.Wait()
	require.NoError(t, err)
	require.Equal(t, r, record)
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
	requireConsistent(t, f.bucket, f.records)
}
