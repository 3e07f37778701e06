package concurrency

import "time"

const (
	// fastConnection is how many bytes a second one connection must deliver so that
	// others are not worth their requests.
	fastConnection = 150 << 20
	// sampleBytes is the number of bytes after which the throughput of a connection is known.
	sampleBytes = 1 << 20
)

// A Probe watches one connection, and decides whether more of them would help. They do if the
// connection is slow, and its reader is not.
type Probe struct {
	begun  time.Time     // start of this sample
	waited time.Duration // how long the reader has waited for the connection
	bytes  int64
}

// Read counts a Read that began at some time, and has just delivered n bytes. At the end of a sample it
// returns the rate of the connection in bytes a second, and whether it is slow while its reader is not:
// the reader has mostly waited for it.
func (p *Probe) Read(began time.Time, n int) (rate float64, slow bool) {
	now := time.Now()
	if p.bytes == 0 {
		p.begun, p.waited = began, 0
	}
	p.waited += now.Sub(began)
	if p.bytes += int64(n); p.bytes < sampleBytes {
		return 0, false
	}
	rate = float64(p.bytes) / max(p.waited.Seconds(), 1e-9)
	p.bytes = 0
	return rate, rate < fastConnection && 2*p.waited > now.Sub(p.begun)
}
