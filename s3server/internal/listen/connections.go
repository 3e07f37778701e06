// Package listen helps a server to accept connections. It limits the number of connections, and
// makes a certificate.
package listen

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// idleGrace is the time after a request during which an idle connection is not closed, even if
// other connections wait. Most clients send the next request within this time.
const idleGrace = 500 * time.Millisecond

// A Listener limits the number of open connections. If there are too many, it closes the connection
// that has been idle longest. A connection that has not yet sent a complete request header is idle,
// too. If no connection has been idle for idleGrace, a new connection waits.
type Listener struct {
	net.Listener
	Open   sync.WaitGroup // counts the open connections
	slots  chan struct{}  // has one element for each open connection
	closed chan struct{}
	close  func() error

	mu       sync.Mutex
	idle     list.List // list of idleConnection; the first is the one that has been idle longest
	elements map[net.Conn]*list.Element
}

type idleConnection struct {
	net.Conn
	since time.Time
}

// Limit returns a listener that accepts connections of l, at most limit of them at the same time.
func Limit(l net.Listener, limit int) *Listener {
	done := make(chan struct{})
	return &Listener{
		Listener: l,
		slots:    make(chan struct{}, limit),
		elements: map[net.Conn]*list.Element{},
		closed:   done,
		close: sync.OnceValue(func() error {
			close(done)
			return l.Close()
		}),
	}
}

// Accept returns the next connection as soon as the limit of open connections permits it. The [http.Server] must call
// Changed, so that a closed connection no longer counts.
func (l *Listener) Accept() (net.Conn, error) {
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

// admit takes a slot, of which each open connection needs one, and waits while there is none. It returns false if the
// listener is closed in the meantime.
func (l *Listener) admit() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
		// There is no free slot.
	}

	// Close one idle connection, as soon as there is one, unless a slot becomes free before.
	for !l.closeIdle() {
		select {
		case l.slots <- struct{}{}:
			return true
		case <-time.After(idleGrace):
		case <-l.closed:
			return false
		}
	}

	// The slot of the closed connection becomes free when the http.Server notices that.
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.closed:
		return false
	}
}

// Close closes the listener, and makes a waiting Accept return.
func (l *Listener) Close() error { return l.close() }

// Changed records which connections are open and idle. It must be the ConnState of the [http.Server].
func (l *Listener) Changed(connection net.Conn, state http.ConnState) {
	l.setIdle(connection, state == http.StateNew || state == http.StateIdle)
	switch state {
	case http.StateNew:
		l.Open.Add(1)
	case http.StateClosed, http.StateHijacked:
		<-l.slots // a new connection can take this slot
		l.Open.Done()
	}
}

// setIdle records that a connection is idle from now on, or that it no longer is.
func (l *Listener) setIdle(connection net.Conn, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if e := l.elements[connection]; e != nil {
		l.idle.Remove(e)
		delete(l.elements, connection)
	}
	if idle {
		l.elements[connection] = l.idle.PushBack(idleConnection{Conn: connection, since: time.Now()})
	}
}

// closeIdle closes the connection that has been idle longest, or returns false if none has been idle for idleGrace.
func (l *Listener) closeIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	first := l.idle.Front()
	if first == nil {
		return false
	}
	oldest := first.Value.(idleConnection)
	if time.Since(oldest.since) < idleGrace {
		return false
	}
	l.idle.Remove(first)
	delete(l.elements, oldest.Conn)

	// Closing a tls.Conn would send a message and could block, so close the connection below it.
	conn := oldest.Conn
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	_ = conn.Close()
	return true
}
