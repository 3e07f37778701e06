// Package listen has what a server needs to accept connections: a bound of their number, and a
// certificate of its own.
package listen

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleGrace is how long a connection keeps its slot after a request, if others wait: most
// clients send the next request sooner.
const idleGrace = 500 * time.Millisecond

// A limitedListener bounds the number of open connections. When there are too many, it closes
// the one that has been idle for longest; one that sends the head of a request is idle, too. If
// all have requests in progress, a new connection waits.
type limitedListener struct {
	net.Listener
	connections *Connections
	gone        chan struct{}
	close       func() error
}

// Limit returns a listener that bounds its open connections.
func Limit(l net.Listener, c *Connections) *limitedListener {
	gone := make(chan struct{})
	return &limitedListener{Listener: l, connections: c, gone: gone, close: sync.OnceValue(func() error {
		close(gone)
		return l.Close()
	})}
}

// Accept waits for a connection, and then for its slot. The slot is free again when
// connections.changed learns that the connection is closed.
func (l *limitedListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.admit() {
		_ = connection.Close()
		return nil, net.ErrClosed
	}
	return connection, nil
}

// admit waits for a slot. It returns false if the listener is closed meanwhile.
func (l *limitedListener) admit() bool {
	slots, closed := l.connections.slots, false
	select {
	case slots <- struct{}{}:
		return true
	default:
	}
	for {
		wait := (<-chan time.Time)(nil)
		if !closed {
			if closed = l.connections.closeIdle(); !closed {
				wait = time.After(idleGrace)
			}
		}
		select {
		case slots <- struct{}{}:
			return true
		case <-wait:
		case <-l.gone:
			return false
		}
	}
}

// Close ends Accept.
func (l *limitedListener) Close() error { return l.close() }

// Connections are the open connections of a server.
type Connections struct {
	Open  sync.WaitGroup
	slots chan struct{} // has one value for each

	mu   sync.Mutex
	idle list.List // of idleConnection; that which is idle for longest is the first
	at   map[net.Conn]*list.Element
}

type idleConnection struct {
	net.Conn
	since time.Time
}

// NewConnections returns connections, of which so many can be open.
func NewConnections(most int) *Connections {
	return &Connections{slots: make(chan struct{}, most), at: map[net.Conn]*list.Element{}}
}

// Changed is the server's ConnState.
func (c *Connections) Changed(connection net.Conn, state http.ConnState) {
	c.setIdle(connection, state == http.StateNew || state == http.StateIdle)
	switch state {
	case http.StateNew:
		c.Open.Add(1)
	case http.StateClosed, http.StateHijacked:
		<-c.slots
		c.Open.Done()
	}
}

func (c *Connections) setIdle(connection net.Conn, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.at[connection]; e != nil {
		c.idle.Remove(e)
		delete(c.at, connection)
	}
	if idle {
		c.at[connection] = c.idle.PushBack(idleConnection{connection, time.Now()})
	}
}

// closeIdle closes the connection that has been idle for longest. It returns false if none has
// been for idleGrace.
func (c *Connections) closeIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.idle.Front()
	if first == nil {
		return false
	}
	oldest := first.Value.(idleConnection)
	if time.Since(oldest.since) < idleGrace {
		return false
	}
	c.idle.Remove(first)
	delete(c.at, oldest.Conn)
	if encrypted, ok := oldest.Conn.(*tls.Conn); ok {
		oldest.Conn = encrypted.NetConn() // without a last message, for which it could wait
	}
	_ = oldest.Close()
	return true
}
