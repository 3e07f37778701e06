package engine

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/panics"
)

// A read whose response takes longer than that of 95 percent of the recent reads is requested a second
// time. The first response that decides is returned, and the other request is canceled. Each read
// earns a part of a hedge, so that hedges are at most 5 percent of the requests. A bucket that the
// store throttles makes none.

const (
	hedgePercentile = 95
	hedgeCost       = 20  // reads that earn one hedge: 5 percent
	hedgeSaved      = 10  // hedges that can be saved up
	hedgeSample     = 20  // number of latencies after which the percentile is computed again
	hedgeRecent     = 200 // number of recent latencies from which the percentile is computed
	// hedgeAgain is how long a read that was denied a hedge waits at least before it asks again.
	hedgeAgain = time.Millisecond
)

// A hedger decides for a bucket when a read makes a second request (rule R9).
type hedger struct {
	earned    atomic.Int64 // reads that were not spent on hedges yet
	get, head latencies
}

// earn counts a read.
func (h *hedger) earn() {
	if h.earned.Load() < hedgeSaved*hedgeCost {
		h.earned.Add(1)
	}
}

// delay returns how long a request may take before its hedge: slow if many hedges are left, and
// up to twice as long if few are, so that they are kept for the slowest responses.
func (h *hedger) delay(slow int64) time.Duration {
	const full = hedgeSaved * hedgeCost
	remaining := max(0, min(h.earned.Load(), full))
	return time.Duration(slow + slow*(full-remaining)/full)
}

// spend reports whether a hedge was earned, and takes it.
func (h *hedger) spend() bool {
	if h.earned.Add(-hedgeCost) >= 0 {
		return true
	}
	h.earned.Add(hedgeCost)
	return false
}

// latencies are the times to the first response of recent requests.
type latencies struct {
	slow   atomic.Int64 // the percentile in nanoseconds; 0 if it is not known yet
	mu     sync.Mutex
	recent [hedgeRecent]time.Duration // a ring
	count  int                        // how many were added
}

func (l *latencies) add(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent[l.count%hedgeRecent] = took
	l.count++
	if l.count%hedgeSample == 0 {
		all := l.recent
		known := all[:min(l.count, hedgeRecent)]
		slices.Sort(known)
		l.slow.Store(int64(max(1, known[len(known)*hedgePercentile/100])))
	}
}

// hedgedGet is the driver's Get. If the bucket hedges its reads, ctx must end when the body
// is closed.
func (o *operation) hedgedGet(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	driver, h := o.core.driver, o.core.hedger
	if h == nil {
		attrs, body, err := driver.Get(ctx, r)
		return o.core.believeSize(attrs, body, err)
	}
	first := o.hedge(ctx, &h.get, func(ctx context.Context) (a response) {
		copied := *r
		a.attrs, a.body, a.err = driver.Get(ctx, &copied)
		return a
	})
	return o.core.believeSize(first.attrs, first.body, first.err)
}

// hedgedHead is the driver's Head.
func (o *operation) hedgedHead(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	driver, h := o.core.driver, o.core.hedger
	if h == nil {
		attrs, err := driver.Head(ctx, r)
		attrs, _, err = o.core.believeSize(attrs, nil, err)
		return attrs, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := o.hedge(ctx, &h.head, func(ctx context.Context) (a response) {
		copied := *r
		a.attrs, a.err = driver.Head(ctx, &copied)
		return a
	})
	attrs, _, err := o.core.believeSize(first.attrs, nil, first.err)
	return attrs, err
}

// A response is what the driver has returned.
type response struct {
	request int // its index
	attrs   *storage.Attrs
	body    io.ReadCloser // nil if there is none
	err     error
}

// decides reports whether another request would return the same.
func (a *response) decides(ctx context.Context) bool {
	if a.err == nil {
		return true
	}
	e := asError(ctx, a.err)
	return !e.Retryable && e.Code != storage.Canceled && e.Code != storage.DeadlineExceeded
}

func (a *response) close() {
	if a.body != nil {
		_ = a.body.Close()
	}
}

// hedge makes a request, and a second one if the first response takes longer than usual. It
// returns the first response that decides, when both requests have ended.
func (o *operation) hedge(ctx context.Context, l *latencies, request func(context.Context) response) response {
	o.core.hedger.earn()
	begun, slow := time.Now(), l.slow.Load()
	var first response
	if slow == 0 {
		first = request(ctx)
	} else {
		race := requestRace{op: o, request: request, responses: make(chan response, 2)}
		first = race.run(ctx, o.core.hedger.delay(slow))
	}
	if first.decides(ctx) { // if it came from the hedge, the first request took at least as long
		l.add(time.Since(begun))
	}
	return first
}

// A requestRace is a request and its hedge.
type requestRace struct {
	op        *operation
	request   func(context.Context) response
	responses chan response // has room for both
	cancels   []context.CancelFunc
	caught    panics.Caught
}

// run makes the first request, and the second one after delay, as soon as the bucket permits it.
func (r *requestRace) run(ctx context.Context, delay time.Duration) (first response) {
	r.start(ctx, r.request)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for pending := 1; ; {
		select {
		case first = <-r.responses:
			if pending--; pending == 0 || first.decides(ctx) {
				r.stop(&first, pending)
				return first
			}
		case <-timer.C:
			if r.op.mayHedge() {
				r.start(ctx, r.op.asAttempt(r.request))
				pending++
			} else {
				timer.Reset(max(delay, hedgeAgain))
			}
		}
	}
}

// start makes a request in a goroutine of its own. A response's body lives until ctx ends.
func (r *requestRace) start(ctx context.Context, request func(context.Context) response) {
	ctx, cancel := context.WithCancel(ctx)
	index := len(r.cancels)
	r.cancels = append(r.cancels, cancel)
	go func() {
		a := response{err: errPanicked()}
		r.caught.Do(func() { a = request(ctx) }, nil)
		a.request = index
		r.responses <- a
	}()
}

// stop cancels the pending request, and waits for its end.
func (r *requestRace) stop(first *response, pending int) {
	for i, cancel := range r.cancels {
		if i != first.request {
			cancel()
		}
	}
	for range pending {
		other := <-r.responses
		other.close()
	}
	raised := true
	defer func() {
		if raised || first.err != nil {
			first.close()
			r.cancels[first.request]()
		}
	}()
	r.caught.Raise()
	raised = false
}

// mayHedge reports whether the bucket permits a hedge now.
func (o *operation) mayHedge() bool {
	return !o.core.retry.pace.Throttled() && o.core.hedger.spend()
}

// asAttempt returns request as one that counts as an attempt of its own.
func (o *operation) asAttempt(request func(context.Context) response) func(context.Context) response {
	return func(ctx context.Context) response {
		if err := o.startAttempt(ctx); err != nil {
			return response{err: err}
		}
		a := request(ctx)
		if a.err != nil { // a success is counted by the operation
			o.endAttempt(asError(ctx, a.err))
		}
		return a
	}
}
