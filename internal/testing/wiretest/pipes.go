package wiretest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// OnPipes runs the server on in-memory pipes instead of network connections, and returns a client
// of it. In a bubble of testing/synctest, requests then take no real time: a deadline passes only
// if all goroutines wait, and never because the machine is busy.
func OnPipes(t *testing.T, server *http.Server) *http.Client {
	t.Helper()
	listener := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	go func() { _ = server.Serve(listener) }() // returns ErrServerClosed
	transport := &http.Transport{DisableKeepAlives: true, DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		time.Sleep(time.Minute) // longer than the goroutines of the server need to end
	})
	return &http.Client{Transport: transport}
}

// The type pipes is a net.Listener that accepts in-memory pipes.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept returns one end of a pipe that dial has made.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.made:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// dial returns one end of a new pipe. Accept returns the other one.
func (l *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, peer := net.Pipe()
	select {
	case l.made <- peer:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }
