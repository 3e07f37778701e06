package memstore

import (
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/leftover"
)

// sweepUploads drops uploads in parts that nobody goes on with, as package leftover
// has it. It leaves alone what a call is working on. The write lock is held, so
// that none begins to.
func (b *bucket) sweepUploads(now time.Time) {
	if since := now.Sub(b.swept); since >= 0 && since < leftover.Period {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		return u.calls.Load() == 0 && (now.Sub(u.last) >= leftover.Idle || leftover.Overdue(b.info.Lifecycle, u.key, u.begun, now))
	})
}
