package session

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
)

// Calls has the running calls of this process that may hold or claim a session. The name of each
// call begins with the name of its process. If a call ends but cannot save its end, the state of the
// session still names the call. The method Ended detects this case.
type Calls struct {
	Process string   // name of the process
	running sync.Map // maps the name of each running call to a function that interrupts it
}

// Enter registers a call as running until leave is called. The channel interrupted is closed if another call
// wants the session that this call holds.
func (c *Calls) Enter() (name string, interrupted <-chan struct{}, leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	name = c.Process + rand.Text()
	c.running.Store(name, cancel)
	return name, ctx.Done(), func() {
		cancel()
		c.running.Delete(name)
	}
}

// Interrupt ends a call of this process, if it runs.
func (c *Calls) Interrupt(name string) {
	if cancel, ok := c.running.Load(name); ok {
		cancel.(context.CancelFunc)()
	}
}

// Ended reports whether name is a call of this process that is no longer running.
func (c *Calls) Ended(name string) bool {
	_, runs := c.running.Load(name)
	return !runs && strings.HasPrefix(name, c.Process)
}
