package uploads_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// The bytes of a file in pieces that has no record yet are not an orphan, whether the states are in the bucket or
// elsewhere.
func TestOrphansKnowsBytesOfPieces(t *testing.T) {
	tests := []struct {
		name   string
		states uploads.States
	}{
		{name: "states in the bucket"},
		{name: "states in another bucket", states: uploads.BucketStates(memstore.New())},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := ""
			s := newPieceService(t, memstore.New(), uploads.Config{
				States: tt.states,
				Stored: func(_ context.Context, f *uploads.File) error {
					key = f.Key
					return storage.Unavailable
				},
			})

			// The file has bytes and no record, because Stored has failed.
			_, err := s.PutPiece(t.Context(), piece(1).of(1, "x"))
			require.ErrorIs(t, err, storage.Unavailable)

			// Only the other key is an orphan.
			orphans, err := s.Orphans(t.Context(), key, "another")
			require.NoError(t, err)
			require.Equal(t, []string{"another"}, orphans)
		})
	}
}

// A process is killed at any call of PutPiece to the store. A day later, the client continues the upload just before
// any call of a Sweep. The Sweep does not remove the upload as an orphan.
func TestSweepWhileKilledPiecesContinue(t *testing.T) {
	tests := []struct {
		name  string
		rules rules.Rules
	}{
		{name: "any file", rules: rules.Any(0)},
		{name: "by content", rules: rules.Rules{Types: []string{"text/plain"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Kill the process at call 1, 2 and so on, until PutPiece ends before that call. For each of these,
			// continue before each call of a Sweep, and require that the file is stored.
			killCall := 1
			for continueDuringSweeps(t, tt.rules, killCall) {
				killCall++
			}
			require.Greater(t, killCall, 1)
		})
	}
}

// continueDuringSweeps kills the process of PutPiece at its call killCall. It does so once for each call of a Sweep,
// and then continues the upload before that call. It reports whether PutPiece makes so many calls.
func continueDuringSweeps(t *testing.T, r rules.Rules, killCall int) (killed bool) {
	t.Helper()
	sweepCall := 1
	for {
		killed, isLast := continueDuringSweep(t, r, killCall, sweepCall)
		if isLast {
			return killed
		}
		sweepCall++
	}
}

// continueDuringSweep kills the process of PutPiece at its call killCall. A day later, it repeats PutPiece before the
// call sweepCall of a Sweep, and requires that the file is stored. It reports whether the process was killed, and
// whether the Sweep has ended before that call.
func continueDuringSweep(t *testing.T, r rules.Rules, killCall, sweepCall int) (killed, isLast bool) {
	t.Helper()
	clk := &clock{}
	drv := memstore.NewDriver(memstore.Config{Now: clk.Now})
	newProcess := func(layer driver.Layer) *uploads.Service {
		bucket := engine.New(drv, driver.WithLayer(layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		return newService(t, bucket, uploads.Config{Rules: r, Records: uploads.BucketRecords(bucket), Now: clk.Now})
	}

	// The process is killed in PutPiece. Then a day passes.
	killer := &processKiller{atCall: killCall, afterCall: true}
	_, _ = newProcess(killer.layer).PutPiece(t.Context(), piece(1).of(1, "precious"))
	clk.Advance(25 * time.Hour)

	// The client repeats PutPiece during the Sweep. It does not wait for the claim of the dead process.
	client := newProcess(func(d driver.Driver) driver.Driver { return d })
	client.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	interruption := &interruption{at: sweepCall}
	sweeping := newProcess(interruption.beforeCall(func() {
		_, err := client.PutPiece(t.Context(), piece(1).of(1, "precious"))
		if err != nil {
			require.Equal(t, uploads.Completed, uploads.CodeOf(err), "killed at call %d, sent at call %d: %v", killCall, sweepCall, err)
		}
	}))
	_, err := sweeping.Sweep(t.Context())
	require.NoError(t, err)

	// The file is still stored.
	f, err := client.PutPiece(t.Context(), piece(1).of(1, "precious"))
	if err != nil {
		require.Equal(t, uploads.Completed, uploads.CodeOf(err), "%v", err)
	}
	require.NotNil(t, f, "killed at call %d, sent at call %d", killCall, sweepCall)
	text, _, err := storage.ReadAll(t.Context(), engine.New(drv), f.Key)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
	return killer.hasKilled(), !interruption.hasHappened()
}

// An idle upload continues after Sweep has listed it. Sweep then does not remove it, and PutPiece succeeds.
func TestSweepLeavesClaimedPieces(t *testing.T) {
	clk := &clock{}
	drv := memstore.NewDriver(memstore.Config{Now: clk.Now})

	// newServiceBefore returns a service that calls run before each call of this name to the store.
	newServiceBefore := func(call string, run func() error) *uploads.Service {
		layer := driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d, func(ctx context.Context, current string, next func(context.Context) error) error {
				if current == call {
					if err := run(); err != nil {
						return err
					}
				}
				return next(ctx)
			})
		})
		bucket := engine.New(drv, storage.WithRetry(storage.RetryPolicy{Attempts: 1}), layer)
		return newPieceService(t, bucket, uploads.Config{TTL: time.Hour, Now: clk.Now})
	}

	// A PutPiece fails when it joins the pieces. Then the upload is idle for longer than its TTL.
	failing := newServiceBefore("Compose", func() error { return storage.Unavailable })
	_, err := failing.PutPiece(t.Context(), piece(1).of(1, "x"))
	require.ErrorIs(t, err, storage.Unavailable)
	clk.Advance(61 * time.Minute)

	// This client waits before it joins the pieces, until the gate opens.
	joining := newGate()
	client := newServiceBefore("Compose", func() error {
		joining.wait()
		return nil
	})

	// Sweep lists the upload. Before its first Get, the client continues the upload.
	putErr := make(chan error, 1)
	continueUpload := sync.OnceValue(func() error {
		go func() {
			_, err := client.PutPiece(t.Context(), piece(1).of(1, "x"))
			putErr <- err
		}()
		<-joining.reached
		return nil
	})
	sweeping := newServiceBefore("Get", continueUpload)
	report, err := sweeping.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)

	// After the Sweep, the client joins the pieces.
	joining.open()
	require.NoError(t, <-putErr)
}

// Sweep removes an upload after its TTL even if the states are in a bucket with another clock.
func TestSweepOfPiecesWithStateInOtherBucket(t *testing.T) {
	tests := []struct {
		name  string
		ahead time.Duration // how far the states' clock is ahead of the bucket's
	}{
		{name: "the same time"},
		{name: "the states' clock is ahead", ahead: 2 * time.Hour},
		{name: "the states' clock is behind", ahead: -2 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket and the states have a clock each.
			clk := &clock{}
			statesClock := &clock{}
			statesClock.Advance(tt.ahead)
			bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clk.Now}))
			states := engine.New(memstore.NewDriver(memstore.Config{Now: statesClock.Now}))

			s := newPieceService(t, bucket, uploads.Config{
				TTL:    time.Hour,
				Now:    clk.Now,
				States: uploads.BucketStates(states),
			})
			_, err := s.PutPiece(t.Context(), piece(1).of(2, "x"))
			require.NoError(t, err)

			// The upload is not idle yet.
			report, err := s.Sweep(t.Context())
			require.NoError(t, err)
			require.Zero(t, report.Uploads)

			// The TTL passes by both clocks.
			const afterTTL = 61 * time.Minute
			clk.Advance(afterTTL)
			statesClock.Advance(afterTTL)
			report, err = s.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, report.Uploads)

			// Neither bucket has any object left.
			for _, b := range []storage.Bucket{bucket, states} {
				for entry, err := range b.List(t.Context()) {
					require.NoError(t, err)
					require.Fail(t, "an object is left", entry.Key)
				}
			}
		})
	}
}

// ListStates returns every state once, even if other objects of the bucket take up its pages.
func TestBucketStatesListStatesPages(t *testing.T) {
	clk := &clock{}
	bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clk.Now}))
	put := func(key string) {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("{}"))
		require.NoError(t, err)
	}

	// Beside each state, there are two other objects.
	var want []string
	for i := range 7 {
		state := fmt.Sprintf("up/%040d/state.json", i)
		want = append(want, state)
		put(state)
		put(fmt.Sprintf("up/%d/other", i))
		put(fmt.Sprintf("zz/%d", i))
	}
	clk.Advance(time.Hour)

	// Whatever the size of a page, all states are listed, and have been idle for an hour.
	states := uploads.BucketStates(bucket)
	for _, limit := range []int{1, 3, 7, 1000} {
		require.Equal(t, want, listIdleStates(t, states, limit), "%d at a time", limit)
	}

	// ListStates has written an object to read the clock of the store, and removed it.
	require.Len(t, listKeys(t, bucket), 3*len(want))
}

// listIdleStates lists states in pages of at most limit states, and requires that they have been idle for an hour.
func listIdleStates(t *testing.T, s uploads.States, limit int) (keys []string) {
	t.Helper()
	startAfter := ""
	for {
		states, next, err := s.ListStates(t.Context(), startAfter, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(states), limit)
		for _, state := range states {
			keys = append(keys, state.Key)
			require.InDelta(t, time.Hour, state.Idle, float64(time.Minute))
		}
		if next == "" {
			return keys
		}
		startAfter = next
	}
}
