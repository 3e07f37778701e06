package interleave

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A Scene is one run of an exploration. [Run] calls the test's function once for each schedule, with a
// new Scene. The function creates the stores and their first objects, starts the actors, and calls
// Check. It must do the same in each run.
//
// Errorf, FailNow and Helper make a Scene usable with package require of testify, in the function
// itself, in actors and in Check. An error ends the exploration.
type Scene struct {
	schedule  *schedule
	weakness  Weakness
	layered   map[string]*Store // of Process.Layer, by name
	processes []*Process
	checks    []func()
	cleanups  []func()
}

// Weakness returns the weakness that the stores have in this run.
func (s *Scene) Weakness() Weakness { return s.weakness }

// Context returns a context that ends after the run. It belongs to no actor.
func (s *Scene) Context() context.Context { return s.schedule.ctx }

// Errorf lets the run fail.
func (s *Scene) Errorf(format string, args ...any) { s.schedule.fail(fmt.Sprintf(format, args...)) }

// FailNow lets the run fail, and ends the calling goroutine.
func (s *Scene) FailNow() {
	s.schedule.fail("FailNow was called")
	runtime.Goexit()
}

// Helper does nothing.
func (s *Scene) Helper() {}

// Check adds a function that runs when all actors have ended. Requests of the function take effect at
// once. It may also do what follows an interrupted job, such as a second attempt or a repair, before it
// looks at the result.
func (s *Scene) Check(do func()) { s.checks = append(s.checks, do) }

// Cleanup adds a function that runs at the end of the run, even of one that is cut off. The last
// function runs first.
func (s *Scene) Cleanup(do func()) { s.cleanups = append(s.cleanups, do) }

// Tick permits that time passes although requests are pending, by d each time. d should be a bit longer than
// the deadline that the scene is about, such as the TTL of a lease. Without Tick, time passes only
// while no process has a request.
func (s *Scene) Tick(d time.Duration) { s.schedule.tick = d }

// A Store is a bucket in memory. Each [Process] of the scene can open it.
type Store struct {
	name   string
	driver driver.Driver
	scene  *Scene
}

// Store returns a new, empty store in memory, whose requests the explorer interrupts. It has the [Weakness]
// that is being explored. The name appears in the schedule that a failure prints.
func (s *Scene) Store(name string) *Store { return s.StoreWith(name, memstore.Config{}) }

// StoreWith is like [Scene.Store], but configures the memory and adds layers, of which the first is
// innermost. If c.Now is nil, the store has the simulated clock of the scene, by which each request
// takes a millisecond. All processes use the store through the layers.
func (s *Scene) StoreWith(name string, c memstore.Config, layers ...driver.Layer) *Store {
	if c.Now == nil {
		c.Now = s.schedule.storeTime
	}
	weakness := s.weakness
	if weakness.EqualRevisions {
		// The times of objects must not tell equal revisions apart, so they are whole seconds.
		now := c.Now
		c.Now = func() time.Time { return now().Truncate(time.Second) }
	}

	// Add the layers of the weakness, and then those of the caller.
	d := memstore.NewDriver(c)
	if weakness.Lacks != 0 {
		d = faults.WithLimits(faults.Limits{Disable: weakness.Lacks})(d)
	}
	if weakness.EqualRevisions {
		d = &equalRevisions{Driver: d}
	}
	for _, layer := range layers {
		d = layer(d)
	}
	return &Store{name: name, driver: d, scene: s}
}

// Bucket returns a bucket of the store that belongs to no process. Its requests take effect at once. It
// is for the first objects of a scene, and for Check.
func (s *Store) Bucket(opts ...storage.OpenOption) storage.Bucket {
	return s.scene.closeAtEnd(engine.New(s.driver, opts...))
}

// Driver returns the driver of the store that belongs to no process, as Bucket does.
func (s *Store) Driver() driver.Driver { return s.driver }

// closeAtEnd closes b at the end of the scene.
func (s *Scene) closeAtEnd(b storage.Bucket) storage.Bucket {
	s.Cleanup(func() { _ = storage.Close(b) })
	return b
}

// A Process has buckets of its own over the stores of the scene. What it keeps in memory, such as
// caches, locks of keys and circuits, is not shared with another Process. If it dies, all its
// requests fail.
type Process struct {
	name       string
	scene      *Scene
	actors     []*Actor
	background *Actor // requests without the context of an actor
	cancels    []context.CancelCauseFunc
	dead       bool
	deadCalls  int
	outages    map[*Store]time.Time // when an outage of the store ends
}

// Process returns a new process, whose name is for the printed schedule.
func (s *Scene) Process(name string) *Process {
	p := &Process{name: name, scene: s, outages: make(map[*Store]time.Time)}
	p.background = &Actor{name: name + " (background)", process: p}
	s.processes = append(s.processes, p)
	return p
}

// Bucket opens a store in this process. Its requests wait until the schedule lets them take effect.
func (p *Process) Bucket(store *Store, opts ...storage.OpenOption) storage.Bucket {
	return p.scene.closeAtEnd(engine.New(p.Driver(store), opts...))
}

// Driver returns the driver of a store in this process, as Bucket does.
func (p *Process) Driver(store *Store) driver.Driver {
	return &processDriver{Driver: store.driver, process: p, store: store}
}

// Layer returns a layer for a driver that does not come from a [Store], such as one of a
// [driver.ServiceDriver] in memory. The requests of this process to that driver then wait for the
// schedule. Drivers with the same name are taken for the same store.
func (p *Process) Layer(name string) driver.Layer {
	store := p.scene.layered[name]
	if store == nil {
		store = &Store{name: name, scene: p.scene}
		p.scene.layered[name] = store
	}
	return func(next driver.Driver) driver.Driver { return &processDriver{Driver: next, process: p, store: store} }
}

// Died reports whether the process died in this run.
func (p *Process) Died() bool {
	p.scene.schedule.mu.Lock()
	defer p.scene.schedule.mu.Unlock()
	return p.dead
}

// An Actor is a goroutine that [Process.Go] has started.
type Actor struct {
	name                string
	process             *Process
	do                  func(ctx context.Context) error
	err                 error
	hasEnded            bool
	died                bool // the process died before the actor ended
	lostResponse        bool // the response of a write was lost
	unanswered          bool // a store did not answer a request
	firstStep, lastStep int  // number of the step before the first effect, and after the last one
	interrupted         *interruption
}

// Go adds an actor, which starts when the function of the scene has returned. The actors of one
// process share its buckets, and ctx is canceled if the process dies. Most scenes have one actor in
// each of two processes.
//
// do must pass ctx, or a context derived from it, to the functions that it calls. It must not
// return before all goroutines that it started have ended.
func (p *Process) Go(name string, do func(ctx context.Context) error) *Actor {
	a := &Actor{name: name, process: p, do: do}
	p.actors = append(p.actors, a)
	p.scene.schedule.actors = append(p.scene.schedule.actors, a)
	return a
}

// Err returns the error of the function of the actor. It must be called after the actor has ended, in Check. The error
// of an actor whose process died means nothing: see Died.
func (a *Actor) Err() error { return a.err }

// Died reports whether the process died before the actor ended.
func (a *Actor) Died() bool { return a.died }

// Lost reports whether the response to a write of the actor was lost. The bucket may have made that write twice.
func (a *Actor) Lost() bool { return a.lostResponse }

// Unanswered reports whether a request of the actor failed because a store did not answer. If that lasts for longer
// than the bucket retries, the function of the actor may fail with [storage.Unavailable].
func (a *Actor) Unanswered() bool { return a.unanswered }

// Name returns the name that Go got.
func (a *Actor) Name() string { return a.name }
