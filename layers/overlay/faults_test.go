package overlay_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Every 17th request to the old store fails or loses its response. The conformance suite still
// passes, because such requests are retried.
func TestFurtherConformanceWhileTheOldStoreFails(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	for name, rule := range map[string]faults.Rule{
		"fails":           faults.Fail(faults.Any).Every(17),
		"loses responses": faults.DropResponse(faults.Any).Every(17),
	} {
		for _, keepOld := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, KeepOld %v", name, keepOld), func(t *testing.T) {
				newDriver := func(t *testing.T) driver.Driver {
					old := memstore.New(driver.WithLayer(faults.New(rule).Layer()), quickRetry)
					layer := newLayer(t, old, overlay.Config{KeepOld: keepOld})
					return layer(memstore.NewDriver(memstore.Config{}))
				}
				storagetest.RunDriver(t, newDriver)
			})
		}
	}
}

// An operation succeeds, and has its effect once, even if any one request fails or loses its response.
func TestRequestFailureIsRepeated(t *testing.T) {
	rules := map[string]func(faults.Calls) faults.Rule{
		"fails":              faults.Fail,
		"loses its response": faults.DropResponse,
	}
	// A mode is a configuration, an action is an operation, and a start is what the stores have at first.
	for _, m := range testserver.Sample(modes[:1], modes) {
		for _, a := range actions {
			lacksFeature := a.needs&m.lacks != 0
			if lacksFeature {
				continue
			}
			for _, s := range starts {
				for fault, rule := range rules {
					what := fmt.Sprintf("%s, %s%s: a request %s", a.name, s.name, m.name, fault)
					synctest.Test(t, func(t *testing.T) {
						// failEachRequest runs the operation once for each of its requests to one store. The rule
						// applies to this request.
						const inOld = true
						failEachRequest(t, what+" in the old store", s, m, a, rule, inOld)
						failEachRequest(t, what+" in the new store", s, m, a, rule, !inOld)
					})
				}
			}
		}
	}
}

// failEachRequest runs an action again and again. Each time, the rule applies to the next one of
// its requests to the old or to the new store.
func failEachRequest(
	t *testing.T, name string, s start, m mode, a action, rule func(faults.Calls) faults.Rule, inOld bool,
) {
	for request := 1; ; request++ {
		hasRequest := failRequest(t, name, s, m, a, rule(faults.Any).Nth(request), inOld)
		if !hasRequest {
			return
		}
	}
}

// failRequest runs an action while one of the stores fails by a fault rule. It reports whether the rule applied to a
// request.
func failRequest(t *testing.T, name string, s start, m mode, a action, rule faults.Rule, inOld bool) bool {
	w, had := newScene(t, s, m)
	injector := faults.New(rule)
	oldOpts := []storage.OpenOption{driver.WithLayer(w.layer), quickRetry}
	newOpts := []storage.OpenOption{driver.WithLayer(w.layer), quickRetry}
	if inOld {
		oldOpts = append(oldOpts, driver.WithLayer(injector.Layer()))
	} else {
		newOpts = append(newOpts, driver.WithLayer(injector.Layer()))
	}
	old := engine.New(w.oldDriver, oldOpts...)
	w.bucket = engine.New(w.newDriver,
		append(newOpts, driver.WithLayer(newLayer(t, old, m.config(false))))...)
	w.copying = engine.New(w.newDriver,
		append(newOpts, driver.WithLayer(newLayer(t, old, m.config(true))))...)

	w.run(t, a, &hold{})
	hit := len(injector.Hits()) > 0
	injector.Set()

	// An action with an unknown outcome counts like one of a process that was killed.
	if strings.Contains(w.history[0].result, "outcome unknown") {
		w.history[0].result = "killed"
		require.NotContains(t, []string{"put", "create", "remove"}, a.name, name)
	}
	w.judge(t, had, fmt.Sprintf("%s, %v", name, rule))
	return hit
}

// A read succeeds even if CopyOnRead cannot copy the object.
func TestReadNeedsNoCopy(t *testing.T) {
	old := memstore.New()
	put(t, old, "a", "text")
	injector := faults.New(faults.Fail(faults.Put).WithError(storage.PermissionDenied))
	layer := newLayer(t, old, overlay.Config{CopyOnRead: true})
	b := memstore.New(driver.WithLayer(injector.Layer()), driver.WithLayer(layer))

	data, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
}

// If the old store refuses to remove an object, Remove fails and readers still see the object. If the removal fails
// in another way, readers do not see it, and the error is OutcomeUnknown.
func TestRemoveFails(t *testing.T) {
	tests := []struct {
		name        string
		err         error // of the removal from the old store
		visible     bool  // whether readers still see the object
		unknown     bool  // whether the outcome of the removal is unknown
		markerStays bool  // whether the new store refuses to remove the marker
	}{
		{name: "a refusal", err: storage.PermissionDenied, visible: true},
		{name: "a lock", err: storage.Locked, visible: true},
		{name: "a failure", err: storage.Internal, unknown: true},
		{name: "a refusal by both stores", err: storage.Unauthenticated, unknown: true, markerStays: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inOld := faults.New()
			inNew := faults.New()
			if tt.markerStays {
				inNew.Set(faults.Fail(faults.Delete).WithError(tt.err))
			}
			old := memstore.New(driver.WithLayer(inOld.Layer()))
			put(t, old, "a", "text")
			layer := newLayer(t, old, overlay.Config{})
			b := memstore.New(driver.WithLayer(inNew.Layer()), driver.WithLayer(layer))

			// Before the removal reaches the old store, it puts a marker into the new store. The
			// marker hides the object.
			inOld.Set(faults.Fail(faults.Delete).WithError(tt.err))
			err := b.Remove(t.Context(), "a")
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown))

			exists, err := b.Exists(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, tt.visible, exists)

			// When the stores work again, Finish leaves the object as readers have seen it.
			inOld.Set()
			inNew.Set()
			_, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
			require.NoError(t, err)
			exists, err = b.Exists(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, tt.visible, exists)
		})
	}
}

// SetTags fails with OutcomeUnknown if it has changed the tags in the old store, but cannot look at
// the new store. A concurrent copy may have stored the former tags there.
func TestTagsOfOldStoreChange(t *testing.T) {
	old := memstore.New()
	put(t, old, "a", "text")
	injector := faults.New(faults.Fail(faults.Head).Nth(2))
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	b := memstore.New(noRetry, driver.WithLayer(injector.Layer()),
		driver.WithLayer(newLayer(t, old, overlay.Config{})))
	tags := map[string]string{"t": "1"}

	require.ErrorIs(t, storage.SetTags(t.Context(), b, "a", tags), storage.OutcomeUnknown)
	got, err := storage.Tags(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, tags, got)
}

// Finish retries temporary failures. After a permanent failure, it continues with the other
// objects, and reports the failure. A second run copies only what is left.
func TestFinishContinuesAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The old store has 100 objects, each as large as a marker, and one that the new store refuses.
		const objects = 100
		const refusedText = "text"
		old := memstore.New()
		for i := range objects {
			put(t, old, fmt.Sprintf("%03d", i), textOf(fmt.Sprint(i)))
		}
		put(t, old, "refused", refusedText)

		// Some requests to the new store fail once.
		injector := faults.New(
			faults.Fail(faults.Put|faults.Head).Every(11),
			faults.Fail(faults.Put).ForKey("refused").WithError(storage.PermissionDenied),
		)
		d := memstore.NewDriver(memstore.Config{})
		b := engine.New(d, driver.WithLayer(injector.Layer()),
			driver.WithLayer(newLayer(t, old, overlay.Config{})))

		var last overlay.Report
		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{
			Concurrency: 1,
			Progress: func(r overlay.Report) {
				// Each call of Progress reports one more object.
				require.Equal(t, last.Copied+last.Left+1, r.Copied+r.Left)
				last = r
			},
		})
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Equal(t, overlay.Report{Copied: objects, Bytes: objects * int64(markerSize), Left: 1}, report)
		require.Equal(t, report, last)

		// Without faults, Finish copies only the object that is left.
		injector.Set()
		remaining, err := overlay.Left(t.Context(), b)
		require.NoError(t, err)
		require.EqualValues(t, 1, remaining)
		injector.Reset()
		report, err = overlay.Finish(t.Context(), b, overlay.FinishConfig{})
		require.NoError(t, err)
		require.Equal(t, overlay.Report{Copied: 1, Bytes: int64(len(refusedText))}, report)
		require.Zero(t, injector.Count(faults.Get), "an object that has moved is read again")
	})
}

// Finish refuses a negative Concurrency.
func TestFinishNegativeConcurrency(t *testing.T) {
	b := memstore.New(driver.WithLayer(newLayer(t, memstore.New(), overlay.Config{})))

	_, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{Concurrency: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Only one of two processes that run Finish at the same time copies an object whose copy takes long.
func TestFinishByTwoJobsCopiesOnce(t *testing.T) {
	const (
		size           = 100_000
		bytesPerSecond = 1000 // at which the old store sends the object
	)
	synctest.Test(t, func(t *testing.T) {
		oldDriver := memstore.NewDriver(memstore.Config{})
		newDriver := memstore.NewDriver(memstore.Config{})
		put(t, engine.New(oldDriver), "a", strings.Repeat("x", size))

		slowBody := faults.New(faults.SlowBody(bytesPerSecond))
		old := engine.New(oldDriver, driver.WithLayer(slowBody.Layer()))

		var copied atomic.Int64
		var jobs sync.WaitGroup
		for range 2 {
			b := engine.New(newDriver, driver.WithLayer(newLayer(t, old, overlay.Config{})))
			jobs.Go(func() {
				report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
				if err != nil {
					t.Error(err)
				}
				copied.Add(report.Copied)
			})
		}
		jobs.Wait()
		require.EqualValues(t, 1, copied.Load(), "objects copied by both jobs together")

		data, _, err := storage.ReadAll(t.Context(), engine.New(newDriver), "a")
		require.NoError(t, err)
		require.Len(t, data, size)
	})
}

// The new store of an overlay may be a mirror, which reads its second store while its primary is down. If the second
// store has a marker that the primary has replaced by an object, the read fails. To trust the marker would be wrong:
// the object is not missing, and is not that of the old store.
func TestMarkerOfMirrorsSecondStore(t *testing.T) {
	// A removal stores a marker, and then removes the object from the old store. The second step fails.
	interruptRemoval := func(t *testing.T, b storage.Bucket, _, inOld *faults.Injector) {
		inOld.Set(faults.Fail(faults.Delete))
		require.ErrorIs(t, b.Remove(t.Context(), "a"), storage.OutcomeUnknown)
		inOld.Set()
	}
	// An upload with a revision of the old store stores a marker, and then the object. The second step fails.
	interruptCopy := func(t *testing.T, b storage.Bucket, inPrimary, _ *faults.Injector) {
		attrs, err := b.Attrs(t.Context(), "a")
		require.NoError(t, err)
		const putOfObject = 2
		refuseObject := faults.Fail(faults.Put).ForKey("a").Nth(putOfObject).WithError(storage.PermissionDenied)
		inPrimary.Set(refuseObject)
		_, err = b.Upload(t.Context(), "a", strings.NewReader("refused"), storage.IfRevision(attrs.Revision))
		require.ErrorIs(t, err, storage.PermissionDenied)
		inPrimary.Set()
	}
	tests := []struct {
		name        string
		leaveMarker func(t *testing.T, b storage.Bucket, inPrimary, inOld *faults.Injector)
	}{
		{name: "of a removal", leaveMarker: interruptRemoval},
		{name: "of a copy", leaveMarker: interruptCopy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The overlay b has a mirror as its new store. A fault can be set in each of the three stores.
				noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
				inPrimary := faults.New()
				inSecond := faults.New()
				inOld := faults.New()
				old := memstore.New(driver.WithLayer(inOld.Layer()), noRetry)
				put(t, old, "a", "old")
				second := memstore.New(driver.WithLayer(inSecond.Layer()), noRetry)
				mirrored, err := mirror.New(second, mirror.Config{})
				require.NoError(t, err)
				b := memstore.New(driver.WithLayer(inPrimary.Layer()), driver.WithLayer(mirrored),
					driver.WithLayer(newLayer(t, old, overlay.Config{})), noRetry)

				// Both stores of the mirror get a marker.
				tt.leaveMarker(t, b, inPrimary, inOld)

				// While the second store is down, the primary replaces its marker by an object.
				inSecond.Set(faults.Fail(faults.Any))
				put(t, b, "a", "new")
				inSecond.Set()

				// The primary fails, so the mirror reads the second store, which still has the
				// marker.
				time.Sleep(time.Minute) // until the circuit tries the second store again
				inPrimary.Set(faults.Fail(faults.Any))
				_, _, err = storage.ReadAll(t.Context(), b, "a")
				require.ErrorIs(t, err, storage.Unavailable)
				_, err = b.Attrs(t.Context(), "a")
				require.ErrorIs(t, err, storage.Unavailable)
			})
		})
	}
}

// If the old store of an overlay is a mirror, the mirror's second store may be outdated. So Finish
// copies only from the primary, even if that fails once.
func TestCopyOfMirrorReadsPrimary(t *testing.T) {
	testserver.Slow(t)
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})

	// The first run has no fault. In each other run, another read of the primary fails.
	const runs = 12
	for failingRead := range runs {
		inPrimary := faults.New()
		inSecond := faults.New()
		second := memstore.New(driver.WithLayer(inSecond.Layer()))
		useAgainAtOnce := mirror.Config{Probe: time.Nanosecond} // a store that has failed
		mirrored, err := mirror.New(second, useAgainAtOnce)
		require.NoError(t, err)
		old := memstore.New(driver.WithLayer(inPrimary.Layer()), driver.WithLayer(mirrored), noRetry)

		// The second store has an older object.
		put(t, old, "a", "former")
		inSecond.Set(faults.Fail(faults.Writes))
		put(t, old, "a", "last")
		inSecond.Set()

		// One read of the primary fails. Finish may fail or succeed.
		inPrimary.Set(faults.Fail(faults.Reads).Nth(failingRead))
		b := memstore.New(driver.WithLayer(newLayer(t, old, overlay.Config{})), noRetry)
		_, _ = overlay.Finish(t.Context(), b, overlay.FinishConfig{})

		// In no case has Finish copied the older object.
		inPrimary.Set()
		data, _, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, "last", string(data), "read %d failed", failingRead)
	}
}
