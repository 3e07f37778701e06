// Package panics carries a panic from the goroutine where it happens to one that
// can recover from it. A panic that nobody recovers from ends the process, and a
// caller's recover does not reach goroutines that a library has started.
package panics

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Caught keeps the first panic of several functions.
type Caught struct{ first atomic.Pointer[thrown] }

// A thrown function did not return: it panicked or, without a value, called
// runtime.Goexit.
type thrown struct{ value any }

// Do calls f. If f panics, Do keeps the panic and calls broken, which may be nil;
// it does so too if f ends its goroutine by runtime.Goexit, as a test's FailNow
// does.
func (c *Caught) Do(f, broken func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		c.first.CompareAndSwap(nil, &thrown{recover()})
		if broken != nil {
			broken()
		}
	}()
	f()
	returned = true
}

// Raise panics with the value that was kept, once; without one it does nothing.
func (c *Caught) Raise() {
	t := c.first.Swap(nil)
	switch {
	case t == nil:
	case t.value == nil: // panic(nil) has a value of its own
		runtime.Goexit()
	default:
		panic(t.value)
	}
}

// A Group is a sync.WaitGroup whose functions may panic.
type Group struct {
	Caught
	group sync.WaitGroup
}

// Go calls f in a goroutine of its own. If f panics, broken is called, which may
// be nil, and Wait panics.
func (g *Group) Go(f, broken func()) {
	g.group.Go(func() { g.Do(f, broken) })
}

// Join waits for all functions. A panic of one is left to Raise.
func (g *Group) Join() { g.group.Wait() }

// Wait waits for all functions, and panics if one of them has.
func (g *Group) Wait() {
	g.Join()
	g.Raise()
}
