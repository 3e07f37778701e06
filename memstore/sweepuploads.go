package memstore

import (
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/staleupload"
)

// sweepUploads discards the uploads that package staleupload considers abandoned, except uploads
// that a call is using. The caller holds the write lock, so no call can begin to use an upload
// meanwhile.
func (b *bucket) sweepUploads(now time.Time) {
	if elapsed := now.Sub(b.swept); elapsed >= 0 && elapsed < staleupload.Period {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		return u.calls.Load() == 0 &&
			(now.Sub(u.last) >= staleupload.Idle || staleupload.Expired(b.info.Lifecycle, u.key, u.begun, now))
	})
}
