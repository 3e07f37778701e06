// Package pace holds back the requests to a store that throttles.
//
// Before the first refusal nothing is held back, and successes are only counted. After it, each
// second decides. If more than a tenth of the requests were refused, the rate becomes what the
// store served, but never falls by more than 30 percent. If none was refused, the rate grows by
// a step, which doubles with each further such second. If few were refused, the rate stays: it
// is at the store's limit, or one object is written too often. After ten seconds without a
// refusal nothing is held back again.
package pace

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
)

const (
	round      = time.Second
	refusedOf  = 10  // the rate is cut if more than one request in 10 is refused
	cut        = 0.7 // the rate is cut to this share of itself at most, as in TCP's CUBIC
	firstStep  = 40  // the first step is the rate divided by this
	calmRounds = 10  // after so many rounds without a refusal, the store no longer throttles
	sample     = 16  // the clock is read once for so many successes

	// slack is how late a request may be without a longer wait for the next one: timers are late.
	slack = 20 * time.Millisecond
)

// A Pace holds back the requests of one bucket.
type Pace struct {
	off     bool
	counts  bool      // whether successes before the first refusal are counted
	least   float64   // the smallest rate, in requests a second
	origin  time.Time // when New was called; all times here are durations since then
	watches atomic.Bool
	done    atomic.Int64 // how many requests have succeeded, if counts is true
	mark    atomic.Pointer[mark]

	// gate is held by the one call that waits for the time of its request. The others queue for it
	// in their order, and leave when their ctx is done.
	gate chan struct{}

	mu      sync.Mutex
	rate    float64       // requests a second; 0 if none is held back
	step    float64       // how much rate grows next
	next    time.Duration // time of the next request
	begun   time.Duration // when this round began
	ends    time.Duration // when this round ends
	served  int           // requests that were served in this round
	refused int           // requests that were refused in this round
	calm    int           // rounds in a row without a refusal
	refusal error         // the last refusal
}

// A mark says how many successes there were at a time. There is a new one about each second, so
// that the first refusal finds how many the store served just before.
type mark struct {
	at   time.Duration
	done int64
}

// New returns a Pace. If it is not on, it holds nothing back, and only reports whether the store
// throttles. With counts, the first refusal finds how many requests the store served before it.
// The rate never falls below one request in maxDelay, or one a second if that is more.
func New(on, counts bool, maxDelay time.Duration) *Pace {
	return &Pace{
		off: !on, counts: on && counts, least: max(1, float64(time.Second)/float64(maxDelay)),
		origin: time.Now(), gate: make(chan struct{}, 1),
	}
}

// Throttled reports whether the store has refused a request lately.
func (p *Pace) Throttled() bool { return p.watches.Load() }

// Wait returns when the next request may be made. It fails only if ctx is done before that.
func (p *Pace) Wait(ctx context.Context) error {
	if !p.watches.Load() {
		return nil
	}
	select {
	case p.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.gate }()
	for {
		delay := p.take(p.now())
		if delay <= 0 {
			return nil
		}
		if err := ctxtime.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// Succeeded counts a request that has succeeded.
func (p *Pace) Succeeded() {
	if p.counts {
		if done := p.done.Add(1); done%sample == 0 {
			p.setMark(done)
		}
	}
	p.Answered()
}

// Answered counts a request to which the store has responded, even if the response is a
// failure.
func (p *Pace) Answered() {
	if !p.watches.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRounds(p.now())
	p.served++
}

// Refused counts a request that the store has refused, with its error.
func (p *Pace) Refused(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.endRounds(now)
	p.refusal = why
	p.watch(now)
	p.refused++
}

// Refusal returns the store's last refusal, or nil.
func (p *Pace) Refusal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusal
}

func (p *Pace) now() time.Duration { return time.Since(p.origin) }

// take takes the time of the next request if it has come. Otherwise it returns how long to wait
// for it.
func (p *Pace) take(now time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRounds(now)
	if p.off || p.rate == 0 {
		return 0
	}
	start := max(p.next, now-slack)
	if start > now {
		return start - now
	}
	p.next = start + time.Duration(float64(time.Second)/p.rate)
	return 0
}

func (p *Pace) setMark(done int64) {
	now := p.now()
	if last := p.mark.Load(); last == nil || now-last.at >= round {
		p.mark.CompareAndSwap(last, &mark{now, done})
	}
}

// watch begins the first round, if there is none. The lock is held.
func (p *Pace) watch(now time.Duration) {
	if p.watches.Load() {
		return
	}
	p.begun, p.ends, p.served, p.refused, p.calm, p.rate = now, now+round, 0, 0, 0, 0
	if m := p.mark.Load(); m != nil && now-m.at < 2*round {
		p.begun, p.served = m.at, int(p.done.Load()-m.done)
	}
	p.watches.Store(true)
}

// endRounds decides for each round that has passed. The lock is held.
func (p *Pace) endRounds(now time.Duration) {
	for p.watches.Load() && now >= p.ends {
		p.decide()
		p.begun, p.ends = p.ends, p.ends+round
		p.served, p.refused = 0, 0
	}
}

func (p *Pace) decide() {
	if p.refused > 0 {
		p.calm = 0
		if p.refused*refusedOf > p.served+p.refused {
			if p.rate == 0 {
				p.next = p.ends
			}
			p.rate = max(float64(p.served)/(p.ends-p.begun).Seconds(), p.rate*cut, p.least)
		}
		p.step = p.rate / firstStep
		return
	}
	p.calm++
	if p.calm > 1 {
		p.step *= 2
	}
	p.rate += p.step // if rate is 0, step is 0, too
	if p.calm == calmRounds {
		p.rate, p.refusal = 0, nil
		p.watches.Store(false)
	}
}
