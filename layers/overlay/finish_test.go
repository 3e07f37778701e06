package overlay_test

import (
	"context"
	"errors"
	"fmt"
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

// put stores an object.
func put(t *testing.T, b storage.Bucket, key, text string) *storage.Attrs {
	t.Helper()
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(text))
	require.NoError(t, err)
	return attrs
}

// While Finish moves all objects from the old store of an overlay to the new one, other programs change, remove,
// create and read objects. Nothing is lost.
func TestFinishBesideWrites(t *testing.T) {
	testserver.Slow(t)
	const (
		keys    = 20 // of each kind of objects
		writers = 8
		rounds  = 60 // of each writer
	)
	// A mode has a configuration of the overlay, and the features that its new store lacks.
	for _, m := range modes {
		t.Run("removals"+m.name, func(t *testing.T) {
			old := memstore.New()
			d := lacking{memstore.NewDriver(memstore.Config{}), m.lacks}
			const copyOnRead = true
			b := engine.New(d, driver.WithLayer(newLayer(t, old, m.config(copyOnRead))))

			// Writers add one to each number below "count/", remove each object below "removed/", and read those below
			// "still/".
			for n := range keys {
				put(t, old, fmt.Sprintf("count/%02d", n), "0")
				put(t, old, fmt.Sprintf("removed/%02d", n), "old")
				put(t, old, fmt.Sprintf("still/%02d", n), "old")
			}
			oldContents := contentsOf(t, old)

			// In each round, a writer changes the objects with one number, and reads an object with another number.
			var counts [keys]atomic.Int64
			var workers sync.WaitGroup
			for writer := range writers {
				workers.Go(func() {
					for round := range rounds {
						n := (round*7 + writer) % keys
						if err := changeObjects(t.Context(), b, n); err != nil {
							t.Error(err)
							return
						}
						counts[n].Add(1)
						other := fmt.Sprintf("still/%02d", (n+round)%keys)
						if _, _, err := storage.ReadAll(t.Context(), b, other); err != nil {
							t.Error(err)
						}
					}
				})
			}

			// Meanwhile, three jobs move the objects.
			for range 3 {
				workers.Go(func() {
					if _, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{}); err != nil {
						t.Error(err)
					}
				})
			}
			workers.Wait()

			// Another Finish leaves nothing in the old store.
			report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			require.NoError(t, err)
			markers, err := overlay.RemoveMarkers(t.Context(), b)
			require.NoError(t, err)
			require.Equal(t, report.Markers, markers)
			if m.lacks == 0 {
				require.Zero(t, markers)
			}
			remaining, err := overlay.Left(t.Context(), b)
			require.NoError(t, err)
			require.Zero(t, remaining)

			// The bucket has all objects that were not removed, with the last numbers.
			want := map[string]string{}
			for n := range keys {
				want[fmt.Sprintf("count/%02d", n)] = strconv.FormatInt(counts[n].Load(), 10)
				want[fmt.Sprintf("still/%02d", n)] = "old"
			}
			require.Equal(t, want, contentsOf(t, b))

			// With KeepOld, a tombstone stands for each removed object, and the old store is as it was.
			if m.keepOld {
				require.EqualValues(t, keys, report.Tombstones)
				report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{RemoveTombstones: true})
				require.NoError(t, err)
				require.Zero(t, report.Tombstones)
				require.Equal(t, oldContents, contentsOf(t, old), "the way back")
			}
			require.Equal(t, want, contentsOf(t, engine.New(d)), "only the new store is needed")
		})
	}
}

// changeObjects adds one to the number in an object, and removes another object. It also tries to
// create a third object, and expects a refusal, because that object exists.
func changeObjects(ctx context.Context, b storage.Bucket, n int) error {
	add := func(old []byte, _ *storage.Attrs) ([]byte, error) {
		number, err := strconv.Atoi(string(old))
		return []byte(strconv.Itoa(number + 1)), err
	}
	if _, err := storage.Update(ctx, b, fmt.Sprintf("count/%02d", n), add); err != nil {
		return err
	}

	removed := fmt.Sprintf("removed/%02d", n)
	if err := b.Remove(ctx, removed); err != nil {
		return err
	}
	exists, err := b.Exists(ctx, removed)
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("%s is there again", removed)
	}

	_, err = b.Upload(ctx, fmt.Sprintf("still/%02d", n), strings.NewReader("x"), storage.IfAbsent())
	if !errors.Is(err, storage.PreconditionFailed) {
		return fmt.Errorf("both stores were thought to lack an object: %w", err)
	}
	return nil
}

// A lacking driver lacks some features.
type lacking struct {
	driver.Driver
	features storage.Features // that it lacks
}

func (l lacking) Describe() driver.Description {
	desc := l.Driver.Describe()
	desc.Features &^= l.features
	return desc
}

// A dying layer fails all calls from a certain one on, as if the process had been killed there.
type dying struct {
	from  int  // number of the first call that fails
	taken bool // that call has its effect
	calls int
}

var errKilled = errors.New("killed")

// layer counts the calls of a store, and fails those from the chosen one on.
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

// If ctx is canceled, Finish returns the cause. It does not count the objects that still wait as
// Left. A later Finish completes the new store.
func TestFinishInterrupted(t *testing.T) {
	const objects = 100
	old := memstore.New()
	for i := range objects {
		put(t, old, fmt.Sprint(i), "old")
	}
	b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{})))
	ctx, cancel := context.WithCancelCause(t.Context())
	errInterrupted := errors.New("interrupted")
	cancelAfterFirst := func(overlay.Report) {
		cancel(errInterrupted)
	}

	report, err := overlay.Finish(ctx, b, overlay.FinishConfig{Progress: cancelAfterFirst})
	require.EqualError(t, err, errInterrupted.Error())
	require.Zero(t, report.Left, "an object that waits for the next call has not failed")
	require.Less(t, report.Copied, int64(objects))

	report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Zero(t, report.Left)
	require.Equal(t, contentsOf(t, old), contentsOf(t, b))
}

// A killedCall is a call of a process that is killed.
type killedCall struct {
	name      string
	inNew     string // content in the new store, or "" if only the old store has the object
	do        func(ctx context.Context, b storage.Bucket) error
	wantOneOf []string // contents that the object may have afterwards; "" is gone
}

// If a process is killed during an operation of an overlay, the object is then as it was before, or as the operation
// leaves it.
func TestKilledProcessLeavesOneOfTwoStates(t *testing.T) {
	remove := func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") }
	finish := func(ctx context.Context, b storage.Bucket) error {
		_, err := overlay.Finish(ctx, b, overlay.FinishConfig{})
		return err
	}
	replace := func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, "a", strings.NewReader("newer"))
		return err
	}

	// The old store has the object with the content "old". The states after the call use the
	// content "" if the object is gone.
	tests := []killedCall{
		{name: "removing an object of the old store", do: remove, wantOneOf: []string{"old", ""}},
		{name: "removing an object of both", inNew: "new", do: remove, wantOneOf: []string{"new", ""}},
		{name: "moving", do: finish, wantOneOf: []string{"old"}},
		{name: "replacing an object of the old store", do: replace, wantOneOf: []string{"old", "newer"}},
	}
	for _, tt := range tests {
		for _, hasEffect := range []bool{false, true} { // whether the store executes the last request
			for _, keepOld := range []bool{false, true} {
				name := fmt.Sprintf("%s, last request has effect %v, KeepOld %v", tt.name, hasEffect, keepOld)
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						// Kill the process at its first request, at its second one, and so on, until it succeeds
						// because it makes fewer requests.
						request := 1
						for tt.killAt(t, request, hasEffect, keepOld) {
							request++
						}
						require.Greater(t, request, 1, "no request was tried")
					})
				})
			}
		}
	}
}

// killAt makes the call in a process that is killed at a request, and requires that the object is
// in one of its states. It reports whether the call reached that request.
func (k killedCall) killAt(t *testing.T, request int, hasEffect, keepOld bool) bool {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	config := overlay.Config{KeepOld: keepOld}
	oldDriver := memstore.NewDriver(memstore.Config{})
	newDriver := memstore.NewDriver(memstore.Config{})
	put(t, engine.New(oldDriver), "a", "old")
	if k.inNew != "" {
		put(t, engine.New(newDriver), "a", k.inNew)
	}

	kill := &dying{from: request, taken: hasEffect}
	dyingOld := engine.New(oldDriver, driver.WithLayer(kill.layer), noRetry)
	b := engine.New(newDriver, driver.WithLayer(kill.layer),
		driver.WithLayer(newLayer(t, dyingOld, config)), noRetry)
	err := k.do(t.Context(), b)
	if kill.calls < request {
		require.NoError(t, err)
		return false
	}

	// Another process sees the object as before or as after the interrupted call. Finish does not
	// change which of the two it sees.
	reopened := engine.New(newDriver, driver.WithLayer(newLayer(t, engine.New(oldDriver), config)))
	got := contentsOf(t, reopened)
	require.Contains(t, k.wantOneOf, got["a"], "killed at request %d", request)
	_, err = overlay.Finish(t.Context(), reopened, overlay.FinishConfig{})
	require.NoError(t, err)
	require.Equal(t, got, contentsOf(t, reopened))

	if keepOld {
		_, err = overlay.Finish(t.Context(), reopened, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "old"}, contentsOf(t, engine.New(oldDriver)))
	}
	require.Equal(t, got, contentsOf(t, engine.New(newDriver)), "killed at request %d", request)
	return true
}
