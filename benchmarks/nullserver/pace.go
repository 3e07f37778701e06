package nullserver

import (
	"net"
	"time"
)

const (
	// Shorter sleeps are not worth the call, and are collected.
	shortest = time.Millisecond
	// credit limits how much a connection may catch up after sleeps that were too
	// long.
	credit = 2 * time.Millisecond
)

// pacedListener accepts connections with a limited rate.
type pacedListener struct {
	net.Listener
	rate int64
}

func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: c, in: pace{rate: l.rate}, out: pace{rate: l.rate}}, nil
}

// A pacedConn limits each direction separately. One goroutine at a time reads, and
// one writes.
type pacedConn struct {
	net.Conn
	in, out pace
}

func (c *pacedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.pass(n)
	return n, err
}

func (c *pacedConn) Write(p []byte) (int, error) {
	c.out.pass(len(p))
	return c.Conn.Write(p)
}

type pace struct {
	rate int64     // bytes per second
	due  time.Time // the time by which the bytes so far may have been transferred
}

func (p *pace) pass(bytes int) {
	now := time.Now()
	if earliest := now.Add(-credit); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(time.Duration(int64(bytes) * int64(time.Second) / p.rate))
	if ahead := p.due.Sub(now); ahead > shortest {
		time.Sleep(ahead)
	}
}
