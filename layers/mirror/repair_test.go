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

// A pair is a mirror of two stores in memory, whose calls can fail.
type pair struct {
	mirror          storage.Bucket
	primary, second storage.Bucket // without faults and layer
	inPrimary       *faults.Injector
	inSecond        *faults.Injector
}

func newPair(t *testing.T, c mirror.Config, opts ...storage.OpenOption) *pair {
	t.Helper()
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	p := &pair{primary: engine.New(primary), second: engine.New(second), inPrimary: faults.New(), inSecond: faults.New()}
	failing := engine.New(second, append(opts, driver.WithLayer(p.inSecond.Layer()))...)
	p.mirror = engine.New(primary, append(opts, driver.WithLayer(p.inPrimary.Layer()), driver.WithLayer(newLayer(t, failing, c)))...)
	return p
}

// requireEqual requires both stores to have the same objects with the same metadata and tags.
func (p *pair) requireEqual(t *testing.T, text string) map[string]string {
	t.Helper()
	objects := contentsOf(t, p.primary)
	require.Equal(t, objects, contentsOf(t, p.second), text)

	for key := range objects {
		attrs, err := p.primary.Attrs(t.Context(), key)
		require.NoError(t, err)

		theirs, err := p.second.Attrs(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, attrs.Properties, theirs.Properties, "%s: %s", text, key)

		ourTags, err := storage.Tags(t.Context(), p.primary, key)
		require.NoError(t, err)
		theirTags, err := storage.Tags(t.Context(), p.second, key)
		require.NoError(t, err)
		require.Equal(t, ourTags, theirTags, "%s: %s", text, key)
	}
	return objects
}

// repair repairs without faults, also notes that are an hour old.
func (p *pair) repair(t *testing.T, text string) map[string]string {
	t.Helper()
	p.inPrimary.Set()
	p.inSecond.Set()
	_, err := mirror.Repair(t.Context(), p.mirror)
	require.NoError(t, err, text)
	objects := p.requireEqual(t, text)
	time.Sleep(2 * time.Hour)
	_, err = mirror.Repair(t.Context(), p.mirror)
	require.NoError(t, err, text)

	state, err := mirror.Status(t.Context(), p.mirror)
	require.NoError(t, err)
	require.Equal(t, mirror.State{}, state, text)
	require.Equal(t, objects, p.requireEqual(t, text), text)
	return objects
}

type write struct {
	name          string
	do            func(ctx context.Context, b storage.Bucket) error
	before, after map[string]string
}

func writes() []write {
	upload := func(text string, opts ...storage.UploadOption) func(context.Context, storage.Bucket) error {
		return func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "a", strings.NewReader(text), opts...)
			return err
		}
	}
	one := map[string]string{"a": "old"}
	two := map[string]string{"a": "new content"}
	return []write{
		{name: "an upload", do: upload("new content"), after: two},
		{name: "an upload that creates", do: upload("new content", storage.IfAbsent()), after: two},
		{name: "an upload that replaces", do: upload("new content", storage.WithMetadata(map[string]string{"is": "new"})), before: one, after: two},
		{name: "an upload in parts", do: upload("new content", storage.WithPartSize(4), storage.WithConcurrency(1)), before: one, after: two},
		{name: "an upload with tags", do: upload("new content", storage.WithTags(map[string]string{"is": "new"})), before: one, after: two},
		{
			name:   "a removal",
			do:     func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") },
			before: one,
			after:  map[string]string{},
		},
		{
			name: "other tags",
			do: func(ctx context.Context, b storage.Bucket) error {
				return storage.SetTags(ctx, b, "a", map[string]string{"is": "other"})
			},
			before: one,
			after:  one,
		},
		{
			name: "an update",
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Update(ctx, b, "a", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("new content"), nil })
				return err
			},
			before: one,
			after:  two,
		},
	}
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

// If a process is killed at any call of a write, the primary has the old object or the new one. Repair then makes
// the stores equal, even if it is killed and repeated.
func TestRepairAfterKill(t *testing.T) {
	repairing := write{"a repair", func(ctx context.Context, b storage.Bucket) error {
		_, err := mirror.Repair(ctx, b)
		return err
	}, map[string]string{"a": "old"}, map[string]string{"a": "old"}}
	for _, w := range append(writes(), repairing) {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, taken %v", w.name, applied), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for start := 1; ; start++ {
						if !killAt(t, w, start, applied) {
							require.Greater(t, start, 3, "some calls were tried")
							break
						}
					}
				})
			})
		}
	}
}

// killAt reports whether w made that many calls.
func killAt(t *testing.T, w write, start int, applied bool) bool {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	primary := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	p := &pair{primary: engine.New(primary), second: engine.New(second), inPrimary: faults.New(), inSecond: faults.New()}
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
	kill := &dying{from: start, taken: applied}
	dead := engine.New(second, driver.WithLayer(kill.layer), noRetry)
	b := engine.New(primary, driver.WithLayer(kill.layer), driver.WithLayer(newLayer(t, dead, mirror.Config{})), noRetry)
	err := w.do(t.Context(), b)
	text := fmt.Sprintf("killed at call %d", start)
	if kill.calls < start {
		require.NoError(t, err)
	}

	objects := p.repair(t, text)
	require.True(t, maps.Equal(objects, w.before) || maps.Equal(objects, w.after), "%s: %v", text, objects)
	if err == nil {
		require.Equal(t, w.after, objects, text)
	}
	return kill.calls >= start
}

// If a request fails, stalls or loses its response, the write succeeds, has no effect or reports an unknown
// outcome. Repair then makes both stores equal.
func TestRepairAfterFaultAtEachCall(t *testing.T) {
	for _, w := range writes() {
		for store, injectorOf := range map[string]func(*pair) *faults.Injector{
			"the primary":      func(p *pair) *faults.Injector { return p.inPrimary },
			"the second store": func(p *pair) *faults.Injector { return p.inSecond },
		} {
			for _, kind := range []func(faults.Calls) faults.Rule{faults.Fail, faults.DropResponse, faults.Stall} {
				for _, attempts := range []int{1, 5} {
					t.Run(fmt.Sprintf("%s, %v of %s, %d attempts", w.name, kind(faults.Any), store, attempts), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							for n := 1; ; n++ {
								p := newPair(t, mirror.Config{}, storage.WithRetry(storage.RetryPolicy{Attempts: attempts}))
								for key, text := range w.before {
									put(t, p.mirror, key, text)
								}
								injectorOf(p).Reset()
								injectorOf(p).Set(kind(faults.Any).Nth(n))
								ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a write to a store that is stalled has no other end
								err := w.do(ctx, p.mirror)
								cancel()
								hit := len(injectorOf(p).Hits()) > 0
								text := fmt.Sprintf("call %d: %v", n, err)
								objects := p.repair(t, text)

								switch {
								case err == nil:
									require.Equal(t, w.after, objects, text)
								case errors.Is(err, storage.OutcomeUnknown) || storage.CodeOf(err) == storage.DeadlineExceeded:
									require.True(t, maps.Equal(objects, w.before) || maps.Equal(objects, w.after), "%s: %v", text, objects)
								default:
									require.True(t, maps.Equal(objects, w.before), "%s: %v", text, objects)
								}

								if attempts > 1 && kind(faults.Any).String() != faults.Stall(faults.Any).String() {
									require.NoError(t, err, text)
								}
								if !hit {
									require.Greater(t, n, 2, "some calls were tried")
									break
								}
							}
						})
					})
				}
			}
		}
	}
}

// Writers write, count and remove for a minute in which each store fails, stalls and loses responses. No write
// that succeeded is lost, and Repair makes both stores equal.
func TestRepairAfterMinuteOfFailures(t *testing.T) {
	for _, seed := range testserver.Sample([]uint64{1}, []uint64{1, 2, 3}) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, mirror.Config{Stall: time.Second, Probe: 2 * time.Second}, storage.WithRetry(storage.RetryPolicy{Attempts: 3}))
			const writers = 20
			var sums [4]struct{ sure, unknown atomic.Int64 }
			texts := make([][]string, writers) // what each writer's object may be; "" is gone
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var all sync.WaitGroup
			for w := range writers {
				texts[w] = []string{""}
				all.Go(func() {
					for round := 0; ctx.Err() == nil; round++ {
						texts[w] = writeOwn(ctx, p.mirror, w, round, texts[w])
						n := (w + round) % len(sums)
						err := count(ctx, p.mirror, n)
						if err == nil {
							sums[n].sure.Add(1)
						} else if errors.Is(err, storage.OutcomeUnknown) || errors.Is(err, context.DeadlineExceeded) {
							sums[n].unknown.Add(1)
						}
						time.Sleep(time.Duration(150+w) * time.Millisecond)
					}
				})
			}
			for turn := 0; ctx.Err() == nil; turn++ {
				broken := p.inPrimary
				sound := p.inSecond
				if turn%4 == 1 {
					broken, sound = sound, broken
				}
				sound.Set()
				rules := [][]faults.Rule{
					{faults.Fail(faults.Any)}, {faults.DropResponse(faults.Writes)}, {faults.Stall(faults.Any)},
					{faults.Fail(faults.Any).Chance(0.3, seed), faults.DropResponse(faults.Any).Chance(0.3, seed)}, nil,
				}
				broken.Set(rules[(turn+int(seed))%len(rules)]...)
				time.Sleep(3 * time.Second)
			}
			all.Wait()
			time.Sleep(time.Minute)
			objects := p.repair(t, fmt.Sprint("seed ", seed))
			writes := 0

			for w := range writers {
				require.Contains(t, texts[w], objects[fmt.Sprintf("own/%d", w)], "seed %d", seed)
				writes += len(texts[w])
			}

			for n := range sums {
				number, _ := strconv.ParseInt(objects[fmt.Sprintf("sum/%d", n)], 10, 64)
				count := sums[n].sure.Load()
				unknown := sums[n].unknown.Load()
				require.GreaterOrEqual(t, number, count, "seed %d", seed)
				require.LessOrEqual(t, number, count+unknown, "seed %d", seed)
				require.Greater(t, count, int64(20), "some writes succeeded")
			}
		})
	}
}

// writeOwn writes or removes the object of one writer, and returns what it may be now.
func writeOwn(ctx context.Context, b storage.Bucket, w, round int, may []string) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	key := fmt.Sprintf("own/%d", w)
	text := fmt.Sprint(w, " ", round)
	var err error
	if round%5 == 4 {
		text = ""
		err = b.Remove(ctx, key)
	} else {
		_, err = b.Upload(ctx, key, strings.NewReader(text), storage.WithMetadata(map[string]string{"round": fmt.Sprint(round)}))
	}
	if err == nil {
		return []string{text}
	}
	if errors.Is(err, storage.OutcomeUnknown) || errors.Is(err, context.DeadlineExceeded) {
		return append(may, text)
	}
	return may
}

func count(ctx context.Context, b storage.Bucket, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := storage.Update(ctx, b, fmt.Sprintf("sum/%d", n), func(was []byte, _ *storage.Attrs) ([]byte, error) {
		number, _ := strconv.Atoi(string(was))
		return []byte(strconv.Itoa(number + 1)), nil
	})
	return err
}

// Writers of the same keys leave both stores equal without a repair.
func TestWritersOfOneKeyLeaveStoresEqual(t *testing.T) {
	p := newPair(t, mirror.Config{})
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for round := range 50 {
				key := fmt.Sprint(round % 3)
				ctx := t.Context()
				var err error
				switch (w + round) % 4 {
				case 0:
					err = p.mirror.Remove(ctx, key)
				case 1:
					err = storage.SetTags(ctx, p.mirror, key, map[string]string{"of": fmt.Sprint(w)})
				default:
					_, err = p.mirror.Upload(ctx, key, strings.NewReader(fmt.Sprint(w, round)), storage.WithTags(map[string]string{"w": fmt.Sprint(w)}))
				}
				if err != nil && !errors.Is(err, storage.ObjectNotFound) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	state, err := mirror.Status(t.Context(), p.mirror)
	require.NoError(t, err)
	if state.Notes > 0 { // a writer has met others too often
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)
	}

	p.requireEqual(t, "")
}

func TestRepairAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{})
		put(t, p.second, "gone", "the primary does not have it")

		_, err := mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.ObjectNotFound, "an empty primary empties nothing")
		require.Len(t, contentsOf(t, p.second), 1)

		put(t, p.primary, "other", "past the layer")
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.PreconditionFailed, "a primary that may be a new one removes nothing")
		require.Len(t, contentsOf(t, p.second), 2)

		require.NoError(t, p.second.Remove(t.Context(), "gone"))
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.NoError(t, err)
		require.NoError(t, p.primary.Remove(t.Context(), "other"))

		put(t, p.second, "gone", "the primary does not have it")
		for n := range 40 {
			put(t, p.primary, fmt.Sprint("k", n), fmt.Sprint("old ", n))
		}

		put(t, p.second, "k1", "different")
		put(t, p.second, "z", "after all others")
		put(t, p.mirror, "m", "by the layer")

		report, err := mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.PreconditionFailed, "nobody knows what was written past the layer since")
		require.Equal(t, mirror.Report{Repaired: 39, Undecided: 3}, report)

		report, err = mirror.RepairAll(t.Context(), p.mirror, mirror.WithPrimaryRight())
		require.NoError(t, err)
		require.Equal(t, mirror.Report{Repaired: 4, Removed: 3}, report)
		require.Len(t, p.requireEqual(t, ""), 41)

		report, err = mirror.RepairAll(t.Context(), p.mirror)
		require.NoError(t, err)
		require.Zero(t, report, "nothing is copied twice")

		p.inSecond.Set(faults.Fail(faults.Any))
		_, err = mirror.RepairAll(t.Context(), p.mirror)
		require.ErrorIs(t, err, storage.Unavailable)
	})
}

// If an empty store replaces a lost primary and gets some writes, RepairAll fails with PreconditionFailed instead
// of removing the objects of the second store.
func TestRepairAllRefusesOtherPrimary(t *testing.T) {
	tests := []struct {
		name  string
		first func(t *testing.T, b storage.Bucket)
	}{
		{"a store that was filled by writes", func(t *testing.T, b storage.Bucket) {
			for n := range 10 {
				put(t, b, fmt.Sprint("k", n), "precious")
			}
		}},
		{"a store that was filled by RepairAll", func(t *testing.T, b storage.Bucket) {
			_, err := mirror.RepairAll(t.Context(), b)
			require.NoError(t, err)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lost := memstore.NewDriver(memstore.Config{})
			latter := memstore.NewDriver(memstore.Config{})
			empty := memstore.NewDriver(memstore.Config{})
			second := engine.New(latter)
			open := func(d driver.Driver, other storage.Bucket) storage.Bucket {
				return engine.New(d, driver.WithLayer(newLayer(t, other, mirror.Config{})))
			}
			put(t, engine.New(lost), "past the layer", "precious")
			tt.first(t, open(lost, second))
			contentBefore := contentsOf(t, second)
			put(t, open(empty, second), "new", "the only one")

			for range 2 {
				_, err := mirror.RepairAll(t.Context(), open(empty, second))
				require.ErrorIs(t, err, storage.PreconditionFailed)
			}

			contentBefore["new"] = "the only one"
			require.Equal(t, contentBefore, contentsOf(t, second))

			swapped := open(latter, engine.New(empty))
			_, err := mirror.RepairAll(t.Context(), swapped)
			require.NoError(t, err, "with swapped roles")
			require.Equal(t, contentBefore, contentsOf(t, engine.New(empty)))
			_, err = mirror.RepairAll(t.Context(), open(empty, second))
			require.NoError(t, err, "it has everything now")
		})
	}
}

// Repair keeps the note of a recent write, which may still be in progress.
func TestRepairKeepsRecentNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{})
		p.inSecond.Set(faults.Fail(faults.Any))
		put(t, p.mirror, "a", "text")

		state, err := mirror.Status(t.Context(), p.mirror)
		require.NoError(t, err)
		require.Equal(t, mirror.State{Notes: 1, SecondDown: true}, state)

		p.inSecond.Set()
		for _, row := range []struct {
			after time.Duration
			want  mirror.Report
		}{{0, mirror.Report{Repaired: 1, Recent: 1}}, {time.Hour, mirror.Report{Repaired: 1}}, {0, mirror.Report{}}} {
			time.Sleep(row.after)
			report, err := mirror.Repair(t.Context(), p.mirror)
			require.NoError(t, err)
			require.Equal(t, row.want, report)
			p.requireEqual(t, "")
		}
	})
}

// Repair keeps the note of a signed upload until its URL has expired.
func TestRepairKeepsNoteOfSignedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{}, storage.WithSigningBaseURL("http://127.0.0.1/"))
		_, err := p.mirror.SignedUploadURL(t.Context(), "a", storage.WithTTL(5*time.Hour))
		require.NoError(t, err)
		time.Sleep(4 * time.Hour)
		put(t, p.primary, "a", "by a browser")
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)

		require.Len(t, p.requireEqual(t, ""), 1)
		state, err := mirror.Status(t.Context(), p.mirror)
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Notes)

		time.Sleep(2 * time.Hour)
		require.Len(t, p.repair(t, ""), 1)
	})
}

// After a removal by a signed URL, Repair removes the object from the second store.
func TestRepairRepeatsSignedRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mirror.Config{}, storage.WithSigningBaseURL("http://127.0.0.1/"))
		put(t, p.mirror, "a", "old")
		_, err := storage.SignedRemoveURL(t.Context(), p.mirror, "a", storage.WithTTL(5*time.Hour))
		require.NoError(t, err)
		time.Sleep(4 * time.Hour)
		require.NoError(t, p.primary.Remove(t.Context(), "a"), "by a browser")
		_, err = mirror.Repair(t.Context(), p.mirror)
		require.NoError(t, err)

		require.Empty(t, p.requireEqual(t, ""))
		time.Sleep(2 * time.Hour)
		require.Empty(t, p.repair(t, ""))
	})
}

// Repair, RepairAll and Status need a bucket with the layer.
func TestRepairNeedsBucketWithLayer(t *testing.T) {
	b := memstore.New()
	_, err := mirror.Repair(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = mirror.RepairAll(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = mirror.Status(t.Context(), b)
	require.ErrorIs(t, err, storage.InvalidArgument)
}
