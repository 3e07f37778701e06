package running

import "time"

const (
	// fastConnection is the rate in bytes per second above which one connection is fast enough, so
	// that more connections are not worth their requests.
	fastConnection = 150 << 20
	// sampleBytes is the number of bytes that a Probe reads before it judges the rate of the
	// connection.
	sampleBytes = 1 << 20
	// chunkBytes is the number of bytes of a sample that are timed together.
	chunkBytes = 64 << 10
)

// A Probe measures one connection, and decides whether more connections would help. More
// connections help if the connection is slow. They do not help if the program reads slowly.
//
// A Probe measures samples of one mebibyte. Each sample is divided into chunks of 64 KiB. A
// connection is slow only if most chunks of a sample are slow. On a busy machine, a process may
// lose the processor for some milliseconds. This pause makes one chunk slow, although the
// connection is fast.
type Probe struct {
	begun     time.Time     // time at which this sample began
	waited    time.Duration // time for which the reader has waited for the connection
	bytes     int64         // bytes of this sample
	slowBytes int64         // bytes of the slow chunks of this sample

	// The following fields describe the current chunk of the sample.
	chunkWaited time.Duration // time for which the reader has waited in the chunk
	chunkBytes  int64
}

// RecordRead records that a Read which began at start has just returned n bytes. When these complete a
// sample, RecordRead returns the rate of the connection in bytes per second. The result slow is then true
// if the connection was slow and kept the reader waiting for more than half of the time. Before the end of
// a sample, RecordRead returns 0 and false.
func (p *Probe) RecordRead(start time.Time, n int) (rate float64, slow bool) {
	now := time.Now()
	beginsSample := p.bytes == 0
	if beginsSample {
		*p = Probe{begun: start}
	}

	waited := now.Sub(start)
	p.waited += waited
	p.bytes += int64(n)
	p.chunkWaited += waited
	p.chunkBytes += int64(n)
	endsSample := p.bytes >= sampleBytes
	if p.chunkBytes >= chunkBytes || endsSample {
		p.endChunk()
	}
	if !endsSample {
		return 0, false
	}

	// A slow program also receives few bytes per second, but does not wait for them.
	rate = perSecond(p.bytes, p.waited)
	mostlySlow := 2*p.slowBytes > p.bytes
	mostlyWaited := 2*p.waited > now.Sub(p.begun)
	slow = mostlySlow && mostlyWaited && rate < fastConnection

	// The next call begins a new sample.
	p.bytes = 0
	return rate, slow
}

// endChunk counts the bytes of the current chunk as slow if its rate was low, and begins the next chunk.
func (p *Probe) endChunk() {
	if perSecond(p.chunkBytes, p.chunkWaited) < fastConnection {
		p.slowBytes += p.chunkBytes
	}
	p.chunkBytes = 0
	p.chunkWaited = 0
}

func perSecond(bytes int64, d time.Duration) float64 { return float64(bytes) / max(d.Seconds(), 1e-9) }
