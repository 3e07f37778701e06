package running

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// transfer makes so many requests, with a Limit that begins with what the memory remembers. It returns how many
// requests at once the transfer began with.
func (n *network) transfer(memory *Memory, requests int) int {
	initial := memory.Begin(4)
	limit := GrowingLimit(initial, 16, min(n.each, n.all/float64(n.running.Load()+1)))
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
			each:     50e6,
			all:      1e12,
			requests: 120,
			pause:    time.Minute,
			want:     16,
		},
		{
			name:     "eight requests fill the link",
			each:     50e6,
			all:      400e6,
			requests: 120,
			pause:    time.Minute,
			want:     8,
		},
		{
			name:     "one request fills the link",
			each:     50e6,
			all:      50e6,
			requests: 120,
			pause:    time.Minute,
			want:     4,
		},
		{name: "a short transfer", each: 50e6, all: 1e12, requests: 3, pause: time.Minute, want: 4},
		{name: "after six minutes", each: 50e6, all: 1e12, requests: 120, pause: 6 * time.Minute, want: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				m := &Memory{}
				require.Equal(t, 4, net.transfer(m, tt.requests))
				time.Sleep(tt.pause)
				require.Equal(t, tt.want, net.transfer(m, tt.requests))
			})
		})
	}
}

// If the link has become slower, the next transfers begin with fewer requests.
func TestMemoryOfSlowerLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: 50e6, all: 1e12, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, 120)
		net.all = 50e6
		require.Equal(t, 16, net.transfer(m, 120))
		require.Equal(t, 8, net.transfer(m, 120))
		require.Equal(t, 4, net.transfer(m, 120))
	})
}

// If connections of other programs come to the link, 16 requests move more bytes than one only at their cost, and
// the Limit of a transfer that begins with 16 does not see that. The number is therefore found again after five
// minutes, also if there were transfers all the time.
func TestMemoryEndsWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: 200e6, all: 1e12, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, 120)
		net.all = 200e6
		net.running.Add(5) // of other programs

		time.Sleep(2 * time.Minute)
		require.Equal(t, 16, net.transfer(m, 120))
		time.Sleep(2 * time.Minute)
		require.Equal(t, 16, net.transfer(m, 120))
		time.Sleep(2 * time.Minute)
		require.Equal(t, 4, net.transfer(m, 120))
		time.Sleep(2 * time.Minute)
		require.Equal(t, 4, net.transfer(m, 120))
	})
}

// Transfers at the same time share the number of requests.
func TestMemoryOfParallelTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: 50e6, all: 1e12, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, 120)
		require.Equal(t, 16, m.Begin(4))
		require.Equal(t, 8, m.Begin(4))
		require.Equal(t, 5, m.Begin(4))
		require.Equal(t, 4, m.Begin(4))
	})
}

// After a server has refused connections, the next transfer begins with the initial number.
func TestMemoryAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: 50e6, all: 1e12, latency: time.Millisecond}
		m := &Memory{}
		net.transfer(m, 120)
		l := GrowingLimit(m.Begin(4), 16, 50e6)
		l.Refused()
		m.End(l)
		require.Equal(t, 4, m.Begin(4))
	})
}
