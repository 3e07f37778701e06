package nullserver

import (
	"net"
	"sync"
	"time"
)

const (
	// shortest is the length of the shortest sleep. Shorter waits are added up, because a shorter
	// sleep is not worth a call.
	shortest = time.Millisecond
	// credit limits how much lost time a connection can make up for. A connection loses time if it
	// sleeps too long. Afterwards, the connection transfers faster than its rate for a short time.
	credit = 2 * time.Millisecond
)

// A pacedListener accepts connections whose rate is limited. The fields in and out limit the rate
// of all connections together, one for each direction.
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

// A pacedConn limits the rate of reads and of writes separately. Only one goroutine may read at a
// time, and only one may write.
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
	rate int64 // bytes per second
	// At this rate, the transfer of the bytes so far ends at this time.
	due time.Time
}

func (p *pace) pass(bytes int) {
	if ahead := p.take(bytes); ahead > shortest {
		time.Sleep(ahead)
	}
}

// take returns how long the caller must wait before it transfers these bytes.
func (p *pace) take(bytes int) time.Duration {
	now := time.Now()
	if earliest := now.Add(-credit); p.due.Before(earliest) {
		p.due = earliest
	}
	p.due = p.due.Add(time.Duration(int64(bytes) * int64(time.Second) / p.rate))
	return p.due.Sub(now)
}

// A link limits the rate of all connections together, in one direction.
type link struct {
	rate int64 // bytes per second; 0 means no limit
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
