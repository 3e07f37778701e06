package mirror_test

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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A pair is a mirror of two stores in memory. Tests can make calls of each store fail.
type pair struct {
	mirror    storage.Bucket
	primary   storage.Bucket // without faults and without the layer
	second    storage.Bucket // likewise
	inPrimary *faults.Injector
	inSecond  *faults.Injector
}

// newPair returns a pair without faults. The options open both stores and the mirror.
func newPair(t *testing.T, c mirror.Config, opts ...storage.OpenOption) *pair {
	t.Helper()
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	p := &pair{
		primary:   engine.New(primary),
		second:    engine.New(second),
		inPrimary: faults.New(),
		inSecond:  faults.New(),
	}
	failing := engine.New(second, append(opts, driver.WithLayer(p.inSecond.Layer()))...)
	p.mirror = engine.New(primary,
		append(opts, driver.WithLayer(p.inPrimary.Layer()), driver.WithLayer(newLayer(t, failing, c)))...)
	return p
}

// requireEqual requires both stores to have the same objects with the same metadata and tags. It returns the objects.
func (p *pair) requireEqual(t *testing.T, msg ...any) map[string]string {
	t.Helper()
	objects := contentsOf(t, p.primary)
	require.Equal(t, objects, contentsOf(t, p.second), msg...)

	for key := range objects {
		inPrimary, err := p.primary.Attrs(t.Context(), key)
		require.NoError(t, err)
		inSecond, err := p.second.Attrs(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, inPrimary.Properties, inSecond.Properties, "%v: %s", msg, key)

		primaryTags, err := storage.Tags(t.Context(), p.primary, key)
		require.NoError(t, err)
		secondTags, err := storage.Tags(t.Context(), p.second, key)
		require.NoError(t, err)
		require.Equal(t, primaryTags, secondTags, "%v: %s", msg, key)
	}
	return objects
}

// repair ends all faults and calls Repair twice. Before the second call, all records of writes in progress become old
// enough to be removed. It returns the objects, which are then the same in both stores.
func (p *pair) repair(t *testing.T, msg ...any) map[string]string {
	t.Helper()
	p.inPrimary.Set()
	p.inSecond.Set()
	_, err := mirror.Repair(t.Context(), p.mirror)
	require.NoError(t, err, msg...)
	objects := p.requireEqual(t, msg...)

	time.Sleep(2 * time.Hour)
	_, err = mirror.Repair(t.Context(), p.mirror)
	require.NoError(t, err, msg...)
	state, err := mirror.Status(t.Context(), p.mirror)
	require.NoError(t, err)
	require.Equal(t, mirror.State{}, state, msg...)
	require.Equal(t, objects, p.requireEqual(t, msg...), msg...)
	return objects
}

// A write is one call that changes the object "a".
type write struct {
	name   string
	do     func(ctx context.Context, b storage.Bucket) error
	before map[string]string // objects before the call
	after  map[string]string // objects if the call succeeds
}

// writes returns all kinds of writes of the object "a".
func writes() []write {
	upload := func(opts ...storage.UploadOption) func(context.Context, storage.Bucket) error {
		return func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "a", strings.NewReader("new content"), opts...)
			return err
		}
	}
	oldObject := map[string]string{"a": "old"}
	newObject := map[string]string{"a": "new content"}
	return []write{
		{
			name:  "an upload",
			do:    upload(),
			after: newObject,
		},
		{
			name:  "an upload that creates",
			do:    upload(storage.IfAbsent()),
			after: newObject,
		},
		{
			name:   "an upload that replaces",
			do:     upload(storage.WithMetadata(map[string]string{"is": "new"})),
			before: oldObject,
			after:  newObject,
		},
		{
			name:   "an upload in parts",
			do:     upload(storage.WithPartSize(4), storage.WithConcurrency(1)),
			before: oldObject,
			after:  newObject,
		},
		{
			name:   "an upload with tags",
			do:     upload(storage.WithTags(map[string]string{"is": "new"})),
			before: oldObject,
			after:  newObject,
		},
		{
			name:   "a removal",
			do:     func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
			before: oldObject,
			after:  map[string]string{},
		},
		{
			name: "other tags",
			do: func(ctx context.Context, b storage.Bucket) error {
				return storage.SetTags(ctx, b, "a", map[string]string{"is": "other"})
			},
			before: oldObject,
			after:  oldObject,
		},
		{
			name: "an update",
			do: func(ctx context.Context, b storage.Bucket) error {
				replace := func([]byte, *storage.Attrs) ([]byte, error) { return []byte("new content"), nil }
				_, err := storage.Update(ctx, b, "a", replace)
				return err
			},
			before: oldObject,
			after:  newObject,
		},
	}
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

// After a process was killed at any call of a write, the primary has the old object or the new one.
// Repair then makes the stores equal, even if it is killed and repeated.
func TestRepairAfterKill(t *testing.T) {
	repairing := write{
		name: "a repair",
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := mirror.Repair(ctx, b)
			return err
		},
		before: map[string]string{"a": "old"},
		after:  map[string]string{"a": "old"},
	}
	for _, w := range append(writes(), repairing) {
		for _, lastHasEffect := range []bool{false, true} { // whether the call at which the process dies has its effect
			t.Run(fmt.Sprintf("%s, last call has its effect: %v", w.name, lastHasEffect), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// Kill the process at its first call of a store, at its second one, and so on, until it succeeds
					// because it makes fewer calls. killAt repairs the mirror each time, and checks both stores.
					call := 1
					for killAt(t, w, call, lastHasEffect) {
						call++
					}
					require.Greater(t, call, 3, "too few calls were tried")
				})
			})
		}
	}
}

// killAt makes a write in a process that is killed at a call of a store. If taken is true, that
// call still has its effect. Another process then repairs the mirror. killAt reports whether the
// write reached that call.
func killAt(t *testing.T, w write, call int, taken bool) bool {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	p := &pair{
		primary:   engine.New(primary),
		second:    engine.New(second),
		inPrimary: faults.New(),
		inSecond:  faults.New(),
	}
	p.mirror = engine.New(primary, driver.WithLayer(newLayer(t, p.second, mirror.Config{})))
	for key, text := range w.before {
		put(t, p.mirror, key, text)
	}
	if w.name == "a repair" { // it has something to do
		_, err := p.second.Upload(t.Context(), "a", strings.NewReader("older"))
		require.NoError(t, err)
		put(t, p.primary, mirror.NotesPrefix+"1", `{"key":"a"}`)
		time.Sleep(2 * time.Hour)
	}

	kill := &dying{from: call, taken: taken}
	dead := engine.New(second, driver.WithLayer(kill.layer), noRetry)
	b := engine.New(primary, driver.WithLayer(kill.layer),
		driver.WithLayer(newLayer(t, dead, mirror.Config{})), noRetry)
	err := w.do(t.Context(), b)
	if kill.calls < call {
		require.NoError(t, err)
	}

	text := fmt.Sprintf("killed at call %d", call)
	objects := p.repair(t, text)
	require.True(t, maps.Equal(objects, w.before) || maps.Equal(objects, w.after), "%s: %v", text, objects)
	if err == nil {
		require.Equal(t, w.after, objects, text)
	}
	return kill.calls >= call
}

// If any one request of a write fails, stalls or loses its response, the write succeeds, has no effect or reports
// an unknown outcome. Repair then makes both stores equal.
func TestRepairAfterFaultAtEachCall(t *testing.T) {
	tests := []struct {
		name     string
		newRule  func(faults.Calls) faults.Rule
		inSecond bool // the requests are those to the second store, not to the primary
		attempts int
	}{
		{name: "failure in the primary", newRule: faults.Fail, attempts: 1},
		{name: "failure in the primary, retried", newRule: faults.Fail, attempts: 5},
		{name: "failure in the second store", newRule: faults.Fail, inSecond: true, attempts: 1},
		{name: "failure in the second store, retried", newRule: faults.Fail, inSecond: true, attempts: 5},
		{name: "lost response of the primary", newRule: faults.DropResponse, attempts: 1},
		{name: "lost response of the primary, retried", newRule: faults.DropResponse, attempts: 5},
		{name: "lost response of the second store", newRule: faults.DropResponse, inSecond: true, attempts: 1},
		{name: "lost response of the second store, retried", newRule: faults.DropResponse, inSecond: true, attempts: 5},
		{name: "stall of the primary", newRule: faults.Stall, attempts: 1},
		{name: "stall of the primary, retried", newRule: faults.Stall, attempts: 5},
		{name: "stall of the second store", newRule: faults.Stall, inSecond: true, attempts: 1},
		{name: "stall of the second store, retried", newRule: faults.Stall, inSecond: true, attempts: 5},
	}
	for _, tt := range tests {
		for _, w := range writes() {
			t.Run(tt.name+", "+w.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := failEachCall(t, w, tt.inSecond, tt.newRule, tt.attempts)
					require.GreaterOrEqual(t, calls, 2, "the write makes several calls")
				})
			})
		}
	}
}

// failEachCall makes a write again and again. Each time, the rule applies to the next one of its
// calls of the primary, or of the second store if inSecond is set. failEachCall returns the number
// of these calls.
func failEachCall(
	t *testing.T, w write, inSecond bool, rule func(faults.Calls) faults.Rule, attempts int,
) (calls int) {
	for {
		hasCall := failAt(t, w, inSecond, rule(faults.Any).Nth(calls+1), attempts)
		if !hasCall {
			return calls
		}
		calls++
	}
}

// failAt makes a write while a rule lets calls to one of the stores fail, and then repairs. It
// reports whether the rule applied to any call.
func failAt(t *testing.T, w write, inSecond bool, rule faults.Rule, attempts int) bool {
	p := newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: attempts}))
	for key, text := range w.before {
		put(t, p.mirror, key, text)
	}
	injector := p.inPrimary
	if inSecond {
		injector = p.inSecond
	}
	injector.Reset()
	injector.Set(rule)

	// A write to a store that stalls ends only when its context ends.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	err := w.do(ctx, p.mirror)
	cancel()
	hit := len(injector.Hits()) > 0
	text := fmt.Sprintf("%v: %v", rule, err)
	objects := p.repair(t, text)

	switch {
	case err == nil:
		require.Equal(t, w.after, objects, text)
	case errors.Is(err, storage.OutcomeUnknown) || storage.CodeOf(err) == storage.DeadlineExceeded:
		require.True(t, maps.Equal(objects, w.before) || maps.Equal(objects, w.after), "%s: %v", text, objects)
	default:
		require.True(t, maps.Equal(objects, w.before), "%s: %v", text, objects)
	}

	// With several attempts, only a stall can make a write fail.
	if attempts > 1 && !strings.HasPrefix(rule.String(), "Stall") {
		require.NoError(t, err, text)
	}
	return hit
}

// isUnknown reports whether a write that failed may have had its effect.
func isUnknown(err error) bool {
	return errors.Is(err, storage.OutcomeUnknown) || errors.Is(err, context.DeadlineExceeded)
}

// For a minute, writers write objects, add to sums and remove objects, while each store at times
// fails, stalls or loses responses. No write that succeeded is lost, and Repair makes both stores
// equal.
func TestRepairAfterMinuteOfFailures(t *testing.T) {
	for _, seed := range testserver.Sample([]uint64{1}, []uint64{1, 2, 3}) {
		synctest.Test(t, func(t *testing.T) {
			config := mirror.Config{Stall: time.Second, Probe: 2 * time.Second}
			p := newPair(t, config, storage.WithRetry(storage.RetryPolicy{Attempts: 3}))
			const writers = 20
			possibleTexts := make([][]string, writers) // of each writer's object; "" means that it is gone

			// Four objects have a sum each. Writers add one to them. certain counts the additions
			// that succeeded, and uncertain those that may have had their effect.
			var sums [4]struct{ certain, uncertain atomic.Int64 }
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()

			// Each writer writes its own object, and adds to a sum that it shares with others.
			var writing sync.WaitGroup
			for writer := range writers {
				possibleTexts[writer] = []string{""}
				writing.Go(func() {
					for round := 0; ctx.Err() == nil; round++ {
						possibleTexts[writer] = writeOwn(ctx, p.mirror, writer, round, possibleTexts[writer])
						sum := (writer + round) % len(sums)
						err := addOne(ctx, p.mirror, sum)
						if err == nil {
							sums[sum].certain.Add(1)
						} else if isUnknown(err) {
							sums[sum].uncertain.Add(1)
						}
						time.Sleep(time.Duration(150+writer) * time.Millisecond)
					}
				})
			}

			// Meanwhile, one store gets another fault every three seconds. One time in four this is
			// the second store, and otherwise the primary.
			ruleSets := [][]faults.Rule{
				{faults.Fail(faults.Any)},
				{faults.DropResponse(faults.Writes)},
				{faults.Stall(faults.Any)},
				{
					faults.Fail(faults.Any).Chance(0.3, seed),
					faults.DropResponse(faults.Any).Chance(0.3, seed),
				},
				nil,
			}
			for turn := 0; ctx.Err() == nil; turn++ {
				broken := p.inPrimary
				sound := p.inSecond
				if turn%4 == 1 {
					broken, sound = sound, broken
				}
				sound.Set()
				broken.Set(ruleSets[(turn+int(seed))%len(ruleSets)]...)
				time.Sleep(3 * time.Second)
			}
			writing.Wait()

			// After a repair, each object and each sum has the effect of all writes that succeeded.
			time.Sleep(time.Minute)
			objects := p.repair(t, fmt.Sprint("seed ", seed))
			for writer := range writers {
				require.Contains(t, possibleTexts[writer], objects[fmt.Sprintf("own/%d", writer)], "seed %d", seed)
			}
			for i := range sums {
				sum, _ := strconv.ParseInt(objects[fmt.Sprintf("sum/%d", i)], 10, 64)
				certain := sums[i].certain.Load()
				uncertain := sums[i].uncertain.Load()
				require.GreaterOrEqual(t, sum, certain, "seed %d", seed)
				require.LessOrEqual(t, sum, certain+uncertain, "seed %d", seed)
				require.Greater(t, certain, int64(20), "some writes succeeded")
			}
		})
	}
}

// writeOwn writes the object of one writer, or removes it in one round of five. It gets the texts that the object may
// have had before, and returns those that it may have now.
func writeOwn(ctx context.Context, b storage.Bucket, writer, round int, texts []string) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	key := fmt.Sprintf("own/%d", writer)
	text := fmt.Sprint(writer, " ", round)
	var err error
	if round%5 == 4 {
		text = ""
		err = b.Remove(ctx, key)
	} else {
		metadata := map[string]string{"round": fmt.Sprint(round)}
		_, err = b.Upload(ctx, key, strings.NewReader(text), storage.WithMetadata(metadata))
	}
	if err == nil {
		return []string{text}
	}
	if isUnknown(err) {
		return append(texts, text)
	}
	return texts
}

// addOne adds one to the number in an object.
func addOne(ctx context.Context, b storage.Bucket, sum int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	add := func(old []byte, _ *storage.Attrs) ([]byte, error) {
		number, _ := strconv.Atoi(string(old)) // 0 if there is no object yet
		return []byte(strconv.Itoa(number + 1)), nil
	}
	_, err := storage.Update(ctx, b, fmt.Sprintf("sum/%d", sum), add)
	return err
}

// Concurrent writers of the same keys leave both stores equal. If a writer meets too many others, it leaves a note of
// its key in the primary, and Repair makes the stores equal.
func TestWritersOfOneKeyLeaveStoresEqual(t *testing.T) {
	const (
		writers = 16
		rounds  = 50 // of each writer
		keys    = 3
	)
	p := newPair(t, mirror.Config{})

	// In each round, a writer removes an object, sets its tags or replaces it.
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			for round := range rounds {
				key := fmt.Sprint(round % keys)
				ctx := t.Context()
				var err error
				switch (writer + round) % 4 {
				case 0:
					err = p.mirror.Remove(ctx, key)
				case 1:
					err = storage.SetTags(ctx, p.mirror, key, map[string]string{"of": fmt.Sprint(writer)})
				default:
					text := strings.NewReader(fmt.Sprint(writer, round))
					tags := map[string]string{"w": fmt.Sprint(writer)}
					_, err = p.mirror.Upload(ctx, key, text, storage.WithTags(tags))
				}
				if err != nil && !errors.Is(err, storage.ObjectNotFound) {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()

	// Repair runs only if a writer has left a note.
	state, err := mirror.Status(t.Context(), p.mirror)
	require.NoError(t, err)
	if state.Notes > 0 {
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)
	}
	p.requireEqual(t)
}

// RepairAll makes the second store equal to the primary. It removes and replaces objects only if it
// knows that the stores were equal once, or if the caller says that the primary is right.
func TestRepairAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{})
		put(t, p.second, "gone", "the primary does not have it")

		// The stores were never equal.
		_, err := mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.ObjectNotFound, "an empty primary")
		require.Len(t, contentsOf(t, p.second), 1)

		put(t, p.primary, "other", "past the layer")
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.PreconditionFailed, "a primary that may be a new one")
		require.Len(t, contentsOf(t, p.second), 2)

		// Without the surplus object, RepairAll makes the stores equal.
		require.NoError(t, p.second.Remove(t.Context(), "gone"))
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.NoError(t, err)
		require.NoError(t, p.primary.Remove(t.Context(), "other"))

		// Programs without the layer change both stores.
		const objects = 40
		put(t, p.second, "gone", "the primary does not have it")
		for n := range objects {
			put(t, p.primary, fmt.Sprint("k", n), fmt.Sprint("old ", n))
		}
		put(t, p.second, "k1", "different")
		put(t, p.second, "z", "after all others")
		put(t, p.mirror, "m", "by the layer")

		// RepairAll copies the objects that only the primary has. These are all that were put there
		// except for "k1". It decides nothing about the objects "k1", "gone" and "z".
		report, err := mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.PreconditionFailed)
		require.Equal(t, mirror.Report{Repaired: objects - 1, Undecided: 3}, report)

		// The caller decides that the primary is right. RepairAll replaces "k1", and removes "gone", "other" and "z".
		report, err = mirror.RepairAll(t.Context(), p.mirror, mirror.WithPrimaryRight())
		require.NoError(t, err)
		require.Equal(t, mirror.Report{Repaired: 4, Removed: 3}, report)
		require.Len(t, p.requireEqual(t), objects+1)

		// The stores are equal, so there is nothing left to do.
		report, err = mirror.RepairAll(t.Context(), p.mirror)
		require.NoError(t, err)
		require.Zero(t, report)

		// The second store is unavailable.
		p.inSecond.Set(faults.Fail(faults.Any))
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.Unavailable)
	})
}

// If an empty store has replaced a lost primary and got some writes, RepairAll fails with PreconditionFailed. It
// removes nothing from the second store, which has the only copies of all other objects.
func TestRepairAllRefusesOtherPrimary(t *testing.T) {
	fillByWrites := func(t *testing.T, b storage.Bucket) {
		for i := range 10 {
			put(t, b, fmt.Sprint("k", i), "precious")
		}
	}
	fillByRepairAll := func(t *testing.T, b storage.Bucket) {
		_, err := mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
	}
	tests := []struct {
		name string
		fill func(t *testing.T, b storage.Bucket) // fills the second store by the mirror
	}{
		{name: "a store that was filled by writes", fill: fillByWrites},
		{name: "a store that was filled by RepairAll", fill: fillByRepairAll},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lost := memstore.NewDriver(memstore.Config{})
			survivor := memstore.NewDriver(memstore.Config{})
			empty := memstore.NewDriver(memstore.Config{})
			second := engine.New(survivor)

			// The mirror has objects when its primary is lost. One of them was written to the primary without the
			// layer.
			put(t, engine.New(lost), "past the layer", "precious")
			tt.fill(t, newMirror(t, lost, second))
			want := contentsOf(t, second)

			// An empty store takes the place of the primary, and gets a write. Each attempt to repair is refused.
			put(t, newMirror(t, empty, second), "new", "the only one")
			want["new"] = "the only one"
			for range 2 {
				_, err := mirror.RepairAll(t.Context(), newMirror(t, empty, second))
				require.ErrorIs(t, err, storage.PreconditionFailed)
			}
			require.Equal(t, want, contentsOf(t, second))

			// With swapped roles, the survivor is the primary, and RepairAll fills the empty store.
			_, err := mirror.RepairAll(t.Context(), newMirror(t, survivor, engine.New(empty)))
			require.NoError(t, err)
			require.Equal(t, want, contentsOf(t, engine.New(empty)))
			_, err = mirror.RepairAll(t.Context(), newMirror(t, empty, second))
			require.NoError(t, err, "the new primary has everything now")
		})
	}
}

// Repair copies the object of a recent write, but keeps the write's note for a while, because the write may still be
// in progress.
func TestRepairKeepsRecentNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A write while the second store is down leaves a note.
		p := newPair(t, mirror.Config{})
		p.inSecond.Set(faults.Fail(faults.Any))
		put(t, p.mirror, "a", "text")
		state, err := mirror.Status(t.Context(), p.mirror)
		require.NoError(t, err)
		require.Equal(t, mirror.State{Notes: 1, SecondDown: true}, state)

		// The first Repair keeps the note, one after an hour removes it, and the next one finds none.
		p.inSecond.Set()
		repairs := []struct {
			wait time.Duration // before Repair
			want mirror.Report
		}{
			{wait: 0, want: mirror.Report{Repaired: 1, Recent: 1}},
			{wait: time.Hour, want: mirror.Report{Repaired: 1}},
			{wait: 0, want: mirror.Report{}},
		}
		for _, r := range repairs {
			time.Sleep(r.wait)
			report, err := mirror.Repair(t.Context(), p.mirror)
			require.NoError(t, err)
			require.Equal(t, r.want, report)
			p.requireEqual(t)
		}
	})
}

// While a signed URL for an upload is valid, an object in the primary notes that the key may be written. Repair keeps
// this note until the URL has expired.
func TestRepairKeepsNoteOfSignedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{}, storage.WithSigningBaseURL("http://127.0.0.1/"))
		_, err := p.mirror.SignedUploadURL(t.Context(), "a", storage.WithTTL(5*time.Hour))
		require.NoError(t, err)

		// A browser uses the URL, which has not expired.
		time.Sleep(4 * time.Hour)
		put(t, p.primary, "a", "by a browser")
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)
		require.Len(t, p.requireEqual(t), 1)
		state, err := mirror.Status(t.Context(), p.mirror)
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Notes)

		// The URL has expired.
		time.Sleep(2 * time.Hour)
		require.Len(t, p.repair(t), 1)
	})
}

// If a signed URL has removed an object from the primary, Repair removes it from the second store.
func TestRepairRepeatsSignedRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{}, storage.WithSigningBaseURL("http://127.0.0.1/"))
		put(t, p.mirror, "a", "old")
		_, err := storage.SignedRemoveURL(t.Context(), p.mirror, "a", storage.WithTTL(5*time.Hour))
		require.NoError(t, err)

		// Before the URL expires, a browser uses it. This removes the object from the primary only.
		time.Sleep(4 * time.Hour)
		require.NoError(t, p.primary.Remove(t.Context(), "a"))
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)
		objects := p.requireEqual(t) // of both stores
		require.Empty(t, objects)

		// After the URL has expired, Repair has nothing more to do.
		time.Sleep(2 * time.Hour)
		objects = p.repair(t)
		require.Empty(t, objects)
	})
}

// Repair, RepairAll and Status fail with InvalidArgument for a bucket without the layer.
func TestRepairNeedsBucketWithLayer(t *testing.T) {
	b := memstore.New()

	_, err := mirror.Repair(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = mirror.Status(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
}
