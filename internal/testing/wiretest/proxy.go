package wiretest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Cut is what becomes of a connection.
type Cut struct {
	Up, Down int64 // bytes of the client's and of the server's that it carries; 0: all there are
	Reset    bool  // ends in a reset, which also takes back what the client has not read yet
}

// A Proxy passes bytes on between clients and a server, and cuts connections.
type Proxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu   sync.Mutex
	cut  Cut
	left int // connections that are still to be cut
	cuts int
}

// StartProxy starts a proxy before the server at an address, which t stops.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: listener, server: target.Host}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.group.Wait()
	})
	return p
}

// URL is the proxy's address, without a path.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Cut cuts the next n connections.
func (p *Proxy) Cut(c Cut, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.left, p.cuts = c, n, 0
}

// Cuts is how many connections were cut since Cut.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// next is what becomes of a new connection.
func (p *Proxy) next() Cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 {
		return Cut{}
	}
	return p.cut
}

// carried is called when a connection has carried all that it may.
func (p *Proxy) carried() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	p.cuts++
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve carries one connection.
func (p *Proxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	cut := p.next()
	var once sync.Once
	carry := func(to io.Writer, from io.Reader, most int64) {
		if most > 0 {
			from = io.LimitReader(from, most)
		}
		if n, _ := io.Copy(to, from); most > 0 && n == most {
			once.Do(p.carried)
			if cut.Reset {
				_ = client.SetLinger(0)
			}
		}
		_ = client.Close()
		_ = server.Close()
	}
	p.group.Go(func() { carry(server, client, cut.Up) })
	carry(client, server, cut.Down)
}
