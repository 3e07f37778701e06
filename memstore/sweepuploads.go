package memstore

import (
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/lifetime"
)

// sweepUploads discards the uploads that package lifetime considers abandoned, except those that a
// call is using. The caller holds the write lock, so that no call begins to use an upload meanwhile.
func (b *bucket) sweepUploads(now time.Time) {
	elapsed := now.Sub(b.lastSweep)
	if elapsed >= 0 && elapsed < lifetime.SweepPeriod {
		return
	}
	b.lastSweep = now

	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		if u.calls.Load() > 0 {
			return false
		}
		isIdle := now.Sub(u.lastPart) >= lifetime.IdleUpload
		return isIdle || lifetime.ExpiredUpload(b.info.Lifecycle, u.key, u.created, now)
	})
}
