// Package concurrency finds how many requests at once move the most bytes.
//
// A [Limit] has a slot for each request. A round is as many requests as there are slots. After a round
// in which somebody waited for a slot, a Limit of [Growing] doubles the slots. If that moves enough more
// bytes a second, they stay, and are doubled again. If they do not move more in two rounds (two, because
// the connections of the first one were new), the former number applies again for a while. A server that
// refuses connections leaves one slot. A [Probe] decides whether one connection is slow at all.
package concurrency

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// worthwhile is the share of the expected gain that justifies more requests: twice as many
	// requests must move 1.4 times as many bytes. Beside five connections of another program, 8
	// on a full link get 1.38 times what 4 get, at the other's expense: that is not enough.
	worthwhile = 0.4
	// tryAgain is the time after which the best number of requests is doubled again, because a
	// network changes.
	tryAgain = 2 * time.Second
)

// A Limit bounds how many requests there are at once. One from [Growing] doubles the bound
// as long as that moves more bytes a second.
type Limit struct {
	slots chan struct{} // holds a token for each free slot

	mu       sync.Mutex
	current  int
	max      int
	adaptive bool // whether the number of slots changes
	refused  bool // whether Refused was called
	excess   int  // slots to be removed when they are released
	waiting  int  // calls of Acquire that wait

	// State of the current round:
	since  time.Time
	ended  int // requests that have ended
	bytes  atomic.Int64
	second bool      // whether the last round had the same number and new connections
	before int       // the number of which current is the double; 0 if there is none
	rate   float64   // bytes a second with the number before
	paused time.Time // when twice the number was found to be no better
}

// Fixed returns a Limit of n requests.
func Fixed(n int) *Limit {
	l := &Limit{slots: make(chan struct{}, n), current: n, max: n}
	l.add(n)
	return l
}

// Growing returns a Limit that begins with a number of requests and grows to highest. If the
// rate of one request, in bytes a second, is above 0, the beginning must be worthwhile too.
func Growing(initial, highest int, rate float64) *Limit {
	initial = min(initial, highest)
	l := &Limit{
		slots: make(chan struct{}, highest), current: initial, max: highest, adaptive: initial < highest,
		since: time.Now(),
	}
	if rate > 0 && initial > 1 {
		l.before, l.rate = initial/2, rate
	}
	l.add(initial)
	return l
}

func (l *Limit) add(slots int) {
	for range slots {
		l.slots <- struct{}{}
	}
}

// Current returns how many requests there may be at once, now.
func (l *Limit) Current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Max returns how many requests there will ever be at once, at most.
func (l *Limit) Max() int { return l.max }

// TryAcquire takes a slot, if one is free.
func (l *Limit) TryAcquire() bool {
	select {
	case <-l.slots:
		return true
	default:
		return false
	}
}

// Acquire waits for a slot. It fails only if ctx is done before.
func (l *Limit) Acquire(ctx context.Context) error {
	if l.TryAcquire() {
		return nil
	}
	l.wait(1)
	defer l.wait(-1)
	select {
	case <-l.slots:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limit) wait(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting += n
}

// Release gives a slot back.
func (l *Limit) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.excess > 0 {
		l.excess--
		return
	}
	l.slots <- struct{}{}
}

// Moved counts bytes that a request has moved.
func (l *Limit) Moved(bytes int64) {
	if l.adaptive {
		l.bytes.Add(bytes)
	}
}

// Ended counts a request that has ended. After as many requests as there are slots, it decides
// whether another number of slots is better.
func (l *Limit) Ended() {
	if !l.adaptive {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended++; l.ended < l.current || l.refused {
		return
	}
	now := time.Now()
	rate := float64(l.bytes.Swap(0)) / max(now.Sub(l.since).Seconds(), 1e-9)
	l.since, l.ended = now, 0
	switch {
	case l.before > 0 && rate < l.needed() && !l.second:
		l.second = true
		return
	case l.before > 0 && rate < l.needed():
		l.set(l.before)
		l.before, l.paused = 0, now
	case l.current < l.max && l.waiting > 0 && now.Sub(l.paused) >= tryAgain:
		l.before, l.rate = l.current, rate
		l.set(min(2*l.current, l.max))
	default:
		l.before = 0
	}
	l.second = false
}

// Refused ends the growth: the server takes no more requests at once, so that from now on
// there is one.
func (l *Limit) Refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = true
	l.set(1)
}

// needed returns the rate that justifies the current number.
func (l *Limit) needed() float64 {
	return l.rate * (1 + worthwhile*(float64(l.current)/float64(l.before)-1))
}

// set changes the number of slots.
func (l *Limit) set(n int) {
	for ; l.current < n; l.current++ {
		if l.excess > 0 {
			l.excess--
		} else {
			l.slots <- struct{}{}
		}
	}
	for ; l.current > n; l.current-- {
		select {
		case <-l.slots:
		default:
			l.excess++
		}
	}
}
