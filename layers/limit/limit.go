// Package limit limits the bytes and requests that buckets send and receive in a second.
//
//	timetable, err := limit.Parse("08:00,512K 19:00,10M 23:00,off")
//	layer, err := limit.New(limit.Config{Bytes: timetable, Requests: limit.Requests{Writes: 3000}})
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(layer))
//
// All buckets that are opened with one layer share its limits. Bytes are limited separately in each
// direction. Only bodies of objects count. Headers, listings and copies that the provider makes do
// not count.
package limit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
)

// A Config has the limits. The zero value limits nothing.
type Config struct {
	// Bytes limits the bodies of objects. [Constant] and [Parse] return a Timetable. When a new
	// limit begins, it also applies to transfers in progress.
	Bytes Timetable
	// Requests has the limits of requests. A request above the limit waits until it is permitted.
	Requests Requests
	// Now is the clock that selects which limits of the timetable apply. The times of the timetable
	// are in the time zone that Now returns. The default is [time.Now].
	Now func() time.Time
}

// A Rate is a number of bytes per second. 0 or less means no limit.
type Rate int64

// Rates has the limits for uploads and downloads.
type Rates struct {
	Upload   Rate
	Download Rate
}

// A limiter limits the requests and bytes of a layer.
type limiter struct {
	timetable            Timetable
	now                  func() time.Time
	upload, download     lane // state of the limits of bytes
	reads, writes, lists lane // state of the limits of requests
	requests             Requests
}

// New returns a layer with the limits of c. It fails with InvalidArgument if a number in c.Requests is
// below 0.001, unless it is 0.
func New(c Config) (driver.Layer, error) {
	for _, perSecond := range []float64{c.Requests.Reads, c.Requests.Writes, c.Requests.Lists} {
		isValid := perSecond == 0 || perSecond >= minRequests // false for NaN, too
		if !isValid {
			return nil, &storage.Error{
				Code: storage.InvalidArgument,
				Op:   "limit.New",
				Err:  errors.New("Config.Requests must have numbers from 0.001, or 0 for no limit"),
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

// sent waits for as long as sending n bytes should take at the limit for uploads.
func (l *limiter) sent(ctx context.Context, n int) error {
	return l.upload.wait(ctx, n, float64(l.timetable.At(l.now()).Upload))
}

// A lane limits one direction of bytes or one class of requests. Bytes or requests pass through it
// one after the other, at the times that the rate permits.
type lane struct {
	mu   sync.Mutex
	free time.Time // time at which everything so far has passed through the lane
}

// wait waits until n more bytes or requests may pass. rate is the number per second, or 0 for no limit.
func (l *lane) wait(ctx context.Context, n int, rate float64) error {
	if rate <= 0 || n <= 0 {
		return ctx.Err()
	}

	pause := l.reserve(time.Duration(float64(n) / rate * float64(time.Second)))
	if pause < minWait {
		// A later call waits for this time, too.
		return ctx.Err()
	}
	return running.Sleep(ctx, pause)
}

// reserve reserves the lane for the given time, after all that has passed so far. It returns the time
// until the end of the reservation, which may be negative.
func (l *lane) reserve(duration time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()

	now := time.Now()
	earliest := now.Add(-burst)
	if l.free.Before(earliest) {
		l.free = earliest
	}
	l.free = l.free.Add(duration)
	return l.free.Sub(now)
}

const (
	// minRequests is the smallest limit of requests per second.
	minRequests = 0.001
	// burst is the longest idle time that a lane can make up for. A lane is idle if a source or a
	// timer is late. The next bytes then pass faster, and the average rate stays the same.
	burst = 100 * time.Millisecond
	// minWait is the shortest wait that a timer can make. Shorter waits are added up until they
	// reach it.
	minWait = 2 * time.Millisecond
)
