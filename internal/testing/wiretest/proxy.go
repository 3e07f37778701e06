package wiretest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Cut says after how many bytes the [Proxy] cuts a connection, and how.
type Cut struct {
	Up, Down int64 // number of bytes to and from the server before the cut; 0 means no limit
	Reset    bool  // true to reset the connection, so that the client also loses bytes that it has not read yet
}

// A Proxy forwards bytes between clients and a server. A test can make it cut connections.
type Proxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu   sync.Mutex
	cut  Cut
	left int // number of connections that will still be cut
	cuts int
}

// StartProxy starts a Proxy for the server at a URL, until the test ends.
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

// URL returns the URL of the proxy, without a path.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Cut makes the proxy cut the next n connections.
func (p *Proxy) Cut(c Cut, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
	p.left = n
	p.cuts = 0
}

// Cuts returns how many connections were cut since the last call of [Proxy.Cut].
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// next returns the Cut for a new connection, which is zero for a connection that is not cut.
func (p *Proxy) next() Cut {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 {
		return Cut{}
	}
	return p.cut
}

// countCut counts a connection that was cut.
func (p *Proxy) countCut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	p.cuts++
}

// accept serves each connection until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards the bytes of one connection until it ends or is cut.
func (p *Proxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}

	conn := &proxyConn{
		proxy:  p,
		client: client,
		server: server,
		cut:    p.next(),
	}
	p.group.Go(func() { conn.carry(server, client, conn.cut.Up) })
	conn.carry(client, server, conn.cut.Down)
}

// A proxyConn is a connection through the proxy.
type proxyConn struct {
	proxy  *Proxy
	client *net.TCPConn
	server net.Conn
	cut    Cut
	once   sync.Once // counts the cut, because both directions may reach their limit
}

// carry forwards the bytes of one direction up to limit, and then closes both sides. A limit of 0
// means no limit.
func (c *proxyConn) carry(dst io.Writer, src io.Reader, limit int64) {
	if limit > 0 {
		src = io.LimitReader(src, limit)
	}
	n, _ := io.Copy(dst, src) // ends when either side closes the connection
	isCut := limit > 0 && n == limit
	if isCut {
		c.once.Do(c.proxy.countCut)
		if c.cut.Reset {
			_ = c.client.SetLinger(0) // Close then sends a reset
		}
	}
	_ = c.client.Close()
	_ = c.server.Close()
}
