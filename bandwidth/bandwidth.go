// Package bandwidth limits how many bytes a second buckets send and receive.
//
//	timetable, err := bandwidth.Parse("08:00,512K 19:00,10M 23:00,off")
//	limiter := bandwidth.NewLimiter(timetable)
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(limiter.Layer))
//
// All buckets that are opened with one [Limiter] share its limits: one for the bytes that
// they send, and one for those that they receive. Only bodies of objects count. Headers,
// listings and copies that the provider makes do not.
package bandwidth

import (
	"context"
	"sync"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// A Rate is a number of bytes a second. 0 is no limit.
type Rate int64

// Rates are the limits of both directions.
type Rates struct {
	Upload   Rate
	Download Rate
}

// A Limiter limits the bodies that pass through its layers. It is safe for concurrent use.
type Limiter struct {
	timetable        Timetable
	now              func() time.Time
	upload, download lane
}

// An Option is an option of [NewLimiter]: [WithNow].
type Option interface{ apply(*Limiter) }

type option func(*Limiter)

func (o option) apply(to *Limiter) { o(to) }

// WithNow sets the clock that selects the slot of the timetable, in its location. The
// default is [time.Now].
func WithNow(now func() time.Time) Option { return option(func(l *Limiter) { l.now = now }) }

// NewLimiter returns a limiter with the limits of a timetable, such as [Constant] returns. A
// change of the limits applies to all transfers in progress.
func NewLimiter(t Timetable, opts ...Option) *Limiter {
	l := &Limiter{timetable: t, now: time.Now}
	for _, o := range opts {
		o.apply(l)
	}
	return l
}

// Layer returns d with limits. It is a [driver.Layer], for [driver.WithLayer].
func (l *Limiter) Layer(d driver.Driver) driver.Driver { return &objectDriver{Driver: d, limiter: l} }

// sent waits until n bytes may have been sent.
func (l *Limiter) sent(ctx context.Context, n int) error {
	return l.upload.pass(ctx, n, l.timetable.At(l.now()).Upload)
}

// received waits until n bytes may have been received.
func (l *Limiter) received(ctx context.Context, n int) error {
	return l.download.pass(ctx, n, l.timetable.At(l.now()).Download)
}

// A lane is one direction. Bytes pass it one after the other, each at its time.
type lane struct {
	mu   sync.Mutex
	free time.Time // when the bytes so far have passed
}

// pass waits until n more bytes have passed at rate.
func (l *lane) pass(ctx context.Context, n int, rate Rate) error {
	if rate <= 0 || n <= 0 {
		return ctx.Err()
	}
	l.mu.Lock()
	now := time.Now()
	if earliest := now.Add(-burst); l.free.Before(earliest) {
		l.free = earliest
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	wait := l.free.Sub(now)
	l.mu.Unlock()
	if wait < shortest {
		return ctx.Err()
	}
	return ctxtime.Sleep(ctx, wait)
}

const (
	// burst is how much unused time is used later, so that a source or timer that is late
	// does not lower the rate.
	burst = 100 * time.Millisecond
	// shortest is the shortest wait that a timer can make. Shorter ones add up.
	shortest = 2 * time.Millisecond
)

// atOnce is the number of bytes that one Read may take, so that a slow transfer moves all the
// time and a change of the limits applies soon.
func atOnce(rate Rate, wanted int) int {
	const smallest, largest = 256, 128 << 10
	if rate <= 0 {
		return wanted
	}
	return min(wanted, max(smallest, min(largest, int(min(rate/16, largest)))))
}
