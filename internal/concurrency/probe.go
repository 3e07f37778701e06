package concurrency

import "time"

const (
	// fastConnection is the rate in bytes per second above which one connection is fast enough, so
	// that more connections are not worth their requests.
	fastConnection = 150 << 20
	// sampleBytes is the number of bytes that a Probe reads before it judges the rate of the
	// connection.
	sampleBytes = 1 << 20
	// stretchBytes is the number of bytes of a sample that are timed together.
	stretchBytes = 64 << 10
)

// A Probe measures one connection, and decides whether more connections would help. They help if
// the connection is slow and the program that reads from it is not.
//
// On a busy machine, a process loses the processor for some milliseconds. A fast connection delivers a
// whole sample in that time, so the sample as a whole looks slow. Therefore a connection counts as slow
// only if most stretches of the sample are slow: a pause makes only one stretch slow.
type Probe struct {
	begun     time.Time     // time at which this sample began
	waited    time.Duration // time for which the reader has waited for the connection
	bytes     int64         // bytes of this sample
	slowBytes int64         // bytes of this sample that were in slow stretches

	stretchWaited time.Duration // time for which the reader has waited in the current stretch
	stretchBytes  int64         // bytes of the current stretch
}

// Read records a Read that has just returned n bytes. began is the time at which that Read began.
// At the end of a sample, it returns the rate of the connection in bytes per second. slow is true
// if that rate and the rates of most stretches are low, and if the reader spent more than half of the
// time waiting for the connection.
func (p *Probe) Read(began time.Time, n int) (rate float64, slow bool) {
	now := time.Now()
	if p.bytes == 0 {
		*p = Probe{begun: began}
	}
	p.waited += now.Sub(began)
	p.bytes += int64(n)
	p.stretchWaited += now.Sub(began)
	p.stretchBytes += int64(n)
	if p.stretchBytes >= stretchBytes || p.bytes >= sampleBytes {
		p.endStretch()
	}
	if p.bytes < sampleBytes {
		return 0, false
	}
	rate = perSecond(p.bytes, p.waited)
	slow = 2*p.slowBytes > p.bytes && rate < fastConnection && 2*p.waited > now.Sub(p.begun)
	p.bytes = 0
	return rate, slow
}

func (p *Probe) endStretch() {
	if perSecond(p.stretchBytes, p.stretchWaited) < fastConnection {
		p.slowBytes += p.stretchBytes
	}
	p.stretchBytes, p.stretchWaited = 0, 0
}

func perSecond(bytes int64, d time.Duration) float64 { return float64(bytes) / max(d.Seconds(), 1e-9) }
