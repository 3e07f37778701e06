package running

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// ErrPanicked is the error of a call that ended with a panic. The caller never sees this error,
// because the panic is raised in the caller's goroutine instead.
var ErrPanicked = errors.New("it panicked")

// A Caught runs functions, and keeps the first panic of any of them.
type Caught struct{ first atomic.Pointer[thrown] }

// A thrown describes how a function ended without returning. If the function panicked, value is the
// value of the panic. If the function called runtime.Goexit, value is nil.
type thrown struct{ value any }

// Do calls f. If f panics, Do keeps the value for [Caught.Raise], and calls onPanic unless it is nil.
// A call of [runtime.Goexit], such as that of FailNow in a test, counts as a panic.
func (c *Caught) Do(f, onPanic func()) {
	hasReturned := false
	defer func() {
		if hasReturned {
			return
		}
		// After a call of Goexit, recover returns nil.
		c.first.CompareAndSwap(nil, &thrown{value: recover()})
		if onPanic != nil {
			onPanic()
		}
	}()
	f()
	hasReturned = true
}

// Raise panics with the value that [Caught.Do] has kept, and forgets the value. It does nothing if
// there was no panic.
func (c *Caught) Raise() {
	kept := c.first.Swap(nil)
	if kept == nil {
		return
	}
	if kept.value == nil {
		// The function of Do called runtime.Goexit. A panic never has the value nil: for panic(nil), it
		// is a *runtime.PanicNilError.
		runtime.Goexit()
	}
	panic(kept.value)
}

// A Group is like a [sync.WaitGroup], but passes panics of its functions on to the goroutine that
// waits.
type Group struct {
	caught Caught
	group  sync.WaitGroup
}

// Go calls f in a new goroutine. If f panics, Go calls onPanic, unless that is nil, and
// [Group.Wait] panics.
func (g *Group) Go(f, onPanic func()) {
	g.group.Go(func() { g.caught.Do(f, onPanic) })
}

// Do calls f in the calling goroutine, and keeps its panic for [Group.Wait].
func (g *Group) Do(f, onPanic func()) { g.caught.Do(f, onPanic) }

// Raise panics if a function of the group did. It does not wait for the functions.
func (g *Group) Raise() { g.caught.Raise() }

// Join waits for all functions. Unlike [Group.Wait], it never panics.
func (g *Group) Join() { g.group.Wait() }

// Wait waits for all functions. If one of them panicked, Wait panics with the same value.
func (g *Group) Wait() {
	g.Join()
	g.caught.Raise()
}
