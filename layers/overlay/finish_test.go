package overlay_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// contentsOf returns all objects of a bucket.
func contentsOf(t *testing.T, b storage.Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for object, err := range b.List(t.Context()) {
		require.NoError(t, err)
		data, _, err := storage.ReadAll(t.Context(), b, object.Key)
		require.NoError(t, err, object.Key)
		all[object.Key] = string(data)
	}
	return all
}

func put(t *testing.T, b storage.Bucket, key, text string) *storage.Attrs {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
	return attrs
}

// While Finish moves all objects, other programs append, create, remove and read, and nothing is lost.
func TestFinishBesideWrites(t *testing.T) {
	testserver.Slow(t)
	const keys, writers, rounds = 20, 8, 60
	for _, m := range modes {
		t.Run("removals"+m.name, func(t *testing.T) {
			features := m.lacks
			old := memstore.New()
			d := lacking{memstore.NewDriver(memstore.Config{}), features}
			b := engine.New(d, driver.WithLayer(newLayer(t, old, m.config(true))))
			for n := range keys {
				put(t, old, fmt.Sprintf("count/%02d", n), "0")
				put(t, old, fmt.Sprintf("removed/%02d", n), "old")
				put(t, old, fmt.Sprintf("still/%02d", n), "old")
			}
			values := contentsOf(t, old)
			var counts [keys]atomic.Int64
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for round := range rounds {
						n := (round*7 + w) % keys
						_, err := storage.Update(t.Context(), b, fmt.Sprintf("count/%02d", n), func(was []byte, _ *storage.Attrs) ([]byte, error) {
							number, err := strconv.Atoi(string(was))
							return []byte(strconv.Itoa(number + 1)), err
						})
						if err != nil {
							t.Error(err)
							return
						}
						counts[n].Add(1)
						key := fmt.Sprintf("removed/%02d", n)
						if err := b.Remove(t.Context(), key); err != nil {
							t.Error(err)
						}
						if exists, err := b.Exists(t.Context(), key); exists || err != nil {
							t.Error(key, "is there again", err)
						}
						if _, err := b.Upload(t.Context(), fmt.Sprintf("still/%02d", n), strings.NewReader("x"), storage.IfAbsent()); !errors.Is(err, storage.PreconditionFailed) {
							t.Error("both stores were thought to lack an object", err)
						}
						if _, _, err := storage.ReadAll(t.Context(), b, fmt.Sprintf("still/%02d", (n+round)%keys)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			for range 3 {
				all.Go(func() {
					if _, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			require.NoError(t, err)

			markers, err := overlay.RemoveMarkers(t.Context(), b)
			require.NoError(t, err)
			require.Equal(t, report.Markers, markers)

			if features == 0 {
				require.Zero(t, markers)
			}
			remaining, err := overlay.Left(t.Context(), b)
			require.NoError(t, err)
			require.Zero(t, remaining)

			want := map[string]string{}
			for n := range keys {
				want[fmt.Sprintf("count/%02d", n)] = strconv.FormatInt(counts[n].Load(), 10)
				want[fmt.Sprintf("still/%02d", n)] = "old"
			}
			require.Equal(t, want, contentsOf(t, b))

			if m.keepOld {
				require.EqualValues(t, keys, report.Tombstones)
				report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
				require.NoError(t, err)
				require.Zero(t, report.Tombstones)
				require.Equal(t, values, contentsOf(t, old), "the way back")
			}
			require.Equal(t, want, contentsOf(t, engine.New(d)), "only the new store is needed")
		})
	}
}

// lacking is a driver without features.
type lacking struct {
	driver.Driver
	features storage.Features
}

func (l lacking) Describe() driver.Description {
	desc := l.Driver.Describe()
	desc.Features &^= l.features
	return desc
}

// A dying layer fails all calls from one on, as if the process had been killed. With taken, that call
// has its effect.
type dying struct {
	from, calls int
	taken       bool
}

var errKilled = errors.New("killed")

func (k *dying) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
		k.calls++
		if k.calls < k.from {
			return next(ctx)
		}
		if k.calls == k.from && k.taken {
			_ = next(ctx)
		}
		return errKilled
	})
}

// If ctx is canceled during Finish, Finish returns the cause and counts no waiting object as Left. A later Finish
// completes the new store.
func TestFinishInterrupted(t *testing.T) {
	old := memstore.New()
	for n := range 100 {
		put(t, old, fmt.Sprint(n), "old")
	}
	b := engine.New(memstore.NewDriver(memstore.Config{}), driver.WithLayer(newLayer(t, old, overlay.Config{})))
	ctx, cancel := context.WithCancelCause(t.Context())

	report, err := overlay.Finish(ctx, b, overlay.FinishConfig{Progress: func(overlay.Report) {
		cancel(errors.New("interrupted"))
	}})
	require.EqualError(t, err, "interrupted")
	require.Zero(t, report.Left, "an object that waits for the next call has not failed")
	require.Less(t, report.Copied, int64(100))

	report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Zero(t, report.Left)
	require.Equal(t, contentsOf(t, old), contentsOf(t, b))
}

// A killedCall is a call of a process that is killed.
type killedCall struct {
	name  string
	inNew string // what the new store has, too, or ""
	do    func(ctx context.Context, b storage.Bucket) error
	may   []string // what the object may be afterwards; "" is gone
}

// If a process is killed during an operation, the object is as before the operation or as after it.
func TestKilledProcessLeavesOneOfTwoStates(t *testing.T) {
	for _, row := range []killedCall{
		{
			name: "removing an object of the old store",
			do:   func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
			may:  []string{"old", ""},
		},
		{
			name:  "removing an object of both",
			inNew: "new",
			do:    func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
			may:   []string{"new", ""},
		},
		{
			name: "moving",
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := overlay.Finish(ctx, b, overlay.FinishConfig{})
				return err
			},
			may: []string{"old"},
		},
		{
			name: "replacing an object of the old store",
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "a", strings.NewReader("newer"))
				return err
			},
			may: []string{"old", "newer"},
		},
	} {
		for _, m := range []struct{ taken, keepOld bool }{{}, {taken: true}, {keepOld: true}, {taken: true, keepOld: true}} {
			t.Run(fmt.Sprintf("%s, taken %v, KeepOld %v", row.name, m.taken, m.keepOld), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					row.atEachRequest(t, m.taken, m.keepOld)
				})
			})
		}
	}
}

// atEachRequest kills the process at its first request, at its second, and so on.
func (k killedCall) atEachRequest(t *testing.T, applied, keepOld bool) {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	config := overlay.Config{KeepOld: keepOld}
	for start := 1; ; start++ {
		oldDriver := memstore.NewDriver(memstore.Config{})
		newDriver := memstore.NewDriver(memstore.Config{})
		put(t, engine.New(oldDriver), "a", "old")
		if k.inNew != "" {
			put(t, engine.New(newDriver), "a", k.inNew)
		}
		kill := &dying{from: start, taken: applied}
		dyingOld := engine.New(oldDriver, driver.WithLayer(kill.layer), noRetry)
		b := engine.New(newDriver, driver.WithLayer(kill.layer), driver.WithLayer(newLayer(t, dyingOld, config)), noRetry)
		err := k.do(t.Context(), b)
		if kill.calls < start {
			require.NoError(t, err)
			require.Greater(t, start, 1, "some calls were tried")
			break
		}

		reopened := engine.New(newDriver, driver.WithLayer(newLayer(t, engine.New(oldDriver), config)))
		got := contentsOf(t, reopened)
		require.Contains(t, k.may, got["a"], "killed at call %d", start)

		_, err = overlay.Finish(t.Context(), reopened, overlay.FinishConfig{})
		require.NoError(t, err)
		require.Equal(t, got, contentsOf(t, reopened))

		if keepOld {
			_, err = overlay.Finish(t.Context(), reopened, overlay.FinishConfig{RemoveTombstones: true})
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a": "old"}, contentsOf(t, engine.New(oldDriver)))
		}
		for key, text := range contentsOf(t, engine.New(newDriver)) {
			require.Equal(t, got[key], text, "the new store")
		}
		require.Len(t, maps.Clone(got), len(contentsOf(t, engine.New(newDriver))), "killed at call %d", start)
	}
}
