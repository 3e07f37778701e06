package running

import (
	"sync"
	"time"
)

// memoryTime is the time after which a Memory forgets its number, even if transfers still use it. By then, the
// machine may be on another network, or other programs may need their share of the link, which a transfer with many
// requests does not notice.
const memoryTime = 5 * time.Minute

// A Memory remembers the number of parallel requests that transfers of one bucket have found best,
// so that the next transfer need not find it again. It serves only transfers that already know
// that their link is slow (see [Probe]). The zero Memory remembers nothing.
type Memory struct {
	mu        sync.Mutex
	requests  int       // the best number of requests of the last transfer that found one; 0 if none has
	since     time.Time // when requests was first found
	transfers int       // transfers between Begin and End
}

// Begin returns with how many requests a transfer begins: the number that the Memory remembers, or
// initial if that is higher. Transfers at the same time share the remembered number.
func (m *Memory) Begin(initial int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transfers++
	if time.Since(m.since) > memoryTime {
		m.requests = 0
	}
	return max(initial, m.requests/m.transfers)
}

// End ends a transfer, and remembers the number of requests that its Limit has found, unless the
// transfer was too short to find one. The caller calls End once for each Begin.
func (m *Memory) End(l *Limit) {
	found := l.found()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transfers--
	if found == 0 {
		return
	}
	// The time of the first number decides when the Memory forgets, so that even a busy one forgets.
	if m.requests == 0 {
		m.since = time.Now()
	}
	m.requests = found
}
