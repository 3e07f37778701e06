package running

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

// A Probe measures one connection, and decides whether more connections would help. More
// connections help if the connection is slow. They do not help if the program reads slowly.
//
// A Probe measures samples of one mebibyte. Each sample is divided into stretches of 64 KiB. A
// connection is slow only if most stretches of a sample are slow. On a busy machine, a process may
// lose the processor for some milliseconds. This pause makes one stretch slow, although the
// connection is fast.
type Probe struct {
	begun     time.Time     // time at which this sample began
	waited    time.Duration // time for which the reader has waited for the connection
	bytes     int64         // bytes of this sample
	slowBytes int64         // bytes of the slow stretches of this sample

	// The following fields describe the current stretch. A stretch is a piece of a sample (see
	// Probe).
	stretchWaited time.Duration // time for which the reader has waited in the stretch
	stretchBytes  int64         // bytes of the current stretch
}

// Read records that the connection has just delivered n bytes, for which the reader has waited since
// start. At the end of a sample, it returns the rate of the connection in bytes per second, and
// whether the connection was slow and kept the reader waiting for more than half of the time. Before
// the end of a sample, it returns 0 and false.
func (p *Probe) Read(start time.Time, n int) (rate float64, slow bool) {
	now := time.Now()
	beginsSample := p.bytes == 0
	if beginsSample {
		*p = Probe{begun: start}
	}

	// Count the bytes in the sample and in its current stretch.
	waited := now.Sub(start)
	p.waited += waited
	p.bytes += int64(n)
	p.stretchWaited += waited
	p.stretchBytes += int64(n)
	endsSample := p.bytes >= sampleBytes
	if p.stretchBytes >= stretchBytes || endsSample {
		p.endStretch()
	}
	if !endsSample {
		return 0, false
	}

	// Decide whether the connection was slow in this sample.
	rate = perSecond(p.bytes, p.waited)
	mostStretchesSlow := 2*p.slowBytes > p.bytes
	mostlyWaited := 2*p.waited > now.Sub(p.begun)
	slow = mostStretchesSlow && mostlyWaited && rate < fastConnection

	// The next call begins a new sample.
	p.bytes = 0
	return rate, slow
}

// endStretch counts the bytes of the current stretch as slow if its rate was low, and begins the next
// stretch.
func (p *Probe) endStretch() {
	if perSecond(p.stretchBytes, p.stretchWaited) < fastConnection {
		p.slowBytes += p.stretchBytes
	}
	p.stretchBytes = 0
	p.stretchWaited = 0
}

func perSecond(bytes int64, d time.Duration) float64 { return float64(bytes) / max(d.Seconds(), 1e-9) }
