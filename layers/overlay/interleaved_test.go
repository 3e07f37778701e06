package overlay_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

const (
	folder = "folder/"
	key    = folder + "a"
)

// An object is what a single store would have under the key, without an overlay.
type object struct {
	text  string // "" if there is none
	tag   string // "" if there is none
	given bool   // nobody has written it since the operations began
}

// An action is an operation on the key.
type action struct {
	name string
	// do makes the operation, and returns its result as a text.
	do func(ctx context.Context, w *scene, text string) string
	// apply returns the object and the result that a single store would have after the operation.
	apply func(before object, text string) (object, string)
	// moves is set if the operation may move the object. The object then has another revision.
	moves bool
	needs storage.Features
}

var actions = []action{
	{
		name: "put",
		do: func(ctx context.Context, w *scene, text string) string {
			_, err := w.bucket.Upload(ctx, key, strings.NewReader(text))
			return answer("ok", err)
		},
		apply: func(_ object, text string) (object, string) { return object{text: text}, "ok" },
	},
	{
		name: "create",
		do: func(ctx context.Context, w *scene, text string) string {
			_, err := w.bucket.Upload(ctx, key, strings.NewReader(text), storage.IfAbsent())
			return answer("ok", err)
		},
		apply: func(was object, text string) (object, string) {
			if was.text != "" {
				return was, "refused"
			}
			return object{text: text}, "ok"
		},
	},
	{
		name: "replace",
		do: func(ctx context.Context, w *scene, text string) string {
			_, err := w.bucket.Upload(ctx, key, strings.NewReader(text), storage.IfRevision(w.revision))
			return answer("ok", err)
		},
		apply: func(was object, text string) (object, string) {
			if !was.given || was.text == "" {
				return was, "refused"
			}
			return object{text: text}, "ok"
		},
	},
	{
		name: "remove",
		do: func(ctx context.Context, w *scene, _ string) string {
			return answer("ok", w.bucket.Remove(ctx, key))
		},
		apply: func(object, string) (object, string) { return object{}, "ok" },
		moves: true,
	},
	{
		name: "remove one revision",
		do: func(ctx context.Context, w *scene, _ string) string {
			return answer("ok", w.bucket.Remove(ctx, key, storage.IfRevision(w.revision)))
		},
		apply: func(was object, _ string) (object, string) {
			if !was.given && was.text != "" {
				return was, "refused"
			}
			return object{}, "ok"
		},
		moves: true,
		needs: storage.ConditionalRemove,
	},
	{name: "read", do: reading(func(w *scene) storage.Bucket { return w.bucket }), apply: shows},
	{
		name:  "read and copy",
		do:    reading(func(w *scene) storage.Bucket { return w.copying }),
		apply: shows,
		moves: true,
	},
	{
		name: "read a range",
		do:   readRange,
		apply: func(was object, _ string) (object, string) {
			if was.text == "" {
				return was, "none"
			}
			return was, was.text[1:4]
		},
	},
	{name: "attributes", do: attributes, apply: showsSize},
	{
		name: "list",
		do: listing(func(ctx context.Context, w *scene) (*storage.Page, error) {
			return storage.ListPage(ctx, w.bucket, "", storage.WithPrefix(folder))
		}),
		apply: showsSize,
	},
	{
		name: "tags",
		do: func(ctx context.Context, w *scene, _ string) string {
			tags, err := storage.Tags(ctx, w.bucket, key)
			return answer("tag "+tags["t"], err)
		},
		apply: func(was object, _ string) (object, string) {
			if was.text == "" {
				return was, "none"
			}
			return was, "tag " + was.tag
		},
	},
	{
		name: "set tags",
		do: func(ctx context.Context, w *scene, text string) string {
			return answer("ok", storage.SetTags(ctx, w.bucket, key, map[string]string{
				"t": strings.TrimRight(text, "."),
			}))
		},
		apply: func(was object, text string) (object, string) {
			if was.text == "" {
				return was, "none"
			}
			was.tag = strings.TrimRight(text, ".")
			return was, "ok"
		},
		moves: true,
	},
	{
		name: "finish",
		do: func(ctx context.Context, w *scene, _ string) string {
			_, err := overlay.Finish(ctx, w.bucket, overlay.FinishConfig{Concurrency: 1})
			return answer("ok", err)
		},
		apply: func(was object, _ string) (object, string) { return was, "ok" },
		moves: true,
	},
}

// shows is the function apply of an operation whose result is the content of the object.
func shows(was object, _ string) (object, string) {
	if was.text == "" {
		return was, "none"
	}
	return was, was.text
}

// showsSize is the function apply of an operation whose result is the size of the object.
func showsSize(was object, _ string) (object, string) {
	if was.text == "" {
		return was, "none"
	}
	return was, fmt.Sprint(len(was.text))
}

// answer returns the result of an operation, or a word for its error.
func answer(result string, err error) string {
	if errors.Is(err, errKilled) {
		return "killed"
	}
	if errors.Is(err, storage.PreconditionFailed) {
		return "refused"
	}
	if errors.Is(err, storage.ObjectNotFound) {
		return "none"
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return result
}

// reading returns an operation that reads the object from the bucket that bucketOf selects.
func reading(bucketOf func(w *scene) storage.Bucket) func(context.Context, *scene, string) string {
	return func(ctx context.Context, w *scene, _ string) string {
		r, err := bucketOf(w).Download(ctx, key)
		if err != nil {
			return answer("", err)
		}
		data, err := io.ReadAll(r)
		return answer(string(data), errors.Join(err, r.Close()))
	}
}

// readRange reads three bytes of the object.
func readRange(ctx context.Context, w *scene, _ string) string {
	r, err := w.bucket.Download(ctx, key, storage.WithRange(1, 3))
	if err != nil {
		return answer("", err)
	}
	data, err := io.ReadAll(r)
	return answer(string(data), errors.Join(err, r.Close()))
}

// attributes reads the attributes of the object.
func attributes(ctx context.Context, w *scene, _ string) string {
	attrs, err := w.bucket.Attrs(ctx, key)
	if err != nil {
		return answer("", err)
	}
	return fmt.Sprint(attrs.Size)
}

// listing returns an operation that looks for the object in a page of a listing.
func listing(
	list func(context.Context, *scene) (*storage.Page, error),
) func(context.Context, *scene, string) string {
	return func(ctx context.Context, w *scene, _ string) string {
		page, err := list(ctx, w)
		if err != nil {
			return answer("", err)
		}
		if len(page.Entries) == 0 {
			return "none"
		}
		if len(page.Entries) > 1 {
			return fmt.Sprint("the key twice: ", page.Entries)
		}
		return fmt.Sprint(page.Entries[0].Size)
	}
}

// A scene is an overlay of two stores in memory. It runs an operation up to one of its calls of a
// store, then another operation, and then the rest of the first one.
type scene struct {
	oldDriver driver.Driver
	newDriver driver.Driver
	bucket    storage.Bucket    // the overlay
	copying   storage.Bucket    // the overlay with CopyOnRead
	revision  string            // of the object at first
	clock     int               // counts the beginnings and ends of operations
	history   []event           // all operations so far
	mode      mode              // the configuration
	given     map[string]string // contents of the old store at first
}

// A mode is the configuration of a scene.
type mode struct {
	name    string
	lacks   storage.Features // of the new store
	keepOld bool
}

var modes = []mode{
	{},
	{name: ", without removals by condition", lacks: storage.ConditionalRemove},
	{name: ", keeping the old store", keepOld: true},
	{
		name:    ", keeping the old store, without removals by condition",
		lacks:   storage.ConditionalRemove,
		keepOld: true,
	},
}

// config returns the configuration of the layer in this mode.
func (m mode) config(copyOnRead bool) overlay.Config {
	return overlay.Config{CopyOnRead: copyOnRead, KeepOld: m.keepOld}
}

// An event is an operation of the history, with the times of its beginning and end.
type event struct {
	action     action
	text       string
	begin, end int
	result     string
	moved      bool // beside it was another one that may move the object
	torn       bool // another one may have set tags in one store only
}

// A hold is what happens in the middle of an operation.
type hold struct {
	at     int          // the call of a store, counted from 1
	then   func()       // runs before that call, or nil
	killed bool         // that call and all later ones fail
	taken  bool         // that call has its effect
	calls  atomic.Int64 // so far
}

// holdKey is the key under which the context of an operation has its hold.
type holdKey struct{}

// layer returns the driver of a store with a layer that counts the calls of each operation. If the
// context of an operation has a hold, the layer holds the operation at the chosen call.
func (w *scene) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
		h, ok := ctx.Value(holdKey{}).(*hold)
		if !ok {
			return next(ctx)
		}
		call := int(h.calls.Add(1))
		if call == h.at && h.then != nil {
			h.then()
		}
		if !h.killed || call < h.at {
			return next(ctx)
		}
		if call == h.at && h.taken {
			_ = next(ctx) // the process is dead, and does not see the error
		}
		return errKilled
	})
}

// markerSize is the size of the marker of key, which depends on the key.
var markerSize = int(72 + crc32.Checksum([]byte(key), crc32.MakeTable(crc32.Castagnoli))%1024)

// textOf returns a text that has the size of a marker, and is never one.
func textOf(name string) string { return (name + strings.Repeat(".", markerSize))[:markerSize] }

// A start is what the stores have at first.
type start struct {
	name         string
	inOld, inNew bool
	marker       string // which a killed process has left in the new store, or ""
}

var starts = []start{
	{name: "in the old store", inOld: true},
	{name: "in both", inOld: true, inNew: true},
	{name: "in the new store", inNew: true},
	{name: "in none"},
	{name: "in the old store, with a marker of a copy", inOld: true, marker: "copying"},
	{name: "in none, with a marker of a copy", marker: "copying"},
	{name: "in the old store, with a marker of a removal", inOld: true, marker: "removed"},
	{name: "in none, with a marker of a removal", marker: "removed"},
}

// quickRetry lets an operation try again almost at once.
var quickRetry = storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Microsecond})

// newScene returns a scene, and the object that a single store would have in place of the two
// stores of the overlay.
func newScene(t *testing.T, s start, m mode) (*scene, object) {
	t.Helper()
	w := &scene{
		oldDriver: memstore.NewDriver(memstore.Config{}),
		newDriver: lacking{memstore.NewDriver(memstore.Config{}), m.lacks},
		mode:      m,
	}
	open := func(c overlay.Config) storage.Bucket {
		old := engine.New(w.oldDriver, driver.WithLayer(w.layer), quickRetry)
		return engine.New(w.newDriver, driver.WithLayer(w.layer), driver.WithLayer(newLayer(t, old, c)), quickRetry)
	}

	// If there is no object at first, the operations get the revision of an object that was
	// removed.
	removedAttrs := put(t, engine.New(w.newDriver), key, "gone")
	require.NoError(t, engine.New(w.newDriver).Remove(t.Context(), key))

	// Put the objects into the stores, and the marker with which this case begins.
	w.bucket = open(m.config(false))
	w.copying = open(m.config(true))
	had := object{given: true}
	if s.inOld {
		had.text = textOf("old")
		put(t, engine.New(w.oldDriver), key, had.text)
	}
	if s.inNew {
		had.text = textOf("new")
		put(t, engine.New(w.newDriver), key, had.text)
	}
	if s.marker != "" {
		_, err := w.newDriver.Put(t.Context(), &driver.PutRequest{
			Key:        key,
			Body:       strings.NewReader(textOf("marker")),
			Size:       int64(markerSize),
			Properties: storage.Properties{Metadata: map[string]string{"omnibucketoverlay": s.marker}},
		})
		require.NoError(t, err)
	}

	w.given = contentsOf(t, engine.New(w.oldDriver))
	attrs, err := w.bucket.Attrs(t.Context(), key)
	if errors.Is(err, storage.ObjectNotFound) {
		had.text = ""
		err = nil
		attrs = removedAttrs
	}
	require.NoError(t, err)
	w.revision = attrs.Revision
	return w, had
}

// find returns the action with the given name.
func find(name string) action {
	return actions[slices.IndexFunc(actions, func(a action) bool { return a.name == name })]
}

// run runs an action. If h is set, the action is held at one of its calls to a store. run reports whether the action
// made that call.
func (w *scene) run(t *testing.T, a action, h *hold) (held bool) {
	n := len(w.history)
	e := event{action: a, text: textOf(fmt.Sprint(a.name, " ", n)), begin: w.clock}
	w.history = append(w.history, e)
	w.clock++
	e.result = a.do(context.WithValue(t.Context(), holdKey{}, h), w, e.text)
	e.end = w.clock
	w.clock++
	w.history[n] = e
	return h.at > 0 && int(h.calls.Load()) >= h.at
}

// linearizable reports whether one store that has the object at first could give these results. The
// operations would follow one another there, each between its beginning and its end.
func linearizable(had object, open []event) bool {
	if len(open) == 0 {
		return true
	}
	firstEnd := slices.MinFunc(open, func(a, b event) int { return a.end - b.end }).end
	for i, e := range open {
		if e.begin > firstEnd {
			continue // another one ended before, so that this one cannot be the first
		}
		rest := slices.Delete(slices.Clone(open), i, i+1)
		after, want := e.action.apply(had, e.text)
		switch {
		case e.result == want && linearizable(after, rest):
			return true
		case e.result == "killed" && (linearizable(after, rest) || linearizable(had, rest)):
			return true
		case e.maySeem(want) && linearizable(had, rest):
			return true
		}
	}
	return false
}

// maySeem reports whether the result is permitted although one store would give the result want. An
// object that was only moved may seem to have changed, and a listing may have an object whose
// removal has not ended yet.
func (e event) maySeem(want string) bool {
	switch e.action.name {
	case "replace", "remove one revision":
		return e.moved && e.result == "refused" && want == "ok"
	case "list":
		return e.moved && want == "none" && e.result == strconv.Itoa(markerSize)
	case "tags":
		return e.torn && strings.HasPrefix(e.result, "tag") && strings.HasPrefix(want, "tag")
	}
	return false
}

// judge reads what the stores have at the end, and finishes the overlay's move. Then it looks for an order of the
// operations that explains all results.
func (w *scene) judge(t *testing.T, had object, story string) {
	t.Helper()
	reader := find("read")
	list := find("list")
	sizes := find("attributes")

	// Readers see the object before and after Finish.
	w.run(t, reader, &hold{})
	w.run(t, list, &hold{})
	w.run(t, find("finish"), &hold{})
	w.run(t, reader, &hold{})
	w.run(t, sizes, &hold{})
	w.run(t, find("tags"), &hold{})
	remaining, err := overlay.Left(t.Context(), w.bucket)
	require.NoError(t, err)
	require.Zero(t, remaining, story)

	// RemoveMarkers and Finish remove the objects of the layer. With keepOld, the old store is as
	// it was at first.
	_, err = overlay.RemoveMarkers(t.Context(), w.bucket)
	require.NoError(t, err)
	if w.mode.keepOld {
		_, err = overlay.Finish(t.Context(), w.bucket, overlay.FinishConfig{RemoveTombstones: true})
		require.NoError(t, err)
		require.Equal(t, w.given, contentsOf(t, engine.New(w.oldDriver)), story)
		for e, err := range engine.New(w.newDriver).List(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, key, e.Key, story)
		}
	}

	// Without the layer, readers see the same objects.
	w.bucket = engine.New(w.newDriver)
	w.run(t, reader, &hold{})
	w.run(t, list, &hold{})

	// All results must be those of one store, for some order of the operations.
	for i := range w.history {
		e := &w.history[i]
		e.moved = slices.ContainsFunc(w.history,
			func(o event) bool { return o.action.moves && o.begin < e.end && e.begin < o.end })
		e.torn = slices.ContainsFunc(w.history,
			func(o event) bool { return o.action.name == "set tags" && o.result != "ok" })
	}
	if !linearizable(had, w.history) {
		for _, e := range w.history {
			story += fmt.Sprintf("\n%2d to %2d: %s: %s", e.begin, e.end, e.action.name,
				strings.TrimRight(e.result, "."))
		}
		t.Fatalf("%s: no order of one store: had %+v", story, had)
	}
}

// While a process reads or sets the tags of an object, Finish copies the object. Another process
// begins to remove the object, and is killed. The tags are those of one of the two possible orders.
func TestTagsOfMovingObject(t *testing.T) {
	inOld := starts[0] // only the old store has the object
	for _, name := range []string{"tags", "set tags"} {
		for _, m := range modes {
			synctest.Test(t, func(t *testing.T) {
				// Kill the removal at its first call, at its second one, and so on, until it ends
				// before that call.
				hasCall := true
				for killAt := 1; hasCall; killAt++ {
					w, had := newScene(t, inOld, m)
					moveAndRemove := func() {
						w.run(t, find("finish"), &hold{})
						hasCall = w.run(t, find("remove"), &hold{at: killAt, killed: true})
					}
					const secondCall = 2
					w.run(t, find(name), &hold{at: secondCall, then: moveAndRemove})

					// judge looks for an order of the operations that explains all results.
					w.judge(t, had, fmt.Sprintf("%s%s, killed at call %d", name, m.name, killAt))
				}
			})
		}
	}
}

// Two operations at the same time have the results that they would have one after the other on a
// single store. The outer one pauses before one of its calls. Meanwhile, the inner one runs, pauses
// or is killed. OMNIBUCKET_SEED selects other cases, and OMNIBUCKET_EVERY=1 runs all of them, in
// minutes.
func TestOperationsBesideEachOther(t *testing.T) {
	every := intFromEnv(t, "OMNIBUCKET_EVERY", testserver.Sample(96, 24))
	seed := intFromEnv(t, "OMNIBUCKET_SEED", 1)

	// A start says what both stores have, and a mode is a configuration of the overlay.
	for i, s := range starts {
		for _, m := range modes {
			t.Run(s.name+m.name, func(t *testing.T) {
				t.Parallel()

				// With a draw, the test runs only some of the cases, chosen at random.
				d := draw{random: rand.New(rand.NewPCG(uint64(seed), uint64(i))), every: every}
				synctest.Test(t, func(t *testing.T) {
					// The new store of the mode lacks some features. Only the actions that do not
					// need these are possible.
					lacksFeature := func(a action) bool { return a.needs&m.lacks != 0 }
					possible := slices.DeleteFunc(slices.Clone(actions), lacksFeature)
					for _, outer := range possible {
						for _, inner := range possible {
							if d.one() {
								exploreInterleaved(t, s, m, outer, inner, possible, d)
							}
						}
					}
				})
			})
		}
	}
}

// intFromEnv returns the number in a variable of the environment. If the variable is not set, it
// returns the given default.
func intFromEnv(t *testing.T, variable string, otherwise int) int {
	if text := os.Getenv(variable); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	return otherwise
}

// A draw selects cases at random. If every is 24, for example, it selects about one case in 24.
type draw struct {
	random *rand.Rand
	every  int
}

// one reports whether the next case is selected.
func (d draw) one() bool { return d.random.IntN(d.every) == 0 }

// exploreInterleaved runs the inner action before each call of the outer action. First it runs the
// inner action as a whole. Then it holds the inner action at each of its own calls. There it kills
// the inner action, runs a third action, or does both.
func exploreInterleaved(t *testing.T, s start, m mode, outer, inner action, possible []action, d draw) {
	reader := find("read")
	for outerCall, reached := 1, true; reached; outerCall++ {
		for innerCall, hasMore := 0, true; hasMore && reached; innerCall++ {
			for i, kind := range kinds(innerCall, possible) {
				if i > 0 && !d.one() {
					continue
				}
				w, had := newScene(t, s, m)
				hasMore = false
				reached = w.run(t, outer, &hold{
					at: outerCall,
					then: func() {
						hasMore = w.run(t, inner, kind.hold(t, w, innerCall)) || innerCall == 0
						w.run(t, reader, &hold{})
					},
				})
				story := fmt.Sprintf("%s at call %d: %s at call %d: %s",
					outer.name, outerCall, inner.name, innerCall, kind.name)
				w.judge(t, had, story)
				if !reached || !hasMore {
					break
				}
			}
		}
	}
}

// A kind says what happens to the inner action at one of its calls.
type kind struct {
	name   string
	killed bool    // its process is killed there
	taken  bool    // that call has its effect
	third  *action // runs before that call, or nil
}

// kinds returns what may happen to the inner action at its i-th call. With i = 0, nothing happens to it.
func kinds(i int, possible []action) []kind {
	if i == 0 {
		return []kind{{name: "whole"}}
	}
	all := []kind{{name: "killed", killed: true}, {name: "killed, its call taken", killed: true, taken: true}}
	for i := range possible {
		all = append(all, kind{name: "beside " + possible[i].name, third: &possible[i]},
			kind{name: "killed after " + possible[i].name, third: &possible[i], killed: true})
	}
	return all
}

// The method hold returns a hold for the inner action. At the i-th call of that action, the hold
// does what this kind says.
func (k kind) hold(t *testing.T, w *scene, i int) *hold {
	h := &hold{at: i, killed: k.killed, taken: k.taken}
	if k.third != nil {
		h.then = func() {
			w.run(t, *k.third, &hold{})
		}
	}
	return h
}
