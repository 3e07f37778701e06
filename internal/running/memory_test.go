package running

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A Memory forgets the number of requests after five minutes, even if transfers used it all the time. Otherwise it
// would keep a high number on a link that other programs now share, because more requests always win a larger share of
// such a link.
func (n *network) transfer(memory *Memory, requests int) int {
	initial := memory.Begin(initialRequests)
	limit := GrowingLimit(initial, highestRequests, min(n.each, n.all/float64(n.running.Load()+1)))
	n.run(limit, requests)
	memory.End(limit)
	return initial
}

// A transfer makes several requests at the same time, and finds how many of them fill the network. The next transfer
// begins with this number, but not after a short transfer or a long pause.
func TestMemoryBegin(t *testing.T) {
	tests := []struct {
		name      string
		each      float64       // bytes a second of one request
		all       float64       // bytes a second of all requests together
		requests  int           // of the first transfer
		pause     time.Duration // between the two transfers
		wantBegin int           // requests with which the second transfer begins
	}{
		{
			name:      "each request has its own rate",
			each:      requestRate,
			all:       wideLink,
			requests:  manyRequests,
			pause:     time.Minute,
			wantBegin: highestRequests,
		},
		{
			name:      "eight requests fill the link",
			each:      requestRate,
			all:       8 * requestRate,
			requests:  manyRequests,
			pause:     time.Minute,
			wantBegin: 8,
		},
		{
			name:      "one request fills the link",
			each:      requestRate,
			all:       requestRate,
			requests:  manyRequests,
			pause:     time.Minute,
			wantBegin: initialRequests,
		},
		{
			name:      "a short transfer",
			each:      requestRate,
			all:       wideLink,
			requests:  3,
			pause:     time.Minute,
			wantBegin: initialRequests,
		},
		{
			name:      "after six minutes",
			each:      requestRate,
			all:       wideLink,
			requests:  manyRequests,
			pause:     6 * time.Minute,
			wantBegin: initialRequests,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// transfer makes requests, and returns with how many at the same time it has begun.
				net := &network{each: tt.each, all: tt.all, latency: time.Millisecond}
				memory := &Memory{}
				require.Equal(t, initialRequests, net.transfer(memory, tt.requests))
				time.Sleep(tt.pause)
				require.Equal(t, tt.wantBegin, net.transfer(memory, tt.requests))
			})
		})
	}
}

// If the link becomes slower, each further transfer begins with fewer requests.
func TestMemoryOfSlowerLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		memory := &Memory{}
		net.transfer(memory, manyRequests)
		net.all = requestRate
		require.Equal(t, highestRequests, net.transfer(memory, manyRequests))
		require.Equal(t, 8, net.transfer(memory, manyRequests))
		require.Equal(t, initialRequests, net.transfer(memory, manyRequests))
	})
}

// A Memory forgets the number of requests after five minutes, even if there were transfers all the time. The link may
// since be shared with other programs, at whose cost many requests still move more bytes than one.
func TestMemoryEndsWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 200e6 // bytes a second
		net := &network{each: rate, all: wideLink, latency: time.Millisecond}
		memory := &Memory{}
		net.transfer(memory, manyRequests)

		// One request is enough to fill the link now, and other programs use the link at the same time.
		net.all = rate
		const otherPrograms = 5
		net.running.Add(otherPrograms)

		// There are transfers after two, four, six and eight minutes. Five minutes are over at the third one.
		wantRequests := []int{highestRequests, highestRequests, initialRequests, initialRequests}
		for _, want := range wantRequests {
			time.Sleep(2 * time.Minute)
			require.Equal(t, want, net.transfer(memory, manyRequests))
		}
	})
}

// Transfers that run at the same time share the number of requests that an earlier transfer found to be best. So each
// of them begins with fewer.
func TestMemoryOfParallelTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		memory := &Memory{}
		net.transfer(memory, manyRequests)
		require.Equal(t, highestRequests, memory.Begin(initialRequests))
		require.Equal(t, 8, memory.Begin(initialRequests))
		require.Equal(t, 5, memory.Begin(initialRequests))
		require.Equal(t, initialRequests, memory.Begin(initialRequests))
	})
}

// After a server has refused a request, the next transfer begins with the initial number of requests.
func TestMemoryAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{each: requestRate, all: wideLink, latency: time.Millisecond}
		memory := &Memory{}
		net.transfer(memory, manyRequests)

		limit := GrowingLimit(memory.Begin(initialRequests), highestRequests, requestRate)
		limit.Refused()
		memory.End(limit)
		require.Equal(t, initialRequests, memory.Begin(initialRequests))
	})
}
