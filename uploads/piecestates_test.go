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

// Orphans does not report the bytes of pieces that have no record yet, whether the states are in the same bucket
// or in another.
func TestOrphansKnowsBytesOfPieces(t *testing.T) {
	tests := []struct {
		name   string
		states uploads.States
	}{
		{"states in the bucket", nil},
		{"states in another bucket", uploads.BucketStates(memstore.New())},
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
			_, err := s.PutPiece(t.Context(), piece(1, 1, "x"))
			require.ErrorIs(t, err, storage.Unavailable)
			orphans, err := s.Orphans(t.Context(), key, "another")
			require.NoError(t, err)
			require.Equal(t, []string{"another"}, orphans)
		})
	}
}

// A process is killed at any call of PutPiece, and a day later the client continues during a Sweep. The Sweep
// removes nothing of this upload as an orphan.
func TestSweepWhileKilledPiecesContinue(t *testing.T) {
	for name, rule := range map[string]rules.Rules{"any file": rules.Any(0), "by content": {Types: []string{"text/plain"}}} {
		t.Run(name, func(t *testing.T) {
			for kill, killed := 1, true; killed; kill++ {
				for call, swept := 1, true; swept; call++ {
					clk := &clock{}
					drv := memstore.NewDriver(memstore.Config{Now: clk.Now})
					open := func(layer driver.Layer) *uploads.Service {
						b := engine.New(drv, driver.WithLayer(layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
						s, err := uploads.New(b, uploads.Config{Rules: rule, Records: uploads.BucketRecords(b), Now: clk.Now})
						require.NoError(t, err)
						return s
					}
					dies := &processKiller{at: kill, after: true}
					_, _ = open(dies.layer).PutPiece(t.Context(), piece(1, 1, "precious"))
					killed = dies.reached()
					clk.Advance(25 * time.Hour)

					client := open(func(d driver.Driver) driver.Driver { return d })
					client.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
					remaining := call
					send := func(ctx context.Context, _ string, next func(context.Context) error) error {
						remaining--
						if remaining == 0 {
							_, err := client.PutPiece(t.Context(), piece(1, 1, "precious"))
							if err != nil {
								require.Equal(t, uploads.Completed, uploads.CodeOf(err), "killed at call %d, sent at call %d: %v", kill, call, err)
							}
						}
						return next(ctx)
					}
					_, err := open(func(d driver.Driver) driver.Driver { return driver.Intercept(d, send) }).Sweep(t.Context())
					require.NoError(t, err)
					swept = remaining <= 0
					f, err := client.PutPiece(t.Context(), piece(1, 1, "precious"))
					if err != nil {
						require.Equal(t, uploads.Completed, uploads.CodeOf(err), "%v", err)
					}

					require.NotNil(t, f, "killed at call %d, sent at call %d", kill, call)
					text, _, err := storage.ReadAll(t.Context(), engine.New(drv), f.Key)
					require.NoError(t, err)
					require.Equal(t, "precious", string(text))
				}
			}
		})
	}
}

// If PutPiece continues an idle upload after Sweep has listed it, Sweep leaves it, and PutPiece succeeds.
func TestSweepLeavesClaimedPieces(t *testing.T) {
	clk := &clock{}
	drv := memstore.NewDriver(memstore.Config{Now: clk.Now})
	serviceBefore := func(call string, happens func() error) *uploads.Service {
		b := engine.New(drv, storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d, func(ctx context.Context, current string, next func(context.Context) error) error {
				if current == call {
					if err := happens(); err != nil {
						return err
					}
				}
				return next(ctx)
			})
		}))
		return newPieceService(t, b, uploads.Config{TTL: time.Hour, Now: clk.Now})
	}
	fails := true
	joining := make(chan struct{})
	swept := make(chan struct{})
	done := make(chan error, 1)
	client := serviceBefore("Compose", func() error {
		if fails {
			return storage.Unavailable
		}
		close(joining)
		<-swept
		return nil
	})

	_, err := client.PutPiece(t.Context(), piece(1, 1, "x"))
	require.ErrorIs(t, err, storage.Unavailable)
	fails = false
	clk.Advance(61 * time.Minute)
	continues := sync.OnceFunc(func() {
		go func() {
			_, err := client.PutPiece(t.Context(), piece(1, 1, "x"))
			done <- err
		}()
		<-joining
	})
	report, err := serviceBefore("Get", func() error {
		continues()
		return nil
	}).Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)

	close(swept)
	require.NoError(t, <-done)
}

// Sweep works if the clocks of the bucket and of the states' bucket differ.
func TestSweepOfPiecesWithStateInOtherBucket(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"the same time":               0,
		"the states' clock is ahead":  2 * time.Hour,
		"the states' clock is behind": -2 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			clk := &clock{}
			statesNow := &clock{}
			statesNow.Advance(ahead)
			bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clk.Now}))
			states := engine.New(memstore.NewDriver(memstore.Config{Now: statesNow.Now}))
			s := newPieceService(t, bucket, uploads.Config{TTL: time.Hour, Now: clk.Now, States: uploads.BucketStates(states)})
			_, err := s.PutPiece(t.Context(), piece(2, 1, "x"))
			require.NoError(t, err)

			for _, want := range []int{0, 1} {
				report, err := s.Sweep(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, report.Uploads)
				clk.Advance(61 * time.Minute)
				statesNow.Advance(61 * time.Minute)
			}

			for _, b := range []storage.Bucket{bucket, states} {
				for entry, err := range b.List(t.Context()) {
					require.NoError(t, err)
					require.Fail(t, "an object is left", entry.Key)
				}
			}
		})
	}
}

// ListStates returns all states, although other objects of the bucket take places of its pages. It stores an object to
// read the clock of the store, and removes it.
func TestBucketStatesListStatesPages(t *testing.T) {
	clk := &clock{}
	bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clk.Now}))
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("up/%040d/state.json", i))
		for _, key := range []string{want[i], fmt.Sprintf("up/%d/other", i), fmt.Sprint("zz/", i)} {
			_, err := bucket.Upload(t.Context(), key, strings.NewReader("{}"))
			require.NoError(t, err)
		}
	}

	clk.Advance(time.Hour)
	for _, limit := range []int{1, 3, 7, 1000} {
		var got []string
		for startAfter, hasMore := "", true; hasMore; hasMore = startAfter != "" {
			states, next, err := uploads.BucketStates(bucket).ListStates(t.Context(), startAfter, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(states), limit)
			for _, state := range states {
				got = append(got, state.Key)
				require.InDelta(t, time.Hour, state.Idle, float64(time.Minute))
			}
			startAfter = next
		}
		require.Equal(t, want, got, "%d at a time", limit)
	}

	exists, err := bucket.Exists(t.Context(), uploads.DefaultPrefix+"clock")
	require.NoError(t, err)
	require.False(t, exists)
}
