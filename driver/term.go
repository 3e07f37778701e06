package driver

import (
	"time"

	"github.com/omnibucket/storage"
)

// Term returns the time from which a URL is valid, and for how long the URL is valid. The parameter
// now is the time at which the URL is signed. Within one window of StableFor, the result is always
// the same. A driver that uses only this result, and no other clock, always signs the same URL
// within a window.
func (r *SignRequest) Term(now time.Time) (from time.Time, lasts time.Duration) {
	if r.StableFor == 0 {
		return now, r.TTL
	}
	o := storage.SignOptions{TTL: r.TTL, StableFor: r.StableFor}
	// This cannot fail: the engine has already checked TTL plus StableFor.
	from, lasts, _ = o.Term(now)
	return from, lasts
}
