// Package pace slows down the requests to a store that throttles.
//
// Until the store refuses a request, a [Pace] delays nothing, and only counts successes. After the
// first refusal, it sets a rate of requests at the end of each round of one second:
//
//   - If more than a tenth of the requests were refused, the rate becomes the number of requests that
//     the store served. It never falls by more than 30 percent in one round.
//   - If no request was refused, the rate grows by a step. The step doubles with each further such round.
//   - If some were refused, but no more than a tenth, the rate stays. It is near the store's limit, or
//     one object is written too often.
//
// After ten rounds without a refusal, the Pace delays nothing again.
package pace

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/running"
)

const (
	round      = time.Second
	refusedOf  = 10  // the rate is cut if more than one request in 10 is refused
	cut        = 0.7 // one cut lowers the rate to no less than 0.7 of the old rate, as in TCP's CUBIC
	firstStep  = 40  // the first step of growth is the rate divided by this number
	calmRounds = 10  // after this number of rounds without a refusal, requests are no longer delayed
	sample     = 16  // the clock is read once in this number of successes

	// slack is how late a request may be without delaying later requests. Requests are often a
	// little late, because timers fire late.
	slack = 20 * time.Millisecond
)

// A Pace limits the rate of requests of one bucket while the store throttles.
type Pace struct {
	off       bool
	counts    bool         // whether successes before the first refusal are counted
	minRate   float64      // the lowest rate, in requests a second
	origin    time.Time    // when New was called; the times in a Pace are durations since then
	throttled atomic.Bool  // whether the store has refused a request lately, so that rounds are in progress
	done      atomic.Int64 // how many requests have succeeded, if counts is true
	mark      atomic.Pointer[mark]

	// gate has capacity 1. The call that holds it waits for the time of its request. Other calls
	// wait for the gate in order, and give up when their ctx is done.
	gate chan struct{}

	mu         sync.Mutex
	rate       float64       // requests a second; 0 if no request is delayed
	step       float64       // the next increase of the rate, in requests a second
	next       time.Duration // earliest time of the next request
	roundStart time.Duration // when this round began
	roundEnd   time.Duration // when this round ends
	served     int           // requests that were served in this round
	refusals   int           // requests that were refused in this round
	calm       int           // number of rounds in a row without a refusal
	refusal    error         // the last refusal
}

// A mark records the number of successful requests at a point in time. While no request was
// refused, a new mark is made about once a second. At the first refusal, the last mark shows the
// rate of the requests before the refusal.
type mark struct {
	at   time.Duration
	done int64
}

// New returns a Pace whose lowest rate is one request a second or one in maxDelay, whichever is
// higher. If enabled is false, it delays nothing, and only reports whether the store throttles. If
// counts is true, it counts successes even before the first refusal.
func New(enabled, counts bool, maxDelay time.Duration) *Pace {
	return &Pace{
		off:     !enabled,
		counts:  enabled && counts,
		minRate: max(1, float64(time.Second)/float64(maxDelay)),
		origin:  time.Now(),
		gate:    make(chan struct{}, 1),
	}
}

// Throttled reports whether the store has refused a request lately.
func (p *Pace) Throttled() bool { return p.throttled.Load() }

// Wait waits until the next request may be made, and fails only if ctx is done before that.
func (p *Pace) Wait(ctx context.Context) error {
	if !p.throttled.Load() {
		return nil
	}

	// Only one caller at a time waits for its turn, and the others wait at the gate.
	select {
	case p.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.gate }()

	// The rate may change during a delay, so ask again after it.
	for {
		delay := p.take(p.now())
		if delay <= 0 {
			return nil
		}
		if err := running.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// Succeeded counts a successful request. Before the first refusal it reads the clock only once in
// sample calls, because the clock costs time.
func (p *Pace) Succeeded() {
	if p.counts {
		count := p.done.Add(1)
		if count%sample == 0 {
			p.setMark(count)
		}
	}
	p.Answered()
}

// Answered counts a request that the store has answered, unless by a refusal.
func (p *Pace) Answered() {
	if !p.throttled.Load() {
		// The store does not throttle, so there are no rounds.
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRounds(p.now())
	p.served++
}

// Refused counts a request that the store has refused with the error why. The first refusal starts
// the rounds.
func (p *Pace) Refused(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.endRounds(now)
	p.refusal = why
	p.startRounds(now)
	p.refusals++
}

// Refusal returns the store's last refusal, or nil.
func (p *Pace) Refusal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusal
}

func (p *Pace) now() time.Duration { return time.Since(p.origin) }

// take returns how long the next request must wait, or takes the turn for it and returns 0.
func (p *Pace) take(now time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRounds(now)
	if p.off || p.rate == 0 {
		return 0
	}
	// A request that is a little late does not delay the requests after it.
	start := max(p.next, now-slack)
	if start > now {
		return start - now
	}
	interval := time.Duration(float64(time.Second) / p.rate)
	p.next = start + interval
	return 0
}

// setMark records count, the number of successes so far, unless a count was recorded within the
// last round.
func (p *Pace) setMark(count int64) {
	now := p.now()
	last := p.mark.Load()
	if last != nil && now-last.at < round {
		return
	}
	// If another goroutine has set a mark meanwhile, its mark stays.
	p.mark.CompareAndSwap(last, &mark{at: now, done: count})
}

// startRounds starts the first round after a refusal, unless a round is in progress. The caller holds p.mu.
func (p *Pace) startRounds(now time.Duration) {
	if p.throttled.Load() {
		return
	}
	p.roundStart = now
	p.roundEnd = now + round
	p.served = 0
	p.refusals = 0
	p.calm = 0
	p.rate = 0

	// The rate at the end of this round depends on the successes before the refusal, too, so count those
	// since the last mark. A mark that is two rounds old says nothing: the store was idle.
	last := p.mark.Load()
	if last != nil && now-last.at < 2*round {
		p.roundStart = last.at
		p.served = int(p.done.Load() - last.done)
	}
	p.throttled.Store(true)
}

// endRounds ends every round that is over by now, and sets the rate after each. The caller holds
// p.mu.
func (p *Pace) endRounds(now time.Duration) {
	for p.throttled.Load() && now >= p.roundEnd {
		p.adjustRate()
		p.roundStart = p.roundEnd
		p.roundEnd += round
		p.served = 0
		p.refusals = 0
	}
}

// adjustRate sets the rate at the end of a round: lower after many refusals, the same after a few, and
// higher after none. After calmRounds without a refusal, there is no rate.
func (p *Pace) adjustRate() {
	if p.refusals > 0 {
		p.calm = 0
		requests := p.served + p.refusals
		tooManyRefused := p.refusals*refusedOf > requests
		if tooManyRefused {
			p.lowerRate()
		}
		// The next round without a refusal begins with a small step.
		p.step = p.rate / firstStep
		return
	}

	// Grow by the first step, and then by twice as much in each further round without a refusal.
	p.calm++
	isFirstCalm := p.calm == 1
	if !isFirstCalm {
		p.step *= 2
	}
	// A rate of 0 has a step of 0, so it stays, and nothing is delayed.
	p.rate += p.step
	if p.calm == calmRounds {
		// The store no longer throttles, so delay nothing.
		p.rate = 0
		p.refusal = nil
		p.throttled.Store(false)
	}
}

// lowerRate sets the rate to what the store has served in this round.
func (p *Pace) lowerRate() {
	if p.rate == 0 {
		// No request was delayed before. The first one under the rate waits for the next round.
		p.next = p.roundEnd
	}
	seconds := (p.roundEnd - p.roundStart).Seconds()
	servedRate := float64(p.served) / seconds
	p.rate = max(servedRate, p.rate*cut, p.minRate)
}
