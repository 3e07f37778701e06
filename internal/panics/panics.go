// Package panics carries a panic from a goroutine of the library to the caller, which
// can recover from it. Otherwise the panic would end the process, because a caller's
// recover does not reach goroutines that a library has started.
package panics

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// ErrPanicked is the error of a call that a panic has interrupted. The caller gets the panic in its
// place.
var ErrPanicked = errors.New("it panicked")

// Caught keeps the first panic of several functions.
type Caught struct{ first atomic.Pointer[thrown] }

// A thrown says how a function ended without a return: it panicked or, if value is nil, called
// runtime.Goexit.
type thrown struct{ value any }

// Do calls f. If f panics, Do keeps the panic and calls onPanic, which may be nil. It
// does the same if f calls [runtime.Goexit], as FailNow of a test does.
func (c *Caught) Do(f, onPanic func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		c.first.CompareAndSwap(nil, &thrown{recover()})
		if onPanic != nil {
			onPanic()
		}
	}()
	f()
	returned = true
}

// Raise panics once with the value that was kept. If there is none, it does nothing.
func (c *Caught) Raise() {
	t := c.first.Swap(nil)
	switch {
	case t == nil:
	case t.value == nil: // runtime.Goexit; for panic(nil) there is a value
		runtime.Goexit()
	default:
		panic(t.value)
	}
}

// A Group is a [sync.WaitGroup] whose functions may panic.
type Group struct {
	caught Caught
	group  sync.WaitGroup
}

// Go calls f in a new goroutine. If f panics, Go calls onPanic, which may be nil, and
// [Group.Wait] panics.
func (g *Group) Go(f, onPanic func()) {
	g.group.Go(func() { g.caught.Do(f, onPanic) })
}

// Do calls f in this goroutine, as [Caught.Do] does.
func (g *Group) Do(f, onPanic func()) { g.caught.Do(f, onPanic) }

// Raise is [Caught.Raise].
func (g *Group) Raise() { g.caught.Raise() }

// Join waits for all functions. It leaves a panic to [Caught.Raise].
func (g *Group) Join() { g.group.Wait() }

// Wait waits for all functions, and panics if one of them did.
func (g *Group) Wait() {
	g.Join()
	g.caught.Raise()
}
