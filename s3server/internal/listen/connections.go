// Package listen has helpers for a server that accepts connections: a limit of their number,
// and a certificate of its own.
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

// A Listener bounds the number of open connections. When there are too many, it closes
// the one that has been idle for longest; one that sends the head of a request is idle, too. If
// all have requests in progress, a new connection waits.
type Listener struct {
	net.Listener
	Open  sync.WaitGroup // counts the connections
	slots chan struct{}  // has one value for each connection
	gone  chan struct{}
	close func() error

	mu   sync.Mutex
	idle list.List // a list of idleConnection; the one that is idle for longest is the first
	at   map[net.Conn]*list.Element
}

type idleConnection struct {
	net.Conn
	since time.Time
}

// Limit returns a listener with at most this many open connections.
func Limit(l net.Listener, most int) *Listener {
	gone := make(chan struct{})
	return &Listener{
		Listener: l, slots: make(chan struct{}, most), at: map[net.Conn]*list.Element{}, gone: gone,
		close: sync.OnceValue(func() error {
			close(gone)
			return l.Close()
		}),
	}
}

// Accept waits for a connection, and then for its slot. The slot is free again when
// Changed learns that the connection is closed.
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

// admit waits for a slot. It returns false if the listener is closed meanwhile.
func (l *Listener) admit() bool {
	closed := false
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	for {
		wait := (<-chan time.Time)(nil)
		if !closed {
			if closed = l.closeIdle(); !closed {
				wait = time.After(idleGrace)
			}
		}
		select {
		case l.slots <- struct{}{}:
			return true
		case <-wait:
		case <-l.gone:
			return false
		}
	}
}

// Close ends Accept.
func (l *Listener) Close() error { return l.close() }

// Changed is the function for the server's ConnState.
func (l *Listener) Changed(connection net.Conn, state http.ConnState) {
	l.setIdle(connection, state == http.StateNew || state == http.StateIdle)
	switch state {
	case http.StateNew:
		l.Open.Add(1)
	case http.StateClosed, http.StateHijacked:
		<-l.slots
		l.Open.Done()
	}
}

func (l *Listener) setIdle(connection net.Conn, idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.at[connection]; e != nil {
		l.idle.Remove(e)
		delete(l.at, connection)
	}
	if idle {
		l.at[connection] = l.idle.PushBack(idleConnection{connection, time.Now()})
	}
}

// closeIdle closes the connection that has been idle for longest. It returns false if none has
// been for idleGrace.
func (l *Listener) closeIdle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.idle.Front()
	if first == nil || time.Since(first.Value.(idleConnection).since) < idleGrace {
		return false
	}
	oldest := l.idle.Remove(first).(idleConnection)
	delete(l.at, oldest.Conn)
	if encrypted, ok := oldest.Conn.(*tls.Conn); ok {
		oldest.Conn = encrypted.NetConn() // without a last TLS message, for which it could wait
	}
	_ = oldest.Close()
	return true
}
