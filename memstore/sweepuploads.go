package memstore

import (
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/staleupload"
)

// sweepUploads discards the uploads that package staleupload calls abandoned. It keeps an
// upload that a call is using. The caller holds the write lock, so that no call starts to
// use one meanwhile.
func (b *bucket) sweepUploads(now time.Time) {
	if since := now.Sub(b.swept); since >= 0 && since < staleupload.Period {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		return u.calls.Load() == 0 &&
			(now.Sub(u.last) >= staleupload.Idle || staleupload.Expired(b.info.Lifecycle, u.key, u.begun, now))
	})
}
