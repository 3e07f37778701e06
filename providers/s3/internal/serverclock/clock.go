// Package serverclock follows the clock of an S3 server, which refuses requests that are signed at another
// time. Start at [Clock].
package serverclock

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// MaxSkew is how far a clock may be off before it is corrected. S3 refuses requests
// that are off by more than 15 minutes.
const MaxSkew = 4 * time.Minute

// A Clock returns the time for the signatures of a raw client and of signed URLs. It starts as this
// machine's clock. If a request fails and the server's clock differs, the clock is corrected. The
// SDK has such a clock for its own requests, but does not export it.
type Clock struct {
	Now  func() time.Time // this machine's clock
	skew atomic.Int64     // how far the server's clock is ahead, in nanoseconds
}

// Time returns the time at the server.
func (c *Clock) Time() time.Time {
	return c.Now().Add(time.Duration(c.skew.Load())).UTC()
}

// Observe corrects the clock by the Date header of a response. Only a failed response starts a
// correction. After that, any response can change the correction, or end it when this machine's
// clock is right again.
func (c *Clock) Observe(response *http.Response) {
	if response.StatusCode < http.StatusBadRequest && c.skew.Load() == 0 {
		return
	}
	now, ok := serverTime(response)
	if !ok {
		return
	}

	// A server tolerates a small difference, so it needs no correction.
	skew := now.Sub(c.Now())
	if skew.Abs() < MaxSkew {
		skew = 0
	}
	c.skew.Store(int64(skew))
}

// serverTime returns the time of a response, unless a cache sent it.
func serverTime(response *http.Response) (t time.Time, ok bool) {
	t, err := http.ParseTime(response.Header.Get("Date"))
	return t, err == nil && response.Header.Get("Age") == ""
}

// IsSkewed reports whether a response was sent MaxSkew or more before or after its request was
// signed, by the clocks of both sides. No server accepts such a signature.
func IsSkewed(response *http.Response) bool {
	if response.Request == nil {
		return false
	}
	signedAt, err := time.Parse(signature.TimeFormat, response.Request.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	sentAt, ok := serverTime(response)
	return ok && sentAt.Sub(signedAt).Abs() >= MaxSkew
}
