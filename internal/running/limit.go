package running

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// worthwhile is the share of the ideal gain that a higher number of requests must reach.
	// Ideally, twice as many requests move twice as many bytes per second. Twice as many requests
	// are kept if they move at least 1.4 times as many bytes per second.
	//
	// A smaller gain may be at the cost of other programs: on a full link, more requests take
	// bandwidth from other programs. For example, next to five connections of another program, 8
	// requests move 1.38 times as many bytes as 4 requests. This gain is too small to keep the 8
	// requests.
	worthwhile = 0.4
	// tryAgain is the time after which the number of requests is increased again, if an earlier
	// increase did not help. The network may have changed in that time.
	tryAgain = 2 * time.Second
)

// A Limit limits the number of parallel requests. A Limit of [FixedLimit] never changes that number.
//
// A Limit has a slot for each request that may be in progress. A round is a series of as many
// requests as there are slots. If a request had to wait for a slot in a round, a Limit of
// [GrowingLimit] doubles its slots. If the doubled slots move enough more bytes per second, the Limit
// keeps them, and may double them again. If the rate has not grown enough after two rounds, the Limit
// returns to the former number for a while. It waits for a second round, because the first one has to
// open new connections.
//
// If the server refuses connections, the Limit keeps one slot. A [Probe] decides whether a single
// connection is slow enough for parallel requests to help.
type Limit struct {
	slots chan struct{} // holds a token for each free slot

	mu       sync.Mutex
	current  int
	max      int
	adaptive bool // true if the number of slots may change
	refused  bool // true if Refused was called
	best     int  // what found returns
	excess   int  // number of slots to remove when requests release them
	waiting  int  // number of calls of Acquire that are waiting

	// The following fields describe the current round of requests.
	since        time.Time
	ended        int // number of requests that have ended in this round
	bytes        atomic.Int64
	firstTooSlow bool      // true if the round before was the first with twice the slots, and was too slow
	former       int       // number of slots before they were doubled; 0 if they were not
	rate         float64   // bytes per second before the slots were doubled
	reducedAt    time.Time // last time when the number of slots was reduced, because doubling it had not helped
}

// FixedLimit returns a Limit that always permits n parallel requests.
func FixedLimit(n int) *Limit {
	l := &Limit{slots: make(chan struct{}, n), current: n, max: n}
	l.add(n)
	return l
}

// GrowingLimit returns a Limit that begins with initial parallel requests and grows to at most
// highest. If rate, the measured bytes per second of one request, is above 0, the Limit also checks
// whether initial requests are worthwhile.
func GrowingLimit(initial, highest int, rate float64) *Limit {
	initial = min(initial, highest)
	l := &Limit{
		slots:    make(chan struct{}, highest),
		current:  initial,
		max:      highest,
		adaptive: initial < highest || rate > 0,
		since:    time.Now(),
	}
	if rate > 0 && initial > 1 {
		// Treat the first round as if it had doubled the slots, from a number with this rate. If it is too
		// slow, the Limit returns to that number.
		l.former = initial / 2
		l.rate = rate
	}
	l.add(initial)
	return l
}

func (l *Limit) add(slots int) {
	for range slots {
		l.slots <- struct{}{}
	}
}

// Current returns the number of parallel requests that the Limit permits at present.
func (l *Limit) Current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Max returns the largest number of parallel requests that the Limit can ever permit.
func (l *Limit) Max() int { return l.max }

// TryAcquire takes a slot if one is free, and reports whether it did.
func (l *Limit) TryAcquire() bool {
	select {
	case <-l.slots:
		return true
	default:
		return false
	}
}

// Acquire takes a slot, and waits for a free one if necessary. It fails with ctx.Err() if ctx ends
// first.
func (l *Limit) Acquire(ctx context.Context) error {
	if l.TryAcquire() {
		return nil
	}

	// A caller that waits shows that more slots may help.
	l.addWaiting(1)
	defer l.addWaiting(-1)
	select {
	case <-l.slots:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// addWaiting adds n to the number of calls that wait for a slot.
func (l *Limit) addWaiting(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting += n
}

// Release gives back a slot that TryAcquire or Acquire has taken.
func (l *Limit) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.excess > 0 {
		// The number of slots has shrunk, so this one is removed.
		l.excess--
		return
	}
	l.slots <- struct{}{}
}

// Moved adds to the number of bytes that requests have moved in this round.
func (l *Limit) Moved(bytes int64) {
	if l.adaptive {
		l.bytes.Add(bytes)
	}
}

// Ended counts a request that has ended. A round is over when one request for each slot has ended,
// and Ended then decides whether to change the number of slots.
func (l *Limit) Ended() {
	if !l.adaptive {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended++
	if l.refused {
		// The server refuses connections, so the number of slots stays 1.
		return
	}
	isOver := l.ended >= l.current
	if !isOver {
		return
	}

	// Begin the next round.
	now := time.Now()
	rate := perSecond(l.bytes.Swap(0), now.Sub(l.since))
	l.since = now
	l.ended = 0
	l.endRound(rate, now)
}

// endRound decides after a round, which moved rate bytes per second, whether to change the number of slots.
// It doubles the number to try whether that makes the transfer faster. If the next two rounds are too slow, it
// returns to the former number. The caller holds l.mu.
func (l *Limit) endRound(rate float64, now time.Time) {
	wasDoubled := l.former > 0
	isTooSlow := wasDoubled && rate < l.needed()
	if isTooSlow && !l.firstTooSlow {
		// The first round with twice the slots had to open connections, so judge by a second one.
		l.firstTooSlow = true
		return
	}

	l.firstTooSlow = false
	switch {
	case isTooSlow:
		l.set(l.former)
		l.former = 0
		l.reducedAt = now
	case l.mayGrow(now):
		// Try twice the slots, and remember the number and the rate to compare with.
		l.former = l.current
		l.rate = rate
		l.set(min(2*l.current, l.max))
	default:
		// Keep the number of slots, which was worthwhile if it was doubled.
		l.former = 0
	}
	// A number that was just doubled is still to be tried.
	l.best = cmp.Or(l.former, l.current)
}

// mayGrow reports whether more slots may help: callers wait for one, and a former attempt has not
// failed shortly before. The caller holds l.mu.
func (l *Limit) mayGrow(now time.Time) bool {
	return l.current < l.max && l.waiting > 0 && now.Sub(l.reducedAt) >= tryAgain
}

// found returns the largest number of slots that was worthwhile so far. It returns 0 if no round
// has shown that yet, and 1 after Refused.
func (l *Limit) found() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.best
}

// Refused reduces the Limit to one request at a time for good, because the server refuses
// connections.
func (l *Limit) Refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = true
	l.best = 1
	l.set(1)
}

// needed returns the lowest rate, in bytes per second, for which the current number of slots is
// kept.
func (l *Limit) needed() float64 {
	return l.rate * (1 + worthwhile*(float64(l.current)/float64(l.former)-1))
}

// set changes the number of slots to n. A slot in use is removed only when it is released.
func (l *Limit) set(n int) {
	// Add slots.
	for ; l.current < n; l.current++ {
		if l.excess > 0 {
			// Keep a slot that was to be removed.
			l.excess--
		} else {
			l.slots <- struct{}{}
		}
	}
	// Or remove slots.
	for ; l.current > n; l.current-- {
		select {
		case <-l.slots:
		default:
			// No slot is free, so Release will remove one.
			l.excess++
		}
	}
}
