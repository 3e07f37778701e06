package nullserver

import (
	"net"
	"sync"
	"time"
)

const (
	// Shorter sleeps are not worth the call, and are collected.
	shortest = time.Millisecond
	// credit limits how much a connection may catch up after sleeps that were too
	// long.
	credit = 2 * time.Millisecond
)

// pacedListener accepts connections with a limited rate, which share the link.
type pacedListener struct {
	net.Listener
	rate    int64
	in, out link
}

func (l *pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: c, in: pace{rate: l.rate}, out: pace{rate: l.rate}, listener: l}, nil
}

// A pacedConn limits each direction separately. One goroutine at a time reads, and
// one writes.
type pacedConn struct {
	net.Conn
	in, out  pace
	listener *pacedListener
}

func (c *pacedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.pass(n)
	c.listener.in.pass(n)
	return n, err
}

func (c *pacedConn) Write(p []byte) (int, error) {
	c.out.pass(len(p))
	c.listener.out.pass(len(p))
	return c.Conn.Write(p)
}

type pace struct {
	rate int64     // bytes per second
	due  time.Time // the time by which the bytes so far may have been transferred
}

func (p *pace) pass(bytes int) {
	if ahead := p.take(bytes); ahead > shortest {
		time.Sleep(ahead)
	}
}

// take returns how long the bytes must wait.
func (p *pace) take(bytes int) time.Duration {
	now := time.Now()
	if earliest := now.Add(-credit); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(time.Duration(int64(bytes) * int64(time.Second) / p.rate))
	return p.due.Sub(now)
}

// A link limits one direction of all connections together. They take turns.
type link struct {
	rate int64 // 0 for no limit
	mu   sync.Mutex
	pace pace
}

func (l *link) pass(bytes int) {
	if l.rate == 0 {
		return
	}
	l.mu.Lock()
	l.pace.rate = l.rate
	ahead := l.pace.take(bytes)
	l.mu.Unlock()
	if ahead > shortest {
		time.Sleep(ahead)
	}
}
