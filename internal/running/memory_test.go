package running

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// transfer makes this number of requests, with a Limit that begins with what the memory remembers. It returns the
// number of requests at the same time with which the transfer began.
func (n *network) transfer(memory *Memory, requests int) int {
	initial := memory.Begin(initialRequests)
	limit := GrowingLimit(initial, highestRequests, min(n.each, n.all/float64(n.running.Load()+1)))
	n.run(limit, requests)
	memory.End(limit)
	return initial
}

// A transfer begins with the number of requests that the one before has found.
func TestMemoryBegin(t *testing.T) {
	tests := []struct {
		name      string
		each, all float64 // bytes a second
		requests  int     // of the first transfer
		pause     time.Duration
		want      int // requests with which the second transfer begins
	}{
		{
			name:     "each request has its own rate",
			each:     requestRate,
			all:      wideLink,
			requests: manyRequests,
			pause:    time.Minute,
			want:     highestRequests,
		},
		{
			name:     "eight requests fill the link",
			each:     requestRate,
			all:      8 * requestRate,
			requests: manyRequests,
			pause:    time.Minute,
			want:     8,
		},
		{
			name:     "one request fills the link",
			each:     requestRate,
			all:      requestRate,
			requests: manyRequests,
			pause:    time.Minute,
			want:     initialRequests,
		},
		{
			name:     "a short transfer",
			each:     requestRate,
			all:      wideLink,
			requests: 3,
			pause:    time.Minute,
			want:     initialRequests,
		},
		{
			name:     "after six minutes",
			each:     requestRate,
			all:      wideLink,
			requests: manyRequests,
			pause:    6 * time.Minute,
			want:     initialRequests,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				m := &Memory{}
				require.Equal(t, initialRequests, net.transfer(m, tt.requests))
				time.Sleep(tt.pause)
				require.Equal(t, tt.want, net.transfer(m, tt.requests))
			})
		})
	}
}

// If the link has become slower, the next transfers begin with fewer requests.
func TestMemoryOfSlowerLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, manyRequests)
		net.all = requestRate
		require.Equal(t, highestRequests, net.transfer(m, manyRequests))
		require.Equal(t, 8, net.transfer(m, manyRequests))
		require.Equal(t, initialRequests, net.transfer(m, manyRequests))
	})
}

// If connections of other programs come to the link, 16 requests move more bytes than one only at their cost, and
// the Limit of a transfer that begins with 16 does not see that. The number is therefore found again after five
// minutes, also if there were transfers all the time.
func TestMemoryEndsWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 200e6 // bytes a second
		net := &network{each: rate, all: wideLink, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, manyRequests)
		net.all = rate // one request fills the link
		const otherPrograms = 5
		net.running.Add(otherPrograms)

		time.Sleep(2 * time.Minute)
		require.Equal(t, highestRequests, net.transfer(m, manyRequests))
		time.Sleep(2 * time.Minute)
		require.Equal(t, highestRequests, net.transfer(m, manyRequests))
		time.Sleep(2 * time.Minute)
		require.Equal(t, initialRequests, net.transfer(m, manyRequests))
		time.Sleep(2 * time.Minute)
		require.Equal(t, initialRequests, net.transfer(m, manyRequests))
	})
}

// Transfers at the same time share the number of requests.
func TestMemoryOfParallelTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, manyRequests)
		require.Equal(t, highestRequests, m.Begin(initialRequests))
		require.Equal(t, 8, m.Begin(initialRequests))
		require.Equal(t, 5, m.Begin(initialRequests))
		require.Equal(t, initialRequests, m.Begin(initialRequests))
	})
}

// After a server has refused connections, the next transfer begins with the initial number.
func TestMemoryAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, manyRequests)
		l := GrowingLimit(m.Begin(initialRequests), highestRequests, requestRate)
		l.Refused()
		m.End(l)
		require.Equal(t, initialRequests, m.Begin(initialRequests))
	})
}
