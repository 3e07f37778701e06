// Package limit limits how many bytes and requests a second buckets send and receive.
//
//	timetable, err := limit.Parse("08:00,512K 19:00,10M 23:00,off")
//	layer, err := limit.New(limit.Config{Bytes: timetable, Requests: limit.Requests{Writes: 3000}})
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(layer))
//
// All buckets that are opened with one layer share its limits. Bytes are limited in each
// direction, and only those of bodies of objects count: headers, listings and copies that the
// provider makes do not.
package limit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// A Config says what is limited. The zero value limits nothing.
type Config struct {
	// Bytes has the limits of bodies, such as [Constant] or [Parse] returns. A change of
	// the limits applies to all transfers in progress.
	Bytes Timetable
	// Requests has the limits of requests. A request that comes too early waits for its turn.
	Requests Requests
	// Now is the clock that selects the slot of the timetable, in its location; the default
	// is [time.Now].
	Now func() time.Time
}

// A Rate is a number of bytes a second. 0 or less is no limit.
type Rate int64

// Rates are the limits of both directions.
type Rates struct {
	Upload   Rate
	Download Rate
}

// A limiter limits what passes through its layer.
type limiter struct {
	timetable            Timetable
	now                  func() time.Time
	upload, download     lane // lanes of bytes
	reads, writes, lists lane // lanes of requests
	requests             Requests
}

// New returns a layer with the limits of c.
//
// It fails with InvalidArgument if a number in c.Requests is not 0 and below 0.001.
func New(c Config) (driver.Layer, error) {
	for _, perSecond := range []float64{c.Requests.Reads, c.Requests.Writes, c.Requests.Lists} {
		if perSecond != 0 && !(perSecond >= 0.001) { // also NaN
			return nil, &storage.Error{
				Code: storage.InvalidArgument, Op: "limit.New",
				Err: errors.New("Config.Requests must have numbers from 0.001, or 0 for no limit"),
			}
		}
	}
	l := &limiter{timetable: c.Bytes, requests: c.Requests, now: c.Now}
	if l.now == nil {
		l.now = time.Now
	}
	return func(d driver.Driver) driver.Driver {
		if c.Requests != (Requests{}) {
			d = driver.Intercept(d, l.request)
		}
		return &objectDriver{Driver: d, limiter: l}
	}, nil
}

// sent waits until n bytes may have been sent.
func (l *limiter) sent(ctx context.Context, n int) error {
	return l.upload.pass(ctx, n, float64(l.timetable.At(l.now()).Upload))
}

// A lane is one direction, or one class of requests. Bytes or requests pass it one after the
// other, each at its time.
type lane struct {
	mu   sync.Mutex
	free time.Time // when everything that was admitted so far has passed
}

// pass waits until n more have passed at rate, a number a second. 0 is no limit.
func (l *lane) pass(ctx context.Context, n int, rate float64) error {
	if rate <= 0 || n <= 0 {
		return ctx.Err()
	}
	l.mu.Lock()
	now := time.Now()
	if earliest := now.Add(-burst); l.free.Before(earliest) {
		l.free = earliest
	}
	l.free = l.free.Add(time.Duration(float64(n) / rate * float64(time.Second)))
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
