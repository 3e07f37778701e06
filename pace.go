package storage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/ctxtime"
)

// A pace holds back the requests of a whole bucket while its store throttles
// (RateLimited). If it is off, it only knows that the store throttles, for hedged reads. Before the first refusal nothing is held back, and successes are
// counted only. From then on each second decides: if more than a tenth of the
// requests were refused, the rate becomes what the store served, but is
// cut by 30 percent at most. If none was refused, the rate grows by a step, which doubles with
// each further such second. If few were, the rate is at the store's limit, or one object
// is written too often, and the rate stays. After ten seconds without a refusal the
// bucket is as free as before the first.
type pace struct {
	off      bool
	counts   bool    // successes before the first refusal
	least    float64 // requests a second
	watching atomic.Bool
	done     atomic.Int64 // successes, with counts
	mark     atomic.Pointer[paceMark]

	// gate is held by the one call that waits for its turn; the others queue for
	// it in their order, and leave when their ctx is done.
	gate chan struct{}

	mu      sync.Mutex
	rate    float64       // requests a second; 0: not held back
	step    float64       // by which rate grows
	next    time.Duration // since processStart, as all times here: the turn of the next request
	begun   time.Duration // of this round
	ends    time.Duration // of this round
	served  int           // requests in this round
	refused int
	calm    int    // rounds in a row without a refusal
	why     *Error // the last refusal
}

// A paceMark is how many successes there were at a time. There is a new one about
// each second, so that the first refusal finds how many the store served just before.
type paceMark struct {
	at   time.Duration
	done int64
}

const (
	paceRound   = time.Second
	paceRefused = 10  // the rate is cut if more than one in so many is refused
	paceCut     = 0.7 // the rate is cut to this share of it at most, as TCP's CUBIC has it
	paceStep    = 40  // the first step is the rate divided by this
	paceCalm    = 10  // rounds after which the store counts as one that does not throttle
	paceSample  = 16  // successes for which the clock is read once

	// paceSlack is how far behind its turns a bucket may catch up: timers are late.
	paceSlack = 20 * time.Millisecond
)

func (p *pace) init(on, counts bool, maxDelay time.Duration) {
	p.off, p.counts = !on, on && counts
	p.least = max(1, float64(time.Second)/float64(maxDelay))
	p.gate = make(chan struct{}, 1)
}

// wait returns when the next request may be made. It fails only if ctx is done
// before that.
func (p *pace) wait(ctx context.Context) error {
	if !p.watching.Load() {
		return nil
	}
	select {
	case p.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.gate }()
	for {
		delay := p.take(sinceStart())
		if delay <= 0 {
			return nil
		}
		if err := ctxtime.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// take takes the next turn if it has come; else it returns how long that takes.
func (p *pace) take(now time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	if p.off || p.rate == 0 {
		return 0
	}
	at := max(p.next, now-paceSlack)
	if at > now {
		return at - now
	}
	p.next = at + time.Duration(float64(time.Second)/p.rate)
	return 0
}

// ended counts a request that has ended; e is nil if it succeeded.
func (p *pace) ended(e *Error) {
	throttled := e != nil && e.Code == RateLimited
	if p.counts && e == nil {
		if done := p.done.Add(1); done%paceSample == 0 {
			p.setMark(done)
		}
	}
	if !throttled && !p.watching.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := sinceStart()
	p.turn(now)
	if throttled {
		kept := *e // the caller changes its own
		p.why = &kept
		p.watch(now)
		p.refused++
	} else if e == nil || !e.Retryable && e.Code != Canceled && e.Code != DeadlineExceeded {
		p.served++
	}
}

func (p *pace) setMark(done int64) {
	now := sinceStart()
	if last := p.mark.Load(); last == nil || now-last.at >= paceRound {
		p.mark.CompareAndSwap(last, &paceMark{now, done})
	}
}

// watch begins with the first refusal.
func (p *pace) watch(now time.Duration) {
	if p.watching.Load() {
		return
	}
	p.begun, p.ends, p.served, p.refused, p.calm, p.rate = now, now+paceRound, 0, 0, 0, 0
	if m := p.mark.Load(); m != nil && now-m.at < 2*paceRound {
		p.begun, p.served = m.at, int(p.done.Load()-m.done)
	}
	p.watching.Store(true)
}

// turn decides for each round that has passed.
func (p *pace) turn(now time.Duration) {
	for p.watching.Load() && now >= p.ends {
		p.decide()
		p.begun, p.ends = p.ends, p.ends+paceRound
		p.served, p.refused = 0, 0
	}
}

func (p *pace) decide() {
	if p.refused > 0 {
		p.calm = 0
		if p.refused*paceRefused > p.served+p.refused {
			if p.rate == 0 {
				p.next = p.ends
			}
			p.rate = max(float64(p.served)/(p.ends-p.begun).Seconds(), p.rate*paceCut, p.least)
		}
		p.step = p.rate / paceStep
		return
	}
	p.calm++
	if p.calm > 1 {
		p.step *= 2
	}
	p.rate += p.step // of a rate of 0 it is 0
	if p.calm == paceCalm {
		p.rate, p.why = 0, nil
		p.watching.Store(false)
	}
}

// refusal is the store's last one, or nil.
func (p *pace) refusal() *Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}
