package memstore

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// An upload in parts that nobody goes on with is dropped: when no part came for
// as long as Google and Azure wait, or, where the bucket's lifecycle says so, so
// many days after it was begun, as Amazon counts
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
const (
	day               = 24 * time.Hour
	uploadIdle        = 7 * day
	uploadSweepPeriod = time.Hour // so that beginning many uploads does not look at all of them each time
)

// sweepUploads leaves alone what a call is working on. The write lock is held, so
// that none begins to.
func (b *bucket) sweepUploads(now time.Time) {
	if since := now.Sub(b.swept); since >= 0 && since < uploadSweepPeriod {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.uploads, func(_ string, u *upload) bool {
		return u.calls.Load() == 0 && (now.Sub(u.last) >= uploadIdle || u.overdue(now, b.info.Lifecycle))
	})
}

// overdue asks the rules, in days: they may be more than a Duration holds.
func (u *upload) overdue(now time.Time, rules []storage.LifecycleRule) bool {
	days := int(now.Sub(u.begun) / day)
	return slices.ContainsFunc(rules, func(r storage.LifecycleRule) bool {
		return r.AbortUploadsAfterDays > 0 && days >= r.AbortUploadsAfterDays && strings.HasPrefix(u.key, r.Prefix)
	})
}
