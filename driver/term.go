package driver

import (
	"time"

	"github.com/omnibucket/storage"
)

// Term returns from when and for how long a URL that is signed at the time now is valid. The result is
// the same at all times of one window of StableFor. So a driver that uses no other clock always signs
// the same URL within a window.
func (r *SignRequest) Term(now time.Time) (from time.Time, lasts time.Duration) {
	if r.StableFor == 0 {
		return now, r.TTL
	}
	o := storage.SignOptions{TTL: r.TTL, StableFor: r.StableFor}
	// This cannot fail: the engine has already checked TTL plus StableFor.
	from, lasts, _ = o.Term(now)
	return from, lasts
}
