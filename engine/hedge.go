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

// A hedge is the second request for a read. It is made if the first response takes longer than the
// responses of 95 percent of the recent reads. The first response that is final (decides) is
// returned, and the other request is canceled. Each read earns a twentieth of a hedge, so at most 5
// percent of the requests are hedges. While the store throttles a bucket, the bucket makes no
// hedges.

const (
	hedgePercentile = 95
	hedgeCost       = 20  // number of reads that earn one hedge, so that hedges are 5 percent
	hedgeSaved      = 10  // number of earned hedges that are kept at most
	hedgeSample     = 20  // number of latencies after which the percentile is computed again
	hedgeRecent     = 200 // number of recent latencies from which the percentile is computed
	// hedgeAgain is the shortest time after which a read asks again for a hedge that was denied.
	hedgeAgain = time.Millisecond
)

// A hedger decides for one bucket when a read may make a second request (rule R9).
type hedger struct {
	earned    atomic.Int64 // number of reads, less hedgeCost for each hedge that was made
	get, head latencies
}

// earn counts one read, which earns a part of a hedge.
func (h *hedger) earn() {
	if h.earned.Load() < hedgeSaved*hedgeCost {
		h.earned.Add(1)
	}
}

// delay returns how long a request may take before its hedge is made. slow is the percentile in
// nanoseconds. If many hedges are left, the delay is equal to slow. If few are left, the delay is
// up to twice as long, which keeps the hedges for the slowest responses.
func (h *hedger) delay(slow int64) time.Duration {
	const full = hedgeSaved * hedgeCost
	remaining := max(0, min(h.earned.Load(), full))
	return time.Duration(slow + slow*(full-remaining)/full)
}

// spend reports whether a hedge was earned. If so, it uses that hedge up.
func (h *hedger) spend() bool {
	if h.earned.Add(-hedgeCost) >= 0 {
		return true
	}
	h.earned.Add(hedgeCost)
	return false
}

// A latencies holds the response times of recent requests, and their percentile.
type latencies struct {
	slow   atomic.Int64 // the percentile hedgePercentile in nanoseconds; 0 if it is not known yet
	mu     sync.Mutex
	recent [hedgeRecent]time.Duration // a ring
	count  int                        // number of response times that were added
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

// hedgedGet calls the driver's Get, with a hedge if the bucket hedges its reads. In that case, the
// caller must end ctx when it closes the body.
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

// hedgedHead calls the driver's Head, with a hedge if the bucket hedges its reads.
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

// A response is the result of one call of the driver.
type response struct {
	request int // its index
	attrs   *storage.Attrs
	body    io.ReadCloser // nil if there is none
	err     error
}

// decides reports whether the response is final: a success, or an error that another request would
// not avoid.
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

// hedge makes a request, and a second one if the first response takes longer than usual. It returns
// the first response that decides. If none does, it returns the last response.
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
	// The time counts even if the response is that of the hedge: the first request has taken at least
	// that long, too.
	if first.decides(ctx) {
		l.add(time.Since(begun))
	}
	return first
}

// A requestRace makes one request and, if that is slow, a second one.
type requestRace struct {
	op        *operation
	request   func(context.Context) response
	responses chan response // has capacity for both, so that no request blocks
	cancels   []context.CancelFunc
	caught    panics.Caught
}

// run makes the first request. After delay, it makes the second one, as soon as the bucket permits
// a hedge.
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

// start makes a request in a goroutine of its own. Its context lives until stop or the caller's ctx
// ends it, so that the body of the response can be read.
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

// stop cancels all requests except the one that returned first, and waits until they have ended.
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

// asAttempt returns a function that makes the request and counts it as a further attempt of the
// operation.
func (o *operation) asAttempt(request func(context.Context) response) func(context.Context) response {
	return func(ctx context.Context) response {
		if err := o.startAttempt(ctx); err != nil {
			return response{err: err}
		}
		a := request(ctx)
		if a.err != nil { // the operation itself counts a success
			o.endAttempt(asError(ctx, a.err))
		}
		return a
	}
}
