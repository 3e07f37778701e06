package s3server

import (
	"net"
	"net/http"
	"sync"
)

// A limitedListener accepts a connection only while fewer than a number are open. Others
// wait in the system's queue.
type limitedListener struct {
	net.Listener
	slots chan struct{}
	gone  chan struct{}
	close func() error
}

func limitConnections(l net.Listener, most int) *limitedListener {
	gone := make(chan struct{})
	return &limitedListener{Listener: l, slots: make(chan struct{}, most), gone: gone, close: sync.OnceValue(func() error {
		close(gone)
		return l.Close()
	})}
}

// Accept waits for a slot, and then for a connection. The slot is free again when
// connections.changed learns that the connection is closed.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.gone:
		return nil, net.ErrClosed
	}
	connection, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
	}
	return connection, err
}

// Close ends Accept.
func (l *limitedListener) Close() error { return l.close() }

// connections counts the open connections of a server.
type connections struct {
	open  sync.WaitGroup
	slots chan struct{}
}

// changed is the server's ConnState.
func (c *connections) changed(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		<-c.slots
		c.open.Done()
	}
}
