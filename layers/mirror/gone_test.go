package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/mirror"
)

// These tests play docs/when-a-store-is-gone.md. Each command of a procedure is killed at each of its calls of a store,
// and then repeated. At no moment is an object lost that a caller has stored and not removed.

// A scene has the stores of one procedure, and what callers have stored.
type scene struct {
	t       *testing.T
	stores  map[string]driver.Driver // by name
	down    map[string]*atomic.Bool  // whether a store fails all calls, by name
	objects map[string]string        // what callers have stored
	kill    *killer                  // of the command that runs; or nil
	reached bool                     // the last command made so many calls that it was killed
}

// A killer fails all calls of a command from a certain one on, as if the process had been killed
// there. It can also cancel the context of the command instead.
type killer struct {
	from   int64              // number of the first call that fails
	taken  bool               // that call has its effect
	cancel context.CancelFunc // if it is not nil, it is called in place of a failure
	calls  atomic.Int64
}

// call makes a call of a store. It fails after the command was killed.
func (k *killer) call(ctx context.Context, next func(context.Context) error) error {
	number := k.calls.Add(1)
	if number < k.from {
		return next(ctx)
	}
	if k.cancel != nil {
		k.cancel()
		return next(ctx)
	}
	if number == k.from && k.taken {
		_ = next(ctx)
	}
	return errKilled
}

// newScene returns a scene whose first two stores are a mirror of four objects.
func newScene(t *testing.T, open func(*testing.T) driver.Driver) *scene {
	s := &scene{
		t:       t,
		stores:  map[string]driver.Driver{},
		down:    map[string]*atomic.Bool{},
		objects: map[string]string{},
	}
	for _, name := range []string{"first", "second", "third"} {
		s.stores[name] = open(t)
		s.down[name] = new(atomic.Bool)
	}
	b := s.open("first", "second")
	for n := range 4 {
		s.put(b, fmt.Sprint(n), fmt.Sprint("old ", n))
	}
	_, err := mirror.RepairAll(t.Context(), b)
	require.NoError(t, err)
	return s
}

// open returns a mirror of two stores, as a new process would open it.
func (s *scene) open(primary, second string) storage.Bucket {
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	layer := func(name string) storage.OpenOption {
		down := s.down[name]
		kill := s.kill
		return driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d,
				func(ctx context.Context, _ string, next func(context.Context) error) error {
					if down.Load() {
						return &storage.Error{Code: storage.Unavailable, Err: errors.New("the store is gone")}
					}
					if kill != nil {
						return kill.call(ctx, next)
					}
					return next(ctx)
				})
		})
	}
	other := engine.New(s.stores[second], layer(second), noRetry)
	return engine.New(s.stores[primary], layer(primary),
		driver.WithLayer(newLayer(s.t, other, mirror.Config{})), noRetry)
}

// put stores an object as a caller.
func (s *scene) put(b storage.Bucket, key, text string) {
	put(s.t, b, key, text)
	s.objects[key] = text
}

// remove removes an object as a caller.
func (s *scene) remove(b storage.Bucket, key string) {
	require.NoError(s.t, b.Remove(s.t.Context(), key))
	delete(s.objects, key)
}

// requireSafe requires that each object of the callers is in some store other than the lost one. If
// no store is lost, lost is "".
func (s *scene) requireSafe(text, lost string) {
	s.t.Helper()
	stored := map[string]bool{}
	for name, d := range s.stores {
		if name == lost {
			continue
		}
		for key, content := range contentsOf(s.t, engine.New(d)) {
			stored[key+" "+content] = true
		}
	}
	for key, content := range s.objects {
		require.True(s.t, stored[key+" "+content], "%s: %q is lost", text, key)
	}
}

// requireIn requires that each of these stores has all objects of the callers, and no others.
func (s *scene) requireIn(names ...string) {
	s.t.Helper()
	for _, name := range names {
		require.Equal(s.t, s.objects, contentsOf(s.t, engine.New(s.stores[name])), name)
	}
}

// A step is a command, or an event between two commands.
type step struct {
	command func(s *scene, ctx context.Context) error
	event   func(s *scene)
}

// newEvent returns a step that calls the function do between two commands.
func newEvent(do func(s *scene)) step { return step{event: do} }

// repairAll returns the command that calls RepairAll.
func repairAll(primary, second string, opts ...mirror.RepairOption) step {
	return step{command: func(s *scene, ctx context.Context) error {
		_, err := mirror.RepairAll(ctx, s.open(primary, second), opts...)
		return err
	}}
}

// repair returns the command that calls Repair.
func repair(primary, second string) step {
	return step{command: func(s *scene, ctx context.Context) error {
		_, err := mirror.Repair(ctx, s.open(primary, second))
		return err
	}}
}

// busy returns a step in which callers store, replace and remove objects of a mirror.
func busy(primary, second, word string) step {
	return newEvent(func(s *scene) {
		b := s.open(primary, second)
		s.put(b, "new "+word, word)
		s.put(b, "0", "changed "+word)
		if _, exists := s.objects["new"]; exists {
			s.remove(b, "new")
		} else {
			s.put(b, "new", word)
		}
	})
}

// storeFails returns a step in which a store begins to fail.
func storeFails(name string) step {
	return newEvent(func(s *scene) {
		s.down[name].Store(true)
	})
}

// storeReturns returns a step in which a store responds again.
func storeReturns(name string) step {
	return newEvent(func(s *scene) {
		s.down[name].Store(false)
	})
}

// If a store is lost, the procedure of docs/when-a-store-is-gone.md makes both stores equal again,
// even if any one of its commands is interrupted and repeated.
func TestMirrorStoreIsGone(t *testing.T) {
	testserver.Slow(t)

	// These events happen between two commands of a procedure.
	failUpload := newEvent(func(s *scene) {
		_, err := s.open("first", "second").Upload(s.t.Context(), "never", nil)
		require.Error(s.t, err)
	})
	var snapshot map[string]string
	takeSnapshot := newEvent(func(s *scene) {
		snapshot = contentsOf(s.t, engine.New(s.stores["first"]))
	})
	restoreSnapshot := newEvent(func(s *scene) {
		for key := range contentsOf(s.t, engine.New(s.stores["first"])) {
			require.NoError(s.t, engine.New(s.stores["first"]).Remove(s.t.Context(), key))
		}
		for key, text := range snapshot {
			put(s.t, engine.New(s.stores["first"]), key, text)
		}
		_, err := mirror.RepairAll(s.t.Context(), s.open("first", "second"))
		require.ErrorIs(s.t, err, storage.PreconditionFailed)
	})

	// The stores "first" and "second" are a mirror at first. A step for a mirror names its primary first. In the step
	// busy, callers change objects.
	tests := []struct {
		name  string
		lost  string // a store that never comes back
		steps []step
		equal []string // the stores that are equal at the end
	}{
		{
			name: "the primary is lost",
			lost: "first",
			steps: []step{
				busy("first", "second", "before"),
				storeFails("first"),
				busy("second", "third", "with the roles swapped"),
				repairAll("second", "third"),
				busy("second", "third", "afterwards"),
			},
			equal: []string{"second", "third"},
		},
		{
			name: "the primary is lost, and the new store becomes the primary",
			lost: "first",
			steps: []step{
				busy("first", "second", "before"),
				storeFails("first"),
				repairAll("second", "third"),
				busy("second", "third", "with the roles swapped"),
				repairAll("third", "second"),
				busy("third", "second", "afterwards"),
			},
			equal: []string{"second", "third"},
		},
		{
			name: "the second store is lost",
			lost: "second",
			steps: []step{
				storeFails("second"),
				busy("first", "second", "while it is gone"),
				busy("first", "third", "with a new one"),
				repairAll("first", "third"),
				busy("first", "third", "afterwards"),
			},
			equal: []string{"first", "third"},
		},
		{
			name: "the second store is gone for an hour",
			steps: []step{
				storeFails("second"),
				busy("first", "second", "while it is gone"),
				storeReturns("second"),
				repair("first", "second"),
				busy("first", "second", "afterwards"),
			},
			equal: []string{"first", "second"},
		},
		{
			name: "both are gone for an hour",
			steps: []step{
				storeFails("second"),
				busy("first", "second", "while one is gone"),
				storeFails("first"),
				failUpload,
				storeReturns("first"),
				busy("first", "second", "while one is back"),
				storeReturns("second"),
				repair("first", "second"),
				repairAll("first", "second"),
			},
			equal: []string{"first", "second"},
		},
		{
			name: "the primary is gone for an hour",
			steps: []step{
				storeFails("second"),
				busy("first", "second", "only in the primary"),
				storeReturns("second"),
				storeFails("first"),
				busy("second", "first", "with the roles swapped"),
				storeReturns("first"),
				repairAll("second", "first"),
				busy("second", "first", "with both"),
				repairAll("first", "second"),
				busy("first", "second", "swapped again"),
			},
			equal: []string{"first", "second"},
		},
		{
			name: "the primary is restored from a snapshot",
			steps: []step{
				takeSnapshot,
				busy("first", "second", "after the snapshot"),
				restoreSnapshot,
				repairAll("second", "first", mirror.WithPrimaryRight()),
				busy("second", "first", "with the roles swapped"),
				repairAll("first", "second"),
				busy("first", "second", "swapped again"),
			},
			equal: []string{"first", "second"},
		},
	}
	for _, tt := range tests {
		for kind, open := range kindsOfStores {
			ways := []string{"killed after the call", "canceled", "killed"}
			if kind == "directory" {
				ways = testserver.Sample(ways[:1], ways)
			}
			for _, way := range ways {
				t.Run(fmt.Sprintf("%s, %s, %s", tt.name, kind, way), func(t *testing.T) {
					for i, step := range tt.steps {
						if step.command == nil {
							continue
						}
						// Interrupt the command at its first call, then at a later one, and so on,
						// until it ends before that call.
						isInterrupted := true
						call := int64(1)
						for isInterrupted {
							s := newScene(t, open)
							s.play(tt.steps, i, call, way, tt.lost)
							s.requireIn(tt.equal...)
							isInterrupted = s.reached
							call = nextCall(call)
						}
						require.Greater(t, call, int64(6), "some calls were tried")
					}
				})
			}
		}
	}
}

// nextCall returns the next call at which a command is interrupted. Later calls are tried at intervals, because the
// calls of each object repeat.
func nextCall(call int64) int64 {
	const each, interval = 12, 7
	if call > each {
		return call + interval
	}
	return call + 1
}

// play makes all steps of a procedure, and interrupts one of its commands at a call.
func (s *scene) play(steps []step, interrupted int, call int64, way, lost string) {
	s.t.Helper()
	for i, step := range steps {
		switch {
		case step.event != nil:
			step.event(s)
		case i == interrupted:
			s.interrupt(step, call, way, lost)
		default:
			require.NoError(s.t, step.command(s, s.t.Context()))
		}
	}
}

// interrupt runs a command, kills it at a call, and repeats it.
func (s *scene) interrupt(step step, call int64, way, lost string) {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	kill := &killer{from: call, taken: way == "killed after the call"}
	if way == "canceled" {
		kill.cancel = cancel
	}

	// The command is killed.
	s.kill = kill
	objects := maps.Clone(s.objects)
	err := step.command(s, ctx)
	s.kill = nil
	require.Equal(s.t, objects, s.objects)
	text := fmt.Sprintf("%s at call %d: %v", way, call, err)
	s.requireSafe(text, lost)

	// The same command again succeeds.
	require.NoError(s.t, step.command(s, s.t.Context()), text)
	s.requireSafe("repeated after "+text, lost)
	s.reached = kill.calls.Load() >= call
}
