package memstore

import (
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/lifetime"
)

// sweepUploads discards the uploads that package lifetime considers abandoned, except uploads
// that a call is using. The caller holds the write lock, so no call can begin to use an upload
// meanwhile.
func (b *bucket) sweepUploads(now time.Time) {
	if elapsed := now.Sub(b.lastSweep); elapsed >= 0 && elapsed < lifetime.SweepPeriod {
		return
	}
	b.lastSweep = now
	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		return u.calls.Load() == 0 &&
			(now.Sub(u.lastPart) >= lifetime.IdleUpload || lifetime.ExpiredUpload(b.info.Lifecycle, u.key, u.created, now))
	})
}
