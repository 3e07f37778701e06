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
	"github.com/omnibucket/storage/internal/running"
)

// A hedge is a second request for the same read. A hedge is made if the first request takes longer
// than 95 percent of the recent reads. The first final response is returned, and the other request
// is canceled. A success is final. An error is final if another request would probably fail with
// the same error.
//
// At most 5 percent of the reads have a hedge, because 20 reads permit one hedge. No hedges are
// made while the store throttles the bucket.

const (
	hedgePercentile = 95
	hedgeCost       = 20  // number of reads that permit one hedge, so hedges are at most 5 percent
	hedgeSaved      = 10  // unused hedges are saved up to this number
	hedgeSample     = 20  // number of latencies after which the percentile is computed again
	hedgeRecent     = 200 // number of recent latencies from which the percentile is computed
	// hedgeAgain is the interval at which a slow read tries again to make a second request, if that
	// was not permitted.
	hedgeAgain = time.Millisecond
)

// A hedger decides for one bucket when a read may make a second request (rule R9).
type hedger struct {
	earned    atomic.Int64 // number of reads, less hedgeCost for each hedge that was made
	get, head latencies
}

// earn counts one read. Each group of hedgeCost reads permits one second request. At most
// hedgeSaved unused permissions are saved.
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

// spend reports whether a hedge may be made now, and pays for it from the reads so far.
func (h *hedger) spend() bool {
	if h.earned.Add(-hedgeCost) >= 0 {
		return true
	}
	h.earned.Add(hedgeCost) // give it back
	return false
}

// A latencies holds the response times of recent requests, and computes their 95th percentile.
type latencies struct {
	slow   atomic.Int64 // the 95th percentile of the response times, in nanoseconds; 0 if unknown
	mu     sync.Mutex
	recent [hedgeRecent]time.Duration // a ring
	count  int                        // number of response times that were added
}

// add records a response time, and updates the percentile once in hedgeSample calls.
func (l *latencies) add(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent[l.count%hedgeRecent] = took
	l.count++
	if l.count%hedgeSample != 0 {
		return
	}

	// Sort a copy, because sorting would destroy the order of the ring.
	var sorted [hedgeRecent]time.Duration
	n := copy(sorted[:], l.recent[:min(l.count, hedgeRecent)])
	slices.Sort(sorted[:n])
	slow := sorted[n*hedgePercentile/100]
	l.slow.Store(int64(max(1, slow))) // 0 would mean that the percentile is unknown
}

// hedgedGet calls the driver's Get, and calls it a second time if the first response is late and the
// bucket hedges its reads. The caller must end ctx when it closes the body, because a hedged request
// lasts as long as ctx.
func (o *operation) hedgedGet(ctx context.Context, req *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	driver := o.engine.driver
	hedger := o.engine.hedger
	if hedger == nil {
		attrs, body, err := driver.Get(ctx, req)
		return o.engine.checkResponseSize(attrs, body, err)
	}
	resp := o.hedge(ctx, &hedger.get, func(ctx context.Context) response {
		// Each request has a copy of its own, because both may run at the same time.
		reqCopy := *req
		attrs, body, err := driver.Get(ctx, &reqCopy)
		return response{attrs: attrs, body: body, err: err}
	})
	return o.engine.checkResponseSize(resp.attrs, resp.body, resp.err)
}

// hedgedHead calls the driver's Head, and calls it a second time if the first response is late and
// the bucket hedges its reads.
func (o *operation) hedgedHead(ctx context.Context, req *driver.GetRequest) (*storage.Attrs, error) {
	driver := o.engine.driver
	hedger := o.engine.hedger
	if hedger == nil {
		attrs, err := driver.Head(ctx, req)
		attrs, _, err = o.engine.checkResponseSize(attrs, nil, err)
		return attrs, err
	}

	// When the first final response is there, cancel ends the other request.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp := o.hedge(ctx, &hedger.head, func(ctx context.Context) response {
		// Each request has a copy of its own, because both may run at the same time.
		reqCopy := *req
		attrs, err := driver.Head(ctx, &reqCopy)
		return response{attrs: attrs, err: err}
	})
	attrs, _, err := o.engine.checkResponseSize(resp.attrs, nil, resp.err)
	return attrs, err
}

// A response is the result of one call of the driver.
type response struct {
	request int // number of the request: 0 for the first one, 1 for the second one
	attrs   *storage.Attrs
	body    io.ReadCloser // nil if there is none
	err     error
}

// isFinal reports whether the response is a success, or an error that another request would probably
// get, too.
func (r *response) isFinal(ctx context.Context) bool {
	if r.err == nil {
		return true
	}
	err := asError(ctx, r.err)
	return !err.Retryable && err.Code != storage.Canceled && err.Code != storage.DeadlineExceeded
}

// close closes the body, if there is one.
func (r *response) close() {
	if r.body != nil {
		_ = r.body.Close()
	}
}

// hedge makes a request, and a second one if the first takes longer than usual. It returns the first
// final response, or the last response if none is final.
func (o *operation) hedge(ctx context.Context, l *latencies, request func(context.Context) response) response {
	o.engine.hedger.earn() // counts the read: each group of reads permits one hedge
	start := time.Now()
	resp := o.requestOrRace(ctx, l.slow.Load(), request)

	// The time is measured from the beginning of the first request, even if the second request
	// returned first. In that case, the first request would have taken even longer.
	if resp.isFinal(ctx) {
		l.add(time.Since(start))
	}
	return resp
}

// requestOrRace makes a request, and a second one if the first takes longer than usual. slow is the
// percentile in nanoseconds, or 0 until enough reads were measured.
func (o *operation) requestOrRace(
	ctx context.Context, slow int64, request func(context.Context) response,
) response {
	if slow == 0 {
		// It is not known yet when a response is late, so there is no second request.
		return request(ctx)
	}
	race := requestRace{
		op:        o,
		request:   request,
		responses: make(chan response, 2),
	}
	return race.run(ctx, o.engine.hedger.delay(slow))
}

// A requestRace makes one request and, if that is slow, a second one.
type requestRace struct {
	op        *operation
	request   func(context.Context) response
	responses chan response // has capacity for the responses of both requests, so that sending never blocks
	cancels   []context.CancelFunc
	caught    running.Caught
}

// run makes a request, and a second one if no response comes within the delay. While a second
// request is not permitted, run tries again from time to time. It returns the first success, the first
// error that another request would probably get, too, or the last response.
func (r *requestRace) run(ctx context.Context, delay time.Duration) response {
	r.start(ctx, r.request)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	pending := 1 // requests without a response
	for {
		select {
		case resp := <-r.responses:
			pending--
			isLast := pending == 0
			if isLast || resp.isFinal(ctx) {
				r.stop(&resp, pending)
				return resp
			}
		case <-timer.C:
			if !r.op.mayHedge() {
				timer.Reset(max(delay, hedgeAgain))
				continue
			}
			r.start(ctx, r.op.asAttempt(r.request))
			pending++
		}
	}
}

// start makes a request in a goroutine. Its context outlives the request, so that the body can still
// be read.
func (r *requestRace) start(ctx context.Context, request func(context.Context) response) {
	ctx, cancel := context.WithCancel(ctx)
	index := len(r.cancels)
	r.cancels = append(r.cancels, cancel)
	go func() {
		resp := response{err: errPanicked()} // replaced unless request panics
		r.caught.Do(func() {
			resp = request(ctx)
		}, nil)
		resp.request = index
		r.responses <- resp
	}()
}

// stop cancels all requests except that of the response first, waits until they have ended, and
// raises the panic of any of them. pending is the number of requests without a response.
func (r *requestRace) stop(first *response, pending int) {
	for i, cancel := range r.cancels {
		if i != first.request {
			cancel()
		}
	}

	// Wait for the pending requests, and drop their responses.
	for range pending {
		late := <-r.responses
		late.close()
	}

	// The caller of a successful request reads and closes the body. If the request failed, or Raise
	// panics, there is no such caller, so end the request here.
	hasReader := false
	defer func() {
		if !hasReader {
			first.close()
			r.cancels[first.request]()
		}
	}()
	r.caught.Raise()
	hasReader = first.err == nil
}

// mayHedge reports whether the bucket permits a hedge now.
func (o *operation) mayHedge() bool {
	return !o.engine.retry.pace.Throttled() && o.engine.hedger.spend()
}

// asAttempt returns a function that makes the request as one more attempt of the operation, so that it
// waits and is counted as every attempt.
func (o *operation) asAttempt(request func(context.Context) response) func(context.Context) response {
	return func(ctx context.Context) response {
		if err := o.startAttempt(ctx); err != nil {
			return response{err: err}
		}
		resp := request(ctx)
		// After a success, the operation ends, and its method send calls endAttempt.
		if resp.err != nil {
			o.endAttempt(asError(ctx, resp.err))
		}
		return resp
	}
}
