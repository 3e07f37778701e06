package wiretest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// OnPipes runs the server on connections that are pipes in this process, and returns a client of it.
// In a bubble of testing/synctest, requests take no time of the machine's: a deadline passes if all
// wait, and not if the machine is busy.
func OnPipes(t *testing.T, server *http.Server) *http.Client {
	t.Helper()
	listener := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	go func() { _ = server.Serve(listener) }()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			client, peer := net.Pipe()
			select {
			case listener.made <- peer:
				return client, nil
			case <-listener.closed:
				return nil, net.ErrClosed
			}
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		time.Sleep(time.Minute) // net/http's server lingers
	})
	return &http.Client{Transport: transport}
}

// pipes is a listener of connections in this process.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.made:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }
